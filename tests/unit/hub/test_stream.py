"""A stream in the hub: what it keeps."""

from .world import A, World


def test_frames_that_were_passed_over_are_not_kept(world: World) -> None:
    world.commit(A, joined=["1"])
    world.open("1")
    frames = [world.commit(A) for _ in range(5)]
    world.pruned = 5

    world.hub.take(frames[1:3])
    world.settle()

    assert not world.hub.registry.streams[A].early

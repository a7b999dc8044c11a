"""Upkeep: what the hub does every two seconds."""

from .world import World


def test_who_may_not_be_here_any_more_is_dismissed(world: World) -> None:
    one, other = world.open("1"), world.open("2")
    world.inactive = ["2"]

    world.loop.real.run_until_complete(world.hub.upkeep.keep_alive())

    assert (one.dismissed, other.dismissed) == ([], [None])

"""The registry: streams are held while somebody hears them."""

from .world import A, World


def test_streams_are_followed_while_somebody_listens(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, two = world.open("1"), world.open("2")
    assert world.followed() == [A, "user:1", "user:2"]

    world.hub.leave(one)
    assert world.followed() == [A, "user:2"]

    world.tell(A, left=["2"])
    assert world.followed() == ["user:2"]
    world.hub.leave(two)
    world.hub.leave(two)

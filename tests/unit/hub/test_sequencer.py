"""The sequencer: frames in order, and who comes and goes by them."""

from .world import A, World


def test_frames_in_disorder_are_put_in_order(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")
    two, three, four = (world.commit(A) for _ in range(3))

    world.hub.take([four, three, four])
    assert socket.of(A) == []
    world.hub.take([two])

    assert socket.of(A) == [2, 3, 4]


def test_who_leaves_gets_nothing_more_and_who_joins_nothing_before(world: World) -> None:
    world.commit(A, joined=["1"])
    one, two = world.open("1"), world.open("2")
    for change in ({}, {"joined": ["2"]}, {}, {"left": ["1"]}, {}):
        world.tell(A, **change)

    assert (one.of(A), two.of(A)) == ([2, 3, 4], [3, 4, 5, 6])


def test_the_last_frame_of_a_room_reaches_its_members(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")

    world.tell(A, closed=True)

    assert socket.of(A) == [2]
    assert world.followed() == ["user:1"]


def test_the_echo_of_a_join_begins_nothing_again(world: World) -> None:
    socket = world.open("1")
    joined = world.tell(A, joined=["1"])
    world.tell(A, closed=True)

    world.hub.take([joined])
    world.settle()

    assert socket.of(A) == [1, 2]
    assert world.followed() == ["user:1"]

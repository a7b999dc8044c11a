"""Readings: what happens while memberships are read."""

from .world import A, World


def test_a_socket_whose_user_left_while_it_opened_is_no_member(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    world.tell(A, left=["1"])

    world.enter(socket, positions)
    world.tell(A)
    world.settle()

    assert socket.of(A) == []


def test_sockets_that_open_all_the_time_leave_nothing_behind(world: World) -> None:
    world.commit(A, joined=["1"])
    world.open("1")
    socket, positions = world.read("2")
    world.hub.register(socket)
    for _ in range(200):
        # One opens before the other has entered: there is no moment with none.
        world.tell("room:b")
        world.tell(A, joined=["3"])
        world.tell(A, left=["3"])
        following, read = world.read("2")
        world.hub.register(following)
        world.enter(socket, positions)
        world.hub.leave(socket)
        socket, positions = following, read

    assert world.hub.readings.kept_frames <= 2
    assert world.hub.readings.kept_departures <= 2
    world.hub.cancel(socket)

"""Catching up: what is read from the log, and up to where a user has been brought."""

from event_bridge.hub.catch_up import REPLAY_SIZE

from .world import A, World


def test_a_gap_is_filled_from_the_log(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")
    world.commit(A)

    world.tell(A)
    assert socket.of(A) == []
    world.loop.fire()
    world.loop.turn(10)

    assert socket.of(A) == [2, 3]


def test_what_no_bell_told_is_found(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")
    for _ in range(REPLAY_SIZE + 5):
        world.commit(A)

    world.settle()

    assert socket.of(A) == list(range(2, REPLAY_SIZE + 7))


def test_a_log_that_was_pruned_too_far_interrupts_those_who_lost_something(world: World) -> None:
    world.commit(A, joined=["1"])
    socket, stranger = world.open("1"), world.open("2")
    for _ in range(5):
        world.commit(A)
    world.pruned = 4

    world.settle()

    assert (socket.interrupted, stranger.interrupted) == (True, False)
    assert socket.of(A) == [5, 6]


def test_a_room_that_is_gone_with_its_log_interrupts_nobody(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, two = world.open("1"), world.open("2")
    for _ in range(5):
        world.commit(A)
    # The frame by which they left went with the others: the last one tells it.
    world.commit(A, closed=True, left=["2"])
    world.pruned = 6

    world.settle()

    assert (one.interrupted, two.interrupted) == (False, False)
    assert (one.of(A), two.of(A)) == ([7], [])


def test_who_was_removed_with_a_frame_gets_what_came_before_it(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, two = world.open("1"), world.open("2")

    world.commit(A)
    world.commit(A, left=["2"])
    world.commit(A)
    world.settle()

    assert (one.of(A), two.of(A)) == ([2, 3, 4], [2])


def test_who_was_removed_without_a_frame_gets_nothing_that_the_log_brings(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, two = world.open("1"), world.open("2")

    del world.members[A]["2"]
    world.commit(A)
    world.settle()
    word = world.refresh(A, "2")
    world.hub.take([word])
    world.loop.turn(20)
    world.tell(A)

    assert (one.of(A), two.of(A)) == ([2, 3], [])


def test_a_stream_that_nobody_is_left_to_hear_is_let_go_when_the_log_is_read(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")

    del world.members[A]["1"]
    world.commit(A)
    world.settle()

    assert world.followed() == ["user:1"]
    assert socket.of(A) == []


def test_who_came_back_is_found_when_the_log_is_read(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, socket = world.open("1"), world.open("2")
    del world.members[A]["2"]
    world.commit(A)
    world.join_silently(A, "2")
    world.commit(A)

    world.settle()  # no notice of either

    assert (one.of(A), socket.of(A)) == ([2, 3], [3])


def test_who_is_brought_up_stands_where_they_have_been_brought(world: World) -> None:
    """The hub is ahead of what was read for the socket, as in a room where much is written."""
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    world.tell(A)
    world.tell(A)

    world.enter(socket, positions)
    assert world.hub.positions("1") == {"user:1": 0, A: 1}
    world.loop.turn(10)

    assert socket.of(A) == [2, 3]
    assert world.hub.positions("1") == {"user:1": 0, A: 3}


def test_who_is_brought_up_stands_there_batch_by_batch(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    for _ in range(3 * REPLAY_SIZE):
        world.tell(A)
    world.slowness = 1

    world.enter(socket, positions)
    for _ in range(20):
        world.loop.turn(1)
        assert socket.of(A) == list(range(2, world.hub.positions("1")[A] + 1))

    assert len(socket.of(A)) == 3 * REPLAY_SIZE


def test_who_is_brought_up_in_a_log_that_was_pruned_is_interrupted(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    other = world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    for _ in range(3):
        world.tell(A)
    world.pruned = 3

    world.enter(socket, positions)
    world.loop.turn(10)

    assert (socket.interrupted, other.interrupted) == (True, False)
    assert world.hub.positions("1")[A] == 4


def test_who_leaves_and_comes_back_while_they_are_brought_up_gets_nothing_twice(
    world: World,
) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    world.tell(A)
    world.slowness = 8
    world.enter(socket, positions)
    world.loop.turn(1)  # the log is asked

    world.tell(A, left=["1"])
    world.tell(A)
    joined = world.commit(A, joined=["1"])
    world.tell(A)
    world.hub.take([joined])
    world.settle()

    assert socket.of(A) == sorted(set(socket.of(A)))
    assert socket.of(A)[-2:] == [5, 6]
    assert set(socket.of(A)) <= {2, 5, 6}


def test_who_has_left_in_the_log_that_brings_them_up_follows_nothing(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    other = world.open("2")
    socket, positions = world.read("1")
    world.commit(A)
    left, last = world.commit(A, left=["1"]), world.commit(A, left=["2"])
    world.hub.take(world.log[A][1:3])
    world.hub.register(socket)

    world.enter(socket, positions)
    world.hub.take([left, last])
    world.settle()

    assert (socket.of(A), other.of(A)) == ([2], [2, 3])
    assert world.followed() == ["user:1", "user:2"]

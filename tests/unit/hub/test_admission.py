"""Admission: from where on a new socket hears its user's streams."""

from .world import A, World


def test_a_socket_that_opens_misses_nothing_after_its_streams_were_read(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    world.tell(A)  # the hub is ahead of what was read

    world.enter(socket, positions)
    world.tell(A)
    world.settle()

    assert socket.of(A) == [2, 3]


def test_another_socket_of_a_user_gets_nothing_twice_when_one_opens_late(world: World) -> None:
    world.commit(A, joined=["1"])
    phone = world.open("1")
    laptop, positions = world.read("1")
    world.hub.register(laptop)
    world.tell(A)
    world.tell(A, closed=True)

    world.enter(laptop, positions)
    world.settle()

    assert phone.of(A) == [2, 3]


def test_a_socket_hears_of_a_join_though_another_opened_after_it(world: World) -> None:
    phone = world.open("1")
    world.commit(A, joined=["1"])  # the wake-up is late

    world.open("1")
    world.settle()

    assert phone.of(A) == [1]


def test_who_enters_later_stands_before_that_place(world: World) -> None:
    world.commit(A, joined=["2"])
    other = world.open("2")
    world.commit(A)
    world.commit(A, joined=["1"])  # no wake-up has come of either

    socket = world.open("1")
    assert world.hub.positions("1") == {"user:1": 0, A: 2}
    world.settle()

    assert (socket.of(A), other.of(A)) == ([], [2, 3])
    assert world.hub.positions("1") == {"user:1": 0, A: 3}


def test_a_socket_hears_nothing_that_is_older_than_itself_though_the_hub_is_behind(
    world: World,
) -> None:
    world.commit(A, joined=["1", "2"])
    phone, other = world.open("1"), world.open("2")
    for _ in range(3):
        world.commit(A)  # no wake-up has come

    laptop, stranger = world.open("1"), world.open("2")
    world.commit(A)
    world.settle()

    assert (phone.of(A), other.of(A)) == ([2, 3, 4, 5], [2, 3, 4, 5])
    assert (laptop.of(A), stranger.of(A)) == ([5], [5])


def test_a_socket_hears_nothing_older_while_another_of_its_user_is_brought_up(
    world: World,
) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    phone, positions = world.read("1")
    world.hub.register(phone)
    world.tell(A)
    world.slowness = 5
    world.enter(phone, positions)

    laptop = world.open("1")
    world.tell(A)
    world.settle()

    assert (phone.of(A), laptop.of(A)) == ([2, 3], [3])

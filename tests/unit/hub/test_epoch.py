"""The epoch: what the hub does when the database was set back."""

from .world import A, World


def renew(world: World, count: int) -> None:
    """Set the database back to the first frame of A, and let other frames follow."""
    world.epoch = "second"
    del world.log[A][1:]
    for _ in range(count):
        world.commit(A)


def test_a_renewed_epoch_interrupts_every_socket_and_all_begins_afresh(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, two = world.open("1"), world.open("2")
    for _ in range(8):
        world.tell(A)
    renew(world, 3)

    world.loop.real.run_until_complete(world.hub.epoch.check())
    assert (one.interrupted, two.interrupted) == (True, True)
    assert world.hub.positions("1") == {}
    back = world.open("1")
    world.hub.leave(one)
    assert world.hub.positions("1") == {"user:1": 0, A: 4}
    for _ in range(8):
        world.tell(A)
    world.settle()

    assert back.of(A) == list(range(5, 13))
    assert not back.interrupted
    assert one.of(A) == two.of(A) == list(range(2, 10))


def test_a_socket_that_brings_another_epoch_comes_again(world: World) -> None:
    """It may have read before the epoch was renewed, or be the first to know of that."""
    world.commit(A, joined=["1", "2"])
    one = world.open("1")
    world.tell(A)
    late, positions = world.read("2")
    world.hub.register(late)
    renew(world, 5)
    first = world.open("2")
    assert (first.interrupted, one.interrupted) == (True, False)

    world.loop.turn(10)
    assert one.interrupted
    world.enter(late, positions)
    assert late.interrupted
    world.loop.turn(10)
    back = world.open("1")
    world.tell(A)

    assert not back.interrupted
    assert back.of(A) == [7]


def test_who_was_being_brought_up_is_not_in_another_epoch(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    for _ in range(3):
        world.tell(A)
    world.slowness = 5
    world.enter(socket, positions)
    world.loop.turn(1)  # the log is asked
    renew(world, 7)
    world.slowness = 0

    world.loop.real.run_until_complete(world.hub.epoch.check())
    world.settle()

    assert socket.interrupted
    assert socket.of(A) == []

"""Memberships: members that no frame tells of."""

import asyncio
from itertools import permutations
from typing import Any

import pytest

from .world import A, World


def test_a_socket_that_opens_while_members_are_read_is_not_forgotten(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("1")
    world.slowness = 5
    world.hub.take([world.refresh(A, "3")])
    world.loop.turn(2)  # the members have been asked for, those who are here by now

    socket = world.open("2")
    world.loop.turn(20)
    world.tell(A)

    assert socket.of(A) == [2]


@pytest.mark.parametrize("word", ["joins", "leaves"])
def test_a_change_without_a_frame_holds_once_it_is_announced(world: World, word: str) -> None:
    world.commit(A, joined=["1", "2"] if word == "leaves" else ["1"])
    world.open("1")
    socket = world.open("2")

    if word == "joins":
        world.members[A]["2"] = 2
    else:
        del world.members[A]["2"]
    world.hub.take([world.refresh(A, "2")])
    world.loop.turn(20)
    world.tell(A)

    assert socket.of(A) == ([2] if word == "joins" else [])


def test_a_room_deleted_without_a_frame_is_followed_no_more(world: World) -> None:
    world.commit(A, joined=["1"])
    world.open("1")

    world.closed.add(A)
    world.hub.take([world.refresh(A)])
    world.loop.turn(20)

    assert world.followed() == ["user:1"]


def test_a_join_without_a_frame_brings_nothing_from_before(world: World) -> None:
    """The notice of it comes to a hub that has yet to hear of what was written before."""
    world.commit(A, joined=["1"])
    one, socket = world.open("1"), world.open("2")
    before = [world.commit(A) for _ in range(3)]
    world.join_silently(A, "2")
    word, after = world.refresh(A, "2"), world.commit(A)

    world.hub.take([word])
    world.loop.turn(20)
    world.hub.take([*before, after])
    world.settle()

    assert (one.of(A), socket.of(A)) == ([2, 3, 4, 5], [5])


def test_a_join_without_a_frame_brings_what_came_since_though_the_word_is_late(
    world: World,
) -> None:
    world.commit(A, joined=["1"])
    one, socket = world.open("1"), world.open("2")
    world.tell(A)
    world.join_silently(A, "2")
    world.tell(A)
    world.tell(A)

    world.hub.take([world.refresh(A, "2")])
    world.loop.turn(20)
    world.tell(A)

    assert (one.of(A), socket.of(A)) == ([2, 3, 4, 5], [3, 4, 5])


def test_who_came_back_without_a_frame_gets_nothing_of_the_time_between(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, socket = world.open("1"), world.open("2")
    del world.members[A]["2"]
    world.commit(A)
    world.join_silently(A, "2")
    world.commit(A)

    world.hub.take([world.refresh(A, "2")])
    world.settle()

    assert (one.of(A), socket.of(A)) == ([2, 3], [3])


def test_a_socket_that_opens_while_its_user_joins_without_a_frame_gets_no_history(
    world: World,
) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("1")
    for _ in range(3):
        world.tell(A)
    socket, positions = world.read("2")
    world.hub.register(socket)
    world.tell(A)

    world.hub.take([world.refresh(A, "3")])
    world.loop.turn(20)
    world.enter(socket, positions)
    world.tell(A)
    world.settle()

    assert socket.of(A) == [5, 6]


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("behind", [False, True])
def test_a_transaction_of_several_words_settles_those_whom_each_names(
    order: tuple[int, ...], behind: bool, world: World
) -> None:
    """An event removes "1", and in its transaction plain code removes "2" and adds "3"."""
    world.commit(A, joined=["1", "2", "4"])
    sockets = [world.open(user) for user in ("1", "2", "3", "4")]
    before = world.commit(A)
    if not behind:
        world.hub.take([before])
    words = [world.commit(A, left=["1"]), world.commit(A, left=["2"])]
    world.join_silently(A, "3")
    words.append(world.refresh(A, "3"))

    for index in order:
        world.hub.take([words[index]])
        world.loop.turn(20)
    world.settle()
    world.tell(A)

    one, two, three, four = (socket.of(A) for socket in sockets)
    assert four == [2, 3, 4, 5]
    assert three == [5]
    # Who was removed may lose what came before the removal, and hears nothing of what came after.
    assert set(one) <= {2}
    assert set(two) <= {2, 3}
    if not behind:
        assert (one, 2 in two) == ([2], True)


def test_who_leaves_by_a_frame_that_is_still_to_come_leaves_though_members_were_read(
    world: World,
) -> None:
    """A socket that opened after the members were asked for is told by the frame alone."""
    world.commit(A, joined=["1", "2"])
    world.open("1")
    socket, positions = world.read("2")
    left = world.commit(A, left=["2"])
    word = world.refresh(A, "1")
    world.slowness = 5
    world.hub.take([word])
    world.loop.turn(2)  # the members are asked for, of those who are here

    world.hub.register(socket)
    world.enter(socket, positions)
    world.settle()
    world.hub.take([left])
    world.tell(A)

    assert socket.of(A) == []


def test_words_that_come_while_members_are_read_are_read_once_more_in_order(
    world: World,
) -> None:
    """Two threads may answer in any order: the older answer must not be the last."""
    world.commit(A, joined=["1"])
    world.open("1")
    socket = world.open("2")
    slow = iter([20, 0, 0, 0, 0])

    async def run(function: Any, *args: Any) -> Any:
        result = function(*args)
        for _ in range(next(slow)):
            await asyncio.sleep(0)
        return result

    world.hub.threads.run = run
    world.hub.take([world.refresh(A, "3")])
    world.loop.turn(2)
    world.join_silently(A, "2")
    world.hub.take([world.refresh(A, "2")])
    world.loop.turn(40)
    world.hub.threads.run = world._run
    world.tell(A)

    assert socket.of(A) == [2]


def test_the_late_word_of_a_join_that_is_over_lets_nobody_stay(world: World) -> None:
    """Plain code removed the user again, and the notice of that came before they were here."""
    joined = world.commit(A, joined=["1"])
    del world.members[A]["1"]
    second = world.commit(A)
    socket = world.open("1")
    world.hub.take([joined, second])

    world.loop.real.run_until_complete(world.hub.memberships.find_joins())
    world.loop.turn(10)
    world.tell(A)

    assert 3 not in socket.of(A)
    assert world.followed() == ["user:1"]

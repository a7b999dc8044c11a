"""Operations that share a commit: each is all or nothing by itself."""

import asyncio
import threading
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from django.db import DatabaseError, connection, transaction

from gql_chat import streams
from gql_chat.errors import Invalid
from gql_chat.models import GroupChat, Message, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.sql.calls import Call, Outcome
from gql_chat.sql.threads import DatabaseThreads, Sharing
from gql_chat.streams import Envelope, commit_together, room_stream
from gql_chat.streams.workers import make_threads
from tests.conftest import Users
from tests.timing import PATIENCE, eventually


class World:
    """A committed group of alice's; the tests work outside any transaction."""

    def __init__(self, users: Users) -> None:
        (self.alice,) = users.make("alice")
        self.group = GroupChat.objects.create(name="group", creator=self.alice)

    def say(self, content: str) -> Any:
        """Send a message; returns what became of it, as far as it is known before the commit."""
        return EventHandler(self.alice.pk).send_message(self.group.pk, content)

    def said(self) -> list[str]:
        messages = Message.objects.filter(room=self.group.pk).order_by("created_at")
        return list(messages.values_list("content", flat=True))

    def places(self) -> list[int]:
        log = StreamEvent.objects.filter(stream=room_stream(self.group.pk)).order_by("seq")
        return list(log.values_list("seq", flat=True))


@pytest.fixture
def world(users: Users, committed_database: None) -> World:
    return World(users)


def commit(calls: list[Any]) -> list[Outcome]:
    return commit_together([Call(call) for call in calls])


def errors(outcomes: list[Outcome]) -> list[type | None]:
    return [None if each.error is None else type(each.error) for each in outcomes]


def test_each_takes_its_place_in_the_order_of_the_asking(world: World) -> None:
    outcomes = commit([partial(world.say, word) for word in ("one", "two", "three")])

    assert errors(outcomes) == [None, None, None]
    assert [each.result.seq for each in outcomes] == world.places() == [1, 2, 3]
    assert world.said() == ["one", "two", "three"]


def test_one_that_fails_takes_nothing_of_the_others_with_it(world: World) -> None:
    outcomes = commit([partial(world.say, word) for word in ("one", "", "three")])

    assert errors(outcomes) == [None, Invalid, None]
    assert (world.said(), world.places()) == (["one", "three"], [1, 2])


def test_what_one_wrote_before_it_failed_is_undone(world: World) -> None:
    def say_and_fail() -> None:
        with streams.transaction():
            world.say("two")
            raise Invalid("changed my mind")

    outcomes = commit([partial(world.say, "one"), say_and_fail])

    assert errors(outcomes) == [None, Invalid]
    assert (world.said(), world.places()) == (["one"], [1])


def test_frames_leave_after_the_commit(world: World, published: list[Envelope]) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(len(published))

    commit([partial(world.say, "one"), look, partial(world.say, "two"), look])

    assert seen == [0, 0]
    assert [envelope.seq for envelope in published] == [1, 2]


def test_what_is_captured_is_each_operations_own(world: World, published: list[Envelope]) -> None:
    def say(word: str) -> list[Envelope]:
        with streams.capture() as captured:
            world.say(word)
        return captured

    one, two = commit([partial(say, "one"), partial(say, "two")])

    assert [[envelope.seq for envelope in each.result] for each in (one, two)] == [[1], [2]]
    assert published == []


def test_a_hook_that_fails_keeps_no_hook_of_another_from_running(world: World) -> None:
    ran: list[str] = []

    def say(word: str, *, fails: bool) -> None:
        def hook() -> None:
            ran.append(word)
            if fails:
                raise LookupError(word)

        with streams.transaction():
            world.say(word)
            transaction.on_commit(hook)

    calls = [partial(say, "one", fails=True), partial(say, "two", fails=False)]
    outcomes = commit(calls)

    assert errors(outcomes) == [None, None]
    assert (ran, world.said()) == (["one", "two"], ["one", "two"])


def test_hooks_of_what_was_undone_do_not_run(world: World) -> None:
    ran: list[str] = []

    def fail() -> None:
        with streams.transaction():
            transaction.on_commit(partial(ran.append, "two"))
            raise Invalid("changed my mind")

    def say() -> None:
        with streams.transaction():
            world.say("one")
            transaction.on_commit(partial(ran.append, "one"))

    commit([say, fail])

    assert ran == ["one"]


def test_a_commit_that_fails_fails_all_and_stores_nothing(
    world: World, published: list[Envelope]
) -> None:
    with patch.object(connection, "_commit", side_effect=DatabaseError("disk full")):
        outcomes = commit([partial(world.say, "one"), partial(world.say, "two")])

    assert errors(outcomes) == [DatabaseError, DatabaseError]
    assert (world.said(), world.places(), published) == ([], [], [])


def test_a_transaction_that_is_broken_fails_all_and_stores_nothing(
    world: World, published: list[Envelope]
) -> None:
    def break_off() -> None:
        transaction.set_rollback(True)
        raise DatabaseError("broken")

    outcomes = commit([partial(world.say, "one"), break_off, partial(world.say, "two")])

    assert errors(outcomes) == [DatabaseError] * 3
    assert (world.said(), world.places(), published) == ([], [], [])


# On the database threads


async def meanwhile(threads: DatabaseThreads, *calls: Any) -> list[Any]:
    """Ask for all of these while the thread is at something else; return what they return."""
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(PATIENCE)

    working = asyncio.ensure_future(threads.run(work))
    await eventually(begun.is_set, "the thread is at work")
    waiting = [asyncio.ensure_future(call()) for call in calls]
    await asyncio.sleep(0)
    go_on.set()
    await working
    results = await asyncio.gather(*waiting, return_exceptions=True)
    threads.close()
    return list(results)


def in_transaction() -> bool:
    return connection.in_atomic_block


async def test_operations_that_wait_at_the_same_time_share_a_commit(
    committed_database: None,
) -> None:
    threads = DatabaseThreads(1, Sharing(3, commit_together))
    commit, run = (partial(each, in_transaction) for each in (threads.commit, threads.run))

    # Two; what is no operation, by itself; three; and one that is left over.
    found = await meanwhile(threads, commit, commit, run, commit, commit, commit, commit)

    assert found == [True, True, False, True, True, True, False]


async def test_an_operation_that_waits_alone_shares_nothing(committed_database: None) -> None:
    threads = DatabaseThreads(1, Sharing(3, commit_together))

    assert await threads.commit(in_transaction) is False
    threads.close()


async def test_without_sharing_each_operation_stands_alone(committed_database: None) -> None:
    threads = DatabaseThreads(1)
    commit = partial(threads.commit, in_transaction)

    assert await meanwhile(threads, commit, commit) == [False, False]


async def test_each_who_waits_gets_their_own_result_or_error(committed_database: None) -> None:
    threads = DatabaseThreads(1, Sharing(3, commit_together))
    good, bad = partial(threads.commit, divmod, 7, 2), partial(threads.commit, divmod, 1, 0)

    first, second, third = await meanwhile(threads, good, bad, good)

    assert (first, third) == ((3, 1), (3, 1))
    assert isinstance(second, ZeroDivisionError)


async def test_threads_that_are_closed_commit_what_waits(world: World) -> None:
    threads = DatabaseThreads(1, Sharing(3, commit_together))
    waiting = [asyncio.ensure_future(threads.commit(world.say, word)) for word in ("one", "two")]
    await asyncio.sleep(0)

    threads.close()
    await asyncio.gather(*waiting)

    assert await threads.run(world.said) == ["one", "two"]
    threads.close()


async def test_only_a_database_with_one_writer_shares_commits(committed_database: None) -> None:
    threads = make_threads()
    commit = partial(threads.commit, in_transaction)
    shares = connection.vendor == "sqlite"

    assert await meanwhile(threads, commit, commit) == [shares, shares]

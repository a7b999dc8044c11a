"""The gates of rooms: a room that is locked holds its share of the threads and no more."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from gql_chat import streams
from gql_chat.errors import Busy, ExceptionHandler
from gql_chat.models import GroupChat
from gql_chat.operations import EventHandler
from gql_chat.sql import gates
from gql_chat.sql.gates import SHARE, Crowded
from gql_chat.sql.threads import DatabaseThreads, Gating, Sharing
from gql_chat.streams import commit_together
from gql_chat.streams.workers import lock_timeout
from tests.conftest import Users
from tests.timing import PATIENCE, eventually

FOR_ROOMS = 5


class Rooms:
    """Rooms whose locks the test holds, and jobs that wait for them on database threads.

    Attributes:
        threads: the threads.
        tried: how often the jobs of each room began.
        done: the jobs that were done, in that order.
        inside: how many jobs are past the gate of each room, and the most there ever were.
    """

    def __init__(self) -> None:
        self.threads = DatabaseThreads(FOR_ROOMS + 1, gating=Gating(FOR_ROOMS, lock_timeout))
        self.tried: Counter[str] = Counter()
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.done: list[Any] = []
        self._lock = threading.Lock()
        self._free: dict[str, threading.Event] = {}

    def lock(self, *rooms: str) -> None:
        for room in rooms:
            self._free[room] = threading.Event()

    def unlock(self, *rooms: str) -> None:
        for room in rooms:
            self._free[room].set()

    def ask(self, number: Any, *rooms: str) -> asyncio.Future[Any]:
        """Queue a job that needs these rooms."""
        return self.threads.commit(self._work, number, rooms)

    def _work(self, number: Any, rooms: tuple[str, ...]) -> Any:
        with self._lock:
            self.tried.update(rooms)
        gates.enter(rooms)
        with self._lock:
            self.inside.update(rooms)
            self.most |= self.inside
        for room in rooms:
            if room in self._free:
                assert self._free[room].wait(PATIENCE)
        with self._lock:
            self.inside.subtract(rooms)
            self.done.append(number)
        return number

    async def filled(self, room: str) -> None:
        """Wait until a locked room has its share of the threads."""
        await eventually(lambda: self.inside[room] == SHARE, f"{room} has its threads")

    def parked(self) -> int:
        """How many jobs wait at gates."""
        gate = self._gate()
        with gate._lock:
            return len({p.number for line in gate._lines.values() for p in line})

    def is_empty(self) -> bool:
        gate = self._gate()
        with gate._lock:
            return not gate._taken and not gate._lines

    def _gate(self) -> gates.Gate[Any]:
        shift = self.threads._for_locks._shift
        assert shift is not None
        assert shift.gate is not None
        return shift.gate


@pytest.fixture
def rooms(settings: Settings) -> Iterator[Rooms]:
    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": PATIENCE * 2}
    rooms = Rooms()
    yield rooms
    rooms.threads.close()


def test_elsewhere_than_on_a_database_thread_there_are_no_gates() -> None:
    for _ in range(SHARE + 1):
        gates.enter(["a"])


@pytest.mark.parametrize(("size", "together"), [(1, 4), (2, 1)])
async def test_threads_that_do_everything_have_no_gates(
    size: int, together: int, committed_database: None
) -> None:
    threads = DatabaseThreads(size, Sharing(together, commit_together))

    def enter() -> None:
        for _ in range(SHARE + 1):
            gates.enter(["a"])

    await asyncio.gather(*(threads.commit(enter) for _ in range(20)))
    threads.close()


async def test_a_locked_room_stalls_no_other(rooms: Rooms) -> None:
    rooms.lock("a", "b")
    waiting = [rooms.ask(number, room) for number in range(100) for room in ("a", "b")]
    await rooms.filled("a")
    await rooms.filled("b")

    # There is one thread left for these, and one for what needs no room.
    for number in range(100, 120):
        assert await asyncio.wait_for(rooms.ask(number, "c"), PATIENCE) == number
    assert await asyncio.wait_for(rooms.threads.run(divmod, 7, 2), PATIENCE) == (3, 1)
    keep = rooms.threads.commit(divmod, 7, 2, locks=False)
    assert await asyncio.wait_for(keep, PATIENCE) == (3, 1)

    assert not any(job.done() for job in waiting)
    rooms.unlock("a", "b")
    assert await asyncio.gather(*waiting) == [n for n in range(100) for _ in "ab"]
    assert rooms.most == {"a": SHARE, "b": SHARE, "c": 1}
    await eventually(rooms.is_empty, "all gates are left")


def test_who_waits_is_served_first_come_first_served() -> None:
    again: list[int] = []
    gate: gates.Gate[int] = gates.Gate(lambda job, rooms: again.append(job), lambda *_: None)
    room = frozenset({"a"})
    assert gate.take(room)
    assert gate.take(room)
    # Threads may bring them in another order.
    for number in (3, 1, 2, 5, 4):
        gate.park(number, number, frozenset(), room)

    for _ in range(5):
        assert not gate.take(room)
        gate.leave(room)

    assert again == [1, 2, 3, 4, 5]


async def test_who_waits_is_tried_again_once(rooms: Rooms) -> None:
    rooms.lock("a")
    waiting = [rooms.ask(number, "a") for number in range(300)]
    await rooms.filled("a")
    await eventually(lambda: rooms.parked() == 300 - SHARE, "all others wait")

    rooms.unlock("a")
    await asyncio.gather(*waiting)

    assert sorted(rooms.done) == list(range(300))
    # Each stepped aside at most once: its place was kept.
    assert rooms.tried["a"] <= 2 * 300


async def test_who_needs_two_rooms_waits_for_both_and_holds_up_neither(rooms: Rooms) -> None:
    rooms.lock("a")
    stuck = [rooms.ask(number, "a") for number in range(SHARE)]
    await rooms.filled("a")
    both = rooms.ask("both", "b", "a")
    await eventually(lambda: rooms.parked() == 1, "it waits")

    for number in range(10):
        assert await asyncio.wait_for(rooms.ask(number, "b"), PATIENCE) == number
    assert not both.done()
    rooms.unlock("a")

    assert await asyncio.wait_for(both, PATIENCE) == "both"
    await asyncio.gather(*stuck)
    await eventually(rooms.is_empty, "all gates are left")


async def test_rooms_that_are_entered_one_after_the_other_are_left_together(rooms: Rooms) -> None:
    rooms.lock("b")
    stuck = [rooms.ask(number, "b") for number in range(SHARE)]
    await rooms.filled("b")
    tries = []

    def work() -> str:
        tries.append(None)
        gates.enter(["a"])
        gates.enter(["a", "b"])
        return "done"

    waiting = rooms.threads.commit(work)
    await eventually(lambda: rooms.parked() == 1, "it waits")
    # It keeps no place in a meanwhile.
    others = [rooms.ask(number, "a") for number in range(SHARE + 1)]
    await asyncio.wait_for(asyncio.gather(*others), PATIENCE)
    rooms.unlock("b")

    assert await asyncio.wait_for(waiting, PATIENCE) == "done"
    assert len(tries) == 2
    await asyncio.gather(*stuck)
    await eventually(rooms.is_empty, "all gates are left")


async def test_a_job_that_fails_leaves_the_gates(rooms: Rooms) -> None:
    def fail() -> None:
        gates.enter(["a"])
        raise LookupError

    results = await asyncio.gather(
        *(rooms.threads.commit(fail) for _ in range(200)), return_exceptions=True
    )

    assert {type(result) for result in results} == {LookupError}
    await eventually(rooms.is_empty, "all gates are left")


async def test_who_waits_for_too_long_is_refused_and_the_rest_goes_on(
    rooms: Rooms, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": 0.05}
    rooms.lock("a")
    inside = [rooms.ask(number, "a") for number in range(SHARE)]
    await rooms.filled("a")

    late = [rooms.ask(number, "a") for number in range(100)]
    refused = await asyncio.wait_for(asyncio.gather(*late, return_exceptions=True), PATIENCE)

    assert {type(error) for error in refused} == {Busy}
    assert isinstance(refused[0], Busy)
    assert refused[0].code == 4503
    assert refused[0].detail.keys() == {"message", "retry_after"}  # type: ignore[union-attr]
    rooms.unlock("a")
    assert await asyncio.gather(*inside) == list(range(SHARE))
    assert await asyncio.wait_for(rooms.ask("next", "a"), PATIENCE) == "next"
    assert rooms.done == [*range(SHARE), "next"] or rooms.done == [1, 0, "next"]


async def test_a_shorter_limit_holds_for_who_comes_after_it_was_set(
    rooms: Rooms, settings: Settings
) -> None:
    rooms.lock("a")
    patient = [rooms.ask(number, "a") for number in range(SHARE + 1)]
    await eventually(lambda: rooms.parked() == 1, "one waits")

    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": 0.05}
    with pytest.raises(Busy):
        await asyncio.wait_for(rooms.ask("short", "a"), PATIENCE)

    rooms.unlock("a")
    await asyncio.wait_for(asyncio.gather(*patient), PATIENCE)


async def test_without_a_limit_nobody_is_refused(rooms: Rooms, settings: Settings) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": None}
    rooms.lock("a")
    waiting = [rooms.ask(number, "a") for number in range(50)]
    await eventually(lambda: rooms.parked() == 50 - SHARE, "they wait")
    assert rooms._gate()._watched_until is None
    rooms.unlock("a")

    assert await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE) == list(range(50))


async def test_more_than_may_wait_are_refused_at_once(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms.lock("a")
    first = [rooms.ask(number, "a") for number in range(SHARE)]
    await rooms.filled("a")
    monkeypatch.setattr(rooms._gate(), "_limit", 10)
    line = [rooms.ask(number, "a") for number in range(10)]
    await eventually(lambda: rooms.parked() == 10, "the line is full")

    with pytest.raises(Busy):
        await asyncio.wait_for(rooms.ask("too many", "a"), PATIENCE)

    rooms.unlock("a")
    await asyncio.wait_for(asyncio.gather(*first, *line), PATIENCE)


async def test_whoever_gives_up_waiting_holds_up_nobody(rooms: Rooms) -> None:
    rooms.lock("a")
    waiting = [asyncio.ensure_future(rooms.ask(number, "a")) for number in range(100)]
    await eventually(lambda: rooms.parked() == 100 - SHARE, "they wait")
    for job in waiting[SHARE::2]:
        job.cancel()
    rooms.unlock("a")

    await asyncio.wait_for(asyncio.gather(*waiting[SHARE + 1 :: 2]), PATIENCE)
    await eventually(rooms.is_empty, "all gates are left")
    # What was asked for is done, as work in the queue is of whom nobody waits for it.
    assert sorted(rooms.done) == list(range(100))


async def test_closed_threads_finish_what_waits_at_gates_and_end(rooms: Rooms) -> None:
    await eventually(lambda: not crew(), "those of other tests have ended")
    for _ in range(20):
        rooms.lock("a", "b")
        jobs = [rooms.ask(number, room) for number in range(20) for room in ("a", "b")]
        await rooms.filled("a")
        assert len(crew()) == FOR_ROOMS
        rooms.threads.close()
        rooms.unlock("a", "b")

        await asyncio.wait_for(asyncio.gather(*jobs), PATIENCE)
        await eventually(lambda: not crew(), "the threads have ended")


def crew() -> list[threading.Thread]:
    """The threads that do the work of rooms."""
    return [each for each in threading.enumerate() if each.name.startswith("chat-database-locks")]


async def test_hundreds_of_jobs_in_several_rooms_are_each_done_once(rooms: Rooms) -> None:
    names = [("a",), ("b",), ("a", "b"), ("c",), ("b", "c"), ("d",), ("a", "b", "c", "d")]

    jobs = [rooms.ask(number, *names[number % len(names)]) for number in range(700)]
    await asyncio.wait_for(asyncio.gather(*jobs), 3 * PATIENCE)

    assert sorted(rooms.done) == list(range(700))
    assert max(rooms.most.values()) <= SHARE
    await eventually(rooms.is_empty, "all gates are left")


def test_code_that_catches_errors_lets_who_steps_aside_pass() -> None:
    assert not issubclass(Crowded, Exception)


# Waiting for the lock itself


def hold(room: Any, begun: threading.Event, go_on: threading.Event) -> Callable[[], None]:
    """A thread's work: hold the row of a room."""

    def work() -> None:
        try:
            with transaction.atomic():
                list(GroupChat.objects.select_for_update().filter(pk=room.pk))
                begun.set()
                go_on.wait(PATIENCE)
        finally:
            connection.close()

    return work


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite locks no rows")
def test_a_lock_that_is_held_for_too_long_is_waited_for_so_long_and_no_longer(
    users: Users, committed_database: None, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": 0.05}
    alice = users("alice")
    room = GroupChat.objects.create(name="group", creator=alice)
    begun, go_on = threading.Event(), threading.Event()
    holding = threading.Thread(target=hold(room, begun, go_on), daemon=True)
    holding.start()
    assert begun.wait(PATIENCE)

    with pytest.raises(OperationalError) as raised:
        EventHandler(alice.pk).send_message(room.pk, "hello")
    problem = ExceptionHandler().handle(raised.value)
    go_on.set()
    holding.join(PATIENCE)

    assert isinstance(problem, Busy)
    assert caplog.records == []
    assert EventHandler(alice.pk).send_message(room.pk, "hello").message_id


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has no lock_timeout")
@pytest.mark.parametrize(("given", "expected"), [(2, "2s"), (0.0001, "1ms"), (None, "0")])
def test_the_limit_holds_for_our_own_transactions_alone(
    given: float | None, expected: str, committed_database: None, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": given}

    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            found: str = cursor.fetchone()[0]
            return found

    with streams.transaction():
        assert limit() == expected
        with streams.transaction():
            assert limit() == expected
    assert limit() == "0"
    with transaction.atomic():
        with streams.transaction():
            assert limit() == "0"
        assert limit() == "0"

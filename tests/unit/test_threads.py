"""The database threads."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar, copy_context

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone, translation

from gql_chat import streams
from gql_chat.sql import gates
from gql_chat.sql.calls import attempt
from gql_chat.sql.threads import DatabaseThreads, Gating, Sharing
from gql_chat.streams import commit_together
from gql_chat.streams.workers import lock_timeout, make_readers, make_threads
from tests.timing import PATIENCE, eventually


@pytest.fixture
async def threads() -> AsyncIterator[DatabaseThreads]:
    """Two database threads, closed after the test."""
    threads = DatabaseThreads(2)
    yield threads
    threads.close()


def current() -> threading.Thread:
    return threading.current_thread()


async def test_a_result_comes_back(threads: DatabaseThreads) -> None:
    assert await threads.run(divmod, 7, 2) == (3, 1)


async def test_an_exception_comes_back(threads: DatabaseThreads) -> None:
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)

    assert await threads.run(divmod, 7, 2) == (3, 1)


async def test_work_runs_in_threads_of_its_own_as_many_as_said(threads: DatabaseThreads) -> None:
    # Two that wait for each other can only end in two threads.
    barrier = threading.Barrier(2)

    def meet() -> threading.Thread:
        barrier.wait(PATIENCE)
        return current()

    one, other = await asyncio.gather(threads.run(meet), threads.run(meet))

    assert len({one, other, current()}) == 3
    assert {await threads.run(current) for _ in range(10)} <= {one, other}


async def test_one_thread_works_in_the_order_of_the_asking() -> None:
    threads = DatabaseThreads(1)
    done: list[int] = []

    await asyncio.gather(*(threads.run(done.append, number) for number in range(50)))
    threads.close()

    assert done == list(range(50))


async def test_work_goes_on_when_whoever_waits_is_cancelled(threads: DatabaseThreads) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(PATIENCE)
        done.set()

    waiter = asyncio.ensure_future(threads.run(work))
    await eventually(begun.is_set, "the work has begun")
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    go_on.set()

    await eventually(done.is_set, "the work is done")
    assert await threads.run(divmod, 7, 2) == (3, 1)


async def test_closed_threads_finish_what_waits_and_end(threads: DatabaseThreads) -> None:
    workers = {await threads.run(current) for _ in range(20)}
    go_on = threading.Event()
    waiting = [asyncio.ensure_future(threads.run(go_on.wait, PATIENCE)) for _ in range(5)]
    await asyncio.sleep(0)

    threads.close()
    go_on.set()

    assert await asyncio.gather(*waiting) == [True] * 5
    await eventually(lambda: not any(w.is_alive() for w in workers), "the threads have ended")


async def test_closed_threads_start_again_with_the_next_work(threads: DatabaseThreads) -> None:
    before = await threads.run(current)
    threads.close()

    after = await threads.run(current)

    assert before is not after
    threads.close()
    threads.close()


def test_work_of_a_loop_that_is_gone_harms_nobody() -> None:
    threads = DatabaseThreads(1)
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(PATIENCE)

    async def leave() -> None:
        task = asyncio.ensure_future(threads.run(work))
        await eventually(begun.is_set, "the work has begun")
        task.cancel()

    asyncio.run(leave())
    go_on.set()

    async def come_back() -> tuple[int, int]:
        return await threads.run(divmod, 7, 2)

    assert asyncio.run(come_back()) == (3, 1)
    threads.close()


async def test_a_thread_keeps_its_connection(committed_database: None) -> None:
    threads = DatabaseThreads(1)

    def connected() -> int:
        connection.ensure_connection()
        return id(connection.connection)

    assert await threads.run(connected) == await threads.run(connected)
    threads.close()


@pytest.mark.parametrize("usable", [True, False])
async def test_after_an_error_a_connection_is_replaced_if_it_is_of_no_more_use(
    usable: bool, committed_database: None
) -> None:
    threads = DatabaseThreads(1)

    def fail() -> object:
        connection.ensure_connection()
        # The connection is this thread's own and goes with it.
        connection.is_usable = lambda: usable
        broken = connection.connection
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("nonsense")
        return broken

    def answer() -> object:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return connection.connection

    broken = await threads.run(fail)
    assert (await threads.run(answer) is broken) == usable
    threads.close()


async def test_connections_are_closed_with_the_threads(committed_database: None) -> None:
    threads = DatabaseThreads(1)

    def connect() -> object:
        connection.ensure_connection()
        return connection

    wrapper = await threads.run(connect)
    threads.close()

    await eventually(lambda: wrapper.connection is None, "the connection is closed")


def test_sqlite_has_one_thread_and_other_databases_several() -> None:
    size = 1 if connection.vendor == "sqlite" else 8

    assert make_threads().size == make_readers().size == size


# What the work runs in

tenant: ContextVar[str] = ContextVar("tenant")
mark: ContextVar[str] = ContextVar("mark")


def seen() -> tuple[str | None, str, str, str | None]:
    """What work sees of who asked for it, and of work before it."""
    found = tenant.get(None), translation.get_language(), str(timezone.get_current_timezone())
    return *found, mark.get(None)


async def ask(threads: DatabaseThreads, method: str, number: int) -> list[object]:
    """Ask for work with a context of one's own; returns what it saw, also after its commit."""
    language, zone = ("de", "Europe/Berlin") if number % 2 else ("fr", "Asia/Tokyo")
    tenant.set(str(number))
    translation.activate(language)
    timezone.activate(zone)
    found: list[object] = []

    def work() -> None:
        found.append(seen() == (str(number), language, zone, None) or seen())
        mark.set(str(number))
        translation.activate("it")
        if method == "commit":
            with streams.transaction():
                transaction.on_commit(lambda: found.append(tenant.get() + mark.get()))

    await getattr(threads, method)(work)
    return found


@pytest.mark.parametrize("method", ["run", "commit"])
@pytest.mark.parametrize(
    ("size", "together", "for_locks"), [(1, 1, 0), (1, 5, 0), (3, 1, 0), (4, 1, 2)]
)
async def test_work_sees_the_context_of_who_asked_and_leaves_nothing_behind(
    size: int, together: int, for_locks: int, method: str, committed_database: None
) -> None:
    if connection.vendor == "sqlite" and size > 1 and method == "commit":
        for_locks, size = 0, 1  # it has one writer
    threads = DatabaseThreads(
        size,
        Sharing(together, commit_together) if together > 1 else None,
        Gating(for_locks, lock_timeout) if for_locks else None,
    )

    results = await asyncio.gather(
        *(
            asyncio.create_task(ask(threads, method, number), context=copy_context())
            for number in range(60)
        )
    )

    after = [f"{number}{number}" for number in range(60)]
    for number, found in enumerate(results):
        assert found == ([True, after[number]] if method == "commit" else [True])
    threads.close()
    assert tenant.get(None) is None


async def test_a_shared_commit_is_over_for_work_that_comes_after_it(
    committed_database: None,
) -> None:
    threads = DatabaseThreads(1, Sharing(4, commit_together))

    def work() -> bool:
        with streams.transaction():
            return connection.in_atomic_block

    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go_on.wait(PATIENCE)

    holding = asyncio.ensure_future(threads.run(hold))
    await eventually(begun.is_set, "the thread is at work")
    shared = [asyncio.ensure_future(threads.commit(work)) for _ in range(4)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(holding, *shared)

    def alone() -> tuple[bool, bool]:
        before = connection.in_atomic_block
        with streams.transaction():
            return before, bool(connection.savepoint_ids)

    assert await threads.commit(alone) == (False, False)
    threads.close()


# Two crews


async def test_what_needs_no_room_never_waits_behind_what_does() -> None:
    threads = DatabaseThreads(3, gating=Gating(2, lock_timeout))
    go_on = threading.Event()
    rooms = [asyncio.ensure_future(threads.commit(go_on.wait, PATIENCE)) for _ in range(20)]
    await asyncio.sleep(0)

    for _ in range(20):
        assert await asyncio.wait_for(threads.run(divmod, 7, 2), PATIENCE) == (3, 1)
        keep = threads.commit(divmod, 7, 2, locks=False)
        assert await asyncio.wait_for(keep, PATIENCE) == (3, 1)

    assert not any(job.done() for job in rooms)
    go_on.set()
    assert await asyncio.gather(*rooms) == [True] * 20
    threads.close()


async def test_both_crews_end_when_they_are_closed_and_start_again() -> None:
    threads = DatabaseThreads(3, gating=Gating(2, lock_timeout))
    for _ in range(3):
        workers = {await threads.run(current), await threads.commit(current)}
        assert len(workers) == 2
        threads.close()
        await eventually(lambda w=workers: not any(t.is_alive() for t in w), "they have ended")  # type: ignore[misc]


class Watching:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.hops: list[float] = []
        self.works: list[float] = []

    def hopped(self, seconds: float) -> None:
        self.hops.append(seconds)

    def worked(self, seconds: float) -> None:
        self.works.append(seconds)


async def test_who_watches_is_told_how_long_calls_wait_and_threads_work() -> None:
    watch = Watching()
    threads = DatabaseThreads(1, watch=watch)
    may_end = threading.Event()
    try:
        first = threads.run(may_end.wait, PATIENCE)
        others = [threads.run(divmod, 7, 2), threads.run(divmod, 1, 0)]
        await eventually(lambda: len(watch.hops) == 1, "it has begun")
        assert threads.waiting == 2
        may_end.set()
        await asyncio.wait([first, *others])
        # The outcome of the last one comes before the thread tells of its work.
        await eventually(lambda: len(watch.works) == 3, "all is told")
    finally:
        threads.close()

    assert (len(watch.hops), threads.waiting) == (3, 0)
    assert others[0].result() == (3, 1)
    assert isinstance(others[1].exception(), ZeroDivisionError)
    assert all(seconds >= 0 for seconds in (*watch.hops, *watch.works))


async def test_operations_that_share_a_commit_are_one_work_and_a_hop_each() -> None:
    watch = Watching()
    sharing_one = Sharing(16, lambda calls: [attempt(call) for call in calls])
    threads = DatabaseThreads(1, sharing_one, watch=watch)
    may_end = threading.Event()
    try:
        first = threads.run(may_end.wait, PATIENCE)
        sharing = [threads.commit(divmod, 7, 2) for _ in range(5)]
        may_end.set()
        await asyncio.wait([first, *sharing])
        await eventually(lambda: len(watch.works) == 2, "all is told")
    finally:
        threads.close()

    assert len(watch.hops) == 6


async def test_a_call_that_is_parked_at_a_gate_hops_once() -> None:
    watch = Watching()
    threads = DatabaseThreads(4, gating=Gating(3, lambda: PATIENCE), watch=watch)
    may_end = threading.Event()

    def work() -> None:
        gates.enter(["a room"])
        may_end.wait(PATIENCE)

    try:
        jobs = [threads.commit(work) for _ in range(gates.SHARE + 1)]
        # One too many: its thread is done with it for now.
        await eventually(lambda: len(watch.works) == 1, "it is parked")
        may_end.set()
        await asyncio.wait(jobs)
        await eventually(lambda: len(watch.works) == len(jobs) + 1, "all is told")
    finally:
        threads.close()

    assert len(watch.hops) == len(jobs)

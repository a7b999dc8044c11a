"""The database threads: a few threads of our own that run synchronous work for an event loop.

`database_sync_to_async` runs all consumers' work on one thread, and a `ThreadPoolExecutor` costs
more for each call than a queue of our own. The threads are few and live long, so each keeps its
database connection between jobs, even if `CONN_MAX_AGE` closes those of requests.

If a database has many writers, there are two crews of threads: one for work that may wait for the
lock of a row, and one for work that needs no lock. The second never waits behind the first.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from django.db import connections

from ..errors import Busy
from .calls import Call, Outcome, attempt
from .gates import Crowded, Gate, Keys, Patience

T = TypeVar("T")

IDLE_SECONDS = 60
"""After so long without work a thread closes its database connection."""

NOWHERE: Keys = frozenset()
"""No keys."""

CommitTogether = Callable[[Sequence[Call]], list[Outcome]]
"""Makes calls one after the other in one transaction, and returns the outcome of each."""


@dataclass(slots=True, frozen=True)
class Sharing:
    """How operations that wait at the same time share a commit.

    Attributes:
        limit: how many at most; the first of them is answered only after the last.
        commit: makes and commits them.
    """

    limit: int
    commit: CommitTogether


@dataclass(slots=True, frozen=True)
class Gating:
    """How threads are divided if a database has many writers.

    Attributes:
        threads: how many of them do only work that may wait for a lock (`commit`). A locked row
            has no more than its share of these (`gates`).
        patience: returns for how many seconds work may wait at a gate.
    """

    threads: int
    patience: Patience


class Watch(Protocol):
    """Is told how long calls wait and threads work, in seconds. Called on those threads."""

    def hopped(self, seconds: float) -> None:
        """Take how long a call waited until a thread began with it."""

    def worked(self, seconds: float) -> None:
        """Take how long a thread worked without a pause: a call, or those that share a commit."""


@dataclass(slots=True, frozen=True)
class _Job:
    """A call that a coroutine waits for.

    Attributes:
        number: the number under which it was queued: lower ones were queued earlier.
        call: the call.
        shares: whether it is an operation that may share its commit.
        loop: the event loop of the coroutine.
        future: the future that the coroutine awaits.
    """

    number: int
    call: Call
    shares: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


@dataclass(slots=True, frozen=True)
class _Again:
    """A job that was parked, and may start again.

    Attributes:
        job: the job.
        keys: the keys that it has entered already.
    """

    job: _Job
    keys: Keys


_Jobs = SimpleQueue[_Job | _Again | None]
"""The jobs that wait; a None after the last one ends a thread."""


class DatabaseThreads:
    """Runs synchronous functions for coroutines; each crew begins them in the order of the calls.

    Each function runs in a copy of the caller's context: it sees the language, the time zone and
    the context variables of the caller, and the caller sees none that it sets.

    Args:
        size: how many threads; they start with their first job.
        sharing: how operations share commits; None if each has its own.
        gating: how many of the threads are for work that may wait for a lock; with None, all
            threads do everything.
        watch: is told how long all that takes; None if nobody wants to know.
    """

    def __init__(
        self,
        size: int,
        sharing: Sharing | None = None,
        gating: Gating | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.size = size
        self._watch = watch
        self._numbers = itertools.count()
        for_locks = 0 if gating is None else gating.threads
        self._crew = _Crew("chat-database", size - for_locks, sharing, watch=watch)
        self._for_locks = self._crew
        if gating is not None:
            self._for_locks = _Crew(
                "chat-database-locks", for_locks, patience=gating.patience, watch=watch
            )

    @property
    def in_order(self) -> bool:
        """Whether functions end in the order of the calls."""
        return self.size == 1

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        return sum(crew.waiting for crew in {self._crew, self._for_locks})

    def run(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Queue a call of `function(*args)`, for a function that waits for no lock.

        Such work never waits behind operations that wait for a lock.

        Returns:
            A future of the function's result.

        Raises:
            Exception: when awaited, the error of the function.
        """
        return self._put(self._crew, partial(function, *args), shares=False)

    def commit(
        self, function: Callable[..., T], *args: Any, locks: bool = True
    ) -> asyncio.Future[T]:
        """Queue an operation; it may share its commit with others that wait.

        It is all or nothing by itself all the same: its error undoes its own writes, and none of
        the others'. It is committed before the future has its result. If a row that it needs has
        its share of threads, the operation is undone and starts again later (`gates.enter`).

        Args:
            function: the operation: one transaction. Before it the function does nothing that may
                not be done twice.
            args: the arguments of the function.
            locks: whether it may wait for the lock of a row.

        Returns:
            A future of the function's result.

        Raises:
            Busy: when awaited, a row was locked for too long.
            Exception: when awaited, the error of the function or of the commit.
        """
        crew = self._for_locks if locks else self._crew
        return self._put(crew, partial(function, *args), shares=True)

    def _put(self, crew: _Crew, call: Callable[[], T], *, shares: bool) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._watch is not None:
            call = partial(_hop, [time.perf_counter()], self._watch, call)
        crew.put(_Job(next(self._numbers), Call(call), shares, loop, future))
        return future

    def close(self) -> None:
        """Let the threads finish the queued jobs, close their connections and end."""
        self._crew.close()
        self._for_locks.close()


def _hop(queued: list[float], watch: Watch, call: Callable[[], T]) -> T:
    """Make a call that was queued at that time, and tell how long it waited."""
    if queued:  # not if it was parked at a gate: then it starts for another time
        watch.hopped(time.perf_counter() - queued.pop())
    return call()


class _Crew:
    """Threads with a queue of their own; they start with the first job.

    Args:
        name: the beginning of the threads' names.
        size: how many threads.
        sharing: how operations share commits; None if they do not.
        patience: for how long an operation may wait at the gates of rows; None if there are none.
        watch: as for `DatabaseThreads`.
    """

    def __init__(
        self,
        name: str,
        size: int,
        sharing: Sharing | None = None,
        patience: Patience | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._name = name
        self._size = size
        self._sharing = sharing
        self._patience = patience
        self._watch = watch
        self._shift: _Shift | None = None

    @property
    def waiting(self) -> int:
        """How many jobs wait in the queue."""
        shift = self._shift
        return 0 if shift is None else shift.jobs.qsize()

    def put(self, job: _Job) -> None:
        """Queue a job."""
        if self._shift is None:
            self._shift = _Shift(self._size, self._sharing, self._patience)
            for number in range(self._size):
                worker = _Worker(self._shift, self._watch)
                name = f"{self._name}-{number}"
                threading.Thread(target=worker.work, name=name, daemon=True).start()
        self._shift.jobs.put(job)

    def close(self) -> None:
        """Let the threads end when the queued jobs are done."""
        shift, self._shift = self._shift, None
        if shift is not None:
            for _ in range(self._size):
                shift.jobs.put(None)


class _Shift:
    """The state that the threads of a crew share from their start until their end.

    Args:
        size: how many threads there are.
        sharing: how operations share commits; None if they do not.
        patience: for how long an operation may wait at the gates of rows; None if there are none.

    Attributes:
        jobs: the jobs that wait.
        gate: the gate of rows, if there is one.
        sharing: the same as the argument.
    """

    def __init__(self, size: int, sharing: Sharing | None, patience: Patience | None) -> None:
        self.jobs: _Jobs = SimpleQueue()
        self.gate: Gate[_Job] | None = None
        if patience is not None:
            self.gate = Gate(self._queue_again, _refuse, patience)
        self.sharing = sharing
        self._working = size
        self._lock = threading.Lock()

    def _queue_again(self, job: _Job, keys: Keys) -> None:
        # At the end of the queue: a busy row must not keep out the jobs of other rows.
        self.jobs.put(_Again(job, keys))

    def may_end(self) -> bool:
        """Return whether a thread that was told to end may end now.

        The last one may not while jobs are queued. A parked job is queued when another leaves its
        gate, so one thread must be left to do it.
        """
        with self._lock:
            if self._working > 1 or self.jobs.empty():
                self._working -= 1
                return True
            return False


def _refuse(job: _Job, problem: Busy) -> None:
    _settle([job], [Outcome(error=problem)])


@dataclass(slots=True)
class _Worker:
    """The work of one of the threads.

    Attributes:
        shift: the state that it shares with the others.
        watch: as for `DatabaseThreads`.
    """

    shift: _Shift
    watch: Watch | None = None
    _held: _Job | _Again | None = field(default=None, init=False)

    def work(self) -> None:
        """Do one job after the other until told to end."""
        checked = time.monotonic()
        while jobs := self._take():
            if checked < _outage.seen_at:
                checked = time.monotonic()
                _check_connections()
            if self.watch is None:
                self._do(jobs)
            else:
                began = time.perf_counter()
                self._do(jobs)
                self.watch.worked(time.perf_counter() - began)
            # Free the jobs and their results: the next job may be long in coming.
            del jobs
            _tidy_connections()
        connections.close_all()

    def _do(self, jobs: list[_Job | _Again]) -> None:
        if self.shift.gate is None:
            # Without a gate no job is parked.
            plain = [job for job in jobs if isinstance(job, _Job)]
            _settle(plain, self._make(plain))
        else:
            _try(self.shift.gate, jobs[0])

    def _make(self, jobs: list[_Job]) -> list[Outcome]:
        calls = [job.call for job in jobs]
        if self.shift.sharing is None or len(calls) == 1:
            return [attempt(call) for call in calls]
        return self.shift.sharing.commit(calls)

    def _take(self) -> list[_Job | _Again]:
        """Return the next job with those behind it that share its commit; none to end."""
        first, self._held = self._held or self._wait(), None
        if not isinstance(first, _Job):
            return [] if first is None else [first]
        jobs: list[_Job | _Again] = [first]
        sharing = self.shift.sharing
        limit = 1 if sharing is None or not first.shares else sharing.limit
        while len(jobs) < limit:
            try:
                job = self.shift.jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self.shift.jobs.put(None)
                break
            if not isinstance(job, _Job) or not job.shares or job.loop is not first.loop:
                self._held = job
                break
            jobs.append(job)
        return jobs

    def _wait(self) -> _Job | _Again | None:
        while True:
            try:
                job = self.shift.jobs.get(timeout=IDLE_SECONDS)
            except Empty:
                connections.close_all()
                continue
            if job is not None or self.shift.may_end():
                return job
            self.shift.jobs.put(None)


def _try(gate: Gate[_Job], tried: _Job | _Again) -> None:
    """Do a job, or park it if a row that it needs has its share of threads."""
    job, keys = (tried, NOWHERE) if isinstance(tried, _Job) else (tried.job, tried.keys)
    with gate.visit(keys) as visit:
        outcome = attempt(job.call)
    if isinstance(outcome.error, Crowded):
        gate.park(job.number, job, visit.keys, outcome.error.keys)
    else:
        gate.leave(visit.keys)
        _settle([job], [outcome])


def _settle(jobs: list[_Job], outcomes: list[Outcome]) -> None:
    """Give the futures of jobs, all of one event loop, their outcomes."""

    def settle() -> None:
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.future.done():
                continue  # the waiting coroutine was cancelled
            if outcome.error is not None:
                job.future.set_exception(outcome.error)
            else:
                job.future.set_result(outcome.result)

    with suppress(RuntimeError):  # the loop is closed, so no coroutine waits any more
        jobs[0].loop.call_soon_threadsafe(settle)


class _Outage:
    """When a connection was last found broken: other threads' connections broke then, too."""

    seen_at = float("-inf")


_outage = _Outage()


def _check_connections() -> None:
    """Close connections that broke while they were idle."""
    for connection in connections.all(initialized_only=True):
        connection.errors_occurred = True
        connection.close_if_unusable_or_obsolete()


def _tidy_connections() -> None:
    """Close connections that broke, that grew too old, or that belong to a pool."""
    for connection in connections.all(initialized_only=True):
        age = connection.settings_dict["CONN_MAX_AGE"]
        too_old = age and connection.close_at is not None and time.monotonic() > connection.close_at
        if too_old or connection.settings_dict["OPTIONS"].get("pool"):
            connection.close()
        elif connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()
            if connection.connection is None:
                _outage.seen_at = time.monotonic()

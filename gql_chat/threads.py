"""The database threads: a few threads of our own that run synchronous work for an event loop.

`database_sync_to_async` runs all consumers' work on one thread, and hopping through a
`ThreadPoolExecutor` costs more than a queue of our own. The threads are few and live long,
so each keeps its database connection between jobs, whatever `CONN_MAX_AGE` says of requests.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from django.db import connections, router

from .commits import Call, Outcome, attempt, commit_together
from .models import StreamEvent

T = TypeVar("T")

IDLE_SECONDS = 60
"""After so long without work a thread closes its database connection."""

TOGETHER = 16
"""How many operations share a commit at most: the first of them waits for the last."""


@dataclass(slots=True, frozen=True)
class _Job:
    """Work that somebody waits for.

    Attributes:
        call: the work.
        shares: whether it is an operation that may share its commit.
        loop: where they wait.
        future: what they wait for.
    """

    call: Call
    shares: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


_Jobs = SimpleQueue[_Job | None]
"""The jobs that wait; None, after the last one, ends a thread."""


def default_size() -> int:
    """Return how many threads serve: one on SQLite, which has one writer, else eight."""
    return 1 if _vendor() == "sqlite" else 8


def default_together() -> int:
    """Return how many operations share a commit at most: several on SQLite alone.

    Its one writer keeps nobody waiting who could write meanwhile. Elsewhere a shared transaction
    would keep the locks of all its rooms, and two of them could wait for each other for ever.
    """
    return TOGETHER if _vendor() == "sqlite" else 1


def _vendor() -> str:
    vendor: str = connections[router.db_for_write(StreamEvent)].vendor
    return vendor


class DatabaseThreads:
    """Runs synchronous functions for coroutines, first come, first served.

    Args:
        size: how many threads; they start with the first job.
        together: how many operations that wait at the same time may share a commit.
    """

    def __init__(self, size: int, together: int = 1) -> None:
        self.size = size
        self.together = together
        self._jobs: _Jobs = SimpleQueue()
        self._started = False

    @property
    def in_order(self) -> bool:
        """Whether what is queued first is done first."""
        return self.size == 1

    def run(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Queue a call of `function(*args)`; await the result for what it returns.

        Raises:
            Exception: when awaited, what the function raises.
        """
        return self._put(partial(function, *args), shares=False)

    def commit(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Queue an operation; it may share its commit with others that wait.

        It is all or nothing by itself all the same: an error undoes what it wrote and nothing of
        the others. What awaiting the result returns is committed.

        Raises:
            Exception: when awaited, what the function raises, or why nothing could be committed.
        """
        return self._put(partial(function, *args), shares=True)

    def _put(self, call: Callable[[], T], *, shares: bool) -> asyncio.Future[T]:
        if not self._started:
            self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(call, shares, loop, future))
        return future

    def close(self) -> None:
        """Let the threads finish what waits, close their connections and end."""
        if self._started:
            self._started = False
            for _ in range(self.size):
                self._jobs.put(None)
            self._jobs = SimpleQueue()

    def _start(self) -> None:
        self._started = True
        for number in range(self.size):
            worker = _Worker(self._jobs, self.together)
            threading.Thread(
                target=worker.work, name=f"chat-database-{number}", daemon=True
            ).start()


class _Worker:
    """What one of the threads does.

    Args:
        jobs: the jobs that wait.
        together: how many operations may share a commit.
    """

    def __init__(self, jobs: _Jobs, together: int) -> None:
        self._jobs = jobs
        self._together = together
        self._held: _Job | None = None

    def work(self) -> None:
        """Do one job after the other until told to end."""
        checked = time.monotonic()
        while jobs := self._take():
            if checked < _outage.seen_at:
                checked = time.monotonic()
                _check_connections()
            _settle(jobs, _do(jobs))
            _tidy_connections()
        connections.close_all()

    def _take(self) -> list[_Job]:
        """Return the next job, with those behind it that share its commit; none at the end."""
        first, self._held = self._held or self._wait(), None
        jobs = [] if first is None else [first]
        while jobs and jobs[-1].shares and len(jobs) < self._together:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            if not job.shares or job.loop is not jobs[0].loop:
                self._held = job
                break
            jobs.append(job)
        return jobs

    def _wait(self) -> _Job | None:
        while True:
            try:
                return self._jobs.get(timeout=IDLE_SECONDS)
            except Empty:
                connections.close_all()


def _do(jobs: list[_Job]) -> list[Outcome]:
    calls = [job.call for job in jobs]
    return [attempt(calls[0])] if len(calls) == 1 else commit_together(calls)


def _settle(jobs: list[_Job], outcomes: list[Outcome]) -> None:
    """Tell those who wait what became of jobs of one loop."""

    def settle() -> None:
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.future.done():
                continue  # whoever waited was cancelled
            if outcome.error is not None:
                job.future.set_exception(outcome.error)
            else:
                job.future.set_result(outcome.result)

    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        jobs[0].loop.call_soon_threadsafe(settle)


class _Outage:
    """When a connection was last found broken: what broke it broke those of other threads, too."""

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

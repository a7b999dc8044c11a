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
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from django.db import connections, router

from .models import StreamEvent

T = TypeVar("T")

IDLE_SECONDS = 60
"""After so long without work a thread closes its database connection."""

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


def default_size() -> int:
    """Return how many threads serve: one on SQLite, which has one writer, else eight."""
    vendor = connections[router.db_for_write(StreamEvent)].vendor
    return 1 if vendor == "sqlite" else 8


class DatabaseThreads:
    """Runs synchronous functions for coroutines, first come, first served.

    Args:
        size: how many threads; they start with the first job.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._started = False

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function(*args)` on one of the threads and return what it returns.

        Raises:
            Exception: what the function raises.
        """
        if not self._started:
            self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, future, function, args))
        return await future

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
            threading.Thread(
                target=_work, args=(self._jobs,), name=f"chat-database-{number}", daemon=True
            ).start()


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    checked = time.monotonic()
    while True:
        try:
            job = jobs.get(timeout=IDLE_SECONDS)
        except Empty:
            connections.close_all()
            continue
        if job is None:
            connections.close_all()
            return
        loop, future, function, args = job
        if checked < _outage.seen_at:
            checked = time.monotonic()
            _check_connections()
        try:
            result = function(*args)
        except BaseException as error:
            _settle(loop, future, None, error)
        else:
            _settle(loop, future, result, None)
        _tidy_connections()


def _settle(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Any],
    result: Any,
    error: BaseException | None,
) -> None:
    def settle() -> None:
        if future.done():
            return  # whoever waited was cancelled
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(settle)


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

"""Workers: the database threads of a process, in the number that suits its database."""

from __future__ import annotations

from django.db import connections, router

from ..conf import chat_settings
from ..models import StreamEvent
from ..sql.threads import DatabaseThreads, Gating, Sharing, Watch
from .commits import commit_together

TOGETHER = 16
"""How many operations share a commit at most, on SQLite."""

THREADS = 8
"""How many threads a process has if its database has many writers."""

FOR_ROOMS = 5
"""How many of these threads do work that may wait for the lock of a room."""


def make_threads(watch: Watch | None = None) -> DatabaseThreads:
    """Return threads for the operations of a process.

    Args:
        watch: is told how long their work takes; None if nobody wants to know.

    SQLite has one writer, so it gets one thread, and operations that wait for it share commits. On
    other databases a shared transaction would keep the locks of all its rooms, and two of them
    could wait for each other. So there every operation has a transaction of its own, and some
    threads are reserved for work that waits for no room.
    """
    if writes_alone():
        return DatabaseThreads(1, sharing=Sharing(TOGETHER, commit_together), watch=watch)
    return DatabaseThreads(THREADS, gating=Gating(FOR_ROOMS, lock_timeout), watch=watch)


def make_readers() -> DatabaseThreads:
    """Return threads without shared commits: for subscriptions, and for requests of tools."""
    return DatabaseThreads(1 if writes_alone() else THREADS)


def writes_alone() -> bool:
    """Return whether the database has one writer at a time, as SQLite has."""
    vendor: str = connections[router.db_for_write(StreamEvent)].vendor
    return vendor == "sqlite"


def lock_timeout() -> float | None:
    """Return how many seconds to wait for a lock at most (`LOCK_TIMEOUT`); None for no limit."""
    return chat_settings.LOCK_TIMEOUT

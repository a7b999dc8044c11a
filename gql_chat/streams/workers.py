"""Workers: the database threads of a process, as many as its database has a use for."""

from __future__ import annotations

from django.db import connections, router

from ..conf import chat_settings
from ..models import StreamEvent
from ..sql.threads import DatabaseThreads, Gating, Sharing
from .commits import commit_together

TOGETHER = 16
"""How many operations share a commit at most, on SQLite."""

THREADS = 8
"""How many threads serve where a database has many writers."""

FOR_ROOMS = 5
"""How many of those do work that may wait for the lock of a room."""


def make_threads() -> DatabaseThreads:
    """Return threads for the operations of a process.

    SQLite has one writer: it gets one thread, and those who wait for it share commits. Elsewhere a
    shared transaction would keep the locks of all its rooms, and two of them could wait for each
    other for ever; so every operation has its own, and a part of the threads is kept for what
    waits for no room.
    """
    if writes_alone():
        return DatabaseThreads(1, sharing=Sharing(TOGETHER, commit_together))
    return DatabaseThreads(THREADS, gating=Gating(FOR_ROOMS, lock_timeout))


def make_readers() -> DatabaseThreads:
    """Return threads that share nothing: for subscriptions, and requests of tools."""
    return DatabaseThreads(1 if writes_alone() else THREADS)


def writes_alone() -> bool:
    """Tell whether the database has one writer at a time, as SQLite has."""
    vendor: str = connections[router.db_for_write(StreamEvent)].vendor
    return vendor == "sqlite"


def lock_timeout() -> float | None:
    """Return for how many seconds a lock is waited for (`LOCK_TIMEOUT`); None for any time."""
    return chat_settings.LOCK_TIMEOUT

"""Transactions: one operation is one, and is run again where the database broke it off."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import DatabaseError, connections, router
from django.db import transaction as db_transaction

from ..conf import chat_settings
from ..errors import Again, refers_to_nothing, sqlstate
from ..models import Delivery, StreamEvent, get_model, locks
from ..models.locks import take_write_lock
from ..sql.carriers import carrying
from .outbox import Outbox, running
from .publishing import hand_over_after_commit

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ..sql.carriers import Carrier

T = TypeVar("T")


class _Shared(threading.local):
    """Whether the transaction of a thread's connection is shared: its calls have contexts each."""

    running = False


_shared = _Shared()


ATTEMPTS = 12
"""How often an operation is run at most, where the database breaks it off for another one."""

REFERENCE_ATTEMPTS = 3
"""How often at most, where a row that it refers to went meanwhile: it may never have been there."""

_PAUSE_SECONDS = 0.02

_BROKEN_OFF = frozenset({"40001", "40P01"})
"""The SQLSTATEs of serialization failures and deadlocks."""

_ENDED_BEFORE = "25P02"
"""PostgreSQL's code where an error that somebody caught has ended the transaction."""

_IN_ERROR = 3
"""How psycopg and psycopg2 both call such a transaction's state."""


def run(operation: Callable[[], T]) -> T:
    """Run an operation in one transaction, and again where that was broken off for another one.

    It is run once where it is a part of an operation that is running, or of a transaction of the
    caller's own: only who began that can run it again.

    Args:
        operation: it may be called several times; only the last call leaves anything.

    Raises:
        Exception: what the operation raises, or the last try's error.
    """
    connection = connections[router.db_for_write(StreamEvent)]
    if running() is not None or _shared.running or connection.in_atomic_block:
        with transaction():
            return operation()
    for attempt in itertools.count(1):
        try:
            with transaction():
                return operation()
        except (Again, DatabaseError) as error:
            if attempt >= _attempts(error):
                raise
        # Those who broke each other off shall not meet again.
        time.sleep(random.uniform(0, _PAUSE_SECONDS * min(attempt, 5)))
    raise AssertionError("unreachable")


def _attempts(error: Exception) -> int:
    """Return how often an operation that ended with this error may be run."""
    attempts = 1
    cause: BaseException | None = error
    # Where a receiver of a project's caught the error, the next statement raises another one.
    while cause is not None:
        state = sqlstate(cause)
        if isinstance(cause, Again) or state in _BROKEN_OFF:
            return ATTEMPTS
        if refers_to_nothing(cause) or state == _ENDED_BEFORE:
            attempts = REFERENCE_ATTEMPTS
        cause = cause.__cause__
    return attempts


def _check_whole(connection: BaseDatabaseWrapper) -> None:
    """Refuse to end an operation in which code went on after an error that it had caught.

    Django rolls such a transaction back in silence, and so does PostgreSQL: what was not stored
    would be answered.

    Raises:
        TransactionManagementError: the operation's transaction cannot be committed.
    """
    driver_connection: Any = connection.connection
    if connection.needs_rollback or (
        connection.vendor == "postgresql" and driver_connection.info.transaction_status == _IN_ERROR
    ):
        raise db_transaction.TransactionManagementError(
            "Something in this operation failed, and the code that caught the error went on. "
            "Whoever wants to go on puts what may fail into a transaction.atomic() of its own."
        ) from getattr(connection, "rollback_exc", None)


@contextmanager
def transaction() -> Iterator[Outbox]:
    """Run one operation: all it writes is one transaction, all it publishes leaves after it.

    An operation called inside another joins it. Inside a transaction of the caller's own,
    publishing waits for the end of that one.
    """
    using = router.db_for_write(StreamEvent)
    outer = running()
    if outer is not None:
        with db_transaction.mark_for_rollback_on_error(using):
            yield outer
        return
    connection = connections[using]
    shares = _shared.running
    owns = not connection.in_atomic_block
    with db_transaction.atomic(using=using):
        if not shares:
            take_write_lock(connection)
        with carrying(connection, _held_models()) as carrier:
            if owns:
                _limit_lock_waits(connection, carrier)
            outbox = Outbox(connection, carrier)
            token = locks.keep(outbox)
            try:
                yield outbox
                carrier.flush()
                _check_whole(connection)
            finally:
                outbox.end()
                locks.keep_no_more(token)
        if envelopes := outbox.close():
            hand_over_after_commit(envelopes, using)
        if shares or owns:
            _let_hooks_fail(connection)


@cache
def _held_models() -> list[Any]:
    """Return the models whose inserts wait for the next statement: what most operations write."""
    names = ("Message", "ChatNotification", "ReadReceipt", "Reaction")
    return [*(get_model(name) for name in names), Delivery]


def _limit_lock_waits(connection: BaseDatabaseWrapper, carrier: Carrier) -> None:
    """Let no statement of the running transaction wait longer for a lock than `LOCK_TIMEOUT`.

    On PostgreSQL; on SQLite the `timeout` of the connection says how long its one writer is waited
    for. A statement that waited for so long raises what `errors.ExceptionHandler` turns into
    `Busy`. `statement_timeout` stays as the project has it.

    Args:
        connection: this thread's connection.
        carrier: takes the statement along.
    """
    seconds = chat_settings.LOCK_TIMEOUT
    if seconds is not None and connection.vendor == "postgresql":
        milliseconds = max(1, round(seconds * 1000))
        carrier.ahead(f"SET LOCAL lock_timeout = {milliseconds}")


def _let_hooks_fail(connection: BaseDatabaseWrapper) -> None:
    """Let the hooks of this transaction fail one by one: each error is logged, and no more.

    What is stored is answered and published, whatever a project's `on_commit` hook raises.
    `run_on_commit` is Django's own list. No public call says this of hooks that others have
    registered; `tests/unit/test_races.py` notices when the list changes.
    """
    hooks: list[Any] = list(connection.run_on_commit)
    connection.run_on_commit = [(savepoints, hook, True) for savepoints, hook, _ in hooks]  # type: ignore[misc]


@contextmanager
def shared_transaction() -> Iterator[BaseDatabaseWrapper]:
    """Run several operations in one transaction: each is a savepoint of it."""
    using = router.db_for_write(StreamEvent)
    with db_transaction.atomic(using=using):
        connection = connections[using]
        take_write_lock(connection)
        _shared.running = True
        try:
            yield connection
        finally:
            _shared.running = False

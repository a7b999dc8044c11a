"""Transactions: each operation is one, and runs again if the database breaks it off."""

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
from ..models import Delivery, MessageCopy, StreamEvent, get_model, locks
from ..models.locks import take_write_lock
from ..sql.carriers import carrying
from .hooks import LoneHook
from .outbox import Outbox, running
from .publishing import hand_over_after_commit

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ..sql.carriers import Carrier

T = TypeVar("T")


class _Shared(threading.local):
    """Whether several operations share the transaction that runs on a thread.

    It is no context variable: each of these operations runs in a context of its own.
    """

    running = False


_shared = _Shared()


ATTEMPTS = 12
"""How often an operation runs at most, if the database breaks it off for another one."""

REFERENCE_ATTEMPTS = 3
"""How often an operation runs at most, if a row that it refers to is missing.

They are few: the row may have gone meanwhile, but it may as well never have been there.
"""

_PAUSE_SECONDS = 0.02

_BROKEN_OFF = frozenset({"40001", "40P01"})
"""The SQLSTATEs of serialization failures and deadlocks."""

_ENDED_BEFORE = "25P02"
"""PostgreSQL's code for a statement after an error that somebody caught inside the transaction."""

_IN_ERROR = 3
"""The value by which psycopg and psycopg2 both report the state of such a transaction."""


def run(operation: Callable[[], T]) -> T:
    """Run an operation in one transaction, and again if the database breaks that off.

    Inside another operation, or inside a transaction of the caller's own, it runs once: only the
    code that began the transaction can run it again.

    Args:
        operation: may be called several times; only the last call stores anything.

    Returns:
        The result of the operation.

    Raises:
        Exception: an error of the operation, or the last attempt's error.
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
        # A random pause, so that operations that broke each other off do not meet again.
        time.sleep(random.uniform(0, _PAUSE_SECONDS * min(attempt, 5)))
    raise AssertionError("unreachable")


def _attempts(error: Exception) -> int:
    """Return how often an operation that ended with this error may be run."""
    attempts = 1
    cause: BaseException | None = error
    # If a project's signal receiver caught the first error, the next statement raised another.
    while cause is not None:
        state = sqlstate(cause)
        if isinstance(cause, Again) or state in _BROKEN_OFF:
            return ATTEMPTS
        if refers_to_nothing(cause) or state == _ENDED_BEFORE:
            attempts = REFERENCE_ATTEMPTS
        cause = cause.__cause__
    return attempts


def _check_whole(connection: BaseDatabaseWrapper) -> None:
    """Refuse to end an operation whose code caught a database error and went on.

    Django rolls such a transaction back in silence, and so does PostgreSQL. The operation would be
    answered as done although nothing is stored.

    Raises:
        TransactionManagementError: the operation's transaction cannot be committed.
    """
    driver_connection: Any = connection.connection
    if connection.needs_rollback or (
        connection.vendor == "postgresql" and driver_connection.info.transaction_status == _IN_ERROR
    ):
        raise db_transaction.TransactionManagementError(
            "Something in this operation failed, and the code that caught the error went on. "
            "To go on after an error, put what may fail into a transaction.atomic() of its own."
        ) from getattr(connection, "rollback_exc", None)


@contextmanager
def transaction() -> Iterator[Outbox]:
    """Run one operation: it writes in one transaction, and its events leave after the commit.

    An operation called inside another joins it. Inside a transaction of the caller's own,
    publishing waits for the commit of that one.

    Yields:
        The outbox, which takes the operation's events.
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
            token = locks.set_keeper(outbox)
            try:
                yield outbox
                carrier.flush()
                _check_whole(connection)
            finally:
                outbox.end()
                locks.reset_keeper(token)
        if envelopes := outbox.close():
            hand_over_after_commit(envelopes, using)
        if shares or owns:
            _let_hooks_fail(connection)


@cache
def _held_models() -> list[Any]:
    """Return the models whose inserts wait for the next statement: what most operations write."""
    names = ("Message", "ChatNotification", "ReadReceipt", "Reaction")
    return [*(get_model(name) for name in names), Delivery, MessageCopy]


def _limit_lock_waits(connection: BaseDatabaseWrapper, carrier: Carrier) -> None:
    """Let no statement of the running transaction wait longer for a lock than `LOCK_TIMEOUT`.

    This is for PostgreSQL. On SQLite the connection's `timeout` limits the wait for its one writer.
    A statement that waits too long raises an error, which `errors.ExceptionHandler` turns into
    `Busy`. The project's `statement_timeout` stays as it is.

    Args:
        connection: this thread's connection.
        carrier: takes the statement along.
    """
    seconds = chat_settings.LOCK_TIMEOUT
    if seconds is not None and connection.vendor == "postgresql":
        milliseconds = max(1, round(seconds * 1000))
        carrier.ahead(f"SET LOCAL lock_timeout = {milliseconds}")


def _let_hooks_fail(connection: BaseDatabaseWrapper) -> None:
    """Let each `on_commit` hook of this transaction fail by itself: its error is only logged.

    A stored operation is answered and published even if a project's hook raises. Private API of
    Django: `run_on_commit` is its list of hooks. No public call makes hooks robust that others have
    registered. `tests/unit/test_races.py` notices when the list changes.
    """
    hooks: list[Any] = list(connection.run_on_commit)
    connection.run_on_commit = [(savepoints, LoneHook(hook), True) for savepoints, hook, _ in hooks]  # type: ignore[misc]


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

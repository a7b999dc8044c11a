"""Statements that wait for the next one, and reach PostgreSQL with it: one round trip for several.

A transaction has many statements whose answer nobody waits for: BEGIN, a limit, the lock of a row,
inserts. A `Carrier` holds them back. The next statement whose answer is wanted carries them: all
are one text for PostgreSQL, `BEGIN; SET …; SELECT …`, which it executes in order, each with a view
of the database of its own. It stops at the first error. Nothing is in flight between two
statements, so cursors, row counts and savepoints are what they are without a carrier.

What is held:

- what `Carrier.ahead` is given,
- the BEGIN of the transaction, until its first statement,
- inserts into tables that are named, where Django asks for nothing back.

An error of a held statement is raised by the one that carries it, inside the same transaction and
savepoint; `flush` raises it at last. Code that catches it there may take it for its own. So the
next statement, which PostgreSQL refuses, raises it again. Statements that never reached the
database, as where a wrapper refused the one that was to carry them, are still held.

Wrappers that were there before (Django's `execute_wrapper`) see each statement in its place.
Statements that bypass Django's cursor (`COPY`, psycopg itself) carry none: the held ones come after
them.

Every statement is executed at once on SQLite, with psycopg2, with `server_side_binding`, which
takes one statement at a time, and while Django logs queries (`DEBUG`, `assertNumQueries`): the log
says what was sent, and when.

psycopg's pipeline mode would do the same. It was tried, and costs more processor time than it
saves: it sends each statement by itself, in four messages.

This uses Django's documented `execute_wrapper` and psycopg's documented `ClientCursor`, `nextset`,
`autocommit`, `pgresult` and `info`. Two things are not documented. `connection.connection` is the
driver's connection. `_autocommit` is what psycopg's `autocommit` sets, which refuses inside a
transaction: it is as before once BEGIN is sent, since Django asks it what server-side cursors may
do. `tests/unit/test_carriers.py` notices when one of them changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

from django.db import DatabaseError, models
from django.db.backends.base.base import BaseDatabaseWrapper

try:
    from psycopg import ClientCursor
    from psycopg.pq import TransactionStatus
except ImportError:  # psycopg2, or SQLite alone
    ClientCursor: Any = None  # type: ignore[no-redef]

Statement = tuple[str, Sequence[Any] | None]
"""A statement and its parameters, as Django's cursor takes them."""

_BEGIN: Statement = ("BEGIN", None)

_FAILED = "25P02"
"""PostgreSQL's code where an error that somebody caught has ended the transaction."""


class _Several(str):
    """The text of several statements that were put together here."""

    __slots__ = ()


def can_send_several(connection: Any) -> bool:
    """Tell whether several statements may be sent at once."""
    return (
        ClientCursor is not None
        and connection.vendor == "postgresql"
        and not connection.queries_logged
        and not connection.features.uses_server_side_binding
    )


def fetch_together(connection: Any, statements: Sequence[Statement]) -> list[list[Any]]:
    """Execute statements that read, in one round trip where that can be.

    Args:
        connection: this thread's connection.
        statements: what to execute, each one without a semicolon.

    Returns:
        The rows of each, as Django's cursor gives them.

    Raises:
        DatabaseError: as Django's cursor does.
    """
    with connection.cursor() as cursor:
        if can_send_several(connection):
            cursor.execute(*_join(statements))
            return _fetch_each(cursor, len(statements))
        found = []
        for sql, params in statements:
            cursor.execute(sql, params)
            found.append(cursor.fetchall())
        return found


def _join(statements: Sequence[Statement]) -> Statement:
    """Return several statements as one text."""
    texts: list[str] = []
    values: list[Any] = []
    for sql, params in statements:
        texts.append(sql.replace("%", "%%") if params is None else sql)
        values += params or ()
    # A statement may end with a comment.
    return _Several("\n; ".join(texts)), values


_PLAIN = frozenset({NoneType, bool, int, float, str, bytes, UUID, Decimal, date, datetime})


def _keep(params: Any) -> Any:
    """Return parameters as they are now: a receiver may change a list, or what JSON holds."""
    return params and [each if type(each) in _PLAIN else deepcopy(each) for each in params]


def _is_open(driver: Any, begins: bool) -> bool:
    """Tell whether a connection waits for statements as before one that began a transaction."""
    status = driver.info.transaction_status
    return bool(status == (TransactionStatus.IDLE if begins else TransactionStatus.INTRANS))


def _is_after_failure(error: DatabaseError) -> bool:
    """Tell whether a statement was refused since one before it had failed."""
    return getattr(error.__cause__, "sqlstate", None) == _FAILED


def _fetch_each(cursor: Any, count: int) -> list[list[Any]]:
    """Return the rows of the next statements that a cursor has executed."""
    found = []
    for number in range(count):
        if number:
            cursor.nextset()
        found.append(cursor.fetchall() if cursor.description else [])
    return found


class Held:
    """A statement that is held back.

    Args:
        carrier: what holds it.
        statement: the statement.

    Attributes:
        statement: the same.
        found: its rows, once it is executed.
    """

    def __init__(self, carrier: Carrier, statement: Statement) -> None:
        self._carrier = carrier
        self.statement = statement
        self.found: list[Any] | None = None

    def rows(self) -> list[Any]:
        """Return the rows that it found, as the driver gives them; send it where it is still held.

        Raises:
            DatabaseError: as Django's cursor does.
        """
        if self.found is None:
            self._carrier.flush()
        return self.found or []


class Carrier:
    """Holds statements of one transaction back until one is executed that carries them.

    Args:
        connection: this thread's connection, in a transaction.
        inserted: the models whose inserts may be held.
    """

    def __init__(
        self, connection: BaseDatabaseWrapper, inserted: Iterable[type[models.Model]] = ()
    ) -> None:
        self._connection: Any = connection
        quote = connection.ops.quote_name
        self._inserts = tuple(f"INSERT INTO {quote(model._meta.db_table)} (" for model in inserted)
        self._held: list[Held] = []
        self._takes_next = False
        self._failed: BaseException | None = None

    def ahead(self, sql: str, params: Sequence[Any] = ()) -> Held:
        """Have a statement executed before all that follows, at the latest with the next one.

        Args:
            sql: the statement; one, without a semicolon.
            params: its parameters.
        """
        self._takes_next = can_send_several(self._connection)
        try:
            # By Django's cursor: code that wraps it sees the statement.
            with self._connection.cursor() as cursor:
                cursor.execute(sql, params)
                if not self._takes_next:
                    held = Held(self, (sql, params))
                    (held.found,) = _fetch_each(cursor, 1)
                    return held
        finally:
            self._takes_next = False
        return self._held[-1]

    def flush(self) -> None:
        """Execute what is held.

        Raises:
            DatabaseError: as Django's cursor does; once more where somebody caught that of a
                statement that was held, and did not undo it.
        """
        if self._failed is not None:
            raise self._failed from self._failed.__cause__
        if self._held:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")  # which carries them

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """Hold a statement, or execute it with all that is held (an `execute_wrapper`)."""
        if self._holds(sql, params, many):
            self._held.append(Held(self, (sql, _keep(params))))
            return None
        if self._undoes(sql):
            self._held.clear()
            self._failed = None
        begins = self._begins()
        if not self._held and not begins:
            return self._execute(execute, sql, params, many, context)
        cursor = context["cursor"].cursor
        if not self._may_carry(sql, params, many, cursor):
            self.flush()
            return self._execute(execute, sql, params, many, context)
        text, values = self._join_all(begins, sql, params)
        held, self._held = self._held, []
        before, driver = cursor.pgresult, self._connection.connection
        try:
            if begins:
                # So psycopg sends no BEGIN of its own, for which it would wait.
                driver.autocommit = True
            result = self._execute(execute, text, values, many, context)
        except BaseException as error:
            if cursor.pgresult in (None, before) and _is_open(driver, begins):
                self._held[:0] = held  # it never got there, as where another wrapper refused
            elif held and self._failed is None:
                self._failed = error
            raise
        finally:
            if begins:
                driver._autocommit = False
        found = _fetch_each(cursor, begins + len(held))[begins:]
        for each, rows in zip(held, found, strict=True):
            each.found = rows
        cursor.nextset()  # what Django reads
        return result

    def _join_all(self, begins: bool, sql: str, params: Any) -> Statement:
        """Return BEGIN, what is held, and a statement as one text."""
        first = [_BEGIN] if begins else []
        return _join([*first, *(each.statement for each in self._held), (sql, params)])

    def _execute(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """Execute a statement by itself."""
        try:
            return execute(sql, params, many, context)
        except DatabaseError as error:
            if self._failed is not None and _is_after_failure(error):
                raise self._failed from self._failed.__cause__
            raise

    def _holds(self, sql: Any, params: Any, many: bool) -> bool:
        if self._takes_next:
            return True
        return (
            not many
            and can_send_several(self._connection)
            and isinstance(sql, str)
            and sql.startswith(self._inserts)
            and "RETURNING" not in sql.upper()
            and ";" not in sql
            and not isinstance(params, dict)
            # A wrapper that came later shall see it executed.
            and self._connection.execute_wrappers[-1] is self
        )

    @staticmethod
    def _undoes(sql: Any) -> bool:
        """Tell whether a statement undoes what is held, which came after the savepoint."""
        return isinstance(sql, str) and sql.startswith("ROLLBACK")

    @staticmethod
    def _may_carry(sql: Any, params: Any, many: bool, cursor: Any) -> bool:
        """Tell whether a statement may be the last of several."""
        return (
            not many
            and isinstance(cursor, ClientCursor)  # not one of the server's
            and isinstance(sql, str)
            and (isinstance(sql, _Several) or ";" not in sql)
            and not isinstance(params, dict)
        )

    def _begins(self) -> bool:
        """Tell whether the driver has to begin the transaction, in a way that it may be carried."""
        driver = self._connection.connection
        return (
            not driver.autocommit
            and can_send_several(self._connection)
            and driver.info.transaction_status == TransactionStatus.IDLE
            # Else its BEGIN says more.
            and driver.isolation_level is None
            and driver.read_only is None
            and driver.deferrable is None
        )


@contextmanager
def carrying(
    connection: BaseDatabaseWrapper, inserted: Iterable[type[models.Model]] = ()
) -> Iterator[Carrier]:
    """Hold statements of the running transaction back until others carry them.

    The caller calls `flush` when all went well, before the transaction ends.

    Args:
        connection: this thread's connection, in a transaction.
        inserted: the models whose inserts may be held.
    """
    carrier = Carrier(connection, inserted)
    if ClientCursor is not None and connection.vendor == "postgresql":
        with connection.execute_wrapper(carrier):
            yield carrier
    else:
        yield carrier

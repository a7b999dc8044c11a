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
savepoint; `flush` raises it at last. Wrappers that were there before (Django's `execute_wrapper`)
see each statement in its place. What bypasses Django's cursor (`COPY`, psycopg itself) does not
carry: what is held comes after it.

Every statement is executed at once on SQLite, with psycopg2, with `server_side_binding`, which
takes one statement at a time, and while Django logs queries (`DEBUG`, `assertNumQueries`): the log
says what was sent, and when.

psycopg's pipeline mode would do the same. It was tried, and costs more processor time than it
saves: it sends each statement by itself, in four messages.

This uses Django's documented `execute_wrapper` and psycopg's documented `ClientCursor`, `nextset`,
`autocommit` and `info`. One thing of Django is not documented: `connection.connection`, the
driver's connection. `tests/unit/test_carriers.py` notices when that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

try:
    from psycopg import ClientCursor
    from psycopg.pq import TransactionStatus
except ImportError:  # psycopg2, or SQLite alone
    ClientCursor: Any = None  # type: ignore[no-redef]

Statement = tuple[str, Sequence[Any] | None]
"""A statement and its parameters, as Django's cursor takes them."""

_BEGIN: Statement = ("BEGIN", None)


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
    return _Several("; ".join(texts)), values


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

    def ahead(self, sql: str, params: Sequence[Any] = ()) -> Held:
        """Have a statement executed before all that follows, at the latest with the next one.

        Args:
            sql: the statement; one, without a semicolon.
            params: its parameters.
        """
        self._takes_next = can_send_several(self._connection)
        try:
            # By Django's cursor: whoever wraps it sees the statement.
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
            DatabaseError: as Django's cursor does.
        """
        if self._held:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")  # which carries them

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """Hold a statement, or execute it with all that is held (an `execute_wrapper`)."""
        if self._holds(sql, params, many):
            self._held.append(Held(self, (sql, params)))
            return None
        if self._undoes(sql):
            self._held.clear()
        begins = self._begins()
        if not self._held and not begins:
            return execute(sql, params, many, context)
        cursor = context["cursor"].cursor
        if not self._may_carry(sql, params, many, cursor):
            self.flush()
            return execute(sql, params, many, context)
        held = self._take()
        before = [_BEGIN] if begins else []
        if begins:
            # So psycopg sends no BEGIN of its own, for which it would wait. It commits and rolls
            # back as ever. Django sets this anew at both ends of a transaction.
            self._connection.connection.autocommit = True
        text, values = _join([*before, *(each.statement for each in held), (sql, params)])
        result = execute(text, values, many, context)
        found = _fetch_each(cursor, len(before) + len(held))[len(before) :]
        for each, rows in zip(held, found, strict=True):
            each.found = rows
        cursor.nextset()  # what Django reads
        return result

    def _take(self) -> list[Held]:
        held, self._held = self._held, []
        return held

    def _holds(self, sql: Any, params: Any, many: bool) -> bool:
        if self._takes_next:
            return True
        return (
            not many
            and can_send_several(self._connection)
            and isinstance(sql, str)
            and sql.startswith(self._inserts)
            and " RETURNING " not in sql
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

    Whoever opens it calls `flush` when all went well, before the transaction ends.

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

"""Statements that wait for the next one, and reach PostgreSQL with it: one round trip for several.

A transaction has many statements whose answer nobody waits for: BEGIN, a limit, the lock of a row,
inserts. A `Carrier` holds them back. The next statement whose answer is wanted carries them: all
are sent in psycopg's pipeline mode, in their order, and answered together. Nothing is in flight
between two statements, so cursors, row counts and savepoints are what they are without a carrier.

What is held:

- what `Carrier.ahead` is given,
- the BEGIN of the transaction, until its first statement,
- inserts into tables that are named, where Django asks for nothing back.

An error of a held statement is raised by the one that carries it, inside the same transaction and
savepoint; `flush` raises it at last. Wrappers that were there before (Django's `execute_wrapper`)
see each statement in its place. What bypasses Django's cursor (`COPY`, psycopg itself) does not
carry: what is held comes after it.

Every statement is executed at once on SQLite, with psycopg2, with a libpq before 14, and while
Django logs queries (`DEBUG`, `assertNumQueries`): the log says what was sent, and when.

This uses Django's documented `execute_wrapper` and psycopg's documented `pipeline`, `autocommit`
and `info`. Two things of Django are not documented: `connection.connection`, the driver's
connection, and `connection.wrap_database_errors`, which makes Django's errors of the driver's.
`tests/unit/test_pipeline.py` notices when they change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

try:
    from psycopg import Pipeline
    from psycopg.pq import TransactionStatus

    _is_supported = Pipeline.is_supported()
    _IDLE = TransactionStatus.IDLE
except ImportError:  # psycopg2, or SQLite alone
    _is_supported = False


def can_send_several(connection: Any) -> bool:
    """Tell whether several statements may be sent at once."""
    return (
        _is_supported
        and connection.vendor == "postgresql"
        and not connection.queries_logged
        and (connection.connection is None or hasattr(connection.connection, "pipeline"))
    )


def fetch_together(
    connection: Any, statements: Sequence[tuple[str, Sequence[Any]]]
) -> list[list[Any]]:
    """Execute statements that read, in one round trip where that can be.

    Args:
        connection: this thread's connection.
        statements: each with its parameters.

    Returns:
        The rows of each, as Django's cursor gives them.

    Raises:
        DatabaseError: as Django's cursor does.
    """
    with ExitStack() as stack:
        cursors = [stack.enter_context(connection.cursor()) for _ in statements]
        with _pipeline(connection) if can_send_several(connection) else nullcontext():
            for cursor, (sql, params) in zip(cursors, statements, strict=True):
                cursor.execute(sql, params)
        return [cursor.fetchall() for cursor in cursors]


@contextmanager
def _pipeline(connection: Any) -> Iterator[None]:
    """Send what is executed inside at once, and take all answers at the end.

    Raises:
        DatabaseError: the first error of a statement, after the end of the pipeline.
    """
    problem: Exception | None = None
    with connection.wrap_database_errors:
        try:
            with connection.connection.pipeline():
                try:
                    yield
                except Exception as error:
                    problem = error  # the end of the pipeline is orderly all the same
        except Exception as error:
            problem = problem or error
        if problem is not None:
            raise problem


class Held:
    """A statement that is held back.

    Args:
        carrier: what holds it.
        sql: the statement.
        params: its parameters.
    """

    def __init__(self, carrier: Carrier, sql: str, params: Any) -> None:
        self._carrier = carrier
        self._sql = sql
        self._params = params
        self._cursor: Any = None
        self._rows: list[Any] | None = None

    def send(self, driver: Any) -> None:
        """Send it on the driver's connection, in pipeline mode."""
        self._cursor = driver.cursor()
        self._cursor.execute(self._sql, self._params)

    def execute(self, connection: Any) -> None:
        """Execute it at once."""
        with connection.cursor() as cursor:
            cursor.execute(self._sql, self._params)
            self._rows = cursor.fetchall() if cursor.description else []

    def rows(self) -> list[Any]:
        """Return the rows that it found, as the driver gives them; send it where it is still held.

        Raises:
            DatabaseError: as Django's cursor does.
        """
        if self._rows is None:
            if self._cursor is None:
                self._carrier.flush()
            self._rows = self._cursor.fetchall()
        return self._rows


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
        if not can_send_several(self._connection):
            held = Held(self, sql, params)
            held.execute(self._connection)
            return held
        self._takes_next = True
        try:
            # By Django's cursor: whoever wraps it sees the statement.
            with self._connection.cursor() as cursor:
                cursor.execute(sql, params)
        finally:
            self._takes_next = False
        return self._held[-1]

    def flush(self) -> None:
        """Execute what is held.

        Raises:
            DatabaseError: as Django's cursor does.
        """
        if self._held:
            self._send(lambda: None)

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """Hold a statement, or execute it with all that is held (an `execute_wrapper`)."""
        if self._holds(sql, many):
            self._held.append(Held(self, sql, params))
            return None
        if self._undoes(sql):
            self._held.clear()
        if not self._held and not self._begins():
            return execute(sql, params, many, context)
        if not self._may_carry(sql, many, context):
            self.flush()
            return execute(sql, params, many, context)
        return self._send(lambda: execute(sql, params, many, context))

    def _holds(self, sql: Any, many: bool) -> bool:
        if self._takes_next:
            return True
        return (
            not many
            and can_send_several(self._connection)
            and isinstance(sql, str)
            and sql.startswith(self._inserts)
            and " RETURNING " not in sql
            # A wrapper that came later shall see it executed.
            and self._connection.execute_wrappers[-1] is self
        )

    @staticmethod
    def _undoes(sql: Any) -> bool:
        """Tell whether a statement undoes what is held, which came after the savepoint."""
        return isinstance(sql, str) and sql.startswith("ROLLBACK")

    @staticmethod
    def _may_carry(sql: Any, many: bool, context: Any) -> bool:
        """Tell whether a statement is one that pipeline mode takes."""
        is_named = hasattr(context["cursor"].cursor, "name")  # a cursor of the server's
        return not many and not is_named and isinstance(sql, str) and ";" not in sql

    def _begins(self) -> bool:
        """Tell whether the driver has to begin the transaction, in a way that it may be carried."""
        driver = self._connection.connection
        return (
            not driver.autocommit
            and driver.info.transaction_status == _IDLE
            # Else its BEGIN says more.
            and driver.isolation_level is None
            and driver.read_only is None
            and driver.deferrable is None
        )

    def _send(self, last: Callable[[], Any]) -> Any:
        """Send what is held, then what `last` executes; return what that returns."""
        driver = self._connection.connection
        held, self._held = self._held, []
        begins = self._begins()
        if begins:
            # So psycopg sends no BEGIN of its own, for which it would wait. It commits and rolls
            # back as ever. Django sets this anew at both ends of a transaction.
            driver.autocommit = True
        with _pipeline(self._connection):
            if begins:
                driver.execute("BEGIN")
            for each in held:
                each.send(driver)
            result = last()
        return result  # noqa: RET504 - known when all are answered


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
    if connection.vendor == "postgresql" and _is_supported:
        with connection.execute_wrapper(carrier):
            yield carrier
    else:
        yield carrier

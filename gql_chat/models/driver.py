"""The driver: how SQL that is kept reaches the database.

Django's cursor costs several times what SQLite needs for such a statement: it is made anew for
each, and rewrites every `%s`. So on SQLite a kept statement goes to the driver itself, which keeps
it compiled, unless somebody wants to see it (a log of queries, a wrapper, a backend of the
project's). On PostgreSQL, where the way there costs more than the cursor, all go through Django's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import FORMAT_QMARK_REGEX
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite
from django.utils.asyncio import async_unsafe


class SQL:
    """The text of a statement that is kept.

    Args:
        text: the statement, each parameter a `%s`, as Django has it.

    Attributes:
        text: the same.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def marked(self) -> str:
        """The statement in the words of SQLite's driver: each parameter a `?`."""
        return FORMAT_QMARK_REGEX.sub("?", self.text).replace("%%", "%")


def run(connection: BaseDatabaseWrapper, sql: SQL, values: Sequence[Any]) -> None:
    """Execute a statement that returns nothing.

    Args:
        connection: this thread's connection.
        sql: the statement.
        values: its parameters, as the database takes them.

    Raises:
        DatabaseError: as Django's cursor does.
    """
    if _is_direct(connection):
        _execute(connection, sql, values)
    else:
        with connection.cursor() as cursor:
            cursor.execute(sql.text, values)


def fetch(connection: BaseDatabaseWrapper, sql: SQL, values: Sequence[Any]) -> list[Any]:
    """Execute a statement and return its rows, as tuples; the rest is as with `run`."""
    if _is_direct(connection):
        return _execute(connection, sql, values)
    with connection.cursor() as cursor:
        cursor.execute(sql.text, values)
        rows: list[Any] = cursor.fetchall()
        return rows


@async_unsafe
def _execute(connection: Any, sql: SQL, values: Sequence[Any]) -> list[Any]:
    with connection.wrap_database_errors:
        rows: list[Any] = connection.connection.execute(sql.marked, values).fetchall()
        return rows


def _is_direct(connection: Any) -> bool:
    """Tell whether a statement may go to the driver of SQLite itself."""
    return (
        type(connection) is SQLite
        and connection.connection is not None
        # Django's cursor says what is wrong with such a transaction.
        and not connection.needs_rollback
        and not connection.execute_wrappers
        and not connection.queries_logged
    )


def write_time(connection: BaseDatabaseWrapper, value: datetime) -> Any:
    """Return an aware time as the database takes it."""
    if type(connection) is SQLite and value.tzinfo is UTC and connection.timezone is UTC:
        return str(value.replace(tzinfo=None))  # the same text in a seventh of the time
    return connection.ops.adapt_datetimefield_value(value)

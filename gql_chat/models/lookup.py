"""Queries for one row that every event asks, compiled once.

Turning a queryset into SQL costs Django several times what SQLite or PostgreSQL need to answer
it. What a lookup asks never changes but for its values, so its SQL is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from django.db import connections, models, router

ModelT = TypeVar("ModelT", bound=models.Model)


@dataclass(slots=True)
class _Compiled:
    """A lookup for one database connection.

    Attributes:
        sql: the statement.
        names: the columns it returns, as the model names them.
        read: turns a row of the database into Python values.
    """

    sql: str
    names: list[str]
    read: Callable[[Any], list[Any]]


class Lookup(Generic[ModelT]):
    """Finds a row by the values of some columns.

    Args:
        get_queryset: returns the queryset to look in, without filters or related objects. It
            is called once, on first use, when all models are loaded.
        columns: names of the columns (`attname`s) whose values are given.
    """

    def __init__(self, get_queryset: Callable[[], models.QuerySet[ModelT]], *columns: str) -> None:
        self._get_queryset = get_queryset
        self._columns = columns
        self._compiled: WeakKeyDictionary[Any, _Compiled] = WeakKeyDictionary()

    @cached_property
    def _queryset(self) -> models.QuerySet[ModelT]:
        return self._get_queryset()

    @cached_property
    def _fields(self) -> list[Any]:
        return [self._queryset.model._meta.get_field(column) for column in self._columns]

    def find(self, *values: Any) -> ModelT | None:
        """Return the row with these values, in the order of the columns, or None."""
        model = self._queryset.model
        connection = connections[router.db_for_write(model)]
        prepared = [
            field.get_db_prep_value(value, connection)
            for field, value in zip(self._fields, values, strict=True)
        ]
        compiled = self._compiled.get(connection)
        if compiled is None:
            compiled = self._compile(connection, values, prepared)
            self._compiled[connection] = compiled
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, prepared)
            row = cursor.fetchone()
        if row is None:
            return None
        return model.from_db(connection.alias, compiled.names, compiled.read(row))

    def _compile(self, connection: Any, values: tuple[Any, ...], prepared: list[Any]) -> _Compiled:
        conditions = dict(zip(self._columns, values, strict=True))
        query = self._queryset.filter(**conditions).order_by().query
        compiler: Any = query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        if list(parameters) != prepared:
            raise ValueError(f"A lookup takes the values of {self._columns} and nothing else.")
        columns = [column for column, _, _ in compiler.select]
        converters = compiler.get_converters(columns)

        def read(row: Any) -> list[Any]:
            (converted,) = compiler.apply_converters([row], converters)
            return list(converted)

        return _Compiled(sql, [column.target.attname for column in columns], read)

"""Querysets that every event or connection asks, turned into SQL once.

Turning a queryset into SQL costs Django several times what SQLite or PostgreSQL need to answer
it. What is asked so often never changes but for its values, so its SQL is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from django.db import connections, models, router

ModelT = TypeVar("ModelT", bound=models.Model)


class Placeholder(models.Expression):
    """Stands in a queryset for a value that is given later.

    Args:
        number: which of the values.
        field: what the value is compared with.
    """

    def __init__(self, number: int, field: Any) -> None:
        super().__init__(output_field=field)
        self.number = number

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return a parameter that `Statement` puts the value in the place of."""
        return "%s", [self]


@dataclass(slots=True)
class _Compiled:
    """A statement for one database connection.

    Attributes:
        sql: the text.
        parameters: its parameters.
        given: which of them are values that are given later: the place, and whose it is.
        read: makes instances of a row.
    """

    sql: str
    parameters: list[Any]
    given: list[tuple[int, int]]
    read: Callable[[Any], Any]


class Statement(Generic[ModelT]):
    """A queryset with placeholders; it may select related objects.

    Args:
        build: takes the placeholders and returns the queryset. It is called for each database
            connection, when all models are loaded.
        fields: returns the field of each placeholder, in the same order.
    """

    def __init__(
        self, build: Callable[..., models.QuerySet[ModelT]], fields: Callable[[], list[Any]]
    ) -> None:
        self._build = build
        self._get_fields = fields
        self._fields: list[Any] = []
        self._compiled: WeakKeyDictionary[Any, _Compiled] = WeakKeyDictionary()
        self._model: Any = None

    def first(self, *values: Any) -> ModelT | None:
        """Return the first row for these values, or None."""
        compiled, parameters, connection = self._prepare(values)
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, parameters)
            row = cursor.fetchone()
        found: ModelT | None = None if row is None else compiled.read(row)
        return found

    def all(self, *values: Any) -> list[ModelT]:
        """Return the rows for these values."""
        compiled, parameters, connection = self._prepare(values)
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, parameters)
            rows = cursor.fetchall()
        return [compiled.read(row) for row in rows]

    def _prepare(self, values: tuple[Any, ...]) -> tuple[_Compiled, list[Any], Any]:
        if self._model is None:
            self._fields = self._get_fields()
            self._model = self._build_queryset().model
        connection: Any = connections[router.db_for_write(self._model)]
        compiled = self._compiled.get(connection)
        if compiled is None:
            compiled = self._compiled[connection] = self._compile(connection)
        prepared = [
            field.get_db_prep_value(value, connection)
            for field, value in zip(self._fields, values, strict=True)
        ]
        parameters = compiled.parameters.copy()
        for place, number in compiled.given:
            parameters[place] = prepared[number]
        return compiled, parameters, connection

    def _compile(self, connection: Any) -> _Compiled:
        compiler: Any = self._build_queryset().query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select]
        converters = compiler.get_converters(columns)
        make = _maker(compiler.klass_info, columns, connection.alias)

        def read(row: Any) -> Any:
            (converted,) = compiler.apply_converters([row], converters)
            return make(list(converted))

        given = [
            (place, parameter.number)
            for place, parameter in enumerate(parameters)
            if isinstance(parameter, Placeholder)
        ]
        return _Compiled(sql, list(parameters), given, read)

    def _build_queryset(self) -> models.QuerySet[ModelT]:
        return self._build(
            *(Placeholder(number, field) for number, field in enumerate(self._fields))
        )


def find_by(
    get_queryset: Callable[[], models.QuerySet[ModelT]], *columns: str
) -> Statement[ModelT]:
    """Return the statement that finds rows by the values of columns, named by `attname`."""

    def build(*values: Placeholder) -> models.QuerySet[ModelT]:
        return get_queryset().filter(**dict(zip(columns, values, strict=True))).order_by()

    def fields() -> list[Any]:
        return [get_queryset().model._meta.get_field(column) for column in columns]

    return Statement(build, fields)


def _maker(info: Any, columns: list[Any], using: str) -> Callable[[list[Any]], Any]:
    """Return what makes an instance, with its related ones, out of their columns in a row."""
    model = info["model"]
    places = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
    names = [column.target.attname for column in columns[places]]
    key = places.start + names.index(model._meta.pk.attname)
    related = [
        (link["field"].name, _maker(link, columns, using))
        for link in info.get("related_klass_infos", ())
    ]

    def make(row: list[Any]) -> Any:
        if row[key] is None:
            return None
        instance = model.from_db(using, names, row[places])
        for name, make_related in related:
            setattr(instance, name, make_related(row))
        return instance

    return make

"""Querysets whose SQL is kept.

Django turns a queryset into SQL each time it is asked. That takes longer than PostgreSQL or SQLite
need to answer what every event asks. So the SQL is kept. Only its values change.

The contract: the queryset depends on nothing but its placeholders. It is built once, by a function
of the placeholders, which stand for values and never for parts of the SQL. No clock, no setting, no
context variable may have a part in it. The exception is something that seldom changes, such as the
settings: the statement is given a function that returns the version of that (`depends_on`), and is
built anew for another version.

The contract is refused where it does not hold: a manager of a project's may compute, by the time,
the tenant of the request or a language. Where one of the managers that the queryset went through is
not plain (`managers`), the queryset is built anew each time, and Django executes it as ever.

Django reads the rows: its iterables, converters, `from_db`, signals and cursors. Three things of it
are no public API:

- `Query.get_compiler`, which a queryset asks for what executes it: it is handed the kept compiler.
- `SQLCompiler.as_sql`, which that compiler asks for its SQL and parameters: it is handed the kept
  SQL. All else that the compiler knows (columns, related objects, annotations) stays as it was when
  the SQL was made. Where the rows were fetched with others, `SQLCompiler.execute_sql` hands them
  over.
- `UpdateQuery.add_update_values`, which makes an update of a query without executing it.

`tests/unit/test_statements.py` notices when one of them changes: it lets nothing be compiled, and
compares the rows with Django's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import orjson
from django.core.exceptions import EmptyResultSet
from django.db import connections, models, router
from django.db.models.sql import UpdateQuery

from .managers import asks_only_plain

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
        """Return a parameter that `Statement` replaces by the value."""
        return "%s", [self]


class Bound(Placeholder):
    """Stands in a queryset for a value that is known, where its SQL is not kept.

    Args:
        number: which of the values.
        given: what prepares it for the database.
        value: the value.
    """

    def __init__(self, number: int, given: One | Many, value: Any) -> None:
        super().__init__(number, given.field)
        self.given = given
        self.value = value

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return a parameter and the value, as the database takes it."""
        return "%s", [self.given.prepare(self.value, connection)]


class Among(models.Lookup):
    """The condition that a column has one of the values that a placeholder is given as a list.

    `IN (…)` has as many parameters as there are values; this has one, so its SQL stays the same.

    Args:
        lhs: the column, as `F("message_id")`.
        rhs: the placeholder, of `Many` values.
    """

    lookup_name = "among"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return the condition in the SQL of the database."""
        column, _ = self.process_lhs(compiler, connection)
        values, parameters = compiler.compile(self.rhs)
        if connection.vendor == "sqlite":
            return f"{column} IN (SELECT value FROM json_each({values}))", parameters
        return f"{column} = ANY({values})", parameters


class Besides(models.Lookup):
    """The condition that a column has a value too, of rows that another condition finds.

    Of two indexes that would serve, SQLite, which keeps no statistics by itself, may take the one
    that finds more with every year of history. This says that it shall not be this column's.

    Args:
        lhs: the column, as `F("actor_id")`.
        rhs: the placeholder, of `One` value.
    """

    lookup_name = "besides"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return the condition in the SQL of the database."""
        column, _ = self.process_lhs(compiler, connection)
        value, parameters = compiler.compile(self.rhs)
        # A sign before a column keeps its index out.
        return f"{'+' if connection.vendor == 'sqlite' else ''}{column} = {value}", parameters


@dataclass(slots=True, frozen=True)
class One:
    """A value that is given later.

    Attributes:
        field: what it is compared with; it prepares the value for the database.
    """

    field: Any

    def prepare(self, value: Any, connection: Any) -> Any:
        """Return the value as the database takes it."""
        return _stored_field(self.field).get_db_prep_value(value, connection)


@dataclass(slots=True, frozen=True)
class Many:
    """A list of values that is given later, for `Among`.

    Attributes:
        field: what they are compared with; it prepares each for the database.
    """

    field: Any

    def prepare(self, values: Any, connection: Any) -> Any:
        """Return the values as the database takes them."""
        if isinstance(values, Keys):
            return values.prepare(self, connection)
        prepare = _stored_field(self.field).get_db_prep_value
        prepared = [prepare(value, connection) for value in values]
        return orjson.dumps(prepared).decode() if connection.vendor == "sqlite" else prepared


class Keys:
    """Keys of one model that several statements are given: they are prepared once.

    Args:
        keys: the keys.
    """

    def __init__(self, keys: Iterable[Any]) -> None:
        self._keys = list(keys)
        self._prepared: dict[str, Any] = {}

    def prepare(self, given: Many, connection: Any) -> Any:
        """Return the keys as the database takes them."""
        if connection.alias not in self._prepared:
            self._prepared[connection.alias] = given.prepare(self._keys, connection)
        return self._prepared[connection.alias]


def _stored_field(field: Any) -> Any:
    """Return the field that says how a column is stored: of a foreign key, what it refers to."""
    while field.remote_field is not None:
        field = field.target_field
    return field


Given = Callable[[], list["One | Many"]]
"""Says what values a statement takes. A function, since models may not be loaded yet."""


Version = Callable[[], Any]
"""Returns the version of what a statement depends on."""


@dataclass(slots=True)
class _Kept:
    """A query that is compiled for one database, whichever thread's connection to it is used.

    Attributes:
        compiler: Django's, which knows how rows become instances.
        sql: the text.
        parameters: its parameters.
        given: the parameters that are given later: the position of each, and the number of its
            value.
    """

    compiler: Any
    sql: str
    parameters: list[Any]
    given: list[tuple[int, int]]


@dataclass(slots=True)
class _Made:
    """A query that is built, and what is kept of it.

    Threads that use it while it is built anew go on with what they have.

    Attributes:
        version: that of what it depends on.
        query: the query.
        is_kept: whether its SQL may be kept.
        by_alias: what is kept for each database.
    """

    version: Any
    query: Any
    is_kept: bool
    by_alias: dict[str, _Kept] = field(default_factory=dict)


class _Prepared:
    """What reading and writing statements have in common.

    Args:
        build: takes a placeholder for each value and returns the query.
        given: what the values are.
        depends_on: returns the version of what the query depends on besides; None for nothing.
    """

    def __init__(
        self, build: Callable[..., Any], given: Given, depends_on: Version | None = None
    ) -> None:
        self._build = build
        self._get_given = given
        self._depends_on = depends_on
        self._given: list[One | Many] = []
        self._made: _Made | None = None

    def find_kept(self) -> tuple[Any, _Kept] | None:
        """Return the connection and the query for its database; None where it is not kept."""
        made = self._made
        if made is None or (self._depends_on is not None and made.version != self._depends_on()):
            # The version first: what changes meanwhile is noticed the next time.
            version = None if self._depends_on is None else self._depends_on()
            self._given = self._get_given()
            query = self._make_query()
            made = self._made = _Made(version, query, asks_only_plain(query))
        if not made.is_kept:
            return None
        # A router is asked each time: it may answer by what it finds around it.
        connection = connections[router.db_for_write(made.query.model)]
        kept = made.by_alias.get(connection.alias)
        if kept is None:
            kept = made.by_alias[connection.alias] = self._compile(made.query, connection)
        return connection, kept

    def _make_query(self) -> Any:
        numbered = enumerate(self._given)
        return self._build(*(Placeholder(number, given.field) for number, given in numbered))

    @staticmethod
    def _compile(query: Any, connection: Any) -> _Kept:
        compiler: Any = query.clone().get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        given = [
            (place, parameter.number)
            for place, parameter in enumerate(parameters)
            if isinstance(parameter, Placeholder)
        ]
        # It is kept: this thread's connection shall not be kept open with it.
        compiler.connection = None
        return _Kept(compiler, sql, list(parameters), given)

    def _prepare(self, connection: Any, kept: _Kept, values: Sequence[Any]) -> list[Any]:
        """Return the parameters of the statement for these values."""
        parameters = kept.parameters.copy()
        prepared = [
            given.prepare(value, connection)
            for given, value in zip(self._given, values, strict=True)
        ]
        for place, number in kept.given:
            parameters[place] = prepared[number]
        return parameters

    def _bind(self, values: tuple[Any, ...]) -> list[Bound]:
        """Return the values that replace the placeholders if the statement is not kept."""
        pairs = zip(self._given, values, strict=True)
        return [Bound(number, given, value) for number, (given, value) in enumerate(pairs)]


def _in_place(queryset: Any) -> Any:
    """Return a queryset that is not kept, for the database where kept ones are executed.

    A manager that names a database itself is obeyed. The attribute with that name is private to
    Django's querysets: tests/unit/test_statements.py notices if it is gone.
    """
    return queryset if queryset._db else queryset.using(router.db_for_write(queryset.model))


class Statement(_Prepared, Generic[ModelT]):
    """A queryset with placeholders; it may select related objects, or values instead of instances.

    Args:
        build: takes the placeholders and returns the queryset, which depends on nothing else. All
            models are loaded when it is called.
        given: returns what each placeholder stands for, in the same order.
        depends_on: returns the version of what the queryset depends on besides; None for nothing.
    """

    def __init__(
        self,
        build: Callable[..., models.QuerySet[ModelT]],
        given: Given,
        depends_on: Version | None = None,
    ) -> None:
        super().__init__(self._build_query, given, depends_on)
        self._select = build
        self._queryset: Any = None

    def first(self, *values: Any) -> ModelT | None:
        """Return the first row for these values, or None."""
        found = self.find_kept()
        if found is None:
            return next(iter(self._anew(values)[:1]), None)
        return next(iter(self._read(*found, values)), None)

    def all(self, *values: Any) -> list[ModelT]:
        """Return the rows for these values."""
        found = self.find_kept()
        return list(self._anew(values)) if found is None else self._read(*found, values)

    def slice(self, start: int, size: int, *values: Any) -> list[ModelT]:
        """Return at most `size` of the rows for these values, after the first `start`."""
        found = self.find_kept()
        if found is None:
            return list(self._anew(values)[start : start + size])
        return self._read(*found, values, " LIMIT %s OFFSET %s", (size, start))

    def text(self, *values: Any, size: int | None = None) -> tuple[str, Sequence[Any]]:
        """Return the SQL and its parameters for these values, for a cursor of Django's.

        Args:
            values: the values.
            size: how many rows at most; None for all.
        """
        found = self.find_kept()
        if found is None:
            rows = self._anew(values)[:size]
            try:
                # As a queryset compiles itself.
                sql, parameters = rows.query.get_compiler(using=rows.db).as_sql()
            except EmptyResultSet:  # its manager shows nothing
                return "SELECT NULL WHERE FALSE", ()
            return sql, parameters
        return self.kept_text(*found, values, size)

    def kept_text(
        self, connection: Any, kept: _Kept, values: Sequence[Any], size: int | None
    ) -> tuple[str, Sequence[Any]]:
        """Return kept SQL and its parameters; the arguments are those of `text`."""
        parameters = self._prepare(connection, kept, values)
        if size is None:
            return kept.sql, parameters
        return f"{kept.sql} LIMIT %s", [*parameters, size]

    def _build_query(self, *placeholders: Placeholder) -> Any:
        self._queryset = self._select(*placeholders)
        return self._queryset.query

    def _anew(self, values: tuple[Any, ...]) -> Any:
        return _in_place(self._select(*self._bind(values)))

    def _read(
        self,
        connection: Any,
        kept: _Kept,
        values: tuple[Any, ...],
        end: str = "",
        more: tuple[int, ...] = (),
    ) -> list[ModelT]:
        """Have Django read the rows, as of any queryset, by the SQL that is kept."""
        parameters = [*self._prepare(connection, kept, values), *more]
        compiler = copy(kept.compiler)
        compiler.connection = connection
        compiler.as_sql = lambda *_args, **_options: (kept.sql + end, parameters)
        return self._make(compiler)

    def _make(self, compiler: Any) -> list[ModelT]:
        """Have Django make instances, or tuples, of the rows that a compiler finds."""
        rows = self._queryset.using(compiler.connection.alias)
        rows.query.get_compiler = lambda *_args, **_options: compiler
        return list(rows)

    def make_of(self, connection: Any, kept: _Kept, found: list[Any]) -> list[ModelT]:
        """Have Django make instances, or tuples, of rows that were fetched by kept SQL."""
        compiler = copy(kept.compiler)
        compiler.connection = connection
        compiler.execute_sql = lambda *_args, **_options: [found]
        return self._make(compiler)


class Update(_Prepared):
    """An update with placeholders, of columns for which no signal is sent.

    Args:
        build: takes the placeholders and returns the queryset of the rows, and the new values
            by field, which may be expressions.
        given, depends_on: as for `Statement`.
    """

    def __init__(
        self,
        build: Callable[..., tuple[models.QuerySet[Any], dict[str, Any]]],
        given: Given,
        depends_on: Version | None = None,
    ) -> None:
        def make_query(*placeholders: Placeholder) -> Any:
            queryset, changes = build(*placeholders)
            query: Any = queryset.query.chain(UpdateQuery)
            query.add_update_values(changes)
            return query

        super().__init__(make_query, given, depends_on)
        self._select = build

    def run(self, *values: Any) -> int:
        """Write; return how many rows were found."""
        found = self.find_kept()
        if found is None:
            queryset, changes = self._select(*self._bind(values))
            updated: int = _in_place(queryset).update(**changes)
            return updated
        connection, kept = found
        with connection.cursor() as cursor:
            cursor.execute(kept.sql, self._prepare(connection, kept, values))
            rows: int = cursor.rowcount
            return rows

    def text(self, *values: Any) -> tuple[str, Sequence[Any]]:
        """Return the SQL and its parameters for these values, for a cursor of Django's."""
        found = self.find_kept()
        if found is None:
            query = self._build(*self._bind(values))
            sql, parameters = query.get_compiler(using=router.db_for_write(query.model)).as_sql()
            return sql, parameters
        connection, kept = found
        return kept.sql, self._prepare(connection, kept, values)


def find_by(
    get_queryset: Callable[[], models.QuerySet[ModelT]],
    *columns: str,
    depends_on: Version | None = None,
) -> Statement[ModelT]:
    """Return the statement that finds rows by the values of columns, named by `attname`."""

    def build(*values: Placeholder) -> models.QuerySet[ModelT]:
        return get_queryset().filter(**dict(zip(columns, values, strict=True))).order_by()

    def given() -> list[One | Many]:
        return [One(get_queryset().model._meta.get_field(column)) for column in columns]

    return Statement(build, given, depends_on)


def find_among(
    get_queryset: Callable[[], models.QuerySet[ModelT]],
    column: str,
    depends_on: Version | None = None,
) -> Statement[ModelT]:
    """Return the statement that finds the rows which have one of the values in a column."""
    return Statement(
        lambda values: get_queryset().filter(Among(models.F(column), values)),
        lambda: [Many(get_queryset().model._meta.get_field(column))],
        depends_on,
    )

"""Makes model instances, of rows and of new values: what Django makes, with less work for each.

Django looks up for each value what converts it, and has each instance set its attributes one by
one. What is the same for all rows of a statement, or all instances of a model, is worked out once
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from inspect import getattr_static
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import models, router
from django.db.models.base import ModelState
from django.db.models.expressions import Col
from django.db.models.fields.related_descriptors import (
    ForeignKeyDeferredAttribute,
    ForwardManyToOneDescriptor,
)
from django.db.models.query_utils import DeferredAttribute
from django.db.models.signals import post_init, pre_init
from django.db.models.sql import DeleteQuery, UpdateQuery

ModelT = TypeVar("ModelT", bound=models.Model)

Made = dict[tuple[Any, Any], Any]
"""The instances of one reading, by model and key: each is made once."""

Read = Callable[[Any], Iterator[Any]]
"""Takes rows; yields an instance, or a tuple of values, for each."""

Convert = Callable[[Any], Any]
"""Turns a value of the database into Python's."""

_UUIDS = 10_000
"""How many UUIDs are kept, of rooms and messages that events come back to."""


def reader(compiler: Any) -> Read:
    """Return what reads the rows that a compiled query returns."""
    if isinstance(compiler.query, UpdateQuery | DeleteQuery):
        return iter
    columns = [column for column, _, _ in compiler.select]
    converters = _converters(compiler, columns)
    if not compiler.query.default_cols:
        return _values_reader(converters)
    make = _maker(compiler.klass_info, columns, converters, compiler.connection)
    annotations = list(compiler.annotation_col_map.items())

    def read(rows: Any) -> Iterator[Any]:
        made: Made = {}
        quiet = _is_quiet(_models(compiler.klass_info))
        for row in rows:
            instance = make(row, made, quiet)
            for name, place in annotations:
                convert = converters.get(place)
                setattr(instance, name, convert(row[place]) if convert else row[place])
            yield instance

    return read


def _values_reader(converters: dict[int, Convert]) -> Read:
    def read(rows: Any) -> Iterator[Any]:
        for row in rows:
            values = list(row)
            for place, convert in converters.items():
                values[place] = convert(values[place])
            yield tuple(values)

    return read


def _models(info: Any) -> Iterator[type[models.Model]]:
    """Yield the models whose instances are made of rows."""
    yield info["model"]
    chosen = _row_class(info["model"])
    if chosen is not None:
        yield from chosen.every()
    for link in info.get("related_klass_infos", ()):
        yield from _models(link)


def _is_quiet(shown: Iterable[type[models.Model]]) -> bool:
    """Tell whether nobody listens to instances of these models being made."""
    listening = [signal for signal in (pre_init, post_init) if signal.receivers]
    return not listening or not any(
        signal.has_listeners(model) for model in shown for signal in listening
    )


def _converters(compiler: Any, columns: list[Any]) -> dict[int, Convert]:
    """Return what converts the values in a row, by their places."""
    connection = compiler.connection
    is_sqlite = connection.vendor == "sqlite"
    shorter: dict[str, Callable[[Convert], Convert]] = {}
    if is_sqlite:
        shorter["UUIDField"] = _read_uuids
        if settings.USE_TZ and connection.timezone is UTC:
            shorter["DateTimeField"] = _read_times
    found: dict[int, Convert] = {}
    for place, (steps, column) in compiler.get_converters(columns).items():
        kind = column.output_field.get_internal_type()
        # One step is the database's own; a field that adds one has it its own way.
        is_own = is_sqlite and len(steps) == 1
        if is_own and kind == "BooleanField":
            if not isinstance(column, Col):  # the driver reads columns that are declared so
                found[place] = _read_boolean
            continue
        convert = _through(steps, column, connection)
        found[place] = shorter[kind](convert) if is_own and kind in shorter else convert
    return found


def _through(steps: list[Callable[..., Any]], column: Any, connection: Any) -> Convert:
    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value, column, connection)
        return value

    return convert


_make_uuid = lru_cache(_UUIDS)(UUID)


def _read_boolean(value: Any) -> Any:
    return None if value is None else bool(value)


def _read_uuids(convert: Convert) -> Convert:
    return lambda value: None if value is None else _make_uuid(value)


def _read_times(convert: Convert) -> Convert:
    """Give times that SQLite's driver has read their zone, UTC, without a detour.

    Django's own way to it is a tenth of what a list of rooms costs.
    """

    def read(value: Any) -> Any:
        if type(value) is datetime:
            return value.replace(tzinfo=UTC)
        return None if value is None else convert(value)  # the text that an expression is

    return read


def _maker(
    info: Any, columns: list[Any], converters: dict[int, Convert], connection: Any
) -> Callable[[Any, Made, bool], Any]:
    """Return what makes an instance, with its related ones, out of their columns in a row.

    It takes the row, what was made so far, and whether nobody listens to instances being made.
    """
    model = info["model"]
    places = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
    names = [column.target.attname for column in columns[places]]
    conversions = [
        (place - places.start, convert)
        for place, convert in converters.items()
        if places.start <= place < places.stop
    ]
    key = places.start + names.index(model._meta.pk.attname)
    alias = connection.alias
    is_plain = lru_cache(None)(_is_plain)  # asked for every row
    chosen = _row_class(model)
    names_class = names.index(chosen.column) if chosen and chosen.column in names else None
    related = [
        (link["field"], _maker(link, columns, converters, connection))
        for link in info.get("related_klass_infos", ())
    ]

    def make(row: Any, made: Made, quiet: bool) -> Any:
        if row[key] is None:
            return None
        instance = made.get((model, row[key]))
        if instance is None:
            values = list(row[places])
            for place, convert in conversions:
                values[place] = convert(values[place])
            made_as = model
            if chosen is not None and names_class is not None:
                made_as = chosen.find(values[names_class]) or model
            if quiet and is_plain(made_as):
                instance = _make_plain(made_as, alias, names, values)
            else:
                instance = model.from_db(alias, names, values)
            made[model, row[key]] = instance
            for field, make_related in related:
                field.set_cached_value(instance, make_related(row, made, quiet))
        return instance

    return make


@dataclass(slots=True, frozen=True)
class RowClass:
    """Which class the rows of a model become instances of, where a column says it.

    A model that has it as its `row_class` does no more with a row, in its `__init__` and its
    `from_db`, than choosing this class.

    Attributes:
        column: the column.
        find: returns the class for a value of it; None for the model itself.
        every: returns all such classes.
    """

    column: str
    find: Callable[[Any], type[models.Model] | None]
    every: Callable[[], Iterable[type[models.Model]]]


def _row_class(model: Any) -> RowClass | None:
    found: RowClass | None = getattr(model, "row_class", None)
    return found


def _is_plain(model: Any) -> bool:
    """Tell whether making an instance is no more than setting its attributes."""
    # A model with such a choice has ways of its own to make it; those of a subclass are not known.
    known = next((base for base in model.__mro__ if "row_class" in vars(base)), models.Model)
    return (
        model.__init__ is known.__init__
        and getattr_static(model, "from_db") is getattr_static(known, "from_db")
        and model.__new__ is object.__new__
        and model.__setattr__ is object.__setattr__
        and all(
            type(getattr_static(model, field.attname, None)) in _PLAIN_ATTRIBUTES
            for field in model._meta.concrete_fields
        )
    )


_PLAIN_ATTRIBUTES = (DeferredAttribute, ForeignKeyDeferredAttribute)
"""What stands for a column on a model and, in a new instance, does no more than keep its value."""


def _make_plain(model: Any, alias: str, names: list[str], values: list[Any]) -> Any:
    """Make an instance as `Model.from_db` does, without its signals and descriptors."""
    state = ModelState()
    state.adding = False
    state.db = alias
    instance = object.__new__(model)
    instance._state = state
    instance.__dict__.update(zip(names, values, strict=True))
    return instance


def new(model: type[ModelT], **values: Any) -> ModelT:
    """Return a new instance: what `model(**values)` does.

    Args:
        model: the model.
        values: by the names of columns, or of relations.
    """
    blank = _find_blank(model)
    # A project's routers say which objects may be related to which.
    if router.routers or not (blank.takes(values) and _is_quiet([model])):
        return model(**values)
    state = ModelState()
    instance = object.__new__(model)
    instance._state = state
    attributes = instance.__dict__
    attributes.update(blank.constants)
    for name, make in blank.made:
        if name not in values:
            attributes[name] = make()
    for name, value in values.items():
        link = blank.links.get(name)
        if link is None:
            attributes[name] = value
        elif value is None:
            attributes[link.attname] = None
        else:
            if state.db is None:
                state.db = router.db_for_write(model, instance=value)
            link.set_cached_value(instance, value)
            attributes[link.attname] = getattr(value, link.target_field.attname)
    return instance


class _Blank:
    """What a new instance of a model has before it is given anything.

    Args:
        model: the model.

    Attributes:
        constants: what its columns start as, by their names.
        made: the names of the columns that start as what a function returns, with it.
        links: the relations, by their names.
    """

    def __init__(self, model: type[models.Model]) -> None:
        self.constants: dict[str, Any] = {}
        self.made: list[tuple[str, Callable[[], Any]]] = []
        self.links: dict[str, Any] = {}
        fields = model._meta.concrete_fields
        # Others are left to Django, and so are those whose class a row chooses: new, they are more.
        self._is_plain = (
            _is_plain(model) and _row_class(model) is None and not any(map(is_generated, fields))
        )
        for field in fields if self._is_plain else ():
            if field.has_default() and callable(field.default):
                self.made.append((field.attname, field.get_default))
            else:
                self.constants[field.attname] = field.get_default()
            if type(getattr_static(model, field.name)) is ForwardManyToOneDescriptor:
                self.links[field.name] = field
        self._names = {*self.constants, *(name for name, _ in self.made), *self.links}

    def takes(self, values: dict[str, Any]) -> bool:
        """Tell whether values by these names only have to be kept."""
        return self._is_plain and self._names.issuperset(values)


def is_generated(field: Any) -> bool:
    """Tell whether the database itself computes a column."""
    return getattr(field, "generated", False)  # unknown to Django 4.2


_find_blank = lru_cache(None)(_Blank)

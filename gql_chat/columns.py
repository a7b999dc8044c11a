"""Columns that a project's models add to those of the package, and values for them.

The package's own columns (`id`, `sender`, `room`, the flags, the times and all others) have
operations of their own, and nobody sets them by name. The system may set all columns that a project
adds. Users may set those that the project's type in the schema declares as writable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from enum import Enum
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import CharField, Field, JSONField, Model, TextField

from .compatibility import check_range
from .conf import chat_settings
from .errors import Invalid, sentences
from .json_values import find_problem
from .times import check_time

ON_CREATE = "writable_on_create"
"""The attribute in which a type of `SERIALIZERS` names the fields that are set with the object."""

ON_EDIT = "writable_on_edit"
"""The attribute in which it names the fields that may change later."""


@cache
def own_columns(model: type[Model]) -> dict[str, Field[Any, Any]]:
    """Return the columns that a project adds to a model, by name; foreign keys by `…_id` too."""
    ours = {
        field.name
        for base in model.__mro__
        if base.__module__.startswith("gql_chat.") and hasattr(base, "_meta")
        for field in base._meta.local_fields
    }
    own: dict[str, Field[Any, Any]] = {}
    for field in model._meta.concrete_fields:
        if field.name not in ours and not field.primary_key:
            own[field.name] = own[field.attname] = field
    return own


def declared_columns(name: str, declaration: str) -> tuple[str, ...]:
    """Return the columns that a type declares as writable for users.

    Args:
        name: the type, a key of `SERIALIZERS`.
        declaration: `ON_CREATE` or `ON_EDIT`.
    """
    if name not in chat_settings.SERIALIZERS:
        return ()
    return tuple(getattr(chat_settings.load_serializer(name), declaration, ()))


def clean_columns(
    model: type[Model], fields: Mapping[str, Any], allowed: Iterable[str], where: str
) -> dict[str, Any]:
    """Return values for own columns of a model as they are stored, by attribute.

    Args:
        model: the model in use.
        fields: the values by column.
        allowed: the columns that may be set.
        where: the input's field that the values came in, for errors.

    Raises:
        Invalid: a column may not be set, or does not take its value; the detail names each.
    """
    columns = own_columns(model)
    cleaned: dict[str, Any] = {}
    problems: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in allowed or name not in columns:
            problems[name] = "There is no such field, or it is not yours."
            continue
        problem = _find_size_problem(columns[name], value)
        if problem is not None:
            problems[name] = problem
            continue
        try:
            stored = _check_times(columns[name].clean(_plain(value), None))
            check_range(columns[name], stored)
            cleaned[columns[name].attname] = stored
        except ValidationError as error:
            problems[name] = sentences(error, value)
    if problems:
        raise Invalid({where: problems})
    return cleaned


def _find_size_problem(column: Field[Any, Any], value: Any) -> str | None:
    """Return why a value is too large for a column whose own rules would take any size."""
    if isinstance(column, JSONField) or isinstance(value, list | dict):
        return find_problem(value)
    limit = chat_settings.MAX_MESSAGE_LENGTH
    endless = isinstance(column, CharField | TextField) and column.max_length is None
    if endless and limit is not None and isinstance(value, str) and len(value) > limit:
        return f"At most {limit} characters are allowed."
    return None


def _check_times(value: Any) -> Any:
    """Return a value as the database takes it; refuse times that only the field would take."""
    if isinstance(value, datetime):
        try:
            return check_time(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None
    if isinstance(value, time) and value.tzinfo is not None:
        raise ValidationError("A time of the day without a zone is needed.")
    return value


def _plain(value: Any) -> Any:
    """Return an input's value as a column stores it: GraphQL gives members of enumerations."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value

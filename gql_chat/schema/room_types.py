"""The types that show rooms: those of the settings, and those of the room types that were added.

A project that registers a room type may name Strawberry types of its own for it. Without them
they are made here, of what the type's rules say that such a room has.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import strawberry
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.utils.module_loading import import_string

from ..conf import ROOM_TYPES, chat_settings
from ..models import AbstractRoom
from ..models.rules import registrations
from ..prepared.fields import derived
from . import rooms
from .references import UserRef
from .scalars import JSONObject, Timestamp
from .users import leaders, members

_NAMED = ("name", "description", "creator")

_SCALARS: dict[type[Any], Any] = {
    models.BooleanField: bool,
    models.CharField: str,
    models.DateTimeField: Timestamp,
    models.FloatField: float,
    models.JSONField: JSONObject,
    models.PositiveIntegerField: int,
    models.IntegerField: int,
    models.TextField: str,
    models.UUIDField: UUID,
}


def load_room_types() -> list[Any]:
    """Return the types that show rooms, in detail and in the list, of every room type.

    Raises:
        ImproperlyConfigured: a path does not import, or a column needs a type that the project
            has to write.
    """
    found = []
    for name in ROOM_TYPES:
        found += [chat_settings.load_serializer(each) for each in (name, f"{name}Summary")]
    for added in registrations():
        found.append(load_type(added.detail) or _make_detail(added.model))
        found.append(load_type(added.summary) or _make_summary(added.model))
    return found


def load_type(given: Any) -> Any:
    """Return the Strawberry type that a registration names; None where it names none.

    Raises:
        ImproperlyConfigured: its path does not import.
    """
    if not isinstance(given, str):
        return given
    try:
        return import_string(given)
    except ImportError as error:
        raise ImproperlyConfigured(f"A room type names {given!r}: {error}") from error


def _make_detail(model: type[AbstractRoom]) -> Any:
    rules = model.rules
    people: dict[str, Any] = {rules.members: members}
    if rules.leaders:
        people[rules.leaders] = leaders
    annotations = {**_annotations(model), **dict.fromkeys(people, list[UserRef])}
    fields = {name: derived(resolver) for name, resolver in people.items()}
    if not rules.paired:
        annotations["history"] = str
        fields["history"] = rooms.history()
    return _make(rules.name, rules.name, rooms.Room, model, annotations, fields)


def _make_summary(model: type[AbstractRoom]) -> Any:
    name = model.rules.name
    return _make(f"{name}Summary", name, rooms.RoomSummary, model, _annotations(model), {})


def _make(
    name: str,
    shows: str,
    base: type[Any],
    model: type[AbstractRoom],
    annotations: dict[str, Any],
    fields: dict[str, Any],
) -> Any:
    namespace = {
        **fields,
        "__annotations__": annotations,
        "__doc__": model.__doc__,
        "__module__": __name__,
        "is_type_of": rooms.is_of(shows),
    }
    return strawberry.type(type(name, (base,), namespace), description=model.__doc__)


def _annotations(model: type[AbstractRoom]) -> dict[str, Any]:
    """Return the columns that rooms of a type have, with what they are in the schema."""
    rules = model.rules
    shown = {*(_NAMED if rules.named else ("creator",)), *rules.creatable, *rules.updatable}
    if rules.cap:
        shown.add(rules.cap)
    return {
        field.name: _annotation(model, field) for field in model._meta.fields if field.name in shown
    }


def _annotation(model: type[AbstractRoom], field: Any) -> Any:
    if field.name == "creator":
        return UserRef | None
    for kind, scalar in _SCALARS.items():
        if isinstance(field, kind) and not isinstance(field, models.BigIntegerField):
            return scalar | None if field.null else scalar
    raise ImproperlyConfigured(
        f"No type of the schema is known for {model._meta.label}.{field.name}: register the room "
        "type with a `detail` and a `summary` of your own."
    )

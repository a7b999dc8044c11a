"""Blanks: what stands in the fields of a message, or of a room, of which the text is erased.

They follow the types in use, so a project's own fields are blanked as well, and what is left still
fits the schema: null where a field may be null, else an empty text, list or object. Numbers, times,
truth values, words of an enumeration and other keys are no text. They stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
)

from ..conf import ROOM_TYPES, chat_settings, per_settings
from ..models.rules import registrations
from .build import get_graphql_schema
from .json_schema import words_of
from .room_types import load_type
from .scalars import JSON_SCHEMAS

_FLAGS = ("is_deleted", "is_edited", "is_forwarded")
_STAY = frozenset({"id", "type", "room", "sender", *_FLAGS, "created_at", "updated_at"})
"""The fields that say what an object is, and not what is in it."""

_KEPT = object()

_EMPTY: dict[str, Any] = {"string": "", "object": {}, "integer": 0, "number": 0, "boolean": False}


@per_settings
def find_blanks() -> Mapping[str, Mapping[str, Any]]:
    """Return the values of blanked fields, for each of what can be blanked.

    The keys are `Message` and `QuotedMessage`, and the names of the types of rooms.
    """
    schema = get_graphql_schema()
    shown = ("Message", "QuotedMessage", *ROOM_TYPES)
    types = {name: chat_settings.load_serializer(name) for name in shown}
    types |= {each.model.rules.name: load_type(each.detail) for each in registrations()}
    return {name: _blanks_of(_find_type(schema, name, shows)) for name, shows in types.items()}


def _find_type(schema: GraphQLSchema, name: str, shows: Any) -> Any:
    """Return a Strawberry type's type in the schema, whatever the project calls it."""
    for found in schema.type_map.values():
        definition = found.extensions.get("strawberry-definition")
        if shows is not None and getattr(definition, "origin", None) is shows:
            return found
    return schema.type_map[name]  # made for a room type of the project's


def _blanks_of(found: Any) -> dict[str, Any]:
    assert isinstance(found, GraphQLObjectType)
    blanks = {
        name: _blank(field.type, ("string", "object"))
        for name, field in found.fields.items()
        if name not in _STAY and "enum" not in words_of(field)
    }
    return {name: value for name, value in blanks.items() if value is not _KEPT}


def _blank(found: Any, emptied: tuple[str, ...]) -> Any:
    """Return what is blank in a field of this type; `_KEPT` where the value has to stay.

    Args:
        found: the type.
        emptied: which types of JSON have a blank; the values of others stay.
    """
    if not isinstance(found, GraphQLNonNull):
        return None
    found = found.of_type
    if isinstance(found, GraphQLList):
        return []
    if isinstance(found, GraphQLObjectType):
        # An object within is blanked as a whole: nothing in it can stay.
        inner = {name: _blank(field.type, tuple(_EMPTY)) for name, field in found.fields.items()}
        return _KEPT if any(value is _KEPT for value in inner.values()) else inner
    if found.name == "JSON":
        return None  # anything is one
    shape = {} if isinstance(found, GraphQLEnumType) else JSON_SCHEMAS.get(found.name, {})
    kind = shape.get("type", "")
    return _EMPTY[kind] if kind in emptied and "format" not in shape else _KEPT

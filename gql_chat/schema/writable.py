"""Which fields of its types a project lets clients write, and the inputs that take them.

A type of `SERIALIZERS` names them itself: in `writable_on_create` those that clients may set
when they make the object, in `writable_on_edit` those that they may change later. For rooms,
`creatable` and `updatable` of the type's rules say the same. Each is a field of the type with
the name of a column that the project's model adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import strawberry
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from strawberry.types.base import (
    StrawberryList,
    StrawberryOptional,
    get_object_definition,
    has_object_definition,
)
from strawberry.types.lazy_type import LazyType

from ..columns import (
    ON_CREATE,
    ON_EDIT,
    declared_columns,
    own_columns,
)
from ..conf import SETTING, chat_settings
from ..models import get_model
from ..models.rules import room_types
from ..nouns import has_feature
from . import messages, rooms


@dataclass(frozen=True)
class _Writable:
    """An object with fields that clients may write.

    Attributes:
        shown_as: its type in the schema.
        model: its model.
        fields: the fields.
        declared: where they were named, for errors.
    """

    shown_as: type
    model: type[Model]
    fields: tuple[str, ...]
    declared: str


def build_inputs() -> dict[str, type]:
    """Return the inputs that a project's types may add fields to, by name, with those fields.

    Raises:
        ImproperlyConfigured: a type declares a field that clients cannot write.
    """
    sent = _declared("Message", "Message", ON_CREATE)
    edited = _declared("Message", "Message", ON_EDIT)
    attached = _declared("Attachment", "MessageMediaAsset", ON_CREATE)
    more = bool(edited.fields) or has_feature("mentions")
    edit = messages.MessageChangesInput if more else messages.MessageEditInput
    extended: dict[str, tuple[type, list[_Writable]]] = {
        "MediaInput": (messages.MediaInput, [attached]),
        "MessageFieldsInput": (messages.MessageFieldsInput, [sent]),
        "MessageEditInput": (edit, [edited]),
        "RoomFieldsInput": (rooms.RoomFieldsInput, _of_rooms(ON_CREATE)),
        "RoomChangesInput": (rooms.RoomChangesInput, _of_rooms(ON_EDIT)),
    }
    return {name: _extend(name, base, objects) for name, (base, objects) in extended.items()}


def _declared(name: str, model: str, declaration: str) -> _Writable:
    where = f"{SETTING}['SERIALIZERS'][{name!r}].{declaration}"
    shown_as = chat_settings.load_serializer(name)
    return _Writable(shown_as, get_model(model), declared_columns(name, declaration), where)


def _of_rooms(declaration: str) -> list[_Writable]:
    found = []
    for model in room_types():
        rules = model.rules
        if rules.name not in chat_settings.SERIALIZERS:
            continue
        shown_as = chat_settings.load_serializer(rules.name)
        where = f"{SETTING}['SERIALIZERS'][{rules.name!r}].{declaration}"
        fields = declared_columns(rules.name, declaration)
        found.append(_Writable(shown_as, model, fields, where))
        listed = rules.creatable if declaration == ON_CREATE else rules.updatable
        own = tuple(name for name in listed if name in own_columns(model))
        found.append(_Writable(shown_as, model, own, f"The rules of {rules.name}"))
    return found


def _extend(input_name: str, base: type, objects: list[_Writable]) -> type:
    """Return an input with what the objects declare besides what it has."""
    annotations: dict[str, Any] = {}
    for each in objects:
        for field in each.fields:
            expected = _input_type(each, field)
            if annotations.setdefault(field, expected) != expected:
                raise ImproperlyConfigured(
                    f"{each.declared} names {field!r}, which rooms of another type have too, with "
                    "another type in the schema. One input serves all rooms: make them one."
                )
    if not annotations:
        return base
    unset = dict.fromkeys(annotations, strawberry.UNSET)
    return strawberry.input(
        type(input_name, (base,), {"__annotations__": annotations, **unset}),
        description=base.__doc__,
    )


def _input_type(writable: _Writable, field: str) -> Any:
    """Return the type of a writable field in the input, where it may be left out.

    Raises:
        ImproperlyConfigured: the field cannot be written.
    """
    definition = get_object_definition(writable.shown_as, strict=True)
    found = next((each for each in definition.fields if each.python_name == field), None)
    problem = f"{writable.declared} names {field!r}, "
    if found is None:
        raise ImproperlyConfigured(f"{problem}which is no field of the type in the schema.")
    if found.graphql_name not in (None, field):
        raise ImproperlyConfigured(f"{problem}which the schema calls {found.graphql_name!r}.")
    if field not in own_columns(writable.model):
        raise ImproperlyConfigured(
            f"{problem}which is no column that {writable.model._meta.label} adds to those of the "
            "package. Swap the model and add it, or do not declare it."
        )
    inner = found.type.of_type if isinstance(found.type, StrawberryOptional) else found.type
    item = inner.of_type if isinstance(inner, StrawberryList) else inner
    if isinstance(item, LazyType) or has_object_definition(item):
        raise ImproperlyConfigured(
            f"{problem}which is an object. Clients write plain values: give the type a field for "
            "the key of what it refers to."
        )
    return StrawberryOptional(inner)

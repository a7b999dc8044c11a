"""Which fields of its types a project lets clients write, and the inputs that take them.

A type of `SERIALIZERS` names them itself: in `writable_on_create` those that clients may set
when they make the object, in `writable_on_edit` those that they may change later. Each is a
field of the type with the name of a column that the project's model adds.
"""

from __future__ import annotations

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

from ..columns import ON_CREATE, ON_EDIT, declared_columns, own_columns
from ..conf import SETTING, chat_settings
from ..models import get_model
from ..rooms import room_types
from . import inputs


def build_inputs() -> dict[str, type]:
    """Return the inputs that have fields of the project's, by name, with those fields.

    Raises:
        ImproperlyConfigured: a type declares a field that clients cannot write.
    """
    message = [("Message", get_model("Message"))]
    attachment = [("Attachment", get_model("MessageMediaAsset"))]
    rooms = [(model.rules.name, model) for model in room_types()]
    edit: type = inputs.MessageEditInput
    if declared_columns("Message", ON_EDIT):
        edit = inputs.MessageChangesInput
    extended = {
        "MediaInput": (inputs.MediaInput, ON_CREATE, attachment),
        "MessageFieldsInput": (inputs.MessageFieldsInput, ON_CREATE, message),
        "MessageEditInput": (edit, ON_EDIT, message),
        "RoomFieldsInput": (inputs.RoomFieldsInput, ON_CREATE, rooms),
        "RoomChangesInput": (inputs.RoomChangesInput, ON_EDIT, rooms),
    }
    return {name: _extend(name, *rest) for name, rest in extended.items()}


def _extend(
    input_name: str, base: type, declaration: str, objects: list[tuple[str, type[Model]]]
) -> type:
    """Return an input with what the objects' types declare besides what it has."""
    annotations: dict[str, Any] = {}
    for name, model in objects:
        for field in declared_columns(name, declaration):
            expected = _input_type(name, model, declaration, field)
            if annotations.setdefault(field, expected) != expected:
                raise ImproperlyConfigured(
                    f"{field!r} is writable in rooms of several types, with several types of "
                    "its own. One input serves all rooms: give it one type."
                )
    if not annotations:
        return base
    unset = dict.fromkeys(annotations, strawberry.UNSET)
    return strawberry.input(
        type(input_name, (base,), {"__annotations__": annotations, **unset}),
        description=base.__doc__,
    )


def _input_type(name: str, model: type[Model], declaration: str, field: str) -> Any:
    """Return the type of a writable field in the input, where it may be left out.

    Raises:
        ImproperlyConfigured: the field cannot be written.
    """
    serializer = chat_settings.load_serializer(name)
    definition = get_object_definition(serializer, strict=True)
    declared = f"{SETTING}['SERIALIZERS'][{name!r}].{declaration} names {field!r}"
    found = next((each for each in definition.fields if each.python_name == field), None)
    if found is None:
        raise ImproperlyConfigured(f"{declared}, which is no field of that type.")
    if field not in own_columns(model):
        raise ImproperlyConfigured(
            f"{declared}, which is no column that {model._meta.label} adds to the package's own. "
            f"Swap the model and add it, or take it out of {declaration}."
        )
    inner = found.type.of_type if isinstance(found.type, StrawberryOptional) else found.type
    item = inner.of_type if isinstance(inner, StrawberryList) else inner
    if isinstance(item, LazyType) or has_object_definition(item):
        raise ImproperlyConfigured(
            f"{declared}, which is an object. Clients write plain values: a column's own type, "
            "or the key of what it refers to."
        )
    return StrawberryOptional(inner)

"""Payloads: how the types of events find their events."""

from typing import Any

import strawberry

from .. import events
from .json_schema import keywords
from .stored import Stored


def tells(event: type[events.Event]) -> Any:
    """Return the test by which an event finds its type in the schema."""

    def is_type_of(cls: type, obj: Any, info: Any) -> bool:
        return isinstance(obj, event) or (isinstance(obj, Stored) and obj.kind == event.__name__)

    return classmethod(is_type_of)


def always(value: str) -> Any:
    """Return a field that has this value in every event of its type."""
    return strawberry.field(metadata=keywords(const=value))

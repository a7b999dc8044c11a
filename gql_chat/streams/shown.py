"""Shown messages: where they stand in a rendered event, and how one is blanked there.

An event is known as plain objects, maybe of an older schema. So an object counts as a message if it
has the fields that every message has. The schema says what is blank in a field (`blank_with`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

MESSAGE, QUOTE = "Message", "QuotedMessage"
"""What messages are in an event."""

_MESSAGE = frozenset({"id", "room", "sender", "content"})
_COPY = "forwarded_from"
_LEAVES = frozenset(
    {"room", "sender", "delivered_to", "read_receipts", "reactions", "attachments", _COPY}
)
"""The fields of a message in which no other message stands, but for the copy in a forward."""

_OF_OTHERS = frozenset({"delivered_to", "read_receipts", "reactions"})
"""The fields of a message that show what others did with it."""

_COUNTS = {f"{name}_count": name for name in _OF_OTHERS} | {"member_count": "members"}
"""What counts the items of a list: a blanked list has none."""

Blanks = Mapping[str, Mapping[str, Any]]
"""For each of what can be blanked the values of its blanked fields; other fields stay."""

_find_blanks: Callable[[], Blanks] | None = None


def blank_with(find_blanks: Callable[[], Blanks]) -> None:
    """Set the function that says what is blank, the schema's: streams do not import the schema."""
    global _find_blanks
    _find_blanks = find_blanks


def find_messages(payload: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the messages in a rendered event, each with what it is: `MESSAGE` or `QUOTE`.

    The copy in a forward is no message of its own: it belongs to the forward.
    """
    waiting: list[tuple[Any, str]] = [(payload, MESSAGE)]
    while waiting:
        value, kind = waiting.pop()
        if isinstance(value, list):
            waiting += [(item, kind) for item in value]
        elif isinstance(value, dict):
            if value.keys() >= _MESSAGE:
                yield value, kind
                waiting += [(value[name], QUOTE) for name in value.keys() - _LEAVES]
            else:
                waiting += [(item, kind) for item in value.values()]


def room_of(message: Mapping[str, Any]) -> Any:
    """Return the id of the room that a message in a rendered event stands in."""
    room = message["room"]
    return room.get("id") if isinstance(room, dict) else None


def hide_deleted(payload: Any) -> None:
    """Blank a project's own fields of messages that are kept though deleted, in place."""
    for message, kind in find_messages(payload):
        if message.get("is_deleted"):
            blank(message, kind, besides=_OF_OTHERS)


def blank(shown: dict[str, Any], kind: str, *, besides: frozenset[str] = frozenset()) -> None:
    """Take out of a message, or of a room, all but what it is, in place.

    Args:
        shown: the object.
        kind: what it is: `MESSAGE`, `QUOTE`, or the type of a room.
        besides: fields that stay.
    """
    if _find_blanks is None:
        raise RuntimeError("Events are blanked once django.setup() has run.")
    blanks = _find_blanks().get(kind, {})
    for name in shown:
        if name in blanks and name not in besides:
            shown[name] = blanks[name]
    for count, name in _COUNTS.items():
        if count in shown and name not in besides:
            shown[count] = 0
    if "is_deleted" in shown:
        shown["is_deleted"] = True


def blank_fields(shown: dict[str, Any], kind: str, names: frozenset[str]) -> None:
    """Take the values of some fields out of a message, in place; it counts as edited."""
    if _find_blanks is None:
        raise RuntimeError("Events are blanked once django.setup() has run.")
    blanks = _find_blanks()[kind]
    for name in names & shown.keys() & blanks.keys():
        shown[name] = blanks[name]
    if "is_edited" in shown:
        shown["is_edited"] = True


def drop_copy(message: dict[str, Any]) -> None:
    """Take what a forward passes on out of it, in place."""
    message[_COPY] = None


def copied(message: Mapping[str, Any]) -> Any:
    """Return the id of the message that a forward has a copy of; None if it has none."""
    source = message.get(_COPY)
    return source.get("id") if isinstance(source, dict) else None

"""JSON that clients make up: how many values it has, how large it is, and how deep."""

from __future__ import annotations

from typing import Any

import orjson

from .conf import chat_settings

_LARGEST = 2**63 - 1

_ANY_KEY = orjson.OPT_NON_STR_KEYS


def has_too_many(text: str | bytes) -> bool:
    """Tell whether a JSON text has more values than `MAX_FRAME_ELEMENTS`, without reading it.

    A list of a thousand empty lists costs little to send, and much to make: so the text is judged
    first. Values are counted by the brackets before and the commas between them, so an empty
    object or list counts as two.

    Args:
        text: the text; it may be no JSON.
    """
    limit = chat_settings.MAX_FRAME_ELEMENTS
    # Each value takes a character at least, and texts with commas in them are few.
    if limit is None or len(text) <= limit or _count(text) <= limit:
        return False
    if isinstance(text, bytes):
        text = text.decode("latin-1")  # the characters that count are the same
    bare = text.replace("\\\\", "").replace('\\"', "")
    if bare.count('"') > 4 * (limit + 1):
        return True  # a value has two strings at most: its key and itself
    return _count("".join(bare.split('"')[::2])) > limit


def _count(text: str | bytes) -> int:
    if isinstance(text, bytes):
        return 1 + text.count(b",") + text.count(b"[") + text.count(b"{")
    return 1 + text.count(",") + text.count("[") + text.count("{")


def find_problem(value: Any) -> str | None:
    """Return why an object that a client made up is not stored; None if it may be.

    It is refused beyond `MAX_JSON_DEPTH` and `MAX_JSON_BYTES`, and with numbers that some database
    or client could not take.
    """
    deepest = chat_settings.MAX_JSON_DEPTH
    depth, level = 0, [value]
    while level:
        deeper: list[Any] = []
        containers = False
        for item in level:
            if isinstance(item, dict):
                containers = True
                deeper += item.values()
            elif isinstance(item, list | tuple):
                containers = True
                deeper += item
            elif _is_too_large(item):
                return "A number is too large."
        depth += containers
        if deepest is not None and depth > deepest:
            return f"At most {deepest} levels of objects and lists are allowed."
        level = deeper
    most = chat_settings.MAX_JSON_BYTES
    try:
        size = 0 if most is None else _measure(value)
    except orjson.JSONEncodeError:
        return "This cannot be written as JSON."
    return None if most is None or size <= most else f"At most {most} bytes of JSON are allowed."


def _is_too_large(value: Any) -> bool:
    # A float, too: PostgreSQL gives 1e300 back as a whole number with all its digits.
    return isinstance(value, int | float) and not abs(value) <= _LARGEST


def _measure(value: Any) -> int:
    """Return how many bytes a value has as JSON. Server code may name more than JSON knows."""
    return len(orjson.dumps(value, default=str, option=_ANY_KEY))

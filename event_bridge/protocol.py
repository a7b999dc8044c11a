"""The event protocol on the wire: names, codes, and frames in and out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gql_chat.conf import chat_settings
from gql_chat.errors import ECHO_LENGTH, RETRY_AFTER, ChatError, Invalid, Unavailable, shorten
from gql_chat.json_values import has_too_many

VERSION = "1.0.0"
"""The version of the event protocol. Its first part changes when clients have to change."""

CLOSE_NOT_AUTHENTICATED = 4001
CLOSE_TOO_SLOW = 4008
CLOSE_TOO_MANY = 4029
CLOSE_TOO_LARGE = 1009
CLOSE_ERROR = 1011
CLOSE_RESTART = 1012

CLOSE_CODES = {4001: CLOSE_NOT_AUTHENTICATED, 4029: CLOSE_TOO_MANY}
"""Codes of errors that say how to close a socket that cannot be opened."""

LATER = {"message": "Connect again and resume.", "retry_after": RETRY_AFTER}

CLOSE_SUBSTITUTES = {
    CLOSE_TOO_LARGE: (4009, Invalid("The frame is too large.")),
    CLOSE_ERROR: (4011, Unavailable(LATER)),
    CLOSE_RESTART: (4012, Unavailable(LATER)),
}
"""For servers that send no such code (daphne): another code, and the error that goes before it."""

REQUEST_ID_LENGTH = 64

DEEPEST = 64
"""How many levels of arrays and objects a frame may have: far more than any event needs, and
few enough for code that goes down them by recursion."""

RequestId = str | int | None

SUCCESS = {"status": "success"}
UNKNOWN_EVENT = {"error": "invalid event type"}


@dataclass(slots=True, frozen=True)
class Frame:
    """A client's frame: `{"event_type": …, "data": {…}}`, and perhaps a `request_id`."""

    event_type: str
    data: Any = field(repr=False)
    request_id: RequestId


class Malformed(Invalid):
    """A frame that is not one of the protocol's; the `request_id` is known if it was readable."""

    def __init__(self, detail: Any, request_id: RequestId = None) -> None:
        super().__init__(detail)
        self.request_id = request_id


def parse(text: str | None) -> Frame:
    """Read a client's frame.

    Args:
        text: the frame's text; None for a binary frame.

    Raises:
        Malformed: it is not JSON, not an object, has too many values, or its envelope is wrong.
    """
    if text is None:
        raise Malformed("Frames are text, not binary.")
    if has_too_many(text):
        # It is not read, so nobody knows what its request_id is.
        problem = f"A frame has at most {chat_settings.MAX_FRAME_ELEMENTS} values."
        raise Malformed({"data": problem})
    try:
        content = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise Malformed("The frame is not JSON.") from None
    if not isinstance(content, dict):
        raise Malformed("The frame is not a JSON object.")
    request_id = content.get("request_id")
    if not _is_request_id(request_id):
        raise Malformed(
            {"request_id": f"A string of at most {REQUEST_ID_LENGTH} letters, or an integer."}
        )
    # Few frames have so many brackets; only those are searched.
    if text.count("[") + text.count("{") > DEEPEST and _is_deeper(content, DEEPEST):
        raise Malformed(f"At most {DEEPEST} levels of nesting are allowed.", request_id)
    if "event_type" not in content:
        raise Malformed({"event_type": "This field is required."}, request_id)
    event_type = content["event_type"]
    if not isinstance(event_type, str):
        raise Malformed({"event_type": "A string is needed."}, request_id)
    data = content.get("data")
    if "\\u0000" in text and (path := _find_nul(data)) is not None:
        # PostgreSQL cannot store it, so no database shall.
        path = shorten(path, ECHO_LENGTH)
        raise Malformed({path: "The character U+0000 is not allowed."}, request_id)
    return Frame(event_type, data, request_id)


def _is_request_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= REQUEST_ID_LENGTH
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _is_deeper(value: Any, levels: int) -> bool:
    """Tell whether arrays and objects stand in each other on more levels than that."""
    level: list[Any] = [value]
    for _ in range(levels):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(inner, dict | list) for inner in level)


def _find_nul(value: Any) -> str | None:
    """Return the path of the first string (or key) with U+0000 in it.

    The path is made only after the search: one for each item would cost as much as the keys above
    it are long.
    """
    steps = _steps_to_nul(value)
    return None if steps is None else ".".join(steps[::-1]) or "data"


def _steps_to_nul(value: Any) -> list[str] | None:
    """Return the keys and indexes that lead to it, the last one first; None if there is none."""
    if isinstance(value, str):
        return [] if "\0" in value else None
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        if isinstance(key, str) and "\0" in key:
            return []
        steps = _steps_to_nul(item)
        if steps is not None:
            steps.append(str(key))
            return steps
    return None


def encode(content: Any) -> str:
    """Return a frame's text."""
    return orjson.dumps(content).decode()


def event(event_type: str, data: Any, request_id: RequestId = None) -> str:
    """Return a frame that carries an event, for one socket that asked for it."""
    return encode(_with_request({"eventType": event_type, "data": data}, request_id))


def status(request_id: RequestId = None) -> str:
    """Return the frame that says: done."""
    return encode(_with_request(SUCCESS, request_id))


def unknown_event(request_id: RequestId = None) -> str:
    """Return the frame that says: there is no such event."""
    return encode(_with_request(UNKNOWN_EVENT, request_id))


def error(problem: ChatError, request_id: RequestId = None) -> str:
    """Return the frame that tells a client what went wrong."""
    content = {"error": {"code": problem.code, "detail": problem.detail}}
    return encode(_with_request(content, request_id))


def _with_request(content: Mapping[str, Any], request_id: RequestId) -> Mapping[str, Any]:
    return content if request_id is None else {**content, "request_id": request_id}

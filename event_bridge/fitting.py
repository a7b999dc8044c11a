"""Fitting: answers that turn out to be too large are made smaller, exactly.

Operations end pages early by what rows weigh in the database. That is an estimate: what frames show
of a user, say, is the project's to decide. Seldom is a frame too large all the same. Then what is
in it is measured here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from gql_chat.sizes import cut, find_limit, is_larger, renumber, shorten, shorten_quotes

from . import protocol
from .declarations import Data

_AROUND = 1
"""The comma behind an item."""


def encode_answer(
    name: str, data: Any, fit: Callable[[int], Any], request_id: protocol.RequestId = None
) -> str:
    """Return the text of a private answer, a smaller one if it is too large.

    Args:
        name: its `eventType`.
        data: its data.
        fit: returns data of at most so many bytes in place of it.
        request_id: as in any private answer.
    """
    text = protocol.event(name, data, request_id)
    limit = find_limit()
    if limit is not None and is_larger(text, limit):
        text = protocol.event(name, fit(limit), request_id)
    return text


def _measure(value: Any) -> int:
    return len(orjson.dumps(value)) + _AROUND


def fit_messages(found: Any, data: Data, limit: int) -> Any:
    """Return a page of messages that ends early.

    Args:
        found: the page, as it would be sent.
        data: the data of the event that asked for it.
        limit: how many bytes it may have.
    """
    messages = found["data"]["messages"]
    paginate = data.get("paginate") or {}
    is_upwards = paginate.get("after") is not None
    ordered = messages[::-1] if is_upwards else messages
    count = cut(map(_measure, ordered), limit - _rest(found, "messages"))
    if "page" in found and count < len(messages):
        start = (found["page"] - 1) * found["size"]
        page, count = renumber(start, count)
        numbers = {"page": page, "size": count, "next_page_number": page + 1}
        found = {**found, **numbers, "prev_page_number": page - 1 or None}
    shown = ordered[:count]
    if count < len(messages) and "has_next" in found:
        found = {**found, "has_previous" if is_upwards else "has_next": True}
    if count == 1:
        shown = _fit_one(shown, limit - _rest(found, "messages"))
    return _with(found, messages=shown[::-1] if is_upwards else shown)


def fit_notifications(found: Any, data: Data, limit: int) -> Any:
    """Return a page of notifications that ends early; see `fit_messages`."""
    return _fit_list(found, "notifications", limit)


def fit_mentions(found: Any, data: Data, limit: int) -> Any:
    """Return a page of mentions that ends early; see `fit_messages`."""
    return _fit_list(found, "mentions", limit)


def _fit_list(found: Any, name: str, limit: int) -> Any:
    """Return a page whose list of this name ends early."""
    items = found["data"][name]
    rest = _rest(found, name)
    count = cut(map(_measure, items), limit - rest)
    if count < len(items):
        found = {**found, "has_next": True}
    shown = items[:count]
    return _with(found, **{name: _fit_one(shown, limit - rest) if count == 1 else shown})


def fit_waiting(found: dict[str, list[Any]], limit: int) -> dict[str, list[Any]]:
    """Return what `chat.notifications` has room for: the newest of each room.

    Args:
        found: the notifications by room, each room's oldest first.
        limit: how many bytes they may have.
    """
    shown = {room_id: list(some) for room_id, some in found.items()}
    weights = {room_id: [_measure(each) for each in some] for room_id, some in shown.items()}
    excess = _measure(found) - limit
    while excess > 0 and sum(map(len, shown.values())) > 1:
        fullest = max(weights, key=lambda room_id: sum(weights[room_id]))
        excess -= weights[fullest].pop(0)
        shown[fullest].pop(0)
        if not shown[fullest]:
            del shown[fullest], weights[fullest]
    return shown if excess <= 0 else shorten_quotes(shown)


def fit_rooms(found: list[Any], data: Data, limit: int) -> list[Any]:
    """Return a list of rooms that shows less, from its end on, and less of the last ones.

    First last messages become excerpts, then they go, then rooms do.
    """
    rooms = [dict(room) for room in found]
    excess = _measure(rooms) - limit
    for show in (shorten, _nothing):
        for room in reversed(rooms):
            if excess <= 0:
                return rooms
            if room.get("last_message") is not None:
                before = _measure(room["last_message"])
                room["last_message"] = show(room["last_message"])
                excess -= before - _measure(room["last_message"])
    while excess > 0 and len(rooms) > 1:
        excess -= _measure(rooms.pop())
    return rooms


def _nothing(message: Any) -> None:
    return None


def _fit_one(items: list[Any], limit: int) -> list[Any]:
    """Return an item that is shown whatever its size, without its quotes if it is too large."""
    if _measure(items[0]) <= limit:
        return items
    shortened: list[Any] = shorten_quotes(items)
    return shortened


def _with(found: Any, **lists: list[Any]) -> Any:
    return {**found, "data": {**found["data"], **lists}}


def _rest(found: Any, name: str) -> int:
    """Return the size of a page without its items."""
    return _measure(_with(found, **{name: []}))

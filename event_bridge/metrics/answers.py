"""Answers: the facts of an answered event that are recorded, and nothing that a client made up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gql_chat.errors import ChatError

from ..protocol import Frame, Malformed
from .recorder import MALFORMED, UNKNOWN, Answered

OWN_EVENTS = frozenset({"session.heartbeat", "session.resume"})
"""The events that the socket answers itself."""

ROOM_ID_LENGTH = 64
"""How long a text that a client sends as the id of a room is at most, to be recorded."""


def describe(
    frame: Frame | Malformed,
    problem: ChatError | None,
    came: float,
    user_id: Any,
    knows: Callable[[str], bool],
) -> Answered:
    """Return the facts of an event that is answered now.

    Args:
        frame: its frame.
        problem: the error that the client was told, if any.
        came: when the frame was read, by `time.perf_counter`.
        user_id: the primary key of the user.
        knows: tells whether a name is one of the project's events.
    """
    seconds = time.perf_counter() - came
    if isinstance(frame, Malformed):
        return Answered(MALFORMED, problem, seconds, user_id)
    name = frame.event_type
    if name not in OWN_EVENTS and not knows(name):
        name = UNKNOWN
    return Answered(name, problem, seconds, user_id, _find_room(frame.data))


def _find_room(data: Any) -> str | None:
    """Return the id of a room that a client's data names, if it can be one."""
    named = data.get("room_id") if isinstance(data, dict) else None
    text = str(named) if isinstance(named, int | str) else ""
    is_plain = text.isascii() and text.replace("-", "").isalnum()
    return text if is_plain and len(text) <= ROOM_ID_LENGTH else None

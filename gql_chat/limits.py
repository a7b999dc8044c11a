"""Limits: the settings that bound what a client sends, and what it makes.

Each is on by default. `docs/limits.md` tells clients what is beyond each of them.
"""

from __future__ import annotations

from typing import Any, TypedDict

from .setting import Kind, Setting, is_count, is_duration, limit


class Rate(TypedDict):
    """How many events may come in how many seconds.

    So many may come at once, and as many more come back, evenly, in so many seconds.
    """

    events: int
    seconds: float


def _is_rate(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict)
        and set(value) == {"events", "seconds"}
        and is_count(value["events"])
        and is_duration(value["seconds"])
    )


_RATE = Kind(
    _is_rate,
    "Use a dict such as {'events': 100, 'seconds': 10}, with numbers above 0, or None for no "
    "limit.",
)


def rate(default: Rate | None, meaning: str, *, shown: str = "") -> Setting[Rate | None]:
    """Declare a setting that is a rate, or None for no limit."""
    return Setting(default, meaning, _RATE, none="no limit", shown=shown)


class Limits:
    """The settings that are limits. `conf.ChatSettings` inherits them."""

    MAX_FRAME_ELEMENTS = limit(
        50_000,
        "Values in the JSON of a frame, or of a request of the GraphQL endpoint; they are counted "
        "before the JSON is read",
        none="only the limit of bytes",
        shown="`50_000`",
    )
    MAX_DESCRIPTION_LENGTH = limit(2000, "Characters of a room's description")
    MAX_JSON_BYTES = limit(
        8 * 1024,
        "Bytes of an object that a client makes up, as JSON: `metadata`, `preferences`, and JSON "
        "columns of the project's own",
        shown="`8 * 1024`",
    )
    MAX_JSON_DEPTH = limit(8, "Objects and lists in each other in such an object")
    MAX_MEMBERS = limit(
        1000, "Members of a room, whatever its `max_participants` or `max_subscribers`"
    )
    MAX_ROOMS_PER_USER = limit(
        1000, "Rooms that a user may be in. Who is in so many makes and joins no more"
    )
    MAX_ROOMS_BY_OTHERS = limit(
        500,
        "Rooms that a user may be in because of others: who is in so many is brought into no more. "
        "The rest of `MAX_ROOMS_PER_USER` is the user's own",
    )
    USER_RATE_LIMIT = rate(
        {"events": 1000, "seconds": 10},
        "Events of one user, over all sockets and processes: 1,000 at once, and 1,000 more in each "
        "10 seconds; see [limits](limits.md#events-per-time)",
        shown='`{"events": 1000, "seconds": 10}`',
    )
    ROOM_RATE_LIMIT = rate(
        {"events": 500, "seconds": 3600},
        "Rooms that one user makes or joins: 500 at once, and 500 more in each hour",
        shown='`{"events": 500, "seconds": 3600}`',
    )
    MAX_RESUME_STREAMS = limit(2000, "Streams that a `session.resume` names")
    MAX_REPLAY_FRAMES = limit(
        5000,
        "Frames that are replayed to a socket that resumes; a stream with more is not replayed",
    )
    MAX_REPLAY_BYTES = limit(
        32 * 1024 * 1024,
        "Bytes that these frames have together in the log",
        shown="`32 * 1024 * 1024`",
    )

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


RATES = ("USER_RATE_LIMIT", "ROOM_RATE_LIMIT")
"""The rates that are on by default. A project that writes `RATE_LIMIT: None` has none of them."""


class Limits:
    """The settings that are limits. `conf.ChatSettings` inherits them."""

    MAX_MESSAGE_LENGTH = limit(
        10_000,
        "Characters of a message, before and after cleaning; of one with markup at most 50,000",
        none="no limit for plain text",
        shown="`10_000`",
    )
    MAX_MEDIA_ITEMS = limit(50, "Attachments of a message", least=0)
    MAX_FRAME_BYTES = limit(
        1024 * 1024,
        "Bytes of a frame; a larger one closes the socket with 1009",
        none="only the server's own limit",
        shown="`1024 * 1024`",
    )
    MAX_ANSWER_BYTES = limit(
        1024 * 1024,
        "Bytes of an answer, and of a frame that tells of several messages: a page ends early, "
        "more frames tell, and lists [show less](protocol.md#sizes). A message that alone has "
        "more is sent",
        least=4096,
        shown="`1024 * 1024`",
    )
    MAX_PAGE_SIZE = limit(
        100,
        "Messages or notifications of a page; larger sizes are cut down",
        none="all messages of a room where no page is asked for",
    )
    MAX_NOTIFICATIONS = limit(
        100,
        "Notifications that a socket is told when it opens, and of a page of them for which no "
        "size is asked",
        none="all that wait",
    )
    MAX_MEMBERS_SHOWN = limit(
        100,
        "Members of a room in a frame, leaders first; [`room.members`](pages.md) pages the rest. "
        "Needs the feature `pages`",
        none="all members",
    )
    MAX_RECEIPTS_SHOWN = limit(
        100,
        "Receipts, deliveries and reactions of a message in a frame, the newest of each; "
        "[counts](pages.md#what-frames-show) tell how many there are. Needs the feature `pages`",
        none="all of them",
    )
    MAX_UNREAD_COUNT = limit(
        1000,
        "Unread messages that are counted of a room; of more it is said that there are more",
        none="all are counted",
        shown="`1_000`",
    )
    MAX_RECEIPT_MEMBERS = limit(
        100,
        "Members of a room who are told how far each of them has read. In larger rooms nobody is",
        none="in rooms of any size",
    )
    MAX_IDS = limit(
        500,
        "Items of a list of users, messages or permissions in one event, or one field of the "
        "GraphQL endpoint. [Server code](python.md) may name more",
    )
    MAX_PINS = limit(50, "Pinned messages of a room, without those whose `until` is over")
    MAX_SAVED = limit(10_000, "Messages that a user has [saved](pins.md#saving)", shown="`10_000`")
    MAX_MENTIONS = limit(100, "Users whom one message [mentions](mentions.md) by name")
    MAX_HERE = limit(200, "Users whom a message reaches that mentions those who are there just now")
    MENTION_ALL_FREELY = limit(
        15,
        "Members of a room in which anybody may mention all; in a larger one it takes "
        "[a right](mentions.md#who-may)",
        none="anybody may in any room",
        least=0,
    )
    RATE_LIMIT = rate(
        None,
        '`{"events": 100, "seconds": 10}`: per socket, 100 frames at once and 100 more in each 10 '
        "seconds. A project that writes `None` here has no rates at all, but those that it names. "
        "Other rules: [`check_rate`](swapping.md#the-consumer)",
    )
    MAX_SESSIONS_PER_USER = limit(
        100,
        "Open sockets of one user, over all processes, those of the GraphQL endpoint included; one "
        "more is closed with 4029",
    )
    MAX_FRAME_ELEMENTS = limit(
        50_000,
        "Values in the JSON of a frame, or of a request of the GraphQL endpoint; they are counted "
        "before the JSON is read",
        none="only the limit of bytes",
        shown="`50_000`",
    )
    MAX_PRESENCE_USERS = limit(200, "Users whom one `presence.subscribe` names")
    MAX_PRESENCE_ROOMS = limit(20, "Rooms that one `presence.subscribe` names")
    MAX_WATCHED_USERS = limit(
        2000,
        "Users whose [presence](presence.md) one socket watches, the members of rooms included",
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
        {"events": 2000, "seconds": 20},
        "Events of one user, over all sockets and processes: 2,000 at once, and 2,000 more in each "
        "20 seconds; see [limits](limits.md#events-per-time)",
        shown='`{"events": 2000, "seconds": 20}`',
    )
    ROOM_RATE_LIMIT = rate(
        {"events": 1000, "seconds": 3600},
        "Rooms that one user makes or joins: 1,000 at once, and 1,000 more in each hour",
        shown='`{"events": 1000, "seconds": 3600}`',
    )
    FIND_RATE_LIMIT = rate(
        {"events": 60, "seconds": 60},
        "Searches for people (`user.find`) of one user: 60 at once, and 60 more in each minute",
        shown='`{"events": 60, "seconds": 60}`',
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
    GRAPHQL_MAX_DEPTH = limit(12, "Fields of a GraphQL operation in each other")
    GRAPHQL_MAX_ALIASES = limit(15, "Aliases of a GraphQL operation")
    GRAPHQL_MAX_TOKENS = limit(2000, "Tokens of a GraphQL document")
    GRAPHQL_MAX_BODY_BYTES = limit(
        256 * 1024,
        "Bytes of a GraphQL request, or of a message on its socket",
        none="only Django's and the server's own limits",
        shown="`256 * 1024`",
    )
    GRAPHQL_MAX_SUBSCRIPTIONS = limit(20, "Operations that run on one GraphQL socket at a time")

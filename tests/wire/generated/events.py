"""Every event as it is right: its data, its answer, and what may be dispatched."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.wire.generated.frames import ABSENT, Named

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Event:
    """An event as it should be, and what may come of it.

    Attributes:
        event_type: its name.
        data: valid data.
        optional: places that are not in it, and may be.
        answer: the private answers; without one it is confirmed by a status.
        dispatches: what the acting user may hear of a success besides.
    """

    event_type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    optional: tuple[Path, ...] = ()
    answer: frozenset[str | None] = frozenset({None})
    dispatches: frozenset[str] = frozenset()

    def __str__(self) -> str:
        chosen = self.data.get("action") or self.data.get("type")
        return f"{self.event_type} {chosen}" if chosen else self.event_type

    def paths(self) -> list[Path]:
        """All places of its data, inner and outer."""
        return [*_paths(self.data), *self.optional]


def _paths(value: Any, path: Path = ()) -> Iterable[Path]:
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def replaced(data: Any, path: Path, value: Any) -> Any:
    """The data with another value in one place; as it is where another change took the place."""
    key, *rest = path
    if isinstance(data, dict):
        inner = replaced(data.get(key, {}), tuple(rest), value) if rest else value
        return {**data, key: inner}
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        inner = replaced(data[key], tuple(rest), value) if rest else value
        return [*data[:key], inner, *data[key + 1 :]]
    return data


def event(
    event_type: str,
    data: Mapping[str, Any] | None = None,
    *dispatches: str,
    answer: Iterable[str | None] = (None,),
    optional: Iterable[Path] = (),
) -> Event:
    """Describe an event that is right."""
    return Event(event_type, data or {}, tuple(optional), frozenset(answer), frozenset(dispatches))


ROOM = {"room_id": Named("room")}
ADDED, REMOVED = "roomaddmembers.dispatch", "roomremovemembers.dispatch"
EXITED, DELETED = "roomexit.dispatch", "roomdelete.dispatch"
MODIFIED = "messagemodification.dispatch"
MEDIA = {
    "media_url": "https://example.com/cat.png",
    "media_type": "image",
    "mime_type": "image/png",
    "file_size": 12,
    "caption": "A cat",
    "metadata": {"width": 1},
}
EXTRA_ROOM = {
    "avatar": "https://example.com/a.png",
    "property": {"preferences": {"theme": "dark"}},
}


def modify(action: str, data: Any = ABSENT, optional: Iterable[Path] = ()) -> Event:
    """A change of a room."""
    return event(
        "room.modify",
        {**ROOM, "action": action, "data": data},
        DELETED if action == "delete" else "roomupdate.dispatch",
        optional=optional,
    )


def leaders(action: str, room: str) -> Event:
    """A change of who leads a room."""
    return replace(
        modify(action, {"users": [Named("bob")]}),
        data={"room_id": Named(room), "action": action, "data": {"users": [Named("bob")]}},
    )


EVENTS = [
    event(
        "message.send",
        {
            **ROOM,
            "content": "Hello",
            "extra_fields": {"parent_message_id": Named("message"), "media": [MEDIA]},
        },
        "message.dispatch",
        # The original, where a generated client_id comes again.
        answer=[None, "message.dispatch"],
        optional=[
            ("client_id",),
            ("extra_fields", "forwarded_from_id"),
            ("extra_fields", "sender"),
            ("extra_fields", "is_deleted"),
            ("extra_fields", "created_at"),
            ("extra_fields", "id"),
            ("extra_fields", "media", 0, "id"),
            ("id",),
            ("sender",),
        ],
    ),
    event("message.acknowledged", {"message_id": [Named("message")]}),
    event("message.read", {"message_id": [Named("message")]}, "readreceipt.dispatch"),
    event(
        "message.react",
        {"type": "add", "message_id": Named("message"), "reaction_content": "thanks"},
        "reaction.dispatch",
    ),
    event(
        "message.react",
        {"type": "remove", "message_id": Named("message"), "reaction_content": "+1"},
        "reaction.dispatch",
    ),
    event("message.typing", {**ROOM, "is_typing": True}, "messagetyping.dispatch"),
    event(
        "message.modify",
        {
            "action": "update",
            "message_id": Named("own_message"),
            "extra_fields": {"content": "Better"},
        },
        MODIFIED,
        optional=[("extra_fields", "is_deleted"), ("extra_fields", "sender"), ("content",)],
    ),
    event("message.modify", {"action": "delete", "message_id": [Named("own_message")]}, MODIFIED),
    event(
        "room.create",
        {"type": "OneToOneChat", "participants": [Named("dave")], "extra_fields": {}},
        "roomcreate.dispatch",
        optional=[("subscribers",), ("name",), ("extra_fields", "property")],
    ),
    event(
        "room.create",
        {
            "type": "GroupChat",
            "name": "Group",
            "description": "All of us",
            "participants": [Named("bob")],
            "extra_fields": {
                **EXTRA_ROOM,
                "max_participants": 5,
                "join_approval_required": False,
                "group_locked": False,
            },
        },
        "roomcreate.dispatch",
        optional=[("extra_fields", "creator"), ("extra_fields", "is_public"), ("extra_fields", 1)],
    ),
    event(
        "room.create",
        {
            "type": "Channel",
            "name": "Channel",
            "description": None,
            "subscribers": [Named("bob")],
            "extra_fields": {**EXTRA_ROOM, "max_subscribers": 5, "is_public": True},
        },
        "roomcreate.dispatch",
        optional=[("participants",), ("extra_fields", "seq")],
    ),
    event("room.list", {}, answer=["roomlist.dispatch"], optional=[("paginate",)]),
    event(
        "room.list",
        {"paginate": {"size": 2}, "filter": {"type": "GroupChat", "unread": False, "query": "g"}},
        answer=["roomlist.dispatch"],
        optional=[("paginate", "before")],
    ),
    event(
        "room.members",
        {**ROOM, "paginate": {"size": 2}, "query": "b", "role": "member"},
        answer=["roommembers.dispatch"],
        optional=[("paginate", "after")],
    ),
    event("room.info", ROOM, answer=["roominfo.dispatch"]),
    event(
        "room.messages",
        {**ROOM, "paginate": {"page": 1, "size": 2}},
        answer=["roommessages.dispatch"],
        optional=[("paginate", "before"), ("paginate", "after")],
    ),
    event(
        "room.messages",
        {**ROOM, "paginate": {"before": Named("message"), "size": 2}},
        answer=["roommessages.dispatch"],
        optional=[("paginate", "page")],
    ),
    event("room.join", {"room_id": Named("open_channel")}, ADDED),
    event("room.leave", ROOM, EXITED, DELETED),
    event("room.add_members", {**ROOM, "members": [Named("carol"), Named("bob")]}, ADDED),
    event("room.remove_members", {**ROOM, "members": [Named("bob")]}, REMOVED),
    modify(
        "update",
        {
            "name": "New",
            "description": "",
            "group_locked": True,
            "join_approval_required": False,
            **EXTRA_ROOM,
        },
        optional=[("data", "is_public"), ("data", "creator"), ("data", "max_participants")],
    ),
    modify("delete"),
    leaders("add_admin", "room"),
    leaders("remove_admin", "room"),
    leaders("add_moderator", "own_channel"),
    leaders("remove_moderator", "own_channel"),
    modify("add_permission", {"users": [Named("bob")], "permission": ["can_add_new_participants"]}),
    modify(
        "remove_permission", {"users": [Named("bob")], "permission": ["can_remove_participants"]}
    ),
    event("session.heartbeat", {}, optional=[("channel_name",)]),
    event("session.resume", {"streams": {}}, answer=["session.resumed"], optional=[("epoch",)]),
]
"""Every event of the protocol, each choice of its data by itself."""

USING_UP = {
    "message.react",
    "message.modify",
    "room.join",
    "room.leave",
    "room.add_members",
    "room.remove_members",
    "room.modify",
}
"""Events that change what the next example needs unchanged."""

EVENT_TYPES = sorted({known.event_type for known in EVENTS})
EVERY_DISPATCH = frozenset().union(*(known.dispatches for known in EVENTS))
EVERY_ANSWER = frozenset().union(*(known.answer for known in EVENTS))

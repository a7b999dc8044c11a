"""Erasure: what frames of the log show of a message or of a room, once that is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.model.chat import Frame, Message, Room

#: What stands in a message that is deleted; the rest of it stays as it was.
_BLANK_MESSAGE: dict[str, Any] = {
    "content": "",
    "is_deleted": True,
    "parent_message": None,
    "forwarded_from": None,
    "delivered_to": [],
    "read_receipts": [],
    "reactions": [],
    "delivered_to_count": 0,
    "read_receipts_count": 0,
    "reactions_count": 0,
    "attachments": [],
}
#: What stands in a room, of the fields that its type has.
_BLANK_ROOM: dict[str, Any] = {
    "name": "",
    "description": None,
    "avatar": None,
    "creator": None,
    "property": {"preferences": {}},
    "participants": [],
    "subscribers": [],
    "admins": [],
    "moderators": [],
    "member_count": 0,
}


def erase_message(frames: Iterable[Frame], message: Message) -> None:
    """Blank a message in frames, where they tell of it and where they quote it."""
    for shown in _messages_of(frames):
        if shown["id"] is message.id:
            shown.update(_BLANK_MESSAGE)


def erase_room(frames: Iterable[Frame], room: Room) -> None:
    """Blank a room and its messages in frames of other streams."""
    frames = list(frames)
    for shown in _messages_of(frames):
        if shown["room"]["id"] is room.id:
            shown.update(_BLANK_MESSAGE)
    for frame in frames:
        data = frame["data"]
        if frame["eventType"] == "roomexit.dispatch" and data["room"]["id"] is room.id:
            shown = data["room"]
            blank = {name: value for name, value in _BLANK_ROOM.items() if name in shown}
            frame["data"] = {"room": {**shown, **blank}, "message": ""}


def without_quotes(frame: Frame, rooms: Iterable[Room]) -> Frame:
    """A frame of somebody's own stream as it is replayed: with quotes from their rooms only."""
    if frame["eventType"] != "messagedelivered.dispatch":
        return frame
    known = [room.id for room in rooms]
    shown = [
        each
        if each["parent_message"] is None or each["parent_message"]["room"]["id"] in known
        else {**each, "parent_message": None}
        for each in frame["data"]
    ]
    return {**frame, "data": shown}


def _messages_of(frames: Iterable[Frame]) -> Iterator[dict[str, Any]]:
    """The messages that frames show. What a forward passes on is no message of its own."""
    waiting: list[Any] = [frame["data"] for frame in frames]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict) and "content" in value:
            yield value
            waiting.append(value["parent_message"])
        elif isinstance(value, dict):
            waiting.append(value.get("message"))

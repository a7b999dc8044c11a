"""The data of what people try, and a secret that they may not see."""

from typing import Any

from tests.wire.rooms import (
    Message,
    Room,
)

SECRET = "the launch is at dawn"
Data = dict[str, Any]

#: Every event of the protocol that asks for something in a room.
EVENTS = (
    "message.send",
    "message.acknowledged",
    "message.read",
    "message.react",
    "message.typing",
    "message.modify",
    "room.create",
    "room.info",
    "room.messages",
    "room.join",
    "room.leave",
    "room.add_members",
    "room.remove_members",
    "room.modify",
)


def quoting(room: Room, field: str, message: Message) -> Data:
    """The data of a ``message.send`` that replies to a message or forwards it."""
    extra_fields = {field: message["id"]}
    return {"room_id": room["id"], "content": "hello", "extra_fields": extra_fields}


def reaction(message_id: str, content: str = "👍", type: str = "add") -> Data:
    """The data of a ``message.react``."""
    return {"type": type, "message_id": message_id, "reaction_content": content}


def update(message_id: str, content: Any = "changed", **extra_fields: Any) -> Data:
    """The data of a ``message.modify`` that edits."""
    extra_fields["content"] = content
    return {"action": "update", "message_id": message_id, "extra_fields": extra_fields}

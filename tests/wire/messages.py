"""Parts of messages, as tests on the wire send and expect them."""

import re
from typing import Any

from pytest_django import Settings

from tests.conftest import Connect, Users
from tests.wire.rooms import (
    Message,
    Person,
    Room,
    everybody_gets,
    group,
    people,
)

MESSAGE_KEYS = {
    "id",
    "room",
    "sender",
    "content",
    "is_deleted",
    "is_edited",
    "is_forwarded",
    "forwarded_from",
    "parent_message",
    "delivered_to",
    "read_receipts",
    "reactions",
    "delivered_to_count",
    "read_receipts_count",
    "reactions_count",
    "attachments",
    "mentions",
    "created_at",
    "updated_at",
}


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def configure(settings: Settings, **values: Any) -> None:
    """Set settings of the package, in this process and so for the server of `connect`."""
    present = getattr(settings, "REALTIME_CHAT_MESSAGING", {})
    settings.REALTIME_CHAT_MESSAGING = {**present, **values}


def media(**changes: Any) -> dict[str, Any]:
    """A media item with nothing wrong but the changes."""
    return {
        "media_url": "https://files.example.com/cat.png",
        "media_type": "image",
        "file_size": 1024,
        "mime_type": "image/png",
        "caption": "A cat",
        "metadata": {"width": 640, "tags": ["cat", None]},
        **changes,
    }


def nested(depth: int) -> dict[str, Any]:
    """An object in an object, and so on."""
    return {"in": nested(depth - 1)} if depth else {}


async def alone(connect: Connect, users: Users) -> tuple[Person, Room]:
    """Somebody in a group of their own: enough where only the answer matters."""
    (alice,) = await people(connect, users, "alice")
    return alice, await group(alice)


async def edit(sender: Person, message_id: Any, content: str, *others: Person) -> Any:
    """Change a message; the sender and the others, who must be all, take the frame."""
    extra_fields = {"content": content}
    data = {"action": "update", "message_id": message_id, "extra_fields": extra_fields}
    await sender.send("message.modify", data)
    return await everybody_gets("messagemodification.dispatch", sender, *others)


async def delete(sender: Person, message_id: Any, *others: Person) -> Any:
    """Delete messages; the sender and the others, who must be all, take the frame."""
    await sender.send("message.modify", {"action": "delete", "message_id": message_id})
    return await everybody_gets("messagemodification.dispatch", sender, *others)


def reaction(message: Message, content: Any, type: Any = "add") -> dict[str, Any]:
    """The data of a ``message.react``."""
    return {"type": type, "message_id": message["id"], "reaction_content": content}


async def react(person: Person, message: Message, content: str, *others: Person) -> Message:
    """React; the person and the others, who must be all, take the frame. The message."""
    await person.send("message.react", reaction(message, content))
    answer = await everybody_gets("reaction.dispatch", person, *others)
    assert (answer["status"], answer["type"]) == ("successful", "add")
    reacted: Message = answer["message"]
    return reacted


async def acknowledge(person: Person, *messages: Message) -> None:
    """Acknowledge messages as a list."""
    ids = [message["id"] for message in messages]
    await person.send("message.acknowledged", {"message_id": ids})


async def read(person: Person, *messages: Message) -> None:
    """Say that messages are read, as a list."""
    await person.send("message.read", {"message_id": [message["id"] for message in messages]})

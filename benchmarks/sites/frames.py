"""The documented frame of a message, for the sites that build it by hand."""

import uuid
from typing import Any

#: The first user's primary key; they are called u1, u2 and so on.
FIRST_USER = 1001


def person(user_id: int) -> dict[str, Any]:
    """Return a user as frames show one."""
    name = f"u{user_id - FIRST_USER + 1}"
    return {
        "id": user_id,
        "username": name,
        "email": f"{name}@example.org",
        "first_name": "User",
        "last_name": name,
    }


def message_frame(user_id: int, room_id: str, content: str, now: str) -> dict[str, Any]:
    """Return a new message as frames show it."""
    return {
        "id": str(uuid.uuid4()),
        "room": {"id": room_id},
        "sender": person(user_id),
        "content": content,
        "is_deleted": False,
        "is_edited": False,
        "is_forwarded": False,
        "forwarded_from": None,
        "parent_message": None,
        "delivered_to": [],
        "read_receipts": [],
        "reactions": [],
        "attachments": [],
        "created_at": now,
        "updated_at": now,
    }

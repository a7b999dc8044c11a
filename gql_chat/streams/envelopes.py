"""Envelopes: rendered events with their sequence numbers, and the names of streams."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

MESSAGE_TYPE = "chat.envelope"
"""The `type` of the package's messages on the channel layer."""

_GROUP_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_TOKEN = uuid.uuid4().hex


def process_name() -> str:
    """Return a name that no other process has, on any machine or after a fork."""
    return f"{_TOKEN}.{os.getpid()}"


def room_stream(room_id: Any) -> str:
    """Return the name of a room's stream."""
    return f"room:{room_id}"


def user_stream(user_id: Any) -> str:
    """Return the name of a user's stream."""
    return f"user:{user_id}"


def group_name(stream: str) -> str:
    """Return the name of a stream's group, in the letters that a channel layer allows."""
    kind, _, key = stream.partition(":")
    if not _GROUP_SAFE.fullmatch(key):
        key = hashlib.sha256(key.encode()).hexdigest()
    return f"chat.{kind}.{key}"


@dataclass(slots=True, frozen=True)
class Envelope:
    """A rendered event with its sequence number, or a notice from one hub to the others.

    Attributes:
        stream: the stream's name.
        seq: the sequence number in it; 0 if it is not stored (typing, and notices to hubs).
        kind: the name of the event's type in the schema; empty for notices to hubs.
        payload: the rendered event as JSON text.
        change: who is entitled from this frame on, by user ids as strings. Users who `joined` get
            this frame already. Users who `left` get neither this one nor later ones. `closed` ends
            the stream after it. `veil` says from whom some of it is hidden (`streams.veils`). In a
            notice to hubs, `refresh` says that members changed outside an operation and must be
            read again, and `signed_out` which login session has ended.
    """

    stream: str
    seq: int
    kind: str
    payload: str = field(repr=False)
    change: Mapping[str, Any] | None = None

    def to_message(self) -> dict[str, Any]:
        """Return the envelope as a message for the channel layer."""
        return {"type": MESSAGE_TYPE, "process": process_name(), **asdict(self)}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Envelope:
        """Read an envelope off the channel layer."""
        return cls(**{name: message[name] for name in cls.__slots__})

    def groups(self) -> list[str]:
        """Return the groups that must get it: the stream's, and those of users who join."""
        joined = (self.change or {}).get("joined", ())
        return [group_name(self.stream), *(group_name(user_stream(user)) for user in joined)]


def parse_payload(payload: str) -> Any:
    """Return a rendered event as plain objects."""
    return orjson.loads(payload)


def refresh(stream: str, users: set[str]) -> Envelope:
    """Return the notice to hubs that these members of a room changed outside an operation.

    Args:
        stream: the room's stream.
        users: the ids of the members.
    """
    return Envelope(stream, 0, "", "", {"refresh": True, "joined": sorted(users)})

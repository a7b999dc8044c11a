"""The typed events: each says what happened in a room or to a user.

An event holds model instances and plain values. The schema has a type of the same name for
each event; rendering an event selects all fields of that type.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from datetime import datetime

    from .models import AbstractMessage, AbstractRoom
    from .models.unread import UnreadTotals


BY_SYSTEM = "system"
"""Stands for the name of a user where no member did something, but the project's own code."""


class Event:
    """Base of all events."""

    def halves(self) -> tuple[Self, ...]:
        """Return two events that tell the same in smaller frames; none if that is impossible."""
        return ()


class _OfMessages(Event):
    """Base of events that tell of several messages at once."""

    messages: list[AbstractMessage]

    def halves(self) -> tuple[Self, ...]:
        middle = len(self.messages) // 2
        if not middle:
            return ()
        return tuple(
            replace(self, messages=some)  # type: ignore[type-var]
            for some in (self.messages[:middle], self.messages[middle:])
        )


@dataclass(slots=True)
class MessageSent(Event):
    """A member wrote a message."""

    message: AbstractMessage


@dataclass(slots=True)
class MessagesDelivered(_OfMessages):
    """Messages of one sender arrived at a member."""

    messages: list[AbstractMessage]


@dataclass(slots=True)
class MessagesRead(_OfMessages):
    """A member read messages of one room."""

    messages: list[AbstractMessage]


@dataclass(slots=True)
class MessageReacted(Event):
    """A member reacted to a message (`add`), or took a reaction back (`remove`)."""

    type: str
    message: AbstractMessage
    status: str = "successful"


@dataclass(slots=True)
class MessagePinned(Event):
    """A member pinned a message (`pin`), or took a pin off (`unpin`).

    Attributes:
        action: `pin` or `unpin`.
        message: the message.
        pinned_by: the name of who pinned it.
        pinned_at: when.
        until: when the pin ends by itself; None for never.
    """

    action: str
    message: AbstractMessage
    pinned_by: str
    pinned_at: datetime
    until: datetime | None
    status: str = "successful"


@dataclass(slots=True)
class MessageSaved(Event):
    """The user this is for saved a message (`save`), or keeps it no more (`unsave`)."""

    action: str
    message: AbstractMessage
    saved_at: datetime
    status: str = "successful"


@dataclass(slots=True)
class MessageEdited(Event):
    """A sender changed a message."""

    message: AbstractMessage
    status: str = "successful"
    action: str = "update"


@dataclass(slots=True)
class MessagesDeleted(Event):
    """Messages of one room are deleted: by their sender, or by somebody who may delete others'."""

    message_ids: list[Any]
    status: str = "successful"
    action: str = "delete"
    deleted_by: str = BY_SYSTEM


@dataclass(slots=True)
class Typing(Event):
    """A member types, or has stopped. Stored nowhere."""

    username: str
    user_id: Any
    room_id: Any
    is_typing: bool


@dataclass(slots=True)
class RoomCreated(Event):
    """A room came into being; its first members are in."""

    room: AbstractRoom


@dataclass(slots=True)
class RoomUpdated(Event):
    """A room, its roles or its permissions changed."""

    room: AbstractRoom


@dataclass(slots=True)
class RoomDeleted(Event):
    """A room is gone."""

    room_id: Any


@dataclass(slots=True)
class RoomExited(Event):
    """The user this is for is no longer in the room."""

    room: AbstractRoom
    message: str


@dataclass(slots=True)
class UserErased(Event):
    """The account of a user is gone: deleted, or erased from chat.

    In this room nothing is left of the user but, perhaps, messages without a sender's name: no
    receipt, no delivery, no reaction.

    Attributes:
        room_id: the room.
        user_id: who the user was.
        messages: what became of the user's messages: `keep`, `blank` (without text and
            attachments), or `delete`.
    """

    room_id: Any
    user_id: Any
    messages: str


@dataclass(slots=True)
class RoomRead(Event):
    """A member has read a room up to a message."""

    room_id: Any
    user: Any
    up_to: Any
    read_at: datetime


@dataclass(slots=True)
class UnreadChanged(Event):
    """The user this is for has read a room, or marked it as unread, on one of their devices.

    The attributes are those of `models.unread.RoomUnread`.

    Attributes:
        totals: what is unread in all rooms of the user (`models.unread.UnreadTotals`).
    """

    room_id: Any
    unread_count: int
    mention_count: int
    more: bool
    first_unread: Any
    marked: bool
    as_of: int
    totals: UnreadTotals


@dataclass(slots=True)
class RoomPreferencesChanged(Event):
    """A user changed what they want of a room. Only that user is told.

    Attributes:
        preferences: the preferences, as frames show them.
    """

    preferences: Any


@dataclass(slots=True)
class UserPreferencesChanged(Event):
    """A user changed what they want of all rooms. Only that user is told.

    Attributes:
        preferences: the preferences, as frames show them.
    """

    preferences: Any


@dataclass(slots=True)
class MembersAdded(Event):
    """Users came into a room."""

    room: AbstractRoom
    new_members: list[str]
    added_by: str


@dataclass(slots=True)
class MembersRemoved(Event):
    """Users went out of a room."""

    room: AbstractRoom
    removed_members: list[str]
    removed_by: str


@dataclass(slots=True)
class PresenceChanged(Event):
    """Users came, went, or are away. Stored nowhere.

    Attributes:
        users: the status of each (`gql_chat.presence.Status`).
        snapshot: whether it tells of all who are watched, and not of changes.
    """

    users: list[Any]
    snapshot: bool = False

"""What users have read, from server code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asgiref.sync import sync_to_async

from ..models.unread import Unread, UnreadTotals, count_unread
from ..nouns import require_feature
from .acting import acting_as, message_key, room_key, user_key


def read_room(room: Any, *, by: Any, up_to: Any = None, private: bool = False) -> None:
    """Note that a user has read a room, and tell its members and the user's devices.

    Args:
        room: the room.
        by: the user who has read, a member.
        up_to: the message up to which; the newest, if it is left out. Up to where the user has
            read already nothing happens.
        private: whether nobody but the user's own devices is told.

    Raises:
        ImproperlyConfigured: the project has not the feature `read_markers`.
    """
    handler = acting_as(by)
    handler.read_room(room_key(room), up_to=message_key(up_to), private=private)


def mark_unread(room: Any, message: Any, *, by: Any) -> None:
    """Mark a room as unread for a user from a message on, until the user reads it.

    Args:
        room: the room.
        message: a message of the room.
        by: the user, a member.

    Raises:
        ImproperlyConfigured: the project has not the feature `read_markers`.
    """
    acting_as(by).mark_unread(room_key(room), message_key(message))


def list_unread(user: Any, room: Any = None) -> Unread:
    """Return in which rooms something waits for a user, and what waits in all of them.

    Args:
        user: the user.
        room: a room: then that one alone is listed, whether something waits there or not.

    Returns:
        `rooms` (each a `models.unread.RoomUnread`) and `totals`.

    Raises:
        ImproperlyConfigured: the project has not the feature `read_markers`.
    """
    return acting_as(user).list_unread(room_key(room))


def unread_totals(users: Iterable[Any]) -> dict[Any, UnreadTotals]:
    """Count what several users have not read, in one statement: for badges on icons.

    Args:
        users: the users.

    Returns:
        By the primary key of each: `rooms`, `messages`, `mentions` and `muted`.

    Raises:
        ImproperlyConfigured: the project has not the feature `read_markers`.
    """
    require_feature("read_markers")
    keys = [user_key(user) for user in users]
    found = count_unread(keys) if keys else {}
    return {key: found[key].totals if key in found else UnreadTotals() for key in keys}


aread_room = sync_to_async(read_room)
amark_unread = sync_to_async(mark_unread)
alist_unread = sync_to_async(list_unread)
aunread_totals = sync_to_async(unread_totals)

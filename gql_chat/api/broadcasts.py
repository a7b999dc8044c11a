"""Events of a project's own, from server code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asgiref.sync import sync_to_async

from ..events import Event
from .acting import acting_as, room_key, user_key


def send_to_room(room: Any, event: Event, *, stored: bool = True) -> None:
    """Send an event of the project's own to all members of a room.

    Args:
        room: the room.
        event: an instance of one of the types in `events` of `EVENT_HANDLER_CLASS`.
        stored: False for an event that matters only at the moment, like typing: it is not logged,
            not replayed, and may be lost.
    """
    acting_as(None).send_to_room(room_key(room), event, stored=stored)


def send_to_users(users: Iterable[Any], event: Event) -> None:
    """Send an event of the project's own to users, whatever rooms they are in.

    Args:
        users: the users.
        event: an instance of one of the types in `events` of `EVENT_HANDLER_CLASS`.
    """
    acting_as(None).send_to_users([user_key(user) for user in users], event)


asend_to_room = sync_to_async(send_to_room)
asend_to_users = sync_to_async(send_to_users)

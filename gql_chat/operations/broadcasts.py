"""Broadcasts of a project's own: its events, through the streams like all others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import streams
from ..events import Event
from .base import Operations, operation


class BroadcastOperations(Operations):
    """Sending events of a project's own. Nothing asks for permission here: the caller does."""

    @operation
    def send_to_room(self, room_id: Any, event: Event, *, stored: bool = True) -> streams.Envelope:
        """Send an event to all members of a room.

        It takes the next sequence number of the room's stream: it is logged, leaves after the
        commit, and is replayed to those who resume.

        Args:
            room_id: the room.
            event: an event of `events`, or one of the package's.
            stored: False for an event that matters only at the moment, like typing: it takes no
                sequence number, is stored nowhere, and may be lost.

        Returns:
            The envelope, with its stream and its sequence number there: 0 if it is not stored.

        Raises:
            NotFound: there is no such room.
        """
        with streams.transaction() as outbox:
            room = self.find_room(room_id, lock=stored)
            return outbox.broadcast(room, event) if stored else outbox.transient(room, event)

    @operation
    def send_to_users(self, user_ids: Iterable[Any], event: Event) -> None:
        """Send an event to users, whatever rooms they are in, through their own streams.

        A deactivated account is no error: the event waits in its stream like any other.

        Raises:
            NotFound: one of the users does not exist.
        """
        with streams.transaction() as outbox:
            users = self.find_users("users", user_ids, inactive=True)
            outbox.target(dict.fromkeys(users, event))

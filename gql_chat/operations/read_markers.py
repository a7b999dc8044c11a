"""Reading a room up to a message, marking it as unread, and what a user has not read."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from .. import streams
from ..conf import chat_settings
from ..errors import NotFound, PermissionDenied
from ..events import RoomRead, UnreadChanged
from ..models import Membership, get_model
from ..models.read_markers import ReadMarker, markers, move
from ..models.unread import (
    Unread,
    count_unread,
    room_size,
    sees,
    tells_reading,
)
from ..nouns import require_feature
from ..sql.statements import One, Statement, Update, find_by
from ..sql.together import all_together
from .base import Operations, operation
from .uses import check_use

_TICK = timedelta(microseconds=1)
_WEIGHT = 320
"""How many bytes a room has in a list of what was not read, at most."""

_REACTIONS = 1000
"""Of so many reactions that wait for a user, the newest, those go that stand in what is read."""


def _select_newest(room_id: Any) -> Any:
    messages = get_model("Message").objects.filter(room_id=room_id, is_deleted=False)
    return messages.order_by("-created_at", "-pk")[:1]


def _select_reactions(user_id: Any, same_user: Any, room_id: Any, before: Any) -> Any:
    """Select the notifications of reactions to a user's messages in a room before a time."""
    notifications = get_model("ChatNotification").objects
    newest = notifications.filter(recipient_id=user_id).order_by("-created_at", "-pk")
    return notifications.filter(
        pk__in=newest.values("pk")[:_REACTIONS],
        recipient_id=same_user,
        room_id=room_id,
        created_at__lt=before,
    ).order_by()


def _room() -> list[Any]:
    return [One(get_model("Message")._meta.get_field("room_id"))]


def _mark_given() -> list[Any]:
    field = Membership._meta.get_field("unread_from")
    return [One(Membership._meta.pk), One(field)]


_newest: Statement[Any] = Statement(_select_newest, _room)
_messages_of_room: Statement[Any] = find_by(
    lambda: get_model("Message").objects.all(), "id", "room_id"
)
_reactions: Statement[Any] = Statement(
    _select_reactions,
    lambda: [
        One(get_user_model()._meta.pk),
        One(get_user_model()._meta.pk),
        One(get_model("ChatNotification")._meta.get_field("room_id")),
        One(get_model("ChatNotification")._meta.get_field("created_at")),
    ],
)
# In the database: whatever was read before, neither of the two marks goes back.
_read = Update(
    lambda membership_id, before, same: (
        Membership.objects.filter(pk=membership_id),
        {
            "unread_from": Greatest(F("unread_from"), before),
            "pending_from": Greatest(F("pending_from"), same),
        },
    ),
    lambda: [*_mark_given(), *_mark_given()[1:]],
)
_unread = Update(
    lambda membership_id, at: (
        Membership.objects.filter(pk=membership_id),
        {"unread_from": at},
    ),
    _mark_given,
)


class ReadMarkerOperations(Operations):
    """How far a user has read."""

    @operation
    def read_room(self, room_id: Any, *, up_to: Any = None, private: bool = False) -> None:
        """Note that the user has read a room up to a message, and tell its members.

        It moves forward only. Up to where the user has read already, nothing is written and nobody
        told. It costs the same however much was unread: no row is written for a message.

        The user has got what they have read: up to there no notification of the room waits for
        them. The rows of those that now wait for nobody go by `prune_chat`, or by the next
        acknowledgement.

        Args:
            room_id: the room.
            up_to: the message; the newest of the room, if it is left out. Then the room is no
                longer marked as unread either.
            private: whether nobody else is told.

        Raises:
            NotFound: there is no such room, or no such message in it.
            PermissionDenied: the user is not in the room, or may not see the message.
        """
        require_feature("read_markers")
        with streams.transaction() as outbox:
            membership = self._enter_marked(room_id, up_to)
            room = membership.room
            found = (_newest, room.pk) if up_to is None else (_messages_of_room, up_to, room.pk)
            messages, marks, sizes = all_together(
                found, (markers, membership.pk), (room_size, room.pk)
            )
            message = self._check_found(membership, messages, required=up_to is not None)
            marker = marks[0] if marks else ReadMarker(membership_id=membership.pk)
            now = timezone.now()
            before = now if message is None else message.created_at + _TICK
            moves = message is not None and before > membership.unread_from
            unmarks = marker.marked and (moves or up_to is None)
            tells = (
                message is not None
                and (marker.written_at is None or marker.written_at < message.created_at)
                and not private
                and _has_few(sizes[0][0])
                and tells_reading(membership)
            )
            if not (moves or unmarks or tells):
                return
            if message is not None:
                outbox.carrier.ahead(*_read.text(membership.pk, before, before))
                self._drop_reactions(room.pk, before)
            moved = ReadMarker(membership_id=membership.pk, marked=marker.marked and not unmarks)
            if message is not None:
                moved.got_before = before
            if tells:
                moved.up_to, moved.written_at, moved.read_at = message.pk, message.created_at, now
            outbox.carrier.ahead(*move(outbox.connection, moved))
            if tells:
                outbox.broadcast(room, RoomRead(room.pk, self.user, message.pk, now))
            self._tell_unread(room.pk)

    @operation
    def mark_unread(self, room_id: Any, message_id: Any) -> None:
        """Mark a room as unread from a message on, whatever receipts say, until it is read again.

        What is before it counts as read. Others keep what they were told of the user's reading.

        Args:
            room_id: the room.
            message_id: the message.

        Raises:
            NotFound: there is no such room, or no such message in it.
            PermissionDenied: the user is not in the room, or may not see the message.
        """
        require_feature("read_markers")
        with streams.transaction() as outbox:
            membership = self._enter_marked(room_id, message_id)
            room = membership.room
            found = _messages_of_room.all(message_id, room.pk)
            message = self._check_found(membership, found, required=True)
            outbox.carrier.ahead(*_unread.text(membership.pk, message.created_at))
            marker = ReadMarker(membership_id=membership.pk, marked=True)
            outbox.carrier.ahead(*move(outbox.connection, marker))
            self._tell_unread(room.pk)

    def list_unread(self, room_id: Any = None) -> Unread:
        """Return the rooms in which something waits for the user, and what waits in all of them.

        They are as many as `MAX_ANSWER_BYTES` has room for, the most recently active first; the
        totals count all.

        Args:
            room_id: a room: then that one alone is listed, whether something waits there or not.

        Raises:
            NotFound: there is no such room.
            PermissionDenied: the user is not in it.
            NotAuthenticated: the account is gone or was deactivated.
        """
        require_feature("read_markers")
        room = None if room_id is None else self.enter(room_id).room
        check_use(self, "unread.list", room)
        if room is not None:
            room_id = room.pk
        unread = self._count()
        if room_id is None:
            rooms = [room for room in unread.rooms if room.waits]
            limit = self.budget.find_limit()
            if limit is not None:
                rooms = rooms[: max(1, limit // _WEIGHT)]
                self.budget.spend(_WEIGHT * len(rooms))
        else:
            rooms = [room for room in unread.rooms if room.room_id == room_id]
        return Unread(rooms, unread.totals)

    def _enter_marked(self, room_id: Any, message_id: Any) -> Membership:
        """Return the user's membership of a room, whose row is locked, to read or mark it.

        Of a user who may not, the message is looked for first: what exists is checked before who
        may. With `HIDE_FORBIDDEN` a room that the user is not in does not exist.
        """
        room, found = self.find_place(room_id, lock=True)
        # The system is let into every room, but it has no place in one that it is not in.
        is_inside = found is not None and self.permissions.can_mark_read(self.admit(room, found))
        if found is None and chat_settings.HIDE_FORBIDDEN:
            self.admit(room, found)
        if not is_inside and message_id is not None:
            self._check_exists(_messages_of_room.all(message_id, room.pk))
        membership = self.admit(room, found)
        if not is_inside:
            raise PermissionDenied("You may not mark what you have read in this room.")
        return membership

    @staticmethod
    def _check_exists(found: list[Any]) -> None:
        if not found:
            raise NotFound("There is no such message in this room.")

    def _check_found(self, membership: Membership, found: list[Any], *, required: bool) -> Any:
        """Return the message that was found, or None; refuse one that the member may not see.

        If none is `required`, a hidden one is as good as none: the member has named nothing.
        """
        if required:
            self._check_exists(found)
        message = found[0] if found else None
        if message is not None and not sees(membership, message):
            if required:
                self.refuse("message")
            return None
        return message

    def _drop_reactions(self, room_id: Any, before: Any) -> None:
        """Delete the notifications of reactions that the user has got by reading."""
        if not chat_settings.ENABLE_NOTIFICATION:
            return
        if found := _reactions.all(self.user_id, self.user_id, room_id, before):
            keys = [notification.pk for notification in found]
            get_model("ChatNotification").objects.filter(pk__in=keys).delete()

    def _count(self) -> Unread:
        user_id = self.user.pk
        return count_unread([user_id]).get(user_id) or Unread()

    def _tell_unread(self, room_id: Any) -> None:
        """Tell the devices of the user what is unread now."""
        unread = self._count()
        for room in unread.rooms:
            if room.room_id == room_id:
                event = UnreadChanged(**asdict(room), totals=unread.totals)
                streams.current().target({self.user.pk: event})


def _has_few(members: int) -> bool:
    limit = chat_settings.MAX_RECEIPT_MEMBERS
    return limit is None or members <= limit

"""What tells senders how far their messages got: acknowledged by a device, read by a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from .. import streams
from ..errors import Conflict
from ..events import MessagesDelivered, MessagesRead
from ..models import Delivery, Membership, bulk, get_model
from ..relations import load_messages
from .base import Operations


class ReceiptOperations(Operations):
    """Acknowledging and reading messages of others."""

    def acknowledge_messages(self, message_ids: Iterable[Any]) -> None:
        """Note that messages have arrived at the user, and tell each sender who is still in.

        Idempotent. The user's own messages are skipped, but reactions to them, which wait
        for the user, are done with.

        Raises:
            NotFound: one of the messages does not exist.
            PermissionDenied: one of them stands in a room that the user is not in.
        """
        with streams.transaction() as outbox:
            messages = self.find_messages(message_ids)
            ids = [message.pk for message in messages]
            present = Delivery.objects.filter(message_id__in=ids, user_id=self.user_id)
            known = set(present.values_list("message_id", flat=True))
            new = [
                message
                for message in messages
                if message.pk not in known and message.sender_id != self.user_id
            ]
            Delivery.objects.bulk_create(
                [Delivery(message_id=message.pk, user_id=self.user_id) for message in new],
                ignore_conflicts=True,
            )
            notifications = get_model("ChatNotification").objects
            rooms = sorted({message.room_id for message in messages}, key=str)
            notifications.acknowledge(self.user_id, ids, rooms)
            notifications.delete_finished(message_id__in=ids)
            senders = {message.sender_id for message in new}
            still_in = Membership.objects.filter(room_id__in=rooms, user_id__in=senders)
            places = set(still_in.values_list("room_id", "user_id"))
            by_sender: dict[Any, list[Any]] = defaultdict(list)
            for message in load_messages(new):
                if (message.room_id, message.sender_id) in places:
                    by_sender[message.sender_id].append(message)
            outbox.target(
                {sender: MessagesDelivered(messages) for sender, messages in by_sender.items()}
            )

    def read_messages(self, message_ids: Iterable[Any], *, once: bool = False) -> None:
        """Note that the user has read messages, and tell the members of their rooms.

        Own messages are skipped, and so are those that were read before.

        Args:
            message_ids: the messages.
            once: whether having read one before is a conflict instead.

        Raises:
            NotFound: one of the messages does not exist.
            PermissionDenied: one of them stands in a room that the user is not in.
            Conflict: with `once`, where one was read before.
        """
        with streams.transaction() as outbox:
            messages = [
                message
                for message in self.find_messages(message_ids)
                if message.sender_id != self.user_id
            ]
            rooms = self.lock_rooms(message.room_id for message in messages)
            receipts = get_model("ReadReceipt")
            present = receipts.objects.filter(
                message_id__in=[message.pk for message in messages], reader_id=self.user_id
            )
            known = set(present.values_list("message_id", flat=True))
            if once and known:
                raise Conflict("You have read this message already.")
            new = [message for message in messages if message.pk not in known]
            if not new:
                return
            self._write_receipts(new)
            self._move_unread_mark({message.room_id for message in new})
            by_room: dict[Any, list[Any]] = defaultdict(list)
            for message in load_messages(new):
                by_room[message.room_id].append(message)
            for room_id, room in rooms.items():
                if room_id in by_room:
                    outbox.broadcast(room, MessagesRead(by_room[room_id]))

    def _write_receipts(self, messages: list[Any]) -> None:
        receipts = get_model("ReadReceipt")
        now = timezone.now()
        bulk.insert(
            [
                receipts(message_id=message.pk, reader_id=self.user_id, read_at=now)
                for message in messages
            ]
        )

    def _move_unread_mark(self, room_ids: set[Any]) -> None:
        """Move the time before which nothing is unread, so that counting stays short."""
        receipts = get_model("ReadReceipt").objects.filter(
            message_id=OuterRef("pk"), reader_id=self.user_id
        )
        oldest_unread = (
            get_model("Message")
            .objects.filter(
                room_id=OuterRef("room_id"),
                created_at__gte=OuterRef("unread_from"),
                is_deleted=False,
            )
            .exclude(sender_id=self.user_id)
            .exclude(Exists(receipts))
            .order_by("created_at")
            .values("created_at")[:1]
        )
        newest = get_model("Room").objects.filter(pk=OuterRef("room_id")).values("last_activity")
        Membership.objects.filter(user_id=self.user_id, room_id__in=room_ids).update(
            unread_from=Coalesce(Subquery(oldest_unread), Subquery(newest))
        )

"""What tells senders how far their messages got: acknowledged by a device, read by a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from .. import streams
from ..errors import Conflict
from ..events import MessagesDelivered, MessagesRead
from ..models import Delivery, Membership, bulk, get_model
from ..models.statements import Among, Many, One, Statement, Update
from ..relations import load_messages
from .base import Operations


def _move_unread_mark(user_id: Any, room_ids: Any) -> tuple[Any, dict[str, Any]]:
    """Move the time before which nothing is unread, so that counting stays short."""
    read = get_model("ReadReceipt").objects.filter(message_id=OuterRef("pk"), reader_id=user_id)
    oldest = (
        get_model("Message")
        .objects.filter(
            room_id=OuterRef("room_id"),
            created_at__gte=OuterRef("unread_from"),
            is_deleted=False,
        )
        .exclude(sender_id=user_id)
        .exclude(Exists(read))
        .order_by("created_at")
        .values("created_at")[:1]
    )
    newest = get_model("Room").objects.filter(pk=OuterRef("room_id")).values("last_activity")
    mine = Membership.objects.filter(Among(F("room_id"), room_ids), user_id=user_id)
    return mine, {"unread_from": Coalesce(Subquery(oldest), Subquery(newest))}


def _messages_and_user() -> list[One | Many]:
    return [Many(get_model("Message")._meta.pk), One(get_user_model()._meta.pk)]


_unread_marks = Update(
    _move_unread_mark,
    lambda: [One(get_user_model()._meta.pk), Many(get_model("Room")._meta.pk)],
)
_own_deliveries: Statement[Delivery] = Statement(
    lambda ids, user_id: Delivery.objects.filter(Among(F("message_id"), ids), user_id=user_id),
    _messages_and_user,
)
_members: Statement[Membership] = Statement(
    lambda room_ids, user_ids: Membership.objects.filter(
        Among(F("room_id"), room_ids), Among(F("user_id"), user_ids)
    ),
    lambda: [Many(get_model("Room")._meta.pk), Many(get_user_model()._meta.pk)],
)


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
            known = {delivery.message_id for delivery in _own_deliveries.all(ids, self.user_id)}
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
            notifications.delete_finished_of(ids)
            senders = {message.sender_id for message in new}
            places = {(here.room_id, here.user_id) for here in _members.all(rooms, senders)}
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
                for message in self.find_messages(message_ids, lock=True)
                if message.sender_id != self.user_id
            ]
            # The frames show all receipts, so those of the user are at hand with them.
            new = [message for message in load_messages(messages) if not self._has_read(message)]
            if once and len(new) < len(messages):
                raise Conflict("You have read this message already.")
            if not new:
                return
            self._write_receipts(new)
            by_room: dict[Any, list[Any]] = defaultdict(list)
            for message in new:
                by_room[message.room].append(message)
            _unread_marks.run(self.user_id, {room.pk for room in by_room})
            for room, read in by_room.items():
                outbox.broadcast(room, MessagesRead(read))

    def _has_read(self, message: Any) -> bool:
        return any(receipt.reader_id == self.user_id for receipt in message.relations.read_receipts)

    def _write_receipts(self, messages: list[Any]) -> None:
        now = timezone.now()
        receipts = {
            message: get_model("ReadReceipt")(message=message, reader=self.user, read_at=now)
            for message in messages
        }
        bulk.insert(list(receipts.values()))
        for message, receipt in receipts.items():
            message.relations.read_receipts.append(receipt)

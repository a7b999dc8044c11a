"""What tells senders how far their messages got: acknowledged by a device, read by a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from .. import streams
from ..errors import Conflict
from ..events import MessagesDelivered, MessagesRead
from ..models import (
    Delivery,
    Membership,
    get_model,
)
from ..models.accounts import shown_version
from ..models.relations import load_all
from ..models.unread import find_position
from ..models.visibility import members_who_see
from ..sql import bulk
from ..sql.statements import (
    Among,
    Many,
    One,
    Statement,
    Update,
)
from .base import Operations, operation, primary


def _select_new_to(message_ids: Any, user_id: Any) -> Any:
    """Find messages of others that a user has not got, and whether their senders see them still."""
    has_it = Delivery.objects.filter(message_id=OuterRef("pk"), user_id=user_id)
    sender = Membership.objects.filter(
        members_who_see(OuterRef("created_at")),
        room_id=OuterRef("room_id"),
        user_id=OuterRef("sender_id"),
    )
    return (
        get_model("Message")
        .objects.filter(Among(F("id"), message_ids))
        .exclude(sender_id=user_id)
        .exclude(Exists(has_it))
        .annotate(has_sender=Exists(sender))
        .values_list("pk", "has_sender")
    )


def _messages_and_user() -> list[One | Many]:
    return [Many(get_model("Message")._meta.pk), One(get_user_model()._meta.pk)]


_unread_marks = Update(
    find_position,
    lambda: [One(get_user_model()._meta.pk), Many(get_model("Room")._meta.pk)],
    shown_version,
)
_new_to: Statement[Any] = Statement(_select_new_to, _messages_and_user, shown_version)


class ReceiptOperations(Operations):
    """Acknowledging and reading messages of others."""

    @operation
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
            # Under the locks of the rooms: of two devices one is the first, and of the last two
            # recipients one sees that nobody is left.
            ids = [message.pk for message in messages]
            new = dict(_new_to.all(ids, self.user_id))
            primary(Delivery.objects).bulk_create(
                [Delivery(message_id=message_id, user_id=self.user_id) for message_id in new],
                ignore_conflicts=True,
            )
            notifications = get_model("ChatNotification").objects
            rooms = sorted({message.room_id for message in messages}, key=str)
            notifications.acknowledge(self.user_id, ids, rooms)
            notifications.delete_finished_of(ids)
            by_sender: dict[Any, list[Any]] = defaultdict(list)
            arrived = [message for message in messages if message.pk in new]
            for message in arrived:
                message.may_have_deliveries = True
            for message in load_all(arrived):
                if new[message.pk]:
                    by_sender[message.sender_id].append(message)
            outbox.target(
                {sender: MessagesDelivered(messages) for sender, messages in by_sender.items()}
            )

    @operation
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
            # The frames show all receipts, so those of the user are at hand with them.
            self.load(messages)
            new = [message for message in messages if not self._has_read(message)]
            if once and len(new) < len(messages):
                raise Conflict("You have read this message already.")
            if not new:
                return
            self._write_receipts(new)
            by_room: dict[Any, list[Any]] = defaultdict(list)
            for message in new:
                by_room[message.room].append(message)
            outbox.carrier.ahead(*_unread_marks.text(self.user_id, {room.pk for room in by_room}))
            for room, read in by_room.items():
                outbox.broadcast(room, MessagesRead(read))

    def _has_read(self, message: Any) -> bool:
        return any(receipt.reader_id == self.user_id for receipt in message.relations.read_receipts)

    def _write_receipts(self, messages: list[Any]) -> None:
        now = timezone.now()
        model = get_model("ReadReceipt")
        receipts = [model(message=message, reader=self.user, read_at=now) for message in messages]
        bulk.insert(receipts)
        for message, receipt in zip(messages, receipts, strict=True):
            message.relations.read_receipts.append(receipt)

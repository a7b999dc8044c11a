"""Pins: what members hold up to each other in a room."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from .. import streams
from ..conf import chat_settings
from ..errors import Conflict, Invalid, NotFound, PermissionDenied
from ..events import MessagePinned
from ..models import AbstractMessage, Membership
from ..models.accounts import as_shown
from ..models.pins import Pin, running
from ..models.relations import load_messages
from ..models.visibility import visible_from, visible_messages
from .base import Operations, operation, primary
from .features import need
from .listings import Listing, find_size, read_listing
from .sight import check_sees
from .uses import check_use


class PinOperations(Operations):
    """Pinned messages."""

    @operation
    def pin_message(self, message_id: Any, until: datetime | None = None) -> AbstractMessage:
        """Pin a message in its room, and tell the members.

        Args:
            message_id: the message.
            until: when the pin ends; None for never.

        Raises:
            NotFound: there is no such message.
            PermissionDenied: the user is not in its room, may not see it, or may not pin.
            Conflict: it is pinned already.
            Invalid: it is deleted, `until` is over, or the room has `MAX_PINS` pins.
        """
        with streams.transaction() as outbox:
            message, membership = self._enter_to_pin(message_id)
            room = membership.room
            if message.is_deleted:
                raise Invalid("A deleted message cannot be pinned.")
            now = timezone.now()
            if until is not None and until <= now:
                raise Invalid({"until": "This time is over."})
            # Under the lock of the room: of many at once no more are pinned than may be.
            pins = primary(Pin.objects).filter(room_id=room.pk)
            pins.filter(until__lte=now).delete()
            pinned = set(pins.filter(running(now)).order_by().values_list("message_id", flat=True))
            if message.pk in pinned:
                raise Conflict("This message is pinned already.")
            limit = chat_settings.MAX_PINS
            if limit is not None and len(pinned) >= limit:
                raise Invalid(f"At most {limit} messages may be pinned in a room.")
            user = membership.user
            pin = Pin(room_id=room.pk, message_id=message.pk, user=user, pinned_at=now, until=until)
            pin.save(force_insert=True)
            load_messages([message], {user.pk: user})
            outbox.broadcast(room, MessagePinned("pin", message, pin.pinned_by, now, until))
        return message

    @operation
    def unpin_message(self, message_id: Any) -> AbstractMessage:
        """Take a pin off, and tell the members of the room.

        Raises:
            NotFound: there is no such message, or it is not pinned.
            PermissionDenied: the user is not in its room, may not see it, or may not pin.
        """
        with streams.transaction() as outbox:
            message, membership = self._enter_to_pin(message_id)
            pins = primary(Pin.objects).filter(running(timezone.now()), message_id=message.pk)
            pin = as_shown(pins.select_related("user"), "user").first()
            if pin is None:
                raise NotFound("This message is not pinned.")
            event = MessagePinned("unpin", message, pin.pinned_by, pin.pinned_at, pin.until)
            pin.delete()
            load_messages([message], {membership.user_id: membership.user})
            outbox.broadcast(membership.room, event)
        return message

    def room_pins(self, room_id: Any, *, before: Any = None, size: int | None = None) -> Listing:
        """Return the pins of a room, those that were pinned last first.

        Args:
            room_id: the room.
            before: the id of a pinned message: the pins that are older than its pin follow.
            size: how many at most; capped at `MAX_PAGE_SIZE`.

        Raises:
            NotFound: there is no such room, or `before` is not pinned in it.
            PermissionDenied: the user is not in it, or may not see the message.
            Invalid: the size is not from 1 up.
        """
        need("pins")
        size = find_size(size)
        membership = self.enter(room_id)
        check_use(self, "room.pins", membership.room)
        since = visible_from(membership)
        pins = primary(Pin.objects).filter(running(timezone.now()), room_id=membership.room_id)
        cursor = None
        if before is not None:
            cursor = pins.select_related("message").filter(message_id=before).first()
            if cursor is None:
                raise NotFound("There is no such pin in this room.")
            check_sees(self, [cursor.message], membership)
        seen = pins.filter(visible_messages(since, "message__created_at"))
        rows = as_shown(
            seen.select_related("message", "message__sender", "user"), "message__sender", "user"
        )
        return read_listing(
            rows, "pinned_at", cursor, size, self.budget, lambda pin: since, membership.room_id
        )

    def _enter_to_pin(self, message_id: Any) -> tuple[AbstractMessage, Membership]:
        need("pins")
        message, membership = self.enter_message(message_id)
        if not self.permissions.can_pin(membership):
            raise PermissionDenied("You may not pin messages in this room.")
        return message, membership

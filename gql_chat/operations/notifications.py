"""Notifications: what waits for a user, and the rows that say so."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from ..conf import chat_settings
from ..models import AbstractMessage, NotificationType, get_model
from ..relations import load_messages
from .base import Operations


class NotificationOperations(Operations):
    """What waits for a user, and the rows that say so."""

    def pending_notifications(self) -> dict[Any, list[Any]]:
        """Return what waits for the user, by room, the oldest first."""
        by_room: dict[Any, list[Any]] = defaultdict(list)
        if chat_settings.ENABLE_NOTIFICATION:
            pending = get_model("ChatNotification").objects.pending_for(self.user_id)
            messages = {notification.message_id: notification.message for notification in pending}
            load_messages(messages.values())
            for notification in pending:
                notification.message = messages[notification.message_id]
                by_room[notification.room_id].append(notification)
        return dict(by_room)

    def notify(
        self,
        message: AbstractMessage,
        notification_type: NotificationType,
        *,
        actor_id: Any,
        created_at: datetime,
        recipient_id: Any = None,
    ) -> Any:
        """Write the one row that a message or a reaction makes; return it, or None if off.

        Args:
            message: the message that was written or reacted to.
            notification_type: what it is about.
            actor_id: who wrote or reacted.
            created_at: when.
            recipient_id: the sender of a message that was reacted to.
        """
        if not chat_settings.ENABLE_NOTIFICATION:
            return None
        notification = get_model("ChatNotification")(
            notification_type=notification_type,
            message=message,
            room_id=message.room_id,
            actor_id=actor_id,
            recipient_id=recipient_id,
            created_at=created_at,
        )
        notification.save(force_insert=True)
        return notification

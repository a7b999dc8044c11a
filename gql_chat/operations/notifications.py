"""Notifications: what waits for a user. The rows themselves are made by signals."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ..conf import chat_settings
from ..models import get_model
from ..relations import load_messages
from .base import Operations


class NotificationOperations(Operations):
    """What waits for a user."""

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

"""Pins: messages that are held up to all members of their room, for ever or until a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Pin(models.Model):
    """That a message is pinned in its room.

    Attributes:
        room: the room of the message.
        user: who pinned it; None if that user's account is gone.
        until: when the pin ends; None for never. A pin that has ended is as good as none
            (`running`): nothing happens at that time.
    """

    room: models.ForeignKey[Any, Any] = models.ForeignKey(
        settings.GQL_CHAT_ROOM_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # the index below serves it
    )
    message = models.OneToOneField(
        settings.GQL_CHAT_MESSAGE_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    pinned_at = models.DateTimeField(default=timezone.now, editable=False)
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["room", "-pinned_at", "-id"], name="gql_chat_pin_newest"),
        ]

    def __str__(self) -> str:
        return f"pin of {self.message_id}"

    @property
    def pinned_by(self) -> str:
        """The name of who pinned the message; empty if the account is gone."""
        return "" if self.user is None else self.user.get_username()


def running(at: datetime) -> Q:
    """Return the condition that pins have not ended at a time, nor their messages gone."""
    return Q(Q(until__isnull=True) | Q(until__gt=at), message__is_deleted=False)

"""Saves: messages that a user has put aside for themselves; nobody else hears of it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class SavedMessage(models.Model):
    """That a user has saved a message.

    Attributes:
        is_private: says that no member of the message's room sees the row.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # the index below serves it
    )
    message = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    saved_at = models.DateTimeField(default=timezone.now, editable=False)

    is_private = True

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "-saved_at", "-id"], name="gql_chat_save_newest"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "message"], name="%(app_label)s_%(class)s_once")
        ]

    def __str__(self) -> str:
        return f"{self.message_id} for {self.user_id}"

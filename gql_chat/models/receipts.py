"""What members did with messages: read them, react to them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from ..conf import model_setting
from ..sql.statements import Statement, find_by
from .registry import get_model

REACTION_LENGTH = 128


class AbstractReadReceipt(models.Model):
    """That a member has read a message, and when."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL,
        on_delete=models.CASCADE,
        related_name="read_receipts",
        db_index=False,  # the unique constraint serves it
    )
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    read_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["message", "reader"], name="%(app_label)s_%(class)s_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.message_id} read by {self.reader_id}"


class ReadReceipt(AbstractReadReceipt):
    """The default read receipt."""

    class Meta(AbstractReadReceipt.Meta):
        swappable = model_setting("ReadReceipt")


class AbstractReaction(models.Model):
    """A user's reaction to a message: one per user, a new one replaces it (by signal).

    Attributes:
        earlier: the reactions that it replaces when it is saved; None if they were not read.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL,
        on_delete=models.CASCADE,
        related_name="reactions",
        db_index=False,  # the unique constraint serves it
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    reaction_content = models.CharField(max_length=REACTION_LENGTH)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    earlier: Sequence[Any] | None = None

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["message", "user"], name="%(app_label)s_%(class)s_once")
        ]

    def __str__(self) -> str:
        return f"reaction by {self.user_id}"


class Reaction(AbstractReaction):
    """The default reaction."""

    class Meta(AbstractReaction.Meta):
        swappable = model_setting("Reaction")


own_reactions: Statement[Any] = find_by(
    lambda: get_model("Reaction").objects.all(), "message_id", "user_id"
)
"""Finds the reaction of a user to a message."""

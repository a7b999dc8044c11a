"""Sessions: one row per open socket."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from ..conf import model_setting


class AbstractSession(models.Model):
    """An open socket of a user.

    Attributes:
        channel_name: the socket's name, unique among all processes.
        last_seen: when the client last sent a heartbeat, or connected; right to
            `INACTIVITY_THRESHOLD`.
        alive_at: when the process that holds the socket last renewed the lease. A row whose process
            is gone is cleaned up; one whose socket is open never is, heartbeat or not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    channel_name = models.CharField(max_length=200)
    last_seen = models.DateTimeField(default=timezone.now)
    alive_at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["channel_name"], name="%(app_label)s_%(class)s_channel")
        ]

    def __str__(self) -> str:
        return self.channel_name


class Session(AbstractSession):
    """The default session."""

    class Meta(AbstractSession.Meta):
        swappable = model_setting("Session")

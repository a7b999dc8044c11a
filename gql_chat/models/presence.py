"""Presence: who shows that they are there. Sessions say who is."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

HOLDER_LENGTH = 32
"""How long the name of a holder is. The channel names of its sockets begin with it and a dot."""


class Presence(models.Model):
    """What is kept of a user's presence beyond the sessions. Whoever has no row has never left.

    Attributes:
        invisible_since: since when the user wants to look offline; None if they do not.
        departed_at: when the last socket of the user closed in some process.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    invisible_since = models.DateTimeField(null=True)
    departed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"presence of {self.user_id}"


class IdleSocket(models.Model):
    """That the client of a socket says that nobody sits there. An active socket has no row.

    Attributes:
        channel_name: that of the socket's session.
        since: when the client began to say so.
    """

    channel_name = models.CharField(max_length=200, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.channel_name} is idle"


class SocketHolder(models.Model):
    """The event loop of a process that holds sockets: it has one lease for all of them.

    Attributes:
        name: its name, with which the channel names of its sockets begin.
        alive_at: when it last said that it is there.
    """

    name = models.CharField(max_length=HOLDER_LENGTH, primary_key=True)
    alive_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

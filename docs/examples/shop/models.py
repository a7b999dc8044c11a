# shop/models.py
from django.conf import settings
from django.db import models

from gql_chat.models import AbstractMessage, AbstractMessageMediaAsset


class Message(AbstractMessage):
    """A message that may be urgent."""

    class Priority(models.TextChoices):
        NORMAL = "normal"
        HIGH = "high"

    priority = models.CharField(max_length=16, choices=Priority.choices, default=Priority.NORMAL)
    expires_at = models.DateTimeField(null=True, blank=True)


class MediaAsset(AbstractMessageMediaAsset):
    """An attachment that may have a size in pixels."""

    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)


class JoinRequest(models.Model):
    """That a user asks to be let into a room."""

    room = models.ForeignKey(settings.GQL_CHAT_ROOM_MODEL, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["room", "user"], name="shop_join_request_once")
        ]

    def __str__(self):
        return f"{self.user_id} asks to join {self.room_id}"

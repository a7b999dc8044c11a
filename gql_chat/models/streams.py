"""The event log, and how far each user's stream has come."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.utils import timezone

from .positions import PositionField

STREAM_LENGTH = len("user:") + 255
"""The longest name of a stream: users may have primary keys of 255 letters."""


class StreamEvent(models.Model):
    """One frame of a stream.

    Once a row is written, only its payload may change: what is deleted goes out of it
    (`gql_chat.streams.erasure`).

    Attributes:
        stream: `room:<room id>` or `user:<user id>`.
        seq: the sequence number in the stream, from 1, with no gap and no repeat.
        kind: the name of the event's type in the schema.
        payload: the event rendered, as JSON text.
        change: how the frame changes who is entitled to the stream, or None. An object with the
            ids of users who `joined` before the frame, of those who `left` before it, and
            `closed` if the stream ends with it.
    """

    stream = models.CharField(max_length=STREAM_LENGTH)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=64)
    payload = models.TextField()
    change = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["stream", "seq"], name="%(app_label)s_%(class)s_place")
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.seq} {self.kind}"


class EventSubject(models.Model):
    """That a frame of the log shows a message: by it a deletion finds the frame.

    The frame that tells of a new message has none: its sequence number is known (`stream_seq` of
    messages).
    In the stream of a user, a frame has the rooms of its messages as well, and the room that it is
    about. Plain code that deletes rows of the log deletes those of theirs here.

    Attributes:
        event: the frame.
        subject: the id of a message or of a room.
    """

    event = models.ForeignKey(
        StreamEvent, on_delete=models.DO_NOTHING, db_constraint=False, related_name="subjects"
    )
    subject = models.UUIDField(db_index=True)

    def __str__(self) -> str:
        return f"{self.subject} in frame {self.event_id}"


class UserStreamManager(models.Manager["UserStream"]):
    """The streams of users, by the users' natural keys."""

    def get_by_natural_key(self, *key: Any) -> UserStream:
        """Return the stream of a user, by the user's natural key."""
        users: Any = get_user_model()._default_manager
        return self.get(user=users.get_by_natural_key(*key))


class UserStream(models.Model):
    """The newest sequence number of a user's stream. The room has that of its own stream."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    seq = PositionField(default=0)

    objects: ClassVar[UserStreamManager] = UserStreamManager()

    def __str__(self) -> str:
        return f"user {self.pk} at {self.seq}"

    def natural_key(self) -> Any:
        """Return the natural key of the user: the primary key may differ in another database."""
        return self.user.natural_key()


# Django leaves the primary key out of the fields that are dumped. This one is a user, and the
# dump's `pk` means another user, or none, in another database.
_user: Any = UserStream._meta.pk
_user.serialize = True

"""Messages, what is attached to them, and which sends have been seen before."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models, router
from django.utils import timezone

from ..compatibility import CheckConstraint
from ..conf import model_setting
from .constraints import partial_index
from .links import LINK_LENGTH, check_link
from .locks import writing
from .streams import STREAM_LENGTH

if TYPE_CHECKING:
    from .relations import MessageRelations

MEDIA_TYPES = ("image", "video", "audio", "file")

MIME_TYPES = (
    *(f"image/{kind}" for kind in ("jpeg", "png", "gif", "webp", "bmp", "heic")),
    *(f"audio/{kind}" for kind in ("mpeg", "mp4", "aac", "ogg", "wav", "opus")),
    *(f"video/{kind}" for kind in ("mp4", "quicktime", "webm", "ogg", "x-msvideo", "x-matroska")),
    "application/pdf",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "text/plain",
    "text/csv",
)

CAPTION_LENGTH = 1024
CLIENT_ID_LENGTH = 64


class AbstractMessage(models.Model):
    """What a member wrote in a room.

    `created_at` grows with every message of a room, also across servers whose clocks differ,
    so sorting by it gives the order of the room's stream.

    Attributes:
        sender: who wrote it; None if that user was erased and the message was kept
            (`gql_chat.erase_user`). Frames then show a user without a name (`accounts.nobody`).
        stream_seq: the sequence number of the frame that tells of the message, or a lower one if
            other code made frames in between. No frame of the room's stream before it shows the
            message. None for messages that no operation wrote.
        relations: what frames show besides the row (`gql_chat.models.relations.load_messages`).
        may_have_attachments, may_have_deliveries, may_have_receipts, may_have_reactions,
            may_have_mentions: whether there are some to load; False where the statement that found
            the message has seen that there are none.
        is_for_user: whether the acting user is in the room; known where the message was found to be
            changed.
        source_copy: for a new forward the copy that is written with it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    room = models.ForeignKey(
        settings.GQL_CHAT_ROOM_MODEL,
        on_delete=models.CASCADE,
        related_name="messages",
        db_index=False,  # the index over room and time serves it
    )
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
    )
    content = models.TextField(blank=True)
    is_deleted = models.BooleanField(default=False)
    is_edited = models.BooleanField(default=False)
    is_forwarded = models.BooleanField(default=False)
    forwarded_from = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # a partial index serves it
    )
    parent_message = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # a partial index serves it
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    # Not in a dump: in another database the stream has another history.
    stream_seq = models.BigIntegerField(null=True, blank=True, editable=False, serialize=False)

    relations: MessageRelations
    source_copy: MessageCopy | None = None
    may_have_attachments = True
    may_have_deliveries = True
    may_have_receipts = True
    may_have_reactions = True
    may_have_mentions = True
    is_for_user: bool

    class Meta:
        abstract = True
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["room", "-created_at", "-id"]),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            CheckConstraint(
                condition=models.Q(parent_message__isnull=True) | models.Q(is_forwarded=False),
                name="%(app_label)s_%(class)s_reply_or_forward",
            ),
            partial_index("parent_message", "replies"),
            partial_index("forwarded_from", "forwards"),
        ]

    def __str__(self) -> str:
        # Not its content: this ends up in logs, and in the admin's record of what was deleted.
        return f"message {self.pk}"


class Message(AbstractMessage):
    """The default message."""

    class Meta(AbstractMessage.Meta):
        swappable = model_setting("Message")


class AbstractMessageMediaAsset(models.Model):
    """A link to a file that somebody else stores."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL, on_delete=models.CASCADE, related_name="attachments"
    )
    position = models.PositiveSmallIntegerField(default=0, editable=False)
    media_url = models.CharField(max_length=LINK_LENGTH, validators=[check_link])
    media_type = models.CharField(max_length=16, choices=[(kind, kind) for kind in MEDIA_TYPES])
    file_size = models.PositiveBigIntegerField(default=0)
    mime_type = models.CharField(max_length=128)
    caption = models.CharField(max_length=CAPTION_LENGTH, null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True
        ordering: ClassVar[list[str]] = ["position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            CheckConstraint(
                condition=models.Q(mime_type__in=MIME_TYPES),
                name="%(app_label)s_%(class)s_mime_type",
            ),
            CheckConstraint(
                condition=models.Q(media_type__in=MEDIA_TYPES),
                name="%(app_label)s_%(class)s_media_type",
            ),
        ]

    def __str__(self) -> str:
        return f"attachment {self.pk}"


class MessageMediaAsset(AbstractMessageMediaAsset):
    """The default attachment."""

    class Meta(AbstractMessageMediaAsset.Meta):
        swappable = model_setting("MessageMediaAsset")


class MessageCopy(models.Model):
    """What a forward passes on: its source as that was then.

    The forward does not show what becomes of the source.

    Attributes:
        message: the forward.
        source: the id of the source, which may be gone.
        sender: who wrote the source; the copy goes with the account. None if that user was erased
            and the messages were kept.
        columns: the source and its attachments as JSON text (`gql_chat.models.copies`).
    """

    message = models.OneToOneField(
        settings.GQL_CHAT_MESSAGE_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="+",
    )
    source = models.UUIDField(db_index=True)
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    columns = models.TextField()

    class Meta:
        verbose_name_plural = "message copies"

    def __str__(self) -> str:
        return f"copy of {self.source} in {self.message_id}"


class Delivery(models.Model):
    """That a user acknowledged a message: it has arrived on one of their devices."""

    message = models.ForeignKey(
        settings.GQL_CHAT_MESSAGE_MODEL,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,  # the unique constraint serves it
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["message", "user"], name="%(app_label)s_%(class)s_once")
        ]

    def __str__(self) -> str:
        return f"{self.message_id} at {self.user_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the delivery; the message's room stays locked until it is written.

        So of the last two who get a message one sees that the other has it.
        """
        with writing(kwargs.get("using") or router.db_for_write(type(self))):
            super().save(*args, **kwargs)


class ClientMessage(models.Model):
    """That a sender used a `client_id`, and for which message.

    It outlives the message, so that a repeat of a deleted message stores nothing either.
    """

    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    client_id = models.CharField(max_length=CLIENT_ID_LENGTH)
    message = models.UUIDField()
    stream = models.CharField(max_length=STREAM_LENGTH)
    seq = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["sender", "client_id"], name="%(app_label)s_%(class)s_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.client_id} of {self.sender_id}"

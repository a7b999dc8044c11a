"""Every swappable model with its plain columns, and the room types; what relates them is `0002`.

It depends on nothing, so a project's own models may come before or after it.
"""

import uuid

import django.core.validators
import django.utils.timezone
from django.db import migrations, models

from gql_chat.compatibility import CheckConstraint
from gql_chat.conf import is_swapped
from gql_chat.models.proxies import EnterProxies

# A proxy of a swapped-out model is an error in Django: with a room model of the project's own
# these three do not exist.
PROXIES = (
    [
        migrations.CreateModel(
            name="OneToOneChat",
            fields=[],
            options={
                "proxy": True,
            },
            bases=("gql_chat.room", models.Model),
        ),
        migrations.CreateModel(
            name="GroupChat",
            fields=[],
            options={
                "proxy": True,
            },
            bases=("gql_chat.room", models.Model),
        ),
        migrations.CreateModel(
            name="Channel",
            fields=[],
            options={
                "proxy": True,
            },
            bases=("gql_chat.room", models.Model),
        ),
    ]
    if not is_swapped("Room")
    else []
)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("content", models.TextField(blank=True)),
                ("is_deleted", models.BooleanField(default=False)),
                ("is_edited", models.BooleanField(default=False)),
                ("is_forwarded", models.BooleanField(default=False)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
            options={
                "abstract": False,
                "swappable": "GQL_CHAT_MESSAGE_MODEL",
            },
        ),
        migrations.CreateModel(
            name="MessageMediaAsset",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(default=0, editable=False)),
                (
                    "media_url",
                    models.CharField(
                        max_length=2000,
                        validators=[django.core.validators.URLValidator(schemes=["http", "https"])],
                    ),
                ),
                (
                    "media_type",
                    models.CharField(
                        choices=[
                            ("image", "image"),
                            ("video", "video"),
                            ("audio", "audio"),
                            ("file", "file"),
                        ],
                        max_length=16,
                    ),
                ),
                ("file_size", models.PositiveBigIntegerField(default=0)),
                ("mime_type", models.CharField(max_length=128)),
                ("caption", models.CharField(blank=True, max_length=1024, null=True)),
                ("metadata", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "constraints": [
                    CheckConstraint(
                        condition=models.Q(
                            (
                                "mime_type__in",
                                (
                                    "image/jpeg",
                                    "image/png",
                                    "image/gif",
                                    "image/webp",
                                    "image/bmp",
                                    "image/heic",
                                    "audio/mpeg",
                                    "audio/mp4",
                                    "audio/aac",
                                    "audio/ogg",
                                    "audio/wav",
                                    "audio/opus",
                                    "video/mp4",
                                    "video/quicktime",
                                    "video/webm",
                                    "video/ogg",
                                    "video/x-msvideo",
                                    "video/x-matroska",
                                    "application/pdf",
                                    "application/msword",
                                    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                                    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                                    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
                                    "application/vnd.ms-excel",
                                    "application/vnd.ms-powerpoint",
                                    "text/plain",
                                    "text/csv",
                                ),
                            )
                        ),
                        name="gql_chat_messagemediaasset_mime_type",
                    ),
                    CheckConstraint(
                        condition=models.Q(("media_type__in", ("image", "video", "audio", "file"))),
                        name="gql_chat_messagemediaasset_media_type",
                    ),
                ],
                "ordering": ["position"],
                "abstract": False,
                "swappable": "GQL_CHAT_MESSAGEMEDIAASSET_MODEL",
            },
        ),
        migrations.CreateModel(
            name="ChatNotification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "notification_type",
                    models.CharField(
                        choices=[
                            ("NEW_MESSAGE", "New Message"),
                            ("REPLY", "Reply"),
                            ("REACTION", "Reaction"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
            options={
                "abstract": False,
                "swappable": "GQL_CHAT_CHATNOTIFICATION_MODEL",
            },
        ),
        migrations.CreateModel(
            name="ReadReceipt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "read_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
            options={
                "abstract": False,
                "swappable": "GQL_CHAT_READRECEIPT_MODEL",
            },
        ),
        migrations.CreateModel(
            name="Reaction",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("reaction_content", models.CharField(max_length=128)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
            options={
                "abstract": False,
                "swappable": "GQL_CHAT_REACTION_MODEL",
            },
        ),
        migrations.CreateModel(
            name="Room",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("type", models.CharField(editable=False, max_length=64)),
                ("name", models.CharField(blank=True, default="", max_length=64)),
                ("description", models.TextField(blank=True, null=True)),
                (
                    "avatar",
                    models.CharField(
                        blank=True,
                        max_length=2000,
                        null=True,
                        validators=[django.core.validators.URLValidator(schemes=["http", "https"])],
                    ),
                ),
                ("max_participants", models.PositiveIntegerField(blank=True, null=True)),
                ("join_approval_required", models.BooleanField(blank=True, null=True)),
                ("group_locked", models.BooleanField(blank=True, null=True)),
                ("max_subscribers", models.PositiveIntegerField(blank=True, null=True)),
                ("is_public", models.BooleanField(blank=True, null=True)),
                ("pair", models.CharField(blank=True, editable=False, max_length=255, null=True)),
                ("seq", models.BigIntegerField(default=0, editable=False)),
                (
                    "last_activity",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("pair",), name="gql_chat_room_pair"),
                    CheckConstraint(
                        condition=models.Q(
                            models.Q(("pair__isnull", False), ("type", "OneToOneChat")),
                            models.Q(
                                models.Q(("type", "OneToOneChat"), _negated=True),
                                ("pair__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="gql_chat_room_pair_type",
                    ),
                    CheckConstraint(
                        condition=models.Q(
                            models.Q(("type", "GroupChat"), _negated=True),
                            models.Q(
                                ("group_locked__isnull", False),
                                ("is_public__isnull", True),
                                ("join_approval_required__isnull", False),
                                ("max_participants__isnull", False),
                                ("max_subscribers__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="gql_chat_room_group",
                    ),
                    CheckConstraint(
                        condition=models.Q(
                            models.Q(("type", "Channel"), _negated=True),
                            models.Q(
                                ("group_locked__isnull", True),
                                ("is_public__isnull", False),
                                ("join_approval_required__isnull", True),
                                ("max_participants__isnull", True),
                                ("max_subscribers__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="gql_chat_room_channel",
                    ),
                ],
                "permissions": (
                    ("can_add_new_participants", "Can add new participants"),
                    ("can_remove_participants", "Can remove participants"),
                    ("can_add_new_subscribers", "Can add new subscribers"),
                    ("can_remove_subscribers", "Can remove subscribers"),
                    ("can_send_messages", "Can send messages"),
                ),
                "abstract": False,
                "swappable": "GQL_CHAT_ROOM_MODEL",
            },
        ),
        migrations.CreateModel(
            name="RoomProperty",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("preferences", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "verbose_name_plural": "room properties",
                "abstract": False,
                "swappable": "GQL_CHAT_ROOMPROPERTY_MODEL",
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("channel_name", models.CharField(max_length=200)),
                ("last_seen", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "alive_at",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, editable=False
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("channel_name",), name="gql_chat_session_channel"
                    ),
                ],
                "abstract": False,
                "swappable": "GQL_CHAT_SESSION_MODEL",
            },
        ),
        *PROXIES,
        EnterProxies(),
    ]

"""What relates the models: foreign keys, constraints, indexes, and the models never swapped."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from gql_chat.compatibility import CheckConstraint

# Only these two are pointed at by models of the package. To wait for others would be to wait for
# projects' apps without need.
POINTED_AT = (settings.GQL_CHAT_ROOM_MODEL, settings.GQL_CHAT_MESSAGE_MODEL)


class Migration(migrations.Migration):
    dependencies = [
        ("gql_chat", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        *(migrations.swappable_dependency(label) for label in POINTED_AT),
    ]

    operations = [
        migrations.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.GQL_CHAT_ROOM_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chat_memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("member", "member"),
                            ("admin", "admin"),
                            ("moderator", "moderator"),
                        ],
                        default="member",
                        max_length=16,
                    ),
                ),
                (
                    "joined_at",
                    models.DateTimeField(db_index=True, default=django.utils.timezone.now),
                ),
                ("joined_seq", models.BigIntegerField(default=1, editable=False)),
                (
                    "pending_from",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "unread_from",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["user", "room", "joined_seq", "pending_from"],
                        name="gql_chat_me_user_id_3493e5_idx",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("room", "user"), name="gql_chat_membership_once"
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="message",
            name="room",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="messages",
                to=settings.GQL_CHAT_ROOM_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="sender",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="forwarded_from",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.GQL_CHAT_MESSAGE_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="parent_message",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.GQL_CHAT_MESSAGE_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["room", "-created_at", "-id"], name="gql_chat_me_room_id_f64dbc_idx"
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=CheckConstraint(
                condition=models.Q(
                    ("parent_message__isnull", True), ("is_forwarded", False), _connector="OR"
                ),
                name="gql_chat_message_reply_or_forward",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("parent_message__isnull", False)),
                fields=("parent_message", "id"),
                name="gql_chat_message_replies",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("forwarded_from__isnull", False)),
                fields=("forwarded_from", "id"),
                name="gql_chat_message_forwards",
            ),
        ),
        migrations.AddField(
            model_name="messagemediaasset",
            name="message",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="attachments",
                to=settings.GQL_CHAT_MESSAGE_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to=settings.GQL_CHAT_MESSAGE_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("message", "user"), name="gql_chat_delivery_once"
                    ),
                ],
                "verbose_name_plural": "deliveries",
            },
        ),
        migrations.CreateModel(
            name="ClientMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "sender",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("client_id", models.CharField(max_length=64)),
                ("message", models.UUIDField()),
                ("stream", models.CharField(max_length=80)),
                ("seq", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("sender", "client_id"), name="gql_chat_clientmessage_once"
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="chatnotification",
            name="message",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="notifications",
                to=settings.GQL_CHAT_MESSAGE_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="chatnotification",
            name="room",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.GQL_CHAT_ROOM_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="chatnotification",
            name="actor",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="chatnotification",
            name="recipient",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="chatnotification",
            index=models.Index(
                fields=["room", "created_at"], name="gql_chat_ch_room_id_64bff3_idx"
            ),
        ),
        migrations.AddConstraint(
            model_name="chatnotification",
            constraint=models.UniqueConstraint(
                condition=models.Q(("recipient__isnull", False)),
                fields=("recipient", "id"),
                name="gql_chat_chatnotification_mine",
            ),
        ),
        migrations.AddField(
            model_name="readreceipt",
            name="message",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="read_receipts",
                to=settings.GQL_CHAT_MESSAGE_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="readreceipt",
            name="reader",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="readreceipt",
            constraint=models.UniqueConstraint(
                fields=("message", "reader"), name="gql_chat_readreceipt_once"
            ),
        ),
        migrations.AddField(
            model_name="reaction",
            name="message",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="reactions",
                to=settings.GQL_CHAT_MESSAGE_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="reaction",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="reaction",
            constraint=models.UniqueConstraint(
                fields=("message", "user"), name="gql_chat_reaction_once"
            ),
        ),
        migrations.AddField(
            model_name="room",
            name="creator",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="roomproperty",
            name="room",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="property",
                to=settings.GQL_CHAT_ROOM_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="session",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="StreamEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stream", models.CharField(max_length=80)),
                ("seq", models.BigIntegerField()),
                ("kind", models.CharField(max_length=64)),
                ("payload", models.TextField()),
                ("change", models.JSONField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_index=True, default=django.utils.timezone.now),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("stream", "seq"), name="gql_chat_streamevent_place"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UserStream",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("seq", models.BigIntegerField(default=0)),
            ],
        ),
    ]

"""Messages mention users, whole rooms, and who is there."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("gql_chat", "0014_read_markers"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="room",
            options={
                "permissions": (
                    ("can_add_new_participants", "Can add new participants"),
                    ("can_remove_participants", "Can remove participants"),
                    ("can_add_new_subscribers", "Can add new subscribers"),
                    ("can_remove_subscribers", "Can remove subscribers"),
                    ("can_send_messages", "Can send messages"),
                    ("can_delete_messages", "Can delete messages of others"),
                    ("can_pin_messages", "Can pin messages"),
                    ("can_mention_all", "Can mention everybody in a room"),
                )
            },
        ),
        migrations.CreateModel(
            name="Mention",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(editable=False)),
                ("by_name", models.BooleanField(default=False)),
                ("here", models.BooleanField(default=False)),
                ("whole_room", models.BooleanField(default=False)),
                ("told", models.BooleanField(default=False)),
                (
                    "message",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.GQL_CHAT_MESSAGE_MODEL,
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.GQL_CHAT_ROOM_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["user", "created_at", "message"], name="gql_chat_mention_user"
                    ),
                    models.Index(
                        fields=["room", "created_at", "message"], name="gql_chat_mention_room"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("message", "user"), name="gql_chat_mention_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("user__isnull", True)),
                        fields=("message",),
                        name="gql_chat_mention_call",
                    ),
                ],
            },
        ),
    ]

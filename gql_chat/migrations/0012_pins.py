"""Messages may be pinned in their rooms, and saved by users."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gql_chat", "0011_history"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        migrations.swappable_dependency(settings.GQL_CHAT_MESSAGE_MODEL),
        migrations.swappable_dependency(settings.GQL_CHAT_ROOM_MODEL),
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
                )
            },
        ),
        migrations.CreateModel(
            name="Pin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "pinned_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("until", models.DateTimeField(blank=True, null=True)),
                (
                    "message",
                    models.OneToOneField(
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
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["room", "-pinned_at", "-id"], name="gql_chat_pin_newest")
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "saved_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.GQL_CHAT_MESSAGE_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "-saved_at", "-id"], name="gql_chat_save_newest")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "message"), name="gql_chat_savedmessage_once"
                    )
                ],
            },
        ),
    ]

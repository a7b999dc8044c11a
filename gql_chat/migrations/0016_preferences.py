"""Users have preferences: of what they are notified, and more, in one room and in all."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

NOTIFY = [("all", "All"), ("mentions", "Mentions"), ("none", "None")]


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("gql_chat", "0015_mentions"),
    ]

    operations = [
        migrations.CreateModel(
            name="RoomPreferences",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "notify",
                    models.CharField(blank=True, choices=NOTIFY, max_length=16, null=True),
                ),
                ("muted_until", models.DateTimeField(blank=True, null=True)),
                ("pinned", models.BooleanField(default=False)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("receipts", models.BooleanField(default=True)),
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "room preferences",
                "verbose_name_plural": "room preferences",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("room", "user"), name="gql_chat_roompreferences_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UserPreferences",
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
                ("notify", models.CharField(choices=NOTIFY, default="all", max_length=16)),
                ("receipts", models.BooleanField(default=True)),
                ("presence", models.BooleanField(default=True)),
                ("snooze_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "user preferences",
                "verbose_name_plural": "user preferences",
            },
        ),
    ]

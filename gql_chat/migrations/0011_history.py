"""Rooms say what those see who come later, and memberships from when on they see it."""

import datetime

from django.conf import settings
from django.db import migrations, models

BEGINNING = datetime.datetime(1, 1, 2, tzinfo=datetime.UTC)


class Migration(migrations.Migration):
    dependencies = [
        ("gql_chat", "0010_erased_senders"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(model_name="membership", name="gql_chat_me_user_id_3493e5_idx"),
        migrations.AddField(
            model_name="membership",
            name="visible_from",
            field=models.DateTimeField(default=BEGINNING, editable=False),
        ),
        migrations.AddField(
            model_name="room",
            name="history",
            field=models.CharField(
                choices=[("shared", "Shared"), ("joined", "Joined")],
                default="shared",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="room",
            name="visible_to_all_from",
            field=models.DateTimeField(default=BEGINNING, editable=False),
        ),
        migrations.AddIndex(
            model_name="membership",
            index=models.Index(
                fields=["user", "room", "joined_seq", "pending_from", "visible_from"],
                name="gql_chat_me_user_id_14f409_idx",
            ),
        ),
    ]

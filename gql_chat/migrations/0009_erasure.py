"""Deleted messages are found in the event log, and forwards keep copies of what they pass on."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from gql_chat.streams import subjects


class Migration(migrations.Migration):
    dependencies = [
        ("gql_chat", "0008_allowances"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        migrations.swappable_dependency(settings.GQL_CHAT_MESSAGE_MODEL),
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
                )
            },
        ),
        migrations.AddField(
            model_name="message",
            name="stream_seq",
            field=models.BigIntegerField(blank=True, editable=False, null=True, serialize=False),
        ),
        migrations.CreateModel(
            name="EventSubject",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("subject", models.UUIDField(db_index=True)),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="subjects",
                        to="gql_chat.streamevent",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MessageCopy",
            fields=[
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.GQL_CHAT_MESSAGE_MODEL,
                    ),
                ),
                ("source", models.UUIDField(db_index=True)),
                ("columns", models.TextField()),
                (
                    "sender",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"verbose_name_plural": "message copies"},
        ),
        migrations.RunPython(subjects.index_log, migrations.RunPython.noop, elidable=True),
    ]

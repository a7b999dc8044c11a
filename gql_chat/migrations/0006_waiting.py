"""The newest reactions that wait for a user are found by an index; positions can be dumped."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gql_chat", "0005_pairs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="chatnotification", name="gql_chat_chatnotification_mine"
        ),
        migrations.AddConstraint(
            model_name="chatnotification",
            constraint=models.UniqueConstraint(
                condition=models.Q(("recipient__isnull", False)),
                fields=("recipient", "created_at", "id"),
                name="gql_chat_chatnotification_mine",
            ),
        ),
        migrations.AddConstraint(
            model_name="chatnotification",
            constraint=models.UniqueConstraint(
                condition=models.Q(("recipient__isnull", True)),
                fields=("room", "created_at", "id"),
                name="gql_chat_chatnotification_waiting",
            ),
        ),
        # Whether a column is dumped is nothing that the database knows.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="userstream",
                    name="user",
                    field=models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                )
            ]
        ),
    ]

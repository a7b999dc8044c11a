"""The epoch of the database's history, and its row."""

from typing import Any

import django.utils.timezone
from django.db import migrations, models, router

import gql_chat.models.epochs


def begin(apps: Any, schema_editor: Any) -> None:
    """Make the row, in the database that has the table."""
    epoch, alias = apps.get_model("gql_chat", "Epoch"), schema_editor.connection.alias
    if router.allow_migrate_model(alias, epoch):
        epoch.objects.using(alias).get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [
        ("gql_chat", "0003_act_as"),
    ]

    operations = [
        migrations.CreateModel(
            name="Epoch",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "value",
                    models.CharField(
                        default=gql_chat.models.epochs.new_value, editable=False, max_length=64
                    ),
                ),
                (
                    "begun_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]

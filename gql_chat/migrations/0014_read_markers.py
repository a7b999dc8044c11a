"""How far members have read, as others are told, and which rooms they marked as unread."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gql_chat", "0013_presence")]

    operations = [
        migrations.CreateModel(
            name="ReadMarker",
            fields=[
                (
                    "membership",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="marker",
                        serialize=False,
                        to="gql_chat.membership",
                    ),
                ),
                ("up_to", models.UUIDField(editable=False, null=True)),
                ("written_at", models.DateTimeField(editable=False, null=True)),
                ("read_at", models.DateTimeField(editable=False, null=True)),
                ("got_before", models.DateTimeField(editable=False, null=True)),
                ("marked", models.BooleanField(default=False, editable=False)),
            ],
        ),
    ]

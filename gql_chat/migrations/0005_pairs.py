"""The two users of a one-to-one chat are foreign keys; a text with their keys was before."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Greatest, Least

from gql_chat.compatibility import CheckConstraint
from gql_chat.models import pairs


def pair_field() -> Any:
    return models.ForeignKey(
        blank=True,
        db_index=False,
        editable=False,
        null=True,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("gql_chat", "0004_epoch"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="room", name="gql_chat_room_pair"),
        migrations.RemoveConstraint(model_name="room", name="gql_chat_room_pair_type"),
        migrations.AddField(model_name="room", name="pair_first", field=pair_field()),
        migrations.AddField(model_name="room", name="pair_second", field=pair_field()),
        migrations.RunPython(
            pairs.from_text("gql_chat", "Room"), pairs.to_text("gql_chat", "Room"), elidable=True
        ),
        migrations.RemoveField(model_name="room", name="pair"),
        migrations.AddConstraint(
            model_name="room",
            constraint=models.UniqueConstraint(
                Least("pair_first", "pair_second"),
                Greatest("pair_first", "pair_second"),
                name="gql_chat_room_pair",
            ),
        ),
        migrations.AddConstraint(
            model_name="room",
            constraint=models.UniqueConstraint(
                condition=models.Q(("pair_first__isnull", False)),
                fields=("pair_first", "id"),
                name="gql_chat_room_pair_first",
            ),
        ),
        migrations.AddConstraint(
            model_name="room",
            constraint=models.UniqueConstraint(
                condition=models.Q(("pair_second__isnull", False)),
                fields=("pair_second", "id"),
                name="gql_chat_room_pair_second",
            ),
        ),
        migrations.AddConstraint(
            model_name="room",
            constraint=CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("pair_first__isnull", False),
                        ("pair_second__isnull", False),
                        ("type", "OneToOneChat"),
                    ),
                    models.Q(
                        models.Q(("type", "OneToOneChat"), _negated=True),
                        ("pair_first__isnull", True),
                        ("pair_second__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="gql_chat_room_pair_type",
            ),
        ),
    ]

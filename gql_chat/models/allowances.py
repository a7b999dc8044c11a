"""Allowances: what a user has left of something that comes back with time."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class Allowance(models.Model):
    """What a user has left of a kind of things, such as events.

    It is a bucket that fills up evenly. Taking something out puts off the moment from which it is
    full. So one number tells what is in it at any time, and a row whose moment has passed counts
    like no row.

    Attributes:
        kind: what it is an allowance of (`gql_chat.rates`).
        full_at: from when on it is full, in seconds since 1970, by the clock of the database.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # the unique constraint serves it
    )
    kind = models.CharField(max_length=16)
    full_at = models.FloatField(default=0.0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "kind"], name="%(app_label)s_%(class)s_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"

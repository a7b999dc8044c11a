"""The epoch of the database's history: its change tells clients that a backup was restored."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models, router
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils import timezone


def new_value() -> str:
    """Return a value that no history has had yet."""
    return uuid.uuid4().hex


class EpochManager(models.Manager["Epoch"]):
    """Reads and renews the one row.

    It makes the row if that is missing. A test that empties all tables deletes it, and begins
    another history by that.
    """

    def read(self) -> str:
        """Return the present value, from the primary database."""
        epochs = self.using(self._primary)
        value = epochs.filter(pk=Epoch.ROW).values_list("value", flat=True).first()
        if value is None:
            value = epochs.get_or_create(pk=Epoch.ROW)[0].value
        return value

    def renew(self) -> str:
        """Begin another history, in which the sequence numbers that clients have mean nothing.

        Call it after the rows of the chat were set back or replaced, as by a restored backup.
        Running processes then close their sockets, and clients that resume are told to fetch
        afresh.

        Returns:
            The new value.
        """
        values: dict[str, Any] = {"value": new_value(), "begun_at": timezone.now()}
        epoch, _ = self.using(self._primary).update_or_create(pk=Epoch.ROW, defaults=values)
        return epoch.value

    @property
    def _primary(self) -> str:
        return self._db or router.db_for_write(self.model)


class Epoch(models.Model):
    """The history that the sequence numbers of all streams belong to. One row.

    Attributes:
        value: a random value; each restore from a backup makes a new one.
        begun_at: when the value was made.
    """

    ROW = 1
    """The primary key of the one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=ROW, editable=False)
    value = models.CharField(max_length=64, default=new_value, editable=False)
    begun_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[EpochManager] = EpochManager()

    def __str__(self) -> str:
        return self.value


@receiver(pre_save, sender=Epoch, dispatch_uid="gql_chat.epoch")
def begin_anew(sender: type[Epoch], instance: Epoch, raw: bool, **kwargs: Any) -> None:
    """Give a row that comes from a fixture a value of its own: fixtures bring no history."""
    if raw:
        instance.value = new_value()

"""The epoch of the database's history: what tells clients that a backup was restored."""

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

    The row is made where it is missing: a test that empties all tables takes it away, and what it
    leaves behind is another history.
    """

    def read(self) -> str:
        """Return the present value, from the primary database."""
        epochs = self.using(self._primary)
        value = epochs.filter(pk=Epoch.ROW).values_list("value", flat=True).first()
        if value is None:
            value = epochs.get_or_create(pk=Epoch.ROW)[0].value
        return value

    def renew(self) -> str:
        """Begin another history: places that clients have are not those of this one any more.

        To be called after the rows of the chat were set back or replaced, as by a backup that was
        restored. Clients that resume are told to fetch afresh; running processes close their
        sockets, so that all do.

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
    """The history that the places of all streams belong to. One row.

    Attributes:
        value: another one after each restore from a backup.
        begun_at: when it was made.
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

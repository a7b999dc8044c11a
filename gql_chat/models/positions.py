"""Columns that the database alone counts up.

An instance is a copy, and a copy is older than the row as soon as somebody else writes. So these
columns are written with a new row, and afterwards by statements of their own. Saving an instance
leaves them as they are in the database, whoever saves it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
    _Number = models.BigIntegerField[Any, int]
    _Time = models.DateTimeField[Any, datetime]
else:
    # Django's fields take their type arguments from type checkers only.
    _Field, _Number, _Time = object, models.BigIntegerField, models.DateTimeField


class _Kept(_Field):
    """What such columns have in common.

    Migrations know them as Django's own: how an instance is saved is nothing of the table's.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Return the value of a new row, or the column itself where the row is there."""
        return super().pre_save(model_instance, add) if add else F(self.attname)

    def deconstruct(self) -> Any:
        """Return what a migration writes: Django's own field."""
        name, _, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{self.get_internal_type()}", args, kwargs


class PositionField(_Kept, _Number):
    """A sequence number of a stream."""

    def get_internal_type(self) -> str:
        """Return the kind of the column."""
        return "BigIntegerField"


class MarkField(_Kept, _Time):
    """A time up to which something is known, moved by statements alone."""

    def get_internal_type(self) -> str:
        """Return the kind of the column."""
        return "DateTimeField"

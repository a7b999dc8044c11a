"""Columns that the database alone moves on: sequence numbers, and times such as the last activity.

An instance is a copy. It is older than the row as soon as another transaction writes. So these
columns are written with a new row, and afterwards only by statements of their own. `save` of an
instance leaves them as they are in the database.
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
    """The base of such columns.

    Migrations know them as Django's own fields: the table does not depend on how `save` works.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Return the instance's value for a new row, and the column itself for a stored one."""
        return super().pre_save(model_instance, add) if add else F(self.attname)

    def deconstruct(self) -> Any:
        """Return the field as a migration writes it: Django's own one."""
        name, _, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{self.get_internal_type()}", args, kwargs


class PositionField(_Kept, _Number):
    """A sequence number of a stream."""

    def get_internal_type(self) -> str:
        """Return the kind of the column."""
        return "BigIntegerField"


class MarkField(_Kept, _Time):
    """A time up to which something is known. Statements alone move it."""

    def get_internal_type(self) -> str:
        """Return the kind of the column."""
        return "DateTimeField"

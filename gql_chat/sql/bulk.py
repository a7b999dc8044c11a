"""Writes many rows in one statement, with the signals that rows written one by one send.

Django's bulk methods send none. But a project's receivers shall not depend on how many rows an
operation happens to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models, router
from django.db.models.deletion import Collector
from django.db.models.signals import post_save, pre_save


def insert(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model."""
    if not rows:
        return
    model, using = _place(rows)
    if len(rows) == 1:
        # One row bypasses a `save` of the project's, as many rows do.
        rows[0].save_base(using=using, force_insert=True)
    else:
        _send(pre_save, rows, using, raw=False, update_fields=None)
        model._default_manager.using(using).bulk_create(rows)
        _send(post_save, rows, using, raw=False, update_fields=None, created=True)


def update(rows: Sequence[models.Model], **values: Any) -> None:
    """Set the same values on rows of one model."""
    if rows:
        model, using = _place(rows)
        fields = frozenset(values)
        for row in rows:
            for name, value in values.items():
                setattr(row, name, value)
        _send(pre_save, rows, using, raw=False, update_fields=fields)
        _these(model, rows).update(**values)
        _send(post_save, rows, using, raw=False, update_fields=fields, created=False)


def delete(rows: Sequence[models.Model]) -> None:
    """Delete rows of one model, with whatever rows refer to them."""
    if rows:
        _, using = _place(rows)
        # The same as `Model.delete` with one instance.
        collector = Collector(using=using, origin=rows[0])
        collector.collect(list(rows))
        collector.delete()


def _place(rows: Sequence[models.Model]) -> tuple[type[models.Model], str]:
    model = type(rows[0])
    return model, router.db_for_write(model)


def _these(model: type[models.Model], rows: Sequence[models.Model]) -> Any:
    # The rows are known: no manager of the project's is asked whether they are there.
    return model._base_manager.filter(pk__in=[row.pk for row in rows])


def _send(signal: Any, rows: Sequence[models.Model], using: str, **details: Any) -> None:
    for row in rows:
        signal.send(sender=type(row), instance=row, using=using, **details)

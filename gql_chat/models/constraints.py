"""Constraints in the spelling of the Django that runs, and indexes of the rows that matter."""

from __future__ import annotations

from typing import Any, cast

import django
from django.db import models


def check_constraint(condition: models.Q, name: str) -> models.CheckConstraint:
    """Return a check constraint: Django 5.1 renamed its argument `check` to `condition`."""
    argument = "condition" if django.VERSION >= (5, 1) else "check"
    build = cast("Any", models.CheckConstraint)
    return cast("models.CheckConstraint", build(**{argument: condition}, name=name))


def partial_index(field: str, suffix: str) -> models.UniqueConstraint:
    """Return an index over the rows in which a seldom used foreign key is set.

    It costs nothing where the key is empty, as an index of the key alone would. It is spelled
    as a constraint (the primary key makes it always hold) because Django allows an index 30
    letters for its name, too few for the labels of projects' apps and models.
    """
    return models.UniqueConstraint(
        fields=[field, "id"],
        condition=models.Q((f"{field}__isnull", False)),
        name=f"%(app_label)s_%(class)s_{suffix}",
    )

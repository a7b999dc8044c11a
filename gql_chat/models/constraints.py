"""Indexes of the rows that matter, spelled as constraints."""

from __future__ import annotations

from django.db import models


def partial_index(
    field: str, suffix: str, *then: str, condition: models.Q | None = None
) -> models.UniqueConstraint:
    """Return an index over some of the rows: those in which a seldom used foreign key is set.

    Args:
        field: the foreign key.
        suffix: what its name ends with.
        then: by what rows with the same key are sorted.
        condition: which rows it has, if not those.

    It costs nothing for the other rows, as an index of the key alone would. It is spelled
    as a constraint (the primary key makes it always hold) because Django allows an index 30
    letters for its name, too few for the labels of projects' apps and models.
    """
    return models.UniqueConstraint(
        fields=[field, *then, "id"],
        condition=condition or models.Q((f"{field}__isnull", False)),
        name=f"%(app_label)s_%(class)s_{suffix}",
    )

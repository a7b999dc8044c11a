"""Indexes over some of the rows, spelled as constraints."""

from __future__ import annotations

from django.db import models


def partial_index(
    field: str, suffix: str, *then: str, condition: models.Q | None = None
) -> models.UniqueConstraint:
    """Return an index over some of the rows: those in which a seldom used foreign key is set.

    Unlike an index of the key alone it costs nothing for the other rows. It is spelled as a
    constraint, which always holds since it has the primary key in it. Django allows the name of an
    index only 30 letters, too few for the labels of projects' apps and models.

    Args:
        field: the foreign key.
        suffix: the end of the index's name.
        then: the fields that sort rows with the same key.
        condition: which rows it covers, if not those with the key.
    """
    return models.UniqueConstraint(
        fields=[field, *then, "id"],
        condition=condition or models.Q((f"{field}__isnull", False)),
        name=f"%(app_label)s_%(class)s_{suffix}",
    )

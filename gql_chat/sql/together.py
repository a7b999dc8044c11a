"""Several kept statements in one round trip."""

from __future__ import annotations

from typing import Any

from .carriers import can_send_several, fetch_together


def all_together(*asked: tuple[Any, ...], size: int | None = None) -> list[list[Any]]:
    """Return the rows of several statements in one round trip if that can be.

    Args:
        asked: each statement with its values.
        size: how many rows of each at most; None for all.
    """
    found = [statement.find_kept() for statement, *_ in asked]
    # By alias: a statement that is not kept has a connection that is not known here.
    used = {each[0].alias: each[0] for each in found if each is not None}
    connection = next(iter(used.values()), None)
    if (
        connection is None
        or len(asked) < 2
        or len(used) > 1
        or None in found
        or not can_send_several(connection)
    ):
        if size is None:
            return [statement.all(*values) for statement, *values in asked]
        return [statement.slice(0, size, *values) for statement, *values in asked]
    kept = [each[1] for each in found if each is not None]
    texts = [
        statement.kept_text(connection, each, values, size)
        for (statement, *values), each in zip(asked, kept, strict=True)
    ]
    rows = fetch_together(connection, texts)
    return [
        statement.make_of(connection, each, fetched)
        for (statement, *_), each, fetched in zip(asked, kept, rows, strict=True)
    ]

"""Sequence numbers: the database counts them up, in the transaction that needs the next one."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ..models import StreamEvent, UserStream
from .envelopes import user_stream

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


@cache
def count_up_room(vendor: str, table: str, *columns: str) -> str:
    """Return the statement that takes the next sequence number of a locked room.

    It counts from the room's column or the newest row of the log, whichever is higher. So no number
    is given twice, even if plain code or a raw statement has set the column back.

    Args:
        vendor: the database.
        table: the table of rooms.
        columns: `"seq"`, and other columns that are set.

    Returns:
        The SQL. Its parameters are the stream, the values of the other columns, and the room's key;
        its row is the sequence number.
    """
    greatest = "MAX" if vendor == "sqlite" else "GREATEST"
    logged = f"SELECT MAX(seq) FROM {StreamEvent._meta.db_table} WHERE stream = %s"
    changes = [f"seq = {greatest}(seq, COALESCE(({logged}), 0)) + 1"]
    changes += [f"{column} = %s" for column in columns[1:]]
    return f'UPDATE "{table}" SET {", ".join(changes)} WHERE id = %s RETURNING seq'


def advance_users(connection: BaseDatabaseWrapper, user_ids: list[Any]) -> dict[Any, int]:
    """Take the next sequence number in the stream of each user.

    Args:
        connection: that of the running transaction.
        user_ids: the users; their streams are locked in this order.

    Returns:
        The sequence numbers, by the user's id.
    """
    field = UserStream._meta.get_field("user").target_field
    keys = [field.get_db_prep_value(user_id, connection) for user_id in user_ids]
    prepared = dict(zip(map(str, keys), user_ids, strict=True))
    values = [
        value
        for key, user_id in zip(keys, user_ids, strict=True)
        for value in (key, user_stream(user_id))
    ]
    with connection.cursor() as cursor:
        cursor.execute(_count_up_users(connection.vendor, len(keys)), values)
        return {prepared[str(user_id)]: seq for user_id, seq in cursor.fetchall()}


@lru_cache(maxsize=100)
def _count_up_users(vendor: str, count: int) -> str:
    table, log = UserStream._meta.db_table, StreamEvent._meta.db_table
    greatest = "MAX" if vendor == "sqlite" else "GREATEST"
    place = f"COALESCE((SELECT MAX(seq) FROM {log} WHERE stream = %s), 0) + 1"
    rows = ", ".join([f"(%s, {place})"] * count)
    return (
        f"INSERT INTO {table} (user_id, seq) VALUES {rows} ON CONFLICT (user_id) "
        f"DO UPDATE SET seq = {greatest}({table}.seq + 1, excluded.seq) RETURNING user_id, seq"
    )

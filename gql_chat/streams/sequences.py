"""Sequence numbers: the database counts them up in the transaction that needs the next one."""

from __future__ import annotations

from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import Again
from ..models import StreamEvent, UserStream, driver
from .envelopes import room_stream, user_stream

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ..models import AbstractRoom


def advance(
    connection: BaseDatabaseWrapper, room: AbstractRoom, activity: datetime | None = None
) -> int:
    """Take the next sequence number of a locked room.

    The database counts from the room's column or the newest row of the log, whichever is higher. So
    no number is given twice, even if plain code or a raw statement has set the column back.

    Args:
        connection: that of the running transaction.
        room: the room.
        activity: the time of the room's newest message, if it is to be written as well.

    Returns:
        The sequence number.

    Raises:
        Again: the room is gone.
    """
    pk = room._meta.pk.get_db_prep_value(room.pk, connection)
    values = [room_stream(room.pk), pk]
    columns = ["seq"]
    if activity is not None:
        room.last_activity = activity
        values.insert(1, driver.write_time(connection, activity))
        columns.append("last_activity")
    sql = _count_up_room(connection.vendor, room._meta.db_table, *columns)
    rows = driver.fetch(connection, sql, values)
    if not rows:
        raise Again("The room went while something happened in it.")
    seq: int = rows[0][0]
    return seq


@cache
def _count_up_room(vendor: str, table: str, *columns: str) -> driver.SQL:
    greatest = "MAX" if vendor == "sqlite" else "GREATEST"
    logged = f"SELECT MAX(seq) FROM {StreamEvent._meta.db_table} WHERE stream = %s"
    changes = [f"seq = {greatest}(seq, COALESCE(({logged}), 0)) + 1"]
    changes += [f"{column} = %s" for column in columns[1:]]
    return driver.SQL(f'UPDATE "{table}" SET {", ".join(changes)} WHERE id = %s RETURNING seq')


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
    rows = driver.fetch(connection, _count_up_users(connection.vendor, len(keys)), values)
    return {prepared[str(user_id)]: seq for user_id, seq in rows}


@lru_cache(maxsize=100)
def _count_up_users(vendor: str, count: int) -> driver.SQL:
    table, log = UserStream._meta.db_table, StreamEvent._meta.db_table
    greatest = "MAX" if vendor == "sqlite" else "GREATEST"
    following = f"COALESCE((SELECT MAX(seq) FROM {log} WHERE stream = %s), 0) + 1"
    rows = ", ".join([f"(%s, {following})"] * count)
    return driver.SQL(
        f"INSERT INTO {table} (user_id, seq) VALUES {rows} ON CONFLICT (user_id) "
        f"DO UPDATE SET seq = {greatest}({table}.seq + 1, excluded.seq) RETURNING user_id, seq"
    )

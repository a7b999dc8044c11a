"""Sequence numbers: the database counts them up, in the transaction that needs the next one."""

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
    """Count up the position of a locked room, and set the time of its newest message if given.

    The database counts, beyond the column and the newest row of the log. So a position that plain
    code or a raw statement set back gives no place a second time.

    Returns:
        The new position.
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
    position: int = rows[0][0]
    return position


@cache
def _count_up_room(vendor: str, table: str, *columns: str) -> driver.SQL:
    greatest = "MAX" if vendor == "sqlite" else "GREATEST"
    logged = f"SELECT MAX(seq) FROM {StreamEvent._meta.db_table} WHERE stream = %s"
    changes = [f"seq = {greatest}(seq, COALESCE(({logged}), 0)) + 1"]
    changes += [f"{column} = %s" for column in columns[1:]]
    return driver.SQL(f'UPDATE "{table}" SET {", ".join(changes)} WHERE id = %s RETURNING seq')


def advance_users(connection: BaseDatabaseWrapper, user_ids: list[Any]) -> dict[Any, int]:
    """Count up the streams of users, locking them in this order; return their new positions."""
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
    place = f"COALESCE((SELECT MAX(seq) FROM {log} WHERE stream = %s), 0) + 1"
    rows = ", ".join([f"(%s, {place})"] * count)
    return driver.SQL(
        f"INSERT INTO {table} (user_id, seq) VALUES {rows} ON CONFLICT (user_id) "
        f"DO UPDATE SET seq = {greatest}({table}.seq + 1, excluded.seq) RETURNING user_id, seq"
    )

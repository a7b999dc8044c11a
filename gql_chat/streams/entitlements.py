"""Entitlements: from which sequence number on a user may read a stream, and its newest one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

import orjson
from django.contrib.auth import get_user_model
from django.db import connections, router
from django.db.models import FilteredRelation, Q

from ..errors import NotAuthenticated
from ..models import Epoch, Membership, StreamEvent, UserStream, get_model
from ..models.accounts import active_column
from .envelopes import room_stream, user_stream


def members_of(room_id: Any, user_ids: Iterable[Any]) -> tuple[int | None, dict[str, int]]:
    """Read a room's newest sequence number, and which of these users are its members, at once.

    Returns:
        The newest sequence number, or None if the room is gone; and for each member, by id as a
        string, the first sequence number that they are entitled to.
    """
    room = get_model("Room")
    # A replica may not know yet who has just joined.
    rooms = room.objects.using(router.db_for_write(room)).filter(pk=room_id)
    user_ids = list(user_ids)
    if not user_ids:  # Django answers an empty `IN` with no row, so not even the room's
        return rooms.values_list("seq", flat=True).first(), {}
    local = FilteredRelation("memberships", condition=Q(memberships__user_id__in=user_ids))
    found = rooms.annotate(local=local).values_list("seq", "local__user_id", "local__joined_seq")
    rows = list(found)
    if not rows:
        return None, {}
    return rows[0][0], {str(user_id): seq for _, user_id, seq in rows if user_id is not None}


Position = tuple[str, int, int]
"""A stream as one user may read it: its name, its newest sequence number, and the first sequence
number that the user is entitled to."""


@dataclass(slots=True, frozen=True)
class Positions:
    """The positions of all streams of a user, read in one statement. They can be iterated once.

    Attributes:
        epoch: the history that the sequence numbers belong to.
        positions: made one by one. Hundreds of them, kept for each of many waiting sockets, would
            keep Python's garbage collector busy.
    """

    epoch: str
    positions: Iterable[Position]

    def __iter__(self) -> Iterator[Position]:
        return iter(self.positions)


def find_joined(user_ids: Iterable[str], since: datetime) -> list[tuple[str, Position]]:
    """Return the memberships that users got after a time, read in one statement.

    Args:
        user_ids: the users.
        since: the time.

    Returns:
        For each membership the user's id as a string, and the position of the room's stream.
    """
    # Few users have joined just now, and many are connected: a query by all their ids costs more.
    rows = Membership.objects.using(router.db_for_write(Membership)).filter(joined_at__gt=since)
    wanted = set(user_ids)
    return [
        (str(user_id), (room_stream(room_id), seq, joined_seq))
        for user_id, room_id, seq, joined_seq in rows.values_list(
            "user_id", "room_id", "room__seq", "joined_seq"
        )
        if str(user_id) in wanted
    ]


def positions(user_id: Any) -> Positions:
    """Return the positions of a user's own stream and of those of all their rooms.

    One statement reads them with the epoch and the account, so they belong together.

    Raises:
        NotAuthenticated: the account is gone or was deactivated, so it may read no stream.
    """
    room = get_model("Room")
    connection = connections[router.db_for_write(StreamEvent)]
    user = UserStream._meta.get_field("user").target_field
    key = user.get_db_prep_value(user_id, connection)
    sql = _select_positions(connection.vendor, room._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(sql, [key, key, key])
        epoch, is_active, own_seq, *columns = cursor.fetchone()
    if not is_active:
        raise NotAuthenticated("Your account is not active.")
    # PostgreSQL collects nothing to NULL.
    names, seqs, joined_seqs = (orjson.loads(column or "[]") for column in columns)
    own = (user_stream(user_id), own_seq or 0, 1)
    rooms = zip(names, seqs, joined_seqs, strict=True)
    return Positions(epoch or Epoch.objects.read(), chain([own], rooms))


def name_of_room_stream(vendor: str, column: str) -> str:
    """Return the SQL of the name of a room's stream, of a column with the room's key."""
    key = f"{column}::text"
    if vendor == "sqlite":
        parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        key = " || '-' || ".join(f"substr({column}, {at}, {size})" for at, size in parts)
    return f"'{room_stream('')}' || {key}"


@cache
def _select_positions(vendor: str, rooms: str) -> str:
    # All in one row: SQLite's driver lets another thread run before each row, and the event loop's
    # thread may keep it waiting every time. psycopg reads JSON in half the time of rows or arrays.
    collect = "json_group_array({})" if vendor == "sqlite" else "json_agg({})::text"
    # The database builds the names, too: Python is slower at building hundreds.
    wanted = (name_of_room_stream(vendor, "room.id"), "room.seq", "member.joined_seq")
    columns = [collect.format(each) for each in wanted]
    accounts = get_user_model()._meta
    return (
        f"SELECT (SELECT value FROM {Epoch._meta.db_table} WHERE id = {Epoch.ROW}), "
        f'(SELECT {active_column()} FROM "{accounts.db_table}" WHERE "{accounts.pk.column}" = %s), '
        f"(SELECT seq FROM {UserStream._meta.db_table} WHERE user_id = %s), "
        f"{', '.join(columns)} "
        f'FROM {Membership._meta.db_table} member JOIN "{rooms}" room '
        f"ON room.id = member.room_id WHERE member.user_id = %s"
    )

"""Entitlements: where streams stand for their members, and from where on these hear them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

import orjson
from django.db import connections, router
from django.db.models import FilteredRelation, Q

from ..models import Epoch, Membership, StreamEvent, UserStream, get_model
from .envelopes import room_stream, user_stream


def members_of(room_id: Any, user_ids: Iterable[Any]) -> tuple[int | None, dict[str, int]]:
    """Return a room's position and who of these users is its member, in one read.

    Returns:
        The position, None where the room is gone; and for each member, by id as a string, the
        first place that they are entitled to.
    """
    room = get_model("Room")
    # A replica may not know yet who has just joined.
    rooms = room.objects.using(router.db_for_write(room)).filter(pk=room_id)
    user_ids = list(user_ids)
    if not user_ids:  # which Django takes for a query with no result
        return rooms.values_list("seq", flat=True).first(), {}
    local = FilteredRelation("memberships", condition=Q(memberships__user_id__in=user_ids))
    found = rooms.annotate(local=local).values_list("seq", "local__user_id", "local__joined_seq")
    rows = list(found)
    if not rows:
        return None, {}
    return rows[0][0], {str(user_id): seq for _, user_id, seq in rows if user_id is not None}


Position = tuple[str, int, int]
"""Where a stream stands for a user: its name, the place of its newest frame, and the first place
that the user is entitled to."""


@dataclass(slots=True, frozen=True)
class Positions:
    """Where all streams of a user stand, as they were read together: iterating gives each, once.

    Attributes:
        epoch: the history that the places belong to.
        places: them. They come one by one: hundreds for each of many sockets that wait would keep
            Python's garbage collector busy.
    """

    epoch: str
    places: Iterable[Position]

    def __iter__(self) -> Iterator[Position]:
        return iter(self.places)


def find_joined(user_ids: Iterable[str], since: datetime) -> list[tuple[str, Position]]:
    """Return the memberships that users got after a time, read in one statement.

    Each is the user's id as a string, and where the room's stream stands for the user.
    """
    # Few have joined just now and many are here: to ask for all of them by id costs more.
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
    """Return where all streams of a user stand: their own, and those of their rooms.

    All are read at once, with the epoch, in one statement, so they belong together.
    """
    room = get_model("Room")
    connection = connections[router.db_for_write(StreamEvent)]
    user = UserStream._meta.get_field("user").target_field
    key = user.get_db_prep_value(user_id, connection)
    sql = _select_positions(connection.vendor, room._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(sql, [key, key])
        epoch, own_seq, *columns = cursor.fetchone()
    # PostgreSQL collects nothing to NULL.
    names, seqs, joined_seqs = (orjson.loads(column or "[]") for column in columns)
    own = (user_stream(user_id), own_seq or 0, 1)
    rooms = zip(names, seqs, joined_seqs, strict=True)
    return Positions(epoch or Epoch.objects.read(), chain([own], rooms))


@cache
def _select_positions(vendor: str, rooms: str) -> str:
    # One row: before each, SQLite's driver lets another thread run, and the event loop's may keep
    # it waiting every time. PostgreSQL's reads JSON in half the time of rows or arrays.
    if vendor == "sqlite":
        collect = "json_group_array({})"
        parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        key = " || '-' || ".join(f"substr(room.id, {at}, {size})" for at, size in parts)
    else:
        collect, key = "json_agg({})::text", "room.id::text"
    # The names too: to put hundreds together costs Python more.
    wanted = (f"'{room_stream('')}' || {key}", "room.seq", "member.joined_seq")
    columns = [collect.format(each) for each in wanted]
    return (
        f"SELECT (SELECT value FROM {Epoch._meta.db_table} WHERE id = {Epoch.ROW}), "
        f"(SELECT seq FROM {UserStream._meta.db_table} WHERE user_id = %s), "
        f"{', '.join(columns)} "
        f'FROM {Membership._meta.db_table} member JOIN "{rooms}" room '
        f"ON room.id = member.room_id WHERE member.user_id = %s"
    )

"""The event log: the published envelopes of each stream, for as long as they are kept.

It is always read from the primary database: the log of a replica may be behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connections, router
from django.db.models import F, RowRange, Sum, Value, Window
from django.db.models.functions import Length
from django.utils import timezone

from ..models import Epoch, EventSubject, StreamEvent
from .entitlements import members_of
from .envelopes import Envelope

if TYPE_CHECKING:
    from django.db.models import QuerySet

READ_SIZE = 8 * 1024 * 1024
"""How much of the log is read at once: letters on SQLite, bytes on PostgreSQL."""

_LONGEST_CHARACTER = 4
"""A character has one to four bytes in UTF-8."""


def read_epoch() -> str:
    """Return the epoch of the database's history, from the primary database."""
    return Epoch.objects.read()


def heads(seqs: Mapping[str, int]) -> dict[str, int]:
    """Return the newest sequence number of each stream that has moved on, in one query.

    Args:
        seqs: the streams, each with the sequence number that the caller has already.

    Returns:
        The streams with a newer frame in the log, each with the sequence number of its newest.
    """
    connection = connections[router.db_for_write(StreamEvent)]
    log = StreamEvent._meta.db_table
    if connection.vendor == "postgresql":
        source = "unnest(%s::text[], %s::bigint[]) AS wanted(key, value)"
        parameters: list[Any] = [list(seqs), list(seqs.values())]
    else:
        source = "json_each(%s) AS wanted"
        parameters = [orjson.dumps(seqs).decode()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stream, head FROM (SELECT wanted.key AS stream, wanted.value AS seq, "
            f"(SELECT MAX(seq) FROM {log} WHERE stream = wanted.key) AS head FROM {source}"
            ") AS heads WHERE head > seq",
            parameters,
        )
        return dict(cursor.fetchall())


def measure_log() -> tuple[int, float]:
    """Return the size of the log, and the age of its oldest row.

    Two look-ups in the index of the primary key tell, however long the log is. Nothing is counted.

    Returns:
        How many rows there are at most: the newest id less the oldest, and one. Ids that were given
        out and never stored count, too. Then the age in seconds. Both are 0 if the log is empty.
    """
    oldest = select_log().order_by("pk").values_list("pk", "created_at").first()
    newest = select_log().order_by("-pk").values_list("pk", flat=True).first()
    if oldest is None or newest is None:
        return 0, 0.0
    first, since = oldest
    return newest - first + 1, max(0.0, (timezone.now() - since).total_seconds())


def select_log() -> QuerySet[StreamEvent]:
    """Return the rows of the log, from the primary database."""
    return StreamEvent.objects.using(router.db_for_write(StreamEvent))


def delete_frames(rows: QuerySet[StreamEvent]) -> int:
    """Delete rows of the log, with their subjects; return how many."""
    subjects = EventSubject.objects.using(rows.db)
    subjects.filter(event__in=rows.order_by().values("pk")).delete()
    return rows.delete()[0]


def _envelope(row: StreamEvent) -> Envelope:
    return Envelope(row.stream, row.seq, row.kind, row.payload, row.change)


def read_log(stream: str, after: int, limit: int, size: int = READ_SIZE) -> list[Envelope]:
    """Return the envelopes of a stream after the sequence number `after`, in order.

    Args:
        stream: the stream's name.
        after: the sequence number.
        limit: how many at most.
        size: how large they may be together; the first one comes in any case.
    """
    rows = select_log().filter(stream=stream, seq__gt=after).order_by("seq")
    found = _read_first(rows, after, limit, size)
    begins = found[0].seq if found else rows.values_list("seq", flat=True).first()
    if begins is not None and begins > after + 1:
        # The log does not reach back so far: the first that it has.
        found = _read_first(rows, begins - 1, limit, size)
    return found


class _Size(Length):
    """The size of a text: letters on SQLite, bytes on PostgreSQL, which need not read the text."""

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="OCTET_LENGTH", **context)


def _read_first(rows: QuerySet[StreamEvent], after: int, limit: int, size: int) -> list[Envelope]:
    weight = _Size("payload")
    running = Window(Sum(weight), order_by=["seq"], frame=RowRange(None, 0))
    first = (
        rows.filter(seq__lte=after + limit)
        .annotate(weight=weight, weight_so_far=running)
        .filter(weight_so_far__lt=F("weight") + Value(size))
    )
    return [_envelope(row) for row in first]


def reaches_end(envelopes: Sequence[Envelope], limit: int, size: int = READ_SIZE) -> bool:
    """Tell whether `read_log`, with these arguments, has read to the end; if in doubt, it has not.

    Args:
        envelopes: what it returned.
        limit: the same as for it.
        size: likewise.
    """
    characters = sum(len(envelope.payload) for envelope in envelopes)
    return len(envelopes) < limit and characters * _LONGEST_CHARACTER < size


def read_changes(stream: str, after: int) -> list[Mapping[str, Any]]:
    """Return the `change` of each frame after a sequence number that has one, in order."""
    rows = select_log().filter(stream=stream, seq__gt=after, change__isnull=False).order_by("seq")
    return [change or {} for change in rows.values_list("change", flat=True)]


def read_on(
    stream: str, after: int, limit: int, users: Collection[str]
) -> tuple[list[Envelope], set[str]]:
    """Catch up: read the next envelopes of a stream, and which users have lost their right to them.

    Args:
        stream: the stream's name.
        after: the sequence number after which to read.
        limit: how many envelopes at most.
        users: the ids of users who were entitled to the frames after that one.

    Returns:
        The envelopes, in order; and the ids of users who are not entitled to them although no frame
        says so. Plain code removed these users, and the notice of it is late or lost. A user who
        was removed and has come back since is among them.
    """
    kind, _, key = stream.partition(":")
    gone: set[str] = set()
    if kind == "room":
        # Members first, the log second: so the log has the frame by which one of them left.
        _, members = members_of(key, users)
        gone = {user for user in users if members.get(user, after + 2) > after + 1}
    envelopes = read_log(stream, after, limit)
    if gone:
        changes = [envelope.change or {} for envelope in envelopes]
        if envelopes and not reaches_end(envelopes, limit):
            changes += read_changes(stream, envelopes[-1].seq)
        for change in changes:
            gone = set() if change.get("closed") else gone.difference(change.get("left", ()))
    return envelopes, gone


Range = tuple[int, int]
"""The sequence number after which to read a stream, and the last one to read."""


def missed(ranges: Mapping[str, Range]) -> list[Envelope]:
    """Return the envelopes that a client missed in several streams, in the order of the log.

    It is one statement, however many streams there are.

    Args:
        ranges: what to read of each stream.
    """
    rows = _select_missed(
        ranges, "seq, kind, payload, change, id", "seq, kind, payload, change", "ORDER BY id"
    )
    change: Any = StreamEvent._meta.get_field("change")
    connection = connections[router.db_for_write(StreamEvent)]
    return [
        Envelope(stream, seq, kind, payload, change.from_db_value(changed, None, connection))
        for stream, seq, kind, payload, changed in rows
    ]


@dataclass(slots=True, frozen=True)
class Missed:
    """Where the log has a frame that a client missed.

    Attributes:
        place: the key of its row in the log.
        stream, seq: its stream, and its sequence number there.
        size: how much its payload has: letters on SQLite, bytes on PostgreSQL.
    """

    place: int
    stream: str
    seq: int
    size: int


def list_missed(ranges: Mapping[str, Range]) -> list[Missed]:
    """Return where the log has what `missed` would read, in its order, without reading it.

    It is one statement, however many streams there are.

    Args:
        ranges: the same as for `missed`.
    """
    rows = _select_missed(ranges, f"seq, id, {_weigh()} AS size", "seq, id, size", "ORDER BY id")
    return [Missed(place, stream, seq, int(size)) for stream, seq, place, size in rows]


def read_missed(some: Iterable[Missed]) -> list[Envelope]:
    """Return the envelopes of these rows of the log, in its order, if they are still there."""
    places = [missed.place for missed in some]
    rows = select_log().filter(pk__in=places).order_by("pk") if places else ()
    return [_envelope(row) for row in rows]


def weigh_missed(ranges: Mapping[str, Range]) -> dict[str, tuple[int, int]]:
    """Return how much `missed` would read of each stream, in one statement.

    It reads as many rows as the ranges are long.

    Args:
        ranges: what to read of each stream.

    Returns:
        For each stream that has some the number of frames, and the size of their payloads: in
        letters on SQLite, in bytes on PostgreSQL, which need not read the text for it.
    """
    rows = _select_missed(ranges, f"{_weigh()} AS size", "COUNT(*), SUM(size)", "GROUP BY name")
    return {stream: (count, int(size)) for stream, count, size in rows}


def _weigh() -> str:
    """Return the SQL for the size of a payload."""
    postgresql = connections[router.db_for_write(StreamEvent)].vendor == "postgresql"
    return "OCTET_LENGTH(payload)" if postgresql else "LENGTH(payload)"


def _select_missed(
    ranges: Mapping[str, Range], columns: str, shown: str, end: str
) -> list[tuple[Any, ...]]:
    """Return something of each row of some ranges, after the name of its stream."""
    if not ranges:
        return []
    connection = connections[router.db_for_write(StreamEvent)]
    log = StreamEvent._meta.db_table
    # Stream by stream, each by the index, whatever a planner takes the number of rows for.
    if connection.vendor == "postgresql":
        source = (
            "unnest(%s::text[], %s::bigint[], %s::bigint[]) AS wanted(name, after, until) "
            f"CROSS JOIN LATERAL (SELECT {columns} FROM {log} WHERE stream = name "
            "AND seq > after AND seq <= until OFFSET 0) AS event"
        )
        begins, ends = zip(*ranges.values(), strict=True)
        parameters: list[Any] = [list(ranges), list(begins), list(ends)]
    else:
        source = (
            "(SELECT key AS name, json_extract(value, '$[0]') AS after, "
            "json_extract(value, '$[1]') AS until FROM json_each(%s)) AS wanted "
            f"CROSS JOIN (SELECT stream, seq AS place, {columns} FROM {log}) AS event "
            "ON stream = name AND place > after AND place <= until"
        )
        parameters = [orjson.dumps(ranges).decode()]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, {shown} FROM {source} {end}", parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

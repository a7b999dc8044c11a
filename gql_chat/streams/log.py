"""The event log: the published envelopes of each stream, for as long as they are kept.

It is always read from the primary database: the log of a replica may be behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connections, router
from django.db.models import Q, Sum
from django.db.models.functions import Length
from django.utils import timezone

from ..models import Epoch, StreamEvent
from .entitlements import members_of
from .envelopes import Envelope

if TYPE_CHECKING:
    from django.db.models import QuerySet

_STREAMS_AT_ONCE = 100
"""How many streams one statement asks for at most."""


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
    oldest = _log().order_by("pk").values_list("pk", "created_at").first()
    newest = _log().order_by("-pk").values_list("pk", flat=True).first()
    if oldest is None or newest is None:
        return 0, 0.0
    first, since = oldest
    return newest - first + 1, max(0.0, (timezone.now() - since).total_seconds())


def _log() -> QuerySet[StreamEvent]:
    return StreamEvent.objects.using(router.db_for_write(StreamEvent))


def _envelope(row: StreamEvent) -> Envelope:
    return Envelope(row.stream, row.seq, row.kind, row.payload, row.change)


def read_log(stream: str, after: int, limit: int) -> list[Envelope]:
    """Return up to `limit` envelopes of a stream after the sequence number `after`, in order."""
    rows = _log().filter(stream=stream, seq__gt=after).order_by("seq")[:limit]
    return [_envelope(row) for row in rows]


def read_changes(stream: str, after: int) -> list[Mapping[str, Any]]:
    """Return the `change` of each frame after a sequence number that has one, in order."""
    rows = _log().filter(stream=stream, seq__gt=after, change__isnull=False).order_by("seq")
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
        if len(envelopes) == limit:
            changes += read_changes(stream, envelopes[-1].seq)
        for change in changes:
            gone = set() if change.get("closed") else gone.difference(change.get("left", ()))
    return envelopes, gone


def missed(ranges: Mapping[str, tuple[int, int]], limit: int) -> list[Envelope]:
    """Return the envelopes that a client missed in several streams, in the order of the log.

    Args:
        ranges: for each stream the sequence number after which to read, and the last one to read.
        limit: how many at most, over all streams.
    """
    found: list[StreamEvent] = []
    for rows in _select_missed(ranges):
        found += rows.order_by("pk")[: limit - len(found)]
    found.sort(key=lambda row: row.pk)
    return [_envelope(row) for row in found]


def weigh_missed(ranges: Mapping[str, tuple[int, int]]) -> int:
    """Return the total size of the payloads that `missed` would read without a limit.

    Args:
        ranges: the same as for `missed`.
    """
    sizes = (rows.aggregate(size=Sum(_Size("payload")))["size"] for rows in _select_missed(ranges))
    return sum(size or 0 for size in sizes)


class _Size(Length):
    """The size of a text: letters on SQLite, bytes on PostgreSQL, which need not read the text."""

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="OCTET_LENGTH", **context)


def _select_missed(ranges: Mapping[str, tuple[int, int]]) -> Iterator[QuerySet[StreamEvent]]:
    names = list(ranges)
    for start in range(0, len(names), _STREAMS_AT_ONCE):
        wanted = Q()
        for name in names[start : start + _STREAMS_AT_ONCE]:
            after, until = ranges[name]
            wanted |= Q(stream=name, seq__gt=after, seq__lte=until)
        yield _log().filter(wanted)

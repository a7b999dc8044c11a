"""Erasure: a deletion takes things out of the event log, too.

A frame of the log keeps its stream, its sequence number and its shape. Where it showed a message
that is deleted, the message stands there with `is_deleted` true, without text, attachments, or
whatever hung on it. So a resume stays without gaps, and valid.

The frames are found by their subjects (`EventSubject`), and those that told of new messages by the
messages' own `stream_seq`: no part of the log is searched. All code that makes frames of a message
holds the lock of its room, and so does the code that erases, so no frame is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connections, router
from django.db.models import Q, QuerySet

from ..conf import chat_settings
from ..models import AbstractMessage, EventSubject, MessageCopy, StreamEvent, get_model
from ..models.quotations import lock_quoting_rooms, quoted_in
from .entitlements import name_of_room_stream
from .envelopes import parse_payload, room_stream
from .shown import blank, blank_fields, copied, drop_copy, find_messages, room_of
from .subjects import erases, prepare_subjects

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

_FRAMES_AT_ONCE = 200
"""How many frames are in memory at most."""

Change = Callable[[Any], bool]
"""Changes a rendered event in place; tells whether it did."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Messages that are about to go out of the log.

    Attributes:
        message_ids: their keys.
        forwards: the keys of forwards whose copies of them go as well.
        told: the keys of the frames that tell of them, of their replies, and of those forwards.
    """

    message_ids: Collection[Any] = ()
    forwards: Collection[Any] = ()
    told: Collection[int] = ()

    def write(self) -> int:
        """Write the frames anew; return how many.

        Locks them in the order of their keys. In an operation this comes after all that it locks
        or writes in rooms.
        """
        if not self.message_ids:
            return 0
        connection = _connection()
        wanted = {str(message_id) for message_id in self.message_ids}
        copies = bool(self.forwards)
        keys = _find_frames(connection, [*self.message_ids, *self.forwards]).union(self.told)
        return _rewrite(connection, keys, lambda shown: _blank_messages(shown, wanted, copies))


def merge_erasures(erasures: Iterable[Erasure]) -> Erasure:
    """Return several erasures as one."""
    parts = list(erasures)
    return Erasure(
        [key for part in parts for key in part.message_ids],
        [key for part in parts for key in part.forwards],
        {key for part in parts for key in part.told},
    )


def plan_erasure(message_ids: Collection[Any], *, copies: bool = False) -> Erasure:
    """Find what `erase_messages` needs of the messages' rows before these go.

    Args:
        message_ids: the keys of the messages, whose rooms are locked.
        copies: as for `erase_messages`; the rows of the copies go at once.

    Returns:
        The erasure, to be written in the same transaction, when the rows are gone.
    """
    if not message_ids or not erases():
        return Erasure()
    connection = _connection()
    lock_quoting_rooms(Q(parent_message__in=message_ids))
    forwards: list[Any] = []
    if copies:
        kept = MessageCopy.objects.using(connection.alias).filter(source__in=message_ids)
        forwards = list(kept.values_list("pk", flat=True))
        kept.delete()
    return Erasure(message_ids, forwards, _find_told(connection, message_ids, forwards))


def erase_messages(message_ids: Collection[Any], *, copies: bool = False) -> int:
    """Take messages out of every logged frame that shows them: their own, and replies' quotes.

    Call it in the transaction that deletes the messages (`transaction()`, or any `atomic` block),
    **before** their rows go, since it finds their frames and their replies' by those. Their rooms
    are locked by then. It locks the other rooms that quote them, and the frames.

    With `ERASE_LOG` None, or without the feature `erasure`, it leaves the log alone.

    Args:
        message_ids: the keys of the messages, of one room or of several.
        copies: whether what was forwarded of them goes as well: the copies that forwards keep, in
            the log and in their table. A deletion of a message leaves copies alone.

    Returns:
        How many frames were written anew.
    """
    return plan_erasure(message_ids, copies=copies).write()


def erase_edited(message: AbstractMessage, names: Collection[str]) -> int:
    """Take what a message said out of the log when it is edited, where `ERASE_LOG` says so.

    Args:
        message: the message, whose room is locked.
        names: the fields that the edit changes.

    Returns:
        How many frames were written anew.
    """
    if not erases() or chat_settings.ERASE_LOG != "edited":
        return 0
    connection = _connection()
    lock_quoting_rooms(Q(parent_message=message.pk))
    key, fields = str(message.pk), frozenset(names)

    def change(payload: Any) -> bool:
        found = [each for each in find_messages(payload) if each[0]["id"] == key]
        for shown, kind in found:
            blank_fields(shown, kind, fields)
        return bool(found)

    keys = _find_frames(connection, [message.pk]) | _find_told(connection, [message.pk], [])
    return _rewrite(connection, keys, change)


def erase_room(room_id: Any) -> int:
    """Take a room out of the log, but for the frame that says that it is gone.

    The frames of the room's own stream go. In the streams of users, and of rooms that quote them,
    its messages are blanked, and of the room itself only its id and its type stay.

    Call it in the transaction that deletes the room, after the event that closes the stream.

    Args:
        room_id: the room's key.

    Returns:
        How many frames went or were written anew.
    """
    if not erases():
        return 0
    connection = _connection()
    lock_quoting_rooms(quoted_in(room_id))
    key = str(room_id)
    log = StreamEvent.objects.using(connection.alias)
    ours = log.filter(stream=room_stream(room_id))
    # The newest one has to stay: it closes the stream, and numbers are counted on from there.
    newest = ours.order_by("-seq").only("seq", "change").first()
    earlier = ours.filter(seq__lt=newest.seq if newest is not None else 0)
    if newest is not None:
        _keep_departures(newest, earlier)
    subjects = EventSubject.objects.using(connection.alias)
    subjects.filter(event__in=earlier).delete()
    count = earlier.delete()[0]

    def change(payload: Any) -> bool:
        changed = False
        for message, kind in find_messages(payload):
            if room_of(message) == key:
                blank(message, kind)
                changed = True
        room = payload.get("room") if isinstance(payload, dict) else None
        if isinstance(room, dict) and room.get("id") == key:
            blank(room, str(room.get("type")))
            if isinstance(payload.get("message"), str):  # it names the room
                payload["message"] = ""
            changed = True
        return changed

    return count + _rewrite(connection, _find_frames(connection, [room_id]), change)


def _keep_departures(closing: StreamEvent, earlier: QuerySet[StreamEvent]) -> None:
    """Say in the frame that closes a stream who had left before: the frames that say so go.

    A process that has not heard of a departure would tell the user of the deletion.
    """
    changes = earlier.filter(change__isnull=False).order_by("-seq").values_list("change", flat=True)
    is_out: dict[str, bool] = {}
    for change in filter(None, changes[:_FRAMES_AT_ONCE]):
        # What came last counts, and that is looked at first.
        for word, out in (("left", True), ("joined", False)):
            for user in change.get(word, ()):
                is_out.setdefault(user, out)
    change = closing.change or {}
    known = change.get("left", [])
    more = [user for user, is_so in is_out.items() if is_so and user not in known]
    if more:
        closing.change = {**change, "left": [*known, *more]}
        closing.save(update_fields=["change"])


def _connection() -> BaseDatabaseWrapper:
    return connections[router.db_for_write(StreamEvent)]


def _blank_messages(payload: Any, wanted: set[str], copies: bool) -> bool:
    changed = False
    for message, kind in find_messages(payload):
        if message["id"] in wanted:
            blank(message, kind)
        elif copies and copied(message) in wanted:
            drop_copy(message)
        else:
            continue
        changed = True
    return changed


# Finding frames


def _find_frames(connection: BaseDatabaseWrapper, subjects: Collection[Any]) -> set[int]:
    """Return the keys of the frames that have one of these subjects."""
    table = EventSubject._meta.db_table
    sql = f"SELECT event_id FROM {table} WHERE subject {_among(connection, 'uuid')}"
    return _keys(connection, sql, [_given(connection, prepare_subjects(connection, subjects))])


def _find_told(
    connection: BaseDatabaseWrapper, message_ids: Collection[Any], forwards: Collection[Any]
) -> set[int]:
    """Return the keys of the frames that tell of messages, of their replies, and of forwards."""
    log, model = StreamEvent._meta.db_table, get_model("Message")
    prepare = model._meta.pk.get_db_prep_value
    stream = name_of_room_stream(connection.vendor, "message.room_id")
    parts, parameters = [], []
    for column, keys in (
        ("id", message_ids),
        ("parent_message_id", message_ids),
        ("id", forwards),
    ):
        if keys:
            parts.append(
                f'SELECT event.id FROM "{model._meta.db_table}" message CROSS JOIN {log} event '
                f"WHERE message.{column} {_among(connection, 'uuid')} "
                f"AND event.stream = {stream} AND event.seq = message.stream_seq"
            )
            parameters.append(_given(connection, [prepare(key, connection) for key in keys]))
    return _keys(connection, " UNION ".join(parts), parameters)


def _among(connection: BaseDatabaseWrapper, kind: str) -> str:
    """Return the condition that a column has one of some values: one parameter, by `_given`."""
    if connection.vendor == "postgresql":
        return f"= ANY(%s::{kind}[])"
    return "IN (SELECT value FROM json_each(%s))"


def _given(connection: BaseDatabaseWrapper, values: list[Any]) -> Any:
    return values if connection.vendor == "postgresql" else orjson.dumps(values).decode()


def _keys(connection: BaseDatabaseWrapper, sql: str, parameters: list[Any]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return {key for (key,) in cursor.fetchall()}


# Writing frames anew


def _rewrite(connection: BaseDatabaseWrapper, keys: Iterable[int], change: Change) -> int:
    """Change the payloads of frames; return how many.

    Each frame is locked before it is read: another transaction may be erasing other messages of the
    same frame. All lock in the order of the keys.
    """
    count = 0
    for some in _slices(sorted(keys)):
        frames = StreamEvent.objects.using(connection.alias).filter(pk__in=some).order_by("pk")
        changed: list[tuple[int, str]] = []
        for key, payload in frames.select_for_update(no_key=True).values_list("pk", "payload"):
            shown = parse_payload(payload)
            if change(shown):
                changed.append((key, orjson.dumps(shown).decode()))
        if changed:
            _update(connection, changed)
            count += len(changed)
    return count


def _slices(keys: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(keys), _FRAMES_AT_ONCE):
        yield keys[start : start + _FRAMES_AT_ONCE]


def _update(connection: BaseDatabaseWrapper, changed: list[tuple[int, str]]) -> None:
    """Write payloads in one statement."""
    log = StreamEvent._meta.db_table
    if connection.vendor == "postgresql":
        given = "unnest(%s::bigint[], %s::text[]) AS given(id, payload)"
        key, payload = "given.id", "given.payload"
        parameters: list[Any] = [list(column) for column in zip(*changed, strict=True)]
    else:
        given = "json_each(%s) AS given"
        key, payload = (f"json_extract(given.value, '$[{at}]')" for at in (0, 1))
        parameters = [orjson.dumps(changed).decode()]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {log} SET payload = {payload} FROM {given} WHERE {log}.id = {key}", parameters
        )

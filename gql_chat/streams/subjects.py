"""Subjects: by which messages and rooms a deletion finds the frames of the log that show them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.db import router

from ..conf import chat_settings
from ..models import AbstractMessage, EventSubject, StreamEvent
from ..nouns import has_feature
from .envelopes import room_stream
from .shown import find_messages, room_of

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

Place = tuple[str, int, Any]
"""A stream, a sequence number in it, and a subject of the frame there."""

_FRAMES_AT_ONCE = 500
"""How many frames the migration holds in memory."""

_subject = EventSubject._meta.get_field("subject")


def erases() -> bool:
    """Tell whether what is deleted goes out of the log."""
    return has_feature("erasure") and chat_settings.ERASE_LOG is not None


def find_subjects(rendered: Any, stream: str) -> Collection[Any]:
    """Return the ids of what an event shows: messages, and rooms other than that of its stream.

    Args:
        rendered: the event as plain objects.
        stream: the stream that it goes into.
    """
    return _subjects_of(rendered, stream) if erases() else ()


def quotes_elsewhere(message: AbstractMessage) -> bool:
    """Tell whether a message answers one of another room."""
    quoted = getattr(getattr(message, "relations", None), "parent_message", None)
    return quoted is not None and quoted.room_id != message.room_id


def _keys(values: Iterable[Any], besides: str) -> list[UUID]:
    keys = dict.fromkeys(map(_key, values))
    return [key for key in keys if key is not None and str(key) != besides]


def _key(value: Any) -> UUID | None:
    """Return an id as a key; None where it is no id of a message or a room."""
    try:
        return UUID(str(value))
    except ValueError:  # of a project's own event, in which something else has a message's fields
        return None


def prepare_subjects(connection: BaseDatabaseWrapper, subjects: Iterable[Any]) -> list[Any]:
    """Return subjects as the database takes them."""
    return [_subject.get_db_prep_value(subject, connection) for subject in subjects]


def insert_subjects(
    connection: BaseDatabaseWrapper, places: Sequence[Place]
) -> tuple[str, list[Any]]:
    """Return the statement that writes subjects of frames that the log has, and its parameters."""
    log, table = StreamEvent._meta.db_table, EventSubject._meta.db_table
    streams, seqs, subjects = zip(*places, strict=True)
    prepared = prepare_subjects(connection, subjects)
    if connection.vendor == "postgresql":
        given = (
            "unnest(%s::text[], %s::bigint[], %s::uuid[]) AS given(stream, seq, subject) "
            f"JOIN {log} event ON event.stream = given.stream AND event.seq = given.seq"
        )
        parameters: list[Any] = [list(streams), list(seqs), prepared]
        subject = "given.subject"
    else:
        given = (
            f"json_each(%s) AS given CROSS JOIN {log} event "
            "ON event.stream = json_extract(given.value, '$[0]') "
            "AND event.seq = json_extract(given.value, '$[1]')"
        )
        rows = list(zip(streams, seqs, prepared, strict=True))
        parameters = [orjson.dumps(rows).decode()]
        subject = "json_extract(given.value, '$[2]')"
    return (
        f"INSERT INTO {table} (event_id, subject) SELECT event.id, {subject} FROM {given}",
        parameters,
    )


def note_subjects(connection: BaseDatabaseWrapper, places: Sequence[Place]) -> None:
    """Write subjects of frames that the log has."""
    with connection.cursor() as cursor:
        cursor.execute(*insert_subjects(connection, places))


def index_log(apps: Any, schema_editor: Any) -> None:
    """Write the subjects of the frames that the log has already: a step of a migration.

    Args:
        apps: the historical apps.
        schema_editor: knows the database.
    """
    log, subjects = (apps.get_model("gql_chat", name) for name in ("StreamEvent", "EventSubject"))
    using = schema_editor.connection.alias
    if not router.allow_migrate_model(using, log):
        return
    frames = log.objects.using(using).order_by("pk").values_list("pk", "stream", "payload")
    last = 0
    while some := list(frames.filter(pk__gt=last)[:_FRAMES_AT_ONCE]):
        rows = [
            subjects(event_id=key, subject=subject)
            for key, stream, payload in some
            for subject in _subjects_of(orjson.loads(payload), stream)
        ]
        subjects.objects.using(using).bulk_create(rows, batch_size=_FRAMES_AT_ONCE)
        last = some[-1][0]


def _subjects_of(rendered: Any, stream: str) -> list[UUID]:
    found = []
    for message, _ in find_messages(rendered):
        found += [message["id"], room_of(message)]
    room = rendered.get("room") if isinstance(rendered, dict) else None
    if isinstance(room, dict):
        found.append(room.get("id"))
    # By its own room a frame is found anyway.
    return _keys(found, besides=stream.removeprefix(room_stream("")))

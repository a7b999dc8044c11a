"""The outbox: the events of one transaction.

The outbox renders each event at once, gives it a sequence number under the row lock of its stream,
and writes it into the event log in the same transaction. So the order in a stream is the order of
the commits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import orjson
from django.db import transaction as db_transaction
from django.utils import timezone

from ..errors import Again
from ..events import Event, MessageSent
from ..models import EventSubject, StreamEvent, locks
from ..sizes import find_limit, is_larger, shorten_quotes
from .envelopes import Envelope, refresh, room_stream, user_stream
from .sequences import advance_users, count_up_room
from .shown import hide_deleted
from .subjects import (
    find_subjects,
    insert_subjects,
    note_subjects,
    prepare_subjects,
    quotes_elsewhere,
)
from .veils import VEIL, find_veil

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ..models import AbstractRoom
    from ..sql.carriers import Carrier


@dataclass(slots=True)
class _Notes:
    """The state of an outbox.

    Attributes:
        envelopes: the envelopes to publish.
        touched: by stream, the changed members whom no event has announced yet.
        seqs: the newest sequence numbers of the rooms that are locked.
        closed: the rooms whose deletion an event has announced.
        told: the ended memberships, as room and user, that an operation announces itself.
    """

    envelopes: list[Envelope] = field(default_factory=list)
    touched: dict[str, set[str]] = field(default_factory=dict)
    seqs: dict[Any, int] = field(default_factory=dict)
    closed: set[Any] = field(default_factory=set)
    told: set[tuple[Any, Any]] = field(default_factory=set)

    def copy(self) -> _Notes:
        """Return a copy that later notes do not change."""
        touched = {stream: set(users) for stream, users in self.touched.items()}
        return _Notes(
            list(self.envelopes), touched, dict(self.seqs), set(self.closed), set(self.told)
        )


@dataclass(slots=True)
class _Inner:
    """A savepoint inside an operation.

    Attributes:
        name: its name.
        hook: an `on_commit` hook that does nothing. Django drops it if the savepoint is rolled
            back, and so tells the outbox.
        before: the state of the outbox before the savepoint.
    """

    name: str
    hook: Callable[[], None]
    before: _Notes


class Outbox:
    """Collects the events of one transaction.

    A project's code inside an operation may roll back a savepoint of its own (`atomic`). The outbox
    then forgets all that it noted since that savepoint: it publishes nothing that is not stored,
    and knows that a room locked in the savepoint is not locked any more.

    Args:
        connection: this thread's connection, in the transaction.
        carrier: takes statements along whose answer nobody waits for.
    """

    def __init__(self, connection: BaseDatabaseWrapper, carrier: Carrier) -> None:
        self.connection = connection
        self.carrier = carrier
        self._thread = threading.get_ident()
        self._is_over = False
        self._depth = len(connection.savepoint_ids)
        self._inner: list[_Inner] = []
        self._kept = _Notes()

    @property
    def is_running(self) -> bool:
        """Whether this outbox belongs to the transaction that runs on this thread.

        It may not: a context that was copied inside an operation outlives it, maybe on another
        thread.
        """
        return not self._is_over and self._thread == threading.get_ident()

    def end(self) -> None:
        """Note that the operation is over."""
        self._is_over = True

    @property
    def _notes(self) -> _Notes:
        """The state, without the notes of savepoints that were rolled back."""
        savepoints = self.connection.savepoint_ids
        if self._inner or len(savepoints) > self._depth:
            self._follow_savepoints(
                [name for name in savepoints[self._depth :] if name is not None]
            )
        return self._kept

    def _follow_savepoints(self, names: list[str]) -> None:
        while self._inner and self._inner[-1].name not in names:
            inner = self._inner.pop()
            if all(entry[1] is not inner.hook for entry in self.connection.run_on_commit):
                self._kept = inner.before
        for name in names[len(self._inner) :]:
            inner = _Inner(name, lambda: None, self._kept.copy())
            db_transaction.on_commit(inner.hook, using=self.connection.alias, robust=True)
            self._inner.append(inner)

    def broadcast(
        self,
        room: AbstractRoom,
        event: Event,
        *,
        joined: Iterable[Any] = (),
        left: Iterable[Any] = (),
        closed: bool = False,
        activity: datetime | None = None,
    ) -> Envelope:
        """Give an event the next sequence number in a room's stream, for all its members.

        An event that is too large for one frame gets several (`Event.halves`).

        Args:
            room: the room; the caller has locked it (`hold`, or an operation's `find_room`).
            event: the event.
            joined: ids of the users who get the stream from this event on.
            left: ids of the users who get neither this event nor later ones.
            closed: whether the stream ends with this event, since the room is being deleted.
            activity: the time of the room's newest message, if this event changes it.

        Returns:
            The envelope, which is published after the commit; the last one of several.
        """
        change: dict[str, Any] = {}
        if joined := [str(user_id) for user_id in joined]:
            change["joined"] = joined
        if left := [str(user_id) for user_id in left]:
            change["left"] = left
        if closed:
            change["closed"] = True
            self._notes.closed.add(room.pk)
        if (veil := find_veil(room, event)) is not None:
            change[VEIL] = veil
        if activity is not None:
            room.last_activity = activity
        stream = room_stream(room.pk)
        known = None
        if isinstance(event, MessageSent) and not quotes_elsewhere(event.message):
            # A new message itself says where it stands in the log.
            known = event.message.stream_seq
        for payload, subjects in render_all(event, stream):
            envelope = Envelope(stream, 0, type(event).__name__, payload, change or None)
            ahead = () if known is not None else subjects()
            envelope = replace(envelope, seq=self._advance(room, envelope, activity, ahead))
            if known is not None and envelope.seq != known and (found := subjects()):
                # Other code wrote into the room in between.
                note_subjects(self.connection, [(stream, envelope.seq, each) for each in found])
            room.seq = envelope.seq
            self._notes.seqs[room.pk] = room.seq
            self._notes.envelopes.append(envelope)
        self._settle(stream, {*joined, *left}, closed=closed)
        return envelope

    def _settle(self, stream: str, told: set[str], *, closed: bool) -> None:
        """Note that a broadcast has announced the changes of these members, or the stream's end."""
        everybody = self._notes.touched
        touched = everybody.get(stream)
        if touched is None:
            return
        touched -= told
        if closed or not touched:
            del everybody[stream]

    def hold(self, room_id: Any, seq: int) -> None:
        """Note that a room is locked for this transaction, and its newest sequence number."""
        self._notes.seqs.setdefault(room_id, seq)

    def seq_of(self, room_id: Any) -> int | None:
        """Return the newest sequence number of a locked room; None if this holds no lock on it."""
        return self._notes.seqs.get(room_id)

    def will_tell(self, room_id: Any, user_ids: Iterable[Any]) -> None:
        """Note that the operation ends these memberships and makes the events of it itself."""
        self._notes.told.update((room_id, user_id) for user_id in user_ids)

    def is_told(self, room_id: Any, user_ids: Iterable[Any]) -> bool:
        """Return whether the operation itself makes the events of all these ended memberships."""
        return self._notes.told.issuperset((room_id, user_id) for user_id in user_ids)

    def touched(self, room_id: Any) -> list[str]:
        """Return the changed members of a room whom no event has announced yet."""
        return sorted(self._notes.touched.get(room_stream(room_id), ()))

    def is_closed(self, room_id: Any) -> bool:
        """Return whether an event of this transaction has announced that the room is deleted."""
        return room_id in self._notes.closed

    def target(self, events: Mapping[Any, Event]) -> None:
        """Give each user an event of their own, with the next sequence number of their stream.

        An event that is too large for one frame gets several (`Event.halves`).

        Args:
            events: the events, by the user's id.
        """
        if not events:
            return
        pieces: dict[int, list[tuple[str, Collection[Any]]]] = {}
        for user_id, event in events.items():
            if id(event) not in pieces:
                rendered = render_all(event, user_stream(user_id))
                pieces[id(event)] = [(payload, subjects()) for payload, subjects in rendered]
        noted = []
        for place in range(max(map(len, pieces.values()))):
            due = {user: each for user, each in events.items() if place < len(pieces[id(each)])}
            envelopes = []
            for user_id, seq in advance_users(self.connection, sorted(due, key=str)).items():
                event, stream = due[user_id], user_stream(user_id)
                payload, found = pieces[id(event)][place]
                envelopes.append(Envelope(stream, seq, type(event).__name__, payload))
                noted += [(stream, seq, subject) for subject in found]
            self._log(envelopes)
        if noted:
            self.carrier.ahead(*insert_subjects(self.connection, noted))

    def transient(self, room: AbstractRoom, event: Event) -> Envelope:
        """Publish an event to the members of a room without storing it."""
        envelope = Envelope(room_stream(room.pk), 0, type(event).__name__, render(event))
        self._notes.envelopes.append(envelope)
        return envelope

    def touch(self, stream: str, user_ids: Iterable[str]) -> None:
        """Note that members of a room changed.

        Hubs are told to read these members again, unless a broadcast announces the change.
        """
        self._notes.touched.setdefault(stream, set()).update(user_ids)

    def close(self) -> list[Envelope]:
        """Return the envelopes to publish."""
        notes = self._notes
        return [*notes.envelopes, *(refresh(*touched) for touched in notes.touched.items())]

    def _advance(
        self,
        room: AbstractRoom,
        envelope: Envelope,
        activity: datetime | None,
        subjects: Collection[Any],
    ) -> int:
        """Take the next sequence number of a locked room, and log an envelope under it.

        Args:
            room: the room.
            envelope: the envelope, without its sequence number.
            activity: the time of the room's newest message, if it is to be written as well.
            subjects: the ids by which a deletion finds the row.

        Returns:
            The sequence number.

        Raises:
            Again: the room is gone.
        """
        values: list[Any] = [envelope.stream]
        columns = ["seq"]
        if activity is not None:
            values.append(_created_at.get_db_prep_value(activity, self.connection))
            columns.append("last_activity")
        values.append(room._meta.pk.get_db_prep_value(room.pk, self.connection))
        vendor = self.connection.vendor
        sql = count_up_room(vendor, room._meta.db_table, *columns)
        if vendor == "postgresql":
            # In one statement: that is one round trip less.
            stream, _, *rest = self._row(envelope)
            values += [stream, *rest]
            if subjects:
                sql = f"WITH counted AS ({sql}), {_LOG_COUNTED_WITH_SUBJECTS}"
                values.append(prepare_subjects(self.connection, subjects))
            else:
                sql = f"WITH counted AS ({sql}) {_LOG_COUNTED}"
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            row = cursor.fetchone()
            if row is None:
                raise Again("The room went while something happened in it.")
            seq: int = row[0]
            if vendor != "postgresql":
                cursor.execute(_insert_events(1), self._row(replace(envelope, seq=seq)))
                if subjects:
                    places = [(envelope.stream, seq, subject) for subject in subjects]
                    cursor.execute(*insert_subjects(self.connection, places))
        return seq

    def _log(self, envelopes: list[Envelope]) -> None:
        values = [value for envelope in envelopes for value in self._row(envelope)]
        self.carrier.ahead(_insert_events(len(envelopes)), values)
        self._notes.envelopes += envelopes

    def _row(self, envelope: Envelope) -> list[Any]:
        """Return the row of an envelope in the log."""
        change = None if envelope.change is None else orjson.dumps(envelope.change).decode()
        now = _created_at.get_db_prep_value(timezone.now(), self.connection)
        return [envelope.stream, envelope.seq, envelope.kind, envelope.payload, change, now]


_created_at = StreamEvent._meta.get_field("created_at")
_COLUMNS = "(stream, seq, kind, payload, change, created_at)"
_LOG_COUNTED = (
    f"INSERT INTO {StreamEvent._meta.db_table} {_COLUMNS} "
    "SELECT %s, seq, %s, %s, %s::jsonb, %s::timestamptz FROM counted RETURNING seq"
)
_LOG_COUNTED_WITH_SUBJECTS = (
    f"logged AS ({_LOG_COUNTED}, id), noted AS ("
    f"INSERT INTO {EventSubject._meta.db_table} (event_id, subject) "
    "SELECT logged.id, given.subject FROM logged, unnest(%s::uuid[]) AS given(subject)) "
    "SELECT seq FROM logged"
)


@lru_cache(maxsize=100)
def _insert_events(count: int) -> str:
    rows = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * count)
    return f"INSERT INTO {StreamEvent._meta.db_table} {_COLUMNS} VALUES {rows}"


_renderer: Callable[[Event], Any] | None = None


def render_with(renderer: Callable[[Event], Any]) -> None:
    """Set the function that renders events, the schema's: streams do not import the schema.

    Args:
        renderer: returns all that an event's type in the schema selects, as plain objects.
    """
    global _renderer
    _renderer = renderer


def render(event: Event) -> str:
    """Return an event as JSON text: all that its type in the schema selects.

    Raises:
        RuntimeError: `gql_chat` is no installed app, so nothing has set a renderer.
    """
    return orjson.dumps(_render(event)).decode()


def render_all(event: Event, stream: str) -> list[tuple[str, Callable[[], Collection[Any]]]]:
    """Return an event as JSON texts: nearly always one, several if it is too large for a frame.

    One that is too large by itself shows excerpts of what its message quotes.

    Args:
        event: the event.
        stream: the stream that it is logged in.

    Returns:
        Each text, with what finds the ids by which a deletion finds its frame.

    Raises:
        RuntimeError: as `render` does.
    """
    rendered = _render(event)
    if not isinstance(event, MessageSent):
        hide_deleted(rendered)
    subjects = partial(find_subjects, rendered, stream)
    text = orjson.dumps(rendered).decode()
    limit = find_limit()
    if limit is None or not is_larger(text, limit):
        return [(text, subjects)]
    halves = event.halves()
    if halves:
        return [piece for half in halves for piece in render_all(half, stream)]
    return [(orjson.dumps(shorten_quotes(rendered)).decode(), subjects)]


def _render(event: Event) -> Any:
    if _renderer is None:
        raise RuntimeError("Events are rendered once django.setup() has run.")
    return _renderer(event)


def running() -> Outbox | None:
    """Return the outbox of the operation that runs on this thread, if one does."""
    keeper = locks.running()
    return keeper if isinstance(keeper, Outbox) else None


def current() -> Outbox:
    """Return the outbox of the running operation.

    Raises:
        RuntimeError: none is running.
    """
    outbox = running()
    if outbox is None:
        raise RuntimeError("Events are made inside gql_chat.streams.transaction().")
    return outbox


def is_running() -> bool:
    """Return whether an operation runs on this thread."""
    return running() is not None

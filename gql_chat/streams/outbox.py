"""The outbox: the events of one transaction.

Each event is rendered at once, gets its sequence number under the row lock of its stream, and
becomes a row of the event log in the same transaction. So the order in a stream is the order of
the commits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from django.db import transaction as db_transaction
from django.utils import timezone

from ..errors import Again
from ..events import Event
from ..models import StreamEvent, locks
from .envelopes import Envelope, refresh, room_stream, user_stream
from .sequences import advance_users

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ..models import AbstractRoom
    from ..sql.carriers import Carrier


@dataclass(slots=True)
class _Notes:
    """What an outbox knows of its transaction.

    Attributes:
        envelopes: what there is to publish.
        touched: by stream, the users of whom nobody has told yet.
        positions: of the rooms that are locked.
        closed: the rooms that are said to be deleted.
        told: the ends of memberships that an operation tells of.
    """

    envelopes: list[Envelope] = field(default_factory=list)
    touched: dict[str, set[str]] = field(default_factory=dict)
    positions: dict[Any, int] = field(default_factory=dict)
    closed: set[Any] = field(default_factory=set)
    told: set[tuple[Any, Any]] = field(default_factory=set)

    def copy(self) -> _Notes:
        """Return what stays as it is while this goes on."""
        touched = {stream: set(users) for stream, users in self.touched.items()}
        return _Notes(
            list(self.envelopes), touched, dict(self.positions), set(self.closed), set(self.told)
        )


@dataclass(slots=True)
class _Inner:
    """A savepoint inside an operation.

    Attributes:
        name: its name.
        hook: does nothing. Django forgets it where the savepoint is rolled back.
        before: what was noted before it.
    """

    name: str
    hook: Callable[[], None]
    before: _Notes


class Outbox:
    """Collects the events of one transaction.

    Code of a project's inside an operation may roll back a savepoint of its own (`atomic`). What
    was noted since then is forgotten with it: nothing is published that is not stored, and a room
    that was locked in it is not locked any more.

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
        """Whether it is that of this thread's transaction.

        A context may be copied inside an operation, and outlives it, maybe on another thread.
        """
        return not self._is_over and self._thread == threading.get_ident()

    def end(self) -> None:
        """Say that the operation is over."""
        self._is_over = True

    @property
    def _notes(self) -> _Notes:
        """What is known, without what was noted in savepoints that were rolled back since."""
        savepoints = self.connection.savepoint_ids
        if self._inner or len(savepoints) > self._depth:
            self._follow([name for name in savepoints[self._depth :] if name is not None])
        return self._kept

    def _follow(self, names: list[str]) -> None:
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
        """Give an event the next place in the stream of a room, for all its members.

        Args:
            room: locked by the caller (`hold`, or an operation's `find_room`).
            event: what happened.
            joined: ids of the users who hear the stream from this event on.
            left: ids of the users who do not hear it, nor anything after it.
            closed: whether the room is deleted with this event, so has no row to update.
            activity: the time of a new message.
        """
        change: dict[str, Any] = {}
        if joined := [str(user_id) for user_id in joined]:
            change["joined"] = joined
        if left := [str(user_id) for user_id in left]:
            change["left"] = left
        if closed:
            change["closed"] = True
            self._notes.closed.add(room.pk)
        if activity is not None:
            room.last_activity = activity
        stream = room_stream(room.pk)
        envelope = Envelope(stream, 0, type(event).__name__, render(event), change or None)
        envelope = replace(envelope, seq=self._advance(room, envelope, activity))
        room.seq = envelope.seq
        self._notes.positions[room.pk] = room.seq
        self._notes.envelopes.append(envelope)
        self._settle(stream, {*joined, *left}, closed=closed)
        return envelope

    def _settle(self, stream: str, told: set[str], *, closed: bool) -> None:
        """Note that a broadcast has told of these users; of others that changed it has not."""
        everybody = self._notes.touched
        touched = everybody.get(stream)
        if touched is None:
            return
        touched -= told
        if closed or not touched:
            del everybody[stream]

    def hold(self, room_id: Any, position: int) -> None:
        """Note that a room is locked for this transaction, and where its stream stands."""
        self._notes.positions.setdefault(room_id, position)

    def position(self, room_id: Any) -> int | None:
        """Return the position of a room that is locked for this transaction; None for others."""
        return self._notes.positions.get(room_id)

    def will_tell(self, room_id: Any, user_ids: Iterable[Any]) -> None:
        """Note that an operation ends these memberships, and tells everybody by itself."""
        self._notes.told.update((room_id, user_id) for user_id in user_ids)

    def is_told(self, room_id: Any, user_ids: Iterable[Any]) -> bool:
        """Tell whether the operation tells of the end of all these memberships."""
        return self._notes.told.issuperset((room_id, user_id) for user_id in user_ids)

    def touched(self, room_id: Any) -> list[str]:
        """Return the members of a room that changed, and of whom nobody has told yet."""
        return sorted(self._notes.touched.get(room_stream(room_id), ()))

    def is_closed(self, room_id: Any) -> bool:
        """Tell whether this transaction has said that the room is deleted."""
        return room_id in self._notes.closed

    def target(self, events: Mapping[Any, Event]) -> None:
        """Give users, by id, an event each: the next place in their own streams."""
        if not events:
            return
        places = advance_users(self.connection, sorted(events, key=str))
        rendered: dict[int, str] = {}
        envelopes = []
        for user_id, seq in places.items():
            event = events[user_id]
            if id(event) not in rendered:
                rendered[id(event)] = render(event)
            envelopes.append(
                Envelope(user_stream(user_id), seq, type(event).__name__, rendered[id(event)])
            )
        self._log(envelopes)

    def transient(self, room: AbstractRoom, event: Event) -> Envelope:
        """Tell the members of a room something that is stored nowhere."""
        envelope = Envelope(room_stream(room.pk), 0, type(event).__name__, render(event))
        self._notes.envelopes.append(envelope)
        return envelope

    def touch(self, stream: str, user_ids: Iterable[str]) -> None:
        """Note that members of a room changed; a broadcast that names them makes it obsolete."""
        self._notes.touched.setdefault(stream, set()).update(user_ids)

    def close(self) -> list[Envelope]:
        """Return what there is to publish."""
        notes = self._notes
        return [*notes.envelopes, *(refresh(*touched) for touched in notes.touched.items())]

    def _advance(self, room: AbstractRoom, envelope: Envelope, activity: datetime | None) -> int:
        """Count up the position of a locked room and log its envelope there; return the position.

        The database counts, beyond the column and the newest row of the log. So a position that
        plain code or a raw statement set back gives no place a second time.

        Args:
            room: the room.
            envelope: what happened, without its place.
            activity: the time of a new message.
        """
        values: list[Any] = [envelope.stream]
        columns = ["seq"]
        if activity is not None:
            values.append(_created_at.get_db_prep_value(activity, self.connection))
            columns.append("last_activity")
        values.append(room._meta.pk.get_db_prep_value(room.pk, self.connection))
        vendor = self.connection.vendor
        sql = _count_up_room(vendor, room._meta.db_table, *columns)
        if vendor == "postgresql":
            # In one statement: that is one round trip less.
            stream, _, *rest = self._row(envelope)
            sql = f"WITH place AS ({sql}) {_LOG_AT_PLACE}"
            values += [stream, *rest]
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            row = cursor.fetchone()
            if row is None:
                raise Again("The room went while something happened in it.")
            position: int = row[0]
            if vendor != "postgresql":
                cursor.execute(_insert_events(1), self._row(replace(envelope, seq=position)))
        return position

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
_LOG_AT_PLACE = (
    f"INSERT INTO {StreamEvent._meta.db_table} {_COLUMNS} "
    "SELECT %s, seq, %s, %s, %s::jsonb, %s::timestamptz FROM place RETURNING seq"
)


@cache
def _count_up_room(vendor: str, table: str, *columns: str) -> str:
    greatest = "MAX" if vendor == "sqlite" else "GREATEST"
    logged = f"SELECT MAX(seq) FROM {StreamEvent._meta.db_table} WHERE stream = %s"
    changes = [f"seq = {greatest}(seq, COALESCE(({logged}), 0)) + 1"]
    changes += [f"{column} = %s" for column in columns[1:]]
    return f'UPDATE "{table}" SET {", ".join(changes)} WHERE id = %s RETURNING seq'


@lru_cache(maxsize=100)
def _insert_events(count: int) -> str:
    rows = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * count)
    return f"INSERT INTO {StreamEvent._meta.db_table} {_COLUMNS} VALUES {rows}"


_renderer: Callable[[Event], Any] | None = None


def render_with(renderer: Callable[[Event], Any]) -> None:
    """Have events rendered by this from now on: the schema, which this package does not know.

    Args:
        renderer: returns all that an event's type in the schema selects, as plain objects.
    """
    global _renderer
    _renderer = renderer


def render(event: Event) -> str:
    """Return an event as JSON text: all that its type in the schema selects.

    Raises:
        RuntimeError: `gql_chat` is no installed app, so nobody said what renders.
    """
    if _renderer is None:
        raise RuntimeError("Events are rendered once django.setup() has run.")
    return orjson.dumps(_renderer(event)).decode()


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
    """Tell whether an operation is running."""
    return running() is not None

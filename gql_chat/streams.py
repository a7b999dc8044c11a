"""Streams: every event takes the next place of a room's or a user's stream, and is logged there.

Inside `transaction()` an operation hands its events to the `Outbox`. Each is rendered at
once, gets its `seq` under the row lock of its stream, and becomes a row of the event log in
the same transaction, so the order in a stream is the order of the commits. After the commit
the envelopes are published: to the hubs of this process directly, to other processes over
the channel layer. The layer may lose them; the log has them.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import os
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cache, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import DatabaseError, connections, router
from django.db import transaction as db_transaction
from django.db.models import FilteredRelation, Q, Sum
from django.db.models.functions import Length
from django.utils import timezone

from . import gates
from .errors import RETRY_AFTER, Unavailable, refers_to_nothing, sqlstate
from .events import Event
from .models import Delivery, Epoch, Membership, StreamEvent, UserStream, get_model
from .models.carriers import carrying

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models import QuerySet

    from .models import AbstractRoom
    from .models.carriers import Carrier

logger = logging.getLogger("gql_chat")

T = TypeVar("T")

MESSAGE_TYPE = "chat.envelope"
"""The `type` of the package's messages on the channel layer."""

LAYER_SECONDS = 2.0
"""How long the channel layer may take for an event."""

_STREAMS_AT_ONCE = 100
_GROUP_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_TOKEN = uuid.uuid4().hex


def process_name() -> str:
    """Return the name of this process among all, also on other machines and after a fork."""
    return f"{_TOKEN}.{os.getpid()}"


def room_stream(room_id: Any) -> str:
    """Return the name of a room's stream."""
    return f"room:{room_id}"


def user_stream(user_id: Any) -> str:
    """Return the name of a user's stream."""
    return f"user:{user_id}"


def group_name(stream: str) -> str:
    """Return the channel layer's group for a stream, in the letters that a layer allows."""
    kind, _, key = stream.partition(":")
    if not _GROUP_SAFE.fullmatch(key):
        key = hashlib.sha256(key.encode()).hexdigest()
    return f"chat.{kind}.{key}"


@dataclass(slots=True, frozen=True)
class Envelope:
    """A rendered event in its place.

    Attributes:
        stream: the stream's name.
        seq: the place in it; 0 for what is not stored (typing, and words between hubs).
        kind: the name of the event's type in the schema; empty for words between hubs.
        payload: the rendered event as JSON text.
        change: who is entitled from this frame on. User ids as strings: those `joined` hear
            it already, those `left` do not any more; `closed` ends the stream after it.
            Between hubs, `refresh` says that members changed outside an operation and are
            to be read again, `signed_out` which login session of the user has ended.
    """

    stream: str
    seq: int
    kind: str
    payload: str
    change: Mapping[str, Any] | None = None

    def to_message(self) -> dict[str, Any]:
        """Return the envelope as a message for the channel layer."""
        return {"type": MESSAGE_TYPE, "process": process_name(), **asdict(self)}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Envelope:
        """Read an envelope off the channel layer."""
        return cls(**{name: message[name] for name in cls.__slots__})

    def groups(self) -> list[str]:
        """Return the groups that hear of it: the stream's, and those of users who join."""
        joined = (self.change or {}).get("joined", ())
        return [group_name(self.stream), *(group_name(user_stream(user)) for user in joined)]


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
        places = _advance_users(self.connection, sorted(events, key=str))
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
        return [*notes.envelopes, *(_refresh(*touched) for touched in notes.touched.items())]

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


def _advance_users(connection: BaseDatabaseWrapper, user_ids: list[Any]) -> dict[Any, int]:
    """Count up the streams of users, locking them in this order; return their new positions."""
    field = UserStream._meta.get_field("user").target_field
    keys = [field.get_db_prep_value(user_id, connection) for user_id in user_ids]
    prepared = dict(zip(map(str, keys), user_ids, strict=True))
    values = [
        value
        for key, user_id in zip(keys, user_ids, strict=True)
        for value in (key, user_stream(user_id))
    ]
    with connection.cursor() as cursor:
        cursor.execute(_count_up_users(connection.vendor, len(keys)), values)
        return {prepared[str(user_id)]: seq for user_id, seq in cursor.fetchall()}


@lru_cache(maxsize=100)
def _count_up_users(vendor: str, count: int) -> str:
    table, log = UserStream._meta.db_table, StreamEvent._meta.db_table
    greatest = "MAX" if vendor == "sqlite" else "GREATEST"
    place = f"COALESCE((SELECT MAX(seq) FROM {log} WHERE stream = %s), 0) + 1"
    rows = ", ".join([f"(%s, {place})"] * count)
    return (
        f"INSERT INTO {table} (user_id, seq) VALUES {rows} ON CONFLICT (user_id) "
        f"DO UPDATE SET seq = {greatest}({table}.seq + 1, excluded.seq) RETURNING user_id, seq"
    )


def render(event: Event) -> str:
    """Return an event as JSON text: all that its type in the schema selects."""
    from .schema.rendering import render_event

    return orjson.dumps(render_event(event)).decode()


class _Capture(list[Envelope]):
    """What is committed while somebody captures it.

    Attributes:
        is_over: whether nobody looks any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_over = False
        self._thread = threading.get_ident()

    @property
    def is_lost(self) -> bool:
        """Whether what this thread adds would be lost: a context was copied, and outlives it."""
        return self.is_over or self._thread != threading.get_ident()


_current: ContextVar[Outbox | None] = ContextVar("gql_chat_outbox", default=None)
_captured: ContextVar[_Capture | None] = ContextVar("gql_chat_captured", default=None)


def _running() -> Outbox | None:
    """Return the outbox of the operation that runs on this thread, if one does."""
    outbox = _current.get()
    return outbox if outbox is not None and outbox.is_running else None


class _Shared(threading.local):
    """Whether the transaction of a thread's connection is shared: its calls have contexts each."""

    running = False


_shared = _Shared()


class Again(Unavailable):
    """An operation met what it could not see when it began, and has to be run again.

    A client learns of it only where that is not up to the package: in a transaction of the
    caller's own.
    """

    def __init__(self, message: str) -> None:
        super().__init__({"message": message, "retry_after": RETRY_AFTER})


ATTEMPTS = 12
"""How often an operation is run at most, where the database breaks it off for another one."""

REFERENCE_ATTEMPTS = 3
"""How often at most, where a row that it refers to went meanwhile: it may never have been there."""

_PAUSE_SECONDS = 0.02

_BROKEN_OFF = frozenset({"40001", "40P01"})
"""The SQLSTATEs of serialization failures and deadlocks."""

_ENDED_BEFORE = "25P02"
"""PostgreSQL's code where an error that somebody caught has ended the transaction."""

_IN_ERROR = 3
"""How psycopg and psycopg2 both call such a transaction's state."""


def run(operation: Callable[[], T]) -> T:
    """Run an operation in one transaction, and again where that was broken off for another one.

    It is run once where it is a part of an operation that is running, or of a transaction of the
    caller's own: only who began that can run it again.

    Args:
        operation: it may be called several times; only the last call leaves anything.

    Raises:
        Exception: what the operation raises, or the last try's error.
    """
    connection = connections[router.db_for_write(StreamEvent)]
    if _running() is not None or _shared.running or connection.in_atomic_block:
        with transaction():
            return operation()
    for attempt in itertools.count(1):
        try:
            with transaction():
                return operation()
        except (Again, DatabaseError) as error:
            if attempt >= _attempts(error):
                raise
        # Those who broke each other off shall not meet again.
        time.sleep(random.uniform(0, _PAUSE_SECONDS * min(attempt, 5)))
    raise AssertionError("unreachable")


def _attempts(error: Exception) -> int:
    """Return how often an operation that ended with this error may be run."""
    attempts = 1
    cause: BaseException | None = error
    # Where a receiver of a project's caught the error, the next statement raises another one.
    while cause is not None:
        state = sqlstate(cause)
        if isinstance(cause, Again) or state in _BROKEN_OFF:
            return ATTEMPTS
        if refers_to_nothing(cause) or state == _ENDED_BEFORE:
            attempts = REFERENCE_ATTEMPTS
        cause = cause.__cause__
    return attempts


def _check_whole(connection: BaseDatabaseWrapper) -> None:
    """Refuse to end an operation in which code went on after an error that it had caught.

    Django rolls such a transaction back in silence, and so does PostgreSQL: what was not stored
    would be answered.

    Raises:
        TransactionManagementError: the operation's transaction cannot be committed.
    """
    driver_connection: Any = connection.connection
    if connection.needs_rollback or (
        connection.vendor == "postgresql" and driver_connection.info.transaction_status == _IN_ERROR
    ):
        raise db_transaction.TransactionManagementError(
            "Something in this operation failed, and the code that caught the error went on. "
            "Whoever wants to go on puts what may fail into a transaction.atomic() of its own."
        ) from getattr(connection, "rollback_exc", None)


@contextmanager
def transaction() -> Iterator[Outbox]:
    """Run one operation: all it writes is one transaction, all it publishes leaves after it.

    An operation called inside another joins it. Inside a transaction of the caller's own,
    publishing waits for the end of that one.
    """
    using = router.db_for_write(StreamEvent)
    outer = _running()
    if outer is not None:
        with db_transaction.mark_for_rollback_on_error(using):
            yield outer
        return
    connection = connections[using]
    shares = _shared.running
    owns = not connection.in_atomic_block
    with db_transaction.atomic(using=using):
        if not shares:
            _take_write_lock(connection)
        with carrying(connection, _held_models()) as carrier:
            if owns:
                gates.limit_lock_waits(connection, carrier)
            outbox = Outbox(connection, carrier)
            token = _current.set(outbox)
            try:
                yield outbox
                carrier.flush()
                _check_whole(connection)
            finally:
                outbox.end()
                _current.reset(token)
        if envelopes := outbox.close():
            _hand_over_after_commit(envelopes, using)
        if shares or owns:
            _let_hooks_fail(connection)


@cache
def _held_models() -> list[Any]:
    """Return the models whose inserts wait for the next statement: what most operations write."""
    names = ("Message", "ChatNotification", "ReadReceipt", "Reaction")
    return [*(get_model(name) for name in names), Delivery]


def _let_hooks_fail(connection: BaseDatabaseWrapper) -> None:
    """Let the hooks of this transaction fail one by one: each error is logged, and no more.

    What is stored is answered and published, whatever a project's `on_commit` hook raises.
    `run_on_commit` is Django's own list. No public call says this of hooks that others have
    registered; `tests/unit/test_races.py` notices when the list changes.
    """
    hooks: list[Any] = list(connection.run_on_commit)
    connection.run_on_commit = [(savepoints, hook, True) for savepoints, hook, _ in hooks]  # type: ignore[misc]


@contextmanager
def shared_transaction() -> Iterator[BaseDatabaseWrapper]:
    """Run several operations in one transaction: each is a savepoint of it."""
    using = router.db_for_write(StreamEvent)
    with db_transaction.atomic(using=using):
        connection = connections[using]
        _take_write_lock(connection)
        _shared.running = True
        try:
            yield connection
        finally:
            _shared.running = False


def current() -> Outbox:
    """Return the outbox of the running operation.

    Raises:
        RuntimeError: none is running.
    """
    outbox = _running()
    if outbox is None:
        raise RuntimeError("Events are made inside gql_chat.streams.transaction().")
    return outbox


def is_running() -> bool:
    """Tell whether an operation is running."""
    return _running() is not None


@contextmanager
def writing(using: str) -> Iterator[None]:
    """Run plain code in a transaction that reads, then writes; see `_take_write_lock`.

    Args:
        using: the alias of the database.
    """
    connection = connections[using]
    begins = not connection.in_atomic_block
    with db_transaction.atomic(using=using):
        if begins:
            _take_write_lock(connection)
        yield


@contextmanager
def hold(room: AbstractRoom) -> Iterator[None]:
    """Lock a room's row, and read its position into `room.seq`.

    Inside an operation the lock lasts as long as that, else as long as this.
    """
    outbox = _running()
    position = None if outbox is None else outbox.position(room.pk)
    if position is not None:
        room.seq = position
        yield
        return
    with db_transaction.atomic(using=router.db_for_write(StreamEvent)):
        position = lock(room.pk)
        if position is not None:
            room.seq = position
        yield


def lock(room_id: Any) -> int | None:
    """Lock a room's row for the transaction that is running.

    Returns:
        The position of its stream; None where there is no such room.
    """
    outbox = _running()
    if outbox is not None and (held := outbox.position(room_id)) is not None:
        return held
    if outbox is not None:
        gates.enter([room_id])
    else:
        # Code without an operation: its transaction may begin here.
        _take_write_lock(connections[router.db_for_write(StreamEvent)])
    model = get_model("Room")
    rooms = model.objects.using(router.db_for_write(model)).filter(pk=room_id).order_by()
    position: int | None = (
        rooms.select_for_update(no_key=True).values_list("seq", flat=True).first()
    )
    if outbox is not None and position is not None:
        outbox.hold(room_id, position)
    return position


def touch(room_id: Any, user_ids: Iterable[Any] = ()) -> None:
    """Say that a room's members changed; hubs read them again unless a broadcast tells more."""
    stream, users = room_stream(room_id), {str(user_id) for user_id in user_ids}
    outbox = _running()
    if outbox is not None:
        outbox.touch(stream, users)
    else:
        announce(_refresh(stream, users))


def announce(envelope: Envelope) -> None:
    """Publish an envelope that is stored nowhere, after the running transaction if there is one."""
    _hand_over_after_commit([envelope], router.db_for_write(StreamEvent))


def _refresh(stream: str, users: set[str]) -> Envelope:
    return Envelope(stream, 0, "", "", {"refresh": True, "joined": sorted(users)})


def _take_write_lock(connection: BaseDatabaseWrapper) -> None:
    # SQLite refuses at once to turn a reading transaction into a writing one while another
    # writes; a transaction that begins with a write waits for its turn instead. With the
    # project's `transaction_mode` at IMMEDIATE, every transaction begins so.
    if connection.vendor == "sqlite" and getattr(connection, "transaction_mode", "") != "IMMEDIATE":
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {UserStream._meta.db_table} SET seq = seq WHERE 0")


@contextmanager
def capture() -> Iterator[list[Envelope]]:
    """Collect what is committed inside instead of publishing it: the caller will."""
    captured = _Capture()
    token = _captured.set(captured)
    try:
        yield captured
    finally:
        captured.is_over = True
        _captured.reset(token)


def _hand_over_after_commit(envelopes: list[Envelope], using: str) -> None:
    # Looked up now: a shared commit comes when the operation's own scope is over.
    captured = _captured.get()
    hand_over = publish if captured is None or captured.is_lost else captured.extend
    db_transaction.on_commit(lambda: hand_over(envelopes), using=using, robust=True)


Subscriber = Callable[[list[Envelope]], None]

_subscribers: list[Subscriber] = []


def subscribe(subscriber: Subscriber) -> None:
    """Hand every envelope that this process publishes to `subscriber`, from any thread."""
    _subscribers.append(subscriber)


def unsubscribe(subscriber: Subscriber) -> None:
    """Undo `subscribe`."""
    _subscribers.remove(subscriber)


def subscribers() -> list[Subscriber]:
    """Return who is subscribed."""
    return list(_subscribers)


def publish(envelopes: list[Envelope]) -> None:
    """Publish committed envelopes from synchronous code."""
    for subscriber in subscribers():
        subscriber(envelopes)
    if reaches_other_processes():
        async_to_sync(send_to_layer)(envelopes)


def reaches_other_processes() -> bool:
    """Tell whether there is a channel layer that does: the in-memory one ends at this process."""
    layer = get_channel_layer()
    return layer is not None and not isinstance(layer, InMemoryChannelLayer)


async def send_to_layer(envelopes: list[Envelope]) -> bool:
    """Ring other processes' bells; tell whether the layer took it.

    A layer that is away, or takes long, is logged: the others will look at the log.
    """
    layer = get_channel_layer()
    assert layer is not None
    try:
        # Clients of a layer try again and again by themselves: nobody shall wait for that.
        async with asyncio.timeout(LAYER_SECONDS):
            for envelope in envelopes:
                message = envelope.to_message()
                for group in envelope.groups():
                    await layer.group_send(group, message)
    except Exception as error:
        logger.warning("The channel layer did not take an event: %r", error)
        return False
    return True


def read_epoch() -> str:
    """Return the epoch of the database's history, from the primary."""
    return Epoch.objects.read()


def parse_payload(payload: str) -> Any:
    """Return a rendered event as plain objects."""
    return orjson.loads(payload)


def heads(places: Mapping[str, int]) -> dict[str, int]:
    """Return the newest logged places of those streams that have one after a place of theirs.

    One query, however many streams, and as many rows as have moved on. Like all that keeps sockets
    and streams together, it asks the primary database: the log of a replica may be behind.

    Args:
        places: the place of each stream.
    """
    connection = connections[router.db_for_write(StreamEvent)]
    log = StreamEvent._meta.db_table
    if connection.vendor == "postgresql":
        source = "unnest(%s::text[], %s::bigint[]) AS wanted(key, value)"
        parameters: list[Any] = [list(places), list(places.values())]
    else:
        source = "json_each(%s) AS wanted"
        parameters = [orjson.dumps(places).decode()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stream, head FROM (SELECT wanted.key AS stream, wanted.value AS place, "
            f"(SELECT MAX(seq) FROM {log} WHERE stream = wanted.key) AS head FROM {source}"
            ") AS heads WHERE head > place",
            parameters,
        )
        return dict(cursor.fetchall())


def _log() -> QuerySet[StreamEvent]:
    return StreamEvent.objects.using(router.db_for_write(StreamEvent))


def _envelope(row: StreamEvent) -> Envelope:
    return Envelope(row.stream, row.seq, row.kind, row.payload, row.change)


def read_log(stream: str, after: int, limit: int) -> list[Envelope]:
    """Return up to `limit` logged envelopes of a stream after the place `after`, in order."""
    rows = _log().filter(stream=stream, seq__gt=after).order_by("seq")[:limit]
    return [_envelope(row) for row in rows]


def read_changes(stream: str, after: int) -> list[Mapping[str, Any]]:
    """Return how logged frames of a stream after a place change who is entitled to it, in order."""
    rows = _log().filter(stream=stream, seq__gt=after, change__isnull=False).order_by("seq")
    return [change or {} for change in rows.values_list("change", flat=True)]


def read_on(
    stream: str, after: int, limit: int, users: Collection[str]
) -> tuple[list[Envelope], set[str]]:
    """Read on in the log, and whether who follows the stream may.

    Args:
        stream: the stream's name.
        after: the place after which to read.
        limit: how many envelopes at most.
        users: the ids of users who are entitled to what comes after that place.

    Returns:
        The envelopes, in order; and those of the users who are not entitled to them though no
        frame has said so: plain code removed them, and the word of it is late or lost. Whoever
        came back since then is among them.
    """
    kind, _, key = stream.partition(":")
    gone: set[str] = set()
    if kind == "room":
        # Before the log is read: a frame by which one of them left is in it then.
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


def missed(ranges: Mapping[str, tuple[int, int]], limit: int) -> list[Envelope]:
    """Return the logged envelopes of several streams, in the order in which they were logged.

    Args:
        ranges: for each stream the place after which, and the place up to which.
        limit: how many at most, over all streams.
    """
    found: list[StreamEvent] = []
    for rows in _select_missed(ranges):
        found += rows.order_by("pk")[: limit - len(found)]
    found.sort(key=lambda row: row.pk)
    return [_envelope(row) for row in found]


def weigh_missed(ranges: Mapping[str, tuple[int, int]]) -> int:
    """Return how large the payloads are that `missed` would read without a limit.

    Args:
        ranges: as there.
    """
    sizes = (rows.aggregate(size=Sum(_Size("payload")))["size"] for rows in _select_missed(ranges))
    return sum(size or 0 for size in sizes)


class _Size(Length):
    """The size of a text, roughly: on PostgreSQL in bytes, which it knows without reading it."""

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

"""Gates: a room that is locked holds no more than its share of the database threads.

Whoever writes in a room waits for the lock of its row, and a thread waits with them. So an event
enters the gate of its rooms before it locks them. Where a room has its share of threads already,
the event steps aside: its transaction is undone, its thread does other work, and it is done again
from its beginning when one of the room's threads has ended what it did.
"""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .conf import chat_settings
from .errors import Busy

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from .models.carriers import Carrier

T = TypeVar("T")

SHARE = 2
"""How many threads a room may have: one that works, and one that is ready when that ends."""

PARKED = 1000
"""How many events may wait at the gate of one room."""

Rooms = frozenset[str]


class RoomBusy(BaseException):
    """An event has to step aside. The thread catches it; code of operations lets it pass.

    No `Exception`, so that nothing takes it for an error of what it called.

    Attributes:
        rooms: the ids of all the rooms that the event needs, as far as it has come.
    """

    def __init__(self, rooms: Rooms) -> None:
        super().__init__(f"Enough threads wait for {', '.join(sorted(rooms))}.")
        self.rooms = rooms


def enter(room_ids: Iterable[Any]) -> None:
    """Enter the gates of rooms, right before their rows are locked.

    Does nothing but on a database thread that does the work of rooms: a view, a command or
    SQLite's one thread wait as ever. The gates are left when the event is done.

    Args:
        room_ids: the rooms; those that were entered before may be among them.

    Raises:
        RoomBusy: one of them has its share of threads.
    """
    visit = _here.visit
    if visit is not None:
        visit.enter(room_ids)


def applies() -> bool:
    """Tell whether the running thread has to enter gates at all."""
    return _here.visit is not None


class _Here(threading.local):
    """What a thread is at."""

    visit: Visit[Any] | None = None


_here = _Here()


@dataclass(order=True, slots=True)
class Parked(Generic[T]):
    """An event that waits at a gate.

    Attributes:
        number: its place in the order of the asking.
        job: the event.
        rooms: all of its rooms.
        deadline: when it has waited for too long, by the monotonic clock; None for never.
    """

    number: int
    job: T = field(compare=False)
    rooms: Rooms = field(compare=False)
    deadline: float | None = field(compare=False)


@dataclass(slots=True)
class Visit(Generic[T]):
    """One try of an event, and the rooms that it has entered.

    Attributes:
        gate: the gate.
        rooms: the ids of the rooms.
    """

    gate: Gate[T]
    rooms: Rooms

    def enter(self, room_ids: Iterable[Any]) -> None:
        """Enter more rooms.

        Raises:
            RoomBusy: one of them has its share of threads.
        """
        wanted = frozenset(map(str, room_ids)) - self.rooms
        everything = self.rooms | wanted
        if not self.gate.take(wanted):
            raise RoomBusy(everything)
        self.rooms = everything


class Gate(Generic[T]):
    """The gates of all rooms, for the threads that do the work of rooms.

    Any thread may call any of it.

    Args:
        again: takes an event that may be tried again, with the places it needs kept for it.
        refuse: takes an event that has waited for too long.
        share: how many threads a room may have.
        limit: how many events may wait at the gate of one room.
    """

    def __init__(
        self,
        again: Callable[[T, Rooms], None],
        refuse: Callable[[T, Busy], None],
        share: int = SHARE,
        limit: int = PARKED,
    ) -> None:
        self._again = again
        self._refuse = refuse
        self._share = share
        self._limit = limit
        self._lock = threading.Condition()
        self._taken: dict[str, int] = defaultdict(int)
        self._lines: dict[str, list[Parked[T]]] = {}
        self._watched_until: float | None = None

    @contextmanager
    def visit(self, rooms: Rooms) -> Iterator[Visit[T]]:
        """Let the running thread try an event that has places in these rooms already."""
        _here.visit = visit = Visit(self, rooms)
        try:
            yield visit
        finally:
            _here.visit = None

    def take(self, rooms: Collection[str]) -> bool:
        """Take a place in each of these rooms, or none; tell which."""
        with self._lock:
            return self._take(rooms)

    def leave(self, rooms: Collection[str]) -> None:
        """Give places back; who waits for them is tried again."""
        with self._lock:
            self._leave(rooms)

    def park(self, number: int, job: T, held: Collection[str], rooms: Rooms) -> None:
        """Let an event wait that has to step aside, and give its places back.

        Args:
            number: its place in the order of the asking.
            job: the event.
            held: the rooms in which it has a place.
            rooms: all that it needs.
        """
        seconds = chat_settings.LOCK_TIMEOUT
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            self._leave(held)
            if self._take(rooms):  # somebody left meanwhile
                self._again(job, rooms)
            elif any(len(self._lines.get(room, ())) >= self._limit for room in rooms):
                self._refuse(job, Busy())
            else:
                parked = Parked(number, job, rooms, deadline)
                for room in rooms:
                    # By the number, since threads may come here in another order.
                    insort(self._lines.setdefault(room, []), parked)
                self._watch(deadline)

    def _take(self, rooms: Collection[str]) -> bool:
        if any(self._taken.get(room, 0) >= self._share for room in rooms):
            return False
        for room in rooms:
            self._taken[room] += 1
        return True

    def _leave(self, rooms: Collection[str]) -> None:
        for room in rooms:
            self._taken[room] -= 1
            if not self._taken[room]:
                del self._taken[room]
        for room in rooms:
            # One place was given back. Who needs other rooms too lets others of this one pass.
            for parked in self._lines.get(room, ()):
                if self._take(parked.rooms):
                    self._forget(parked)
                    self._again(parked.job, parked.rooms)
                    break

    def _forget(self, parked: Parked[T]) -> None:
        for room in parked.rooms:
            line = self._lines[room]
            line.remove(parked)
            if not line:
                del self._lines[room]

    def _watch(self, deadline: float | None) -> None:
        """See to it that who waits until a deadline is refused then."""
        if deadline is None:
            return
        if self._watched_until is None:
            self._watched_until = deadline
            threading.Thread(target=self._refuse_in_time, name="chat-gate", daemon=True).start()
        elif deadline < self._watched_until:  # the setting has changed
            self._watched_until = deadline
            self._lock.notify()

    def _refuse_in_time(self) -> None:
        """Refuse whoever has waited for too long, until nobody waits."""
        with self._lock:
            while self._watched_until is not None:
                self._lock.wait(max(0.0, self._watched_until - time.monotonic()))
                self._refuse_late()
                self._watched_until = min(self._deadlines(), default=None)

    def _deadlines(self) -> Iterator[float]:
        for line in self._lines.values():
            yield from (parked.deadline for parked in line if parked.deadline is not None)

    def _refuse_late(self) -> None:
        now = time.monotonic()
        late = {
            parked.number: parked
            for line in self._lines.values()
            for parked in line
            if parked.deadline is not None and parked.deadline <= now
        }
        for parked in late.values():
            self._forget(parked)
            self._refuse(parked.job, Busy())


def limit_lock_waits(connection: BaseDatabaseWrapper, carrier: Carrier) -> None:
    """Let no statement of the running transaction wait longer for a lock than `LOCK_TIMEOUT`.

    On PostgreSQL; on SQLite the `timeout` of the connection says how long its one writer is waited
    for. A statement that waited for so long raises what `errors.ExceptionHandler` turns into
    `Busy`. `statement_timeout` stays as the project has it.

    Args:
        connection: this thread's connection.
        carrier: takes the statement along.
    """
    seconds = chat_settings.LOCK_TIMEOUT
    if seconds is not None and connection.vendor == "postgresql":
        milliseconds = max(1, round(seconds * 1000))
        carrier.ahead(f"SET LOCAL lock_timeout = {milliseconds}")

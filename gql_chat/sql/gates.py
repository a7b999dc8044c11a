"""Gates: a row that is locked holds no more than its share of the database threads.

Whoever writes waits for the lock of a row, and a thread waits with them. So a job enters the gates
of its rows, named by their keys, before it locks them. Where a row has its share of threads
already, the job steps aside: its transaction is undone, its thread does other work, and it is done
again from its beginning when one of the row's threads has ended what it did.
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

from ..errors import Busy

if TYPE_CHECKING:
    pass

T = TypeVar("T")

SHARE = 2
"""How many threads a row may have: one that works, and one that is ready when that ends."""

PARKED = 1000
"""How many jobs may wait at the gate of one row."""

Keys = frozenset[str]

Patience = Callable[[], float | None]
"""Returns for how many seconds a lock may be waited for, as of now; None for any time."""


class Crowded(BaseException):
    """A job has to step aside. The thread catches it; code of operations lets it pass.

    No `Exception`, so that nothing takes it for an error of what it called.

    Attributes:
        keys: the ids of all the keys that the job needs, as far as it has come.
    """

    def __init__(self, keys: Keys) -> None:
        super().__init__(f"Enough threads wait for {', '.join(sorted(keys))}.")
        self.keys = keys


def enter(keys: Iterable[Any]) -> None:
    """Enter the gates of keys, right before their rows are locked.

    Does nothing but on a database thread that does the work of locked rows: a view, a command or
    SQLite's one thread wait as ever. The gates are left when the job is done.

    Args:
        keys: the keys; those that were entered before may be among them.

    Raises:
        Crowded: one of them has its share of threads.
    """
    visit = _here.visit
    if visit is not None:
        visit.enter(keys)


def applies() -> bool:
    """Tell whether the running thread has to enter gates at all."""
    return _here.visit is not None


class _Here(threading.local):
    """What a thread is at."""

    visit: Visit[Any] | None = None


_here = _Here()


@dataclass(order=True, slots=True)
class Parked(Generic[T]):
    """A job that waits at a gate.

    Attributes:
        number: its place in the order of the asking.
        job: the job.
        keys: all of its keys.
        deadline: when it has waited for too long, by the monotonic clock; None for never.
    """

    number: int
    job: T = field(compare=False)
    keys: Keys = field(compare=False)
    deadline: float | None = field(compare=False)


@dataclass(slots=True)
class Visit(Generic[T]):
    """One try of a job, and the keys that it has entered.

    Attributes:
        gate: the gate.
        keys: the ids of the keys.
    """

    gate: Gate[T]
    keys: Keys

    def enter(self, keys: Iterable[Any]) -> None:
        """Enter more keys.

        Raises:
            Crowded: one of them has its share of threads.
        """
        wanted = frozenset(map(str, keys)) - self.keys
        everything = self.keys | wanted
        if not self.gate.take(wanted):
            raise Crowded(everything)
        self.keys = everything


class Gate(Generic[T]):
    """The gates of all keys, for the threads that do the work of keys.

    Any thread may call any of it.

    Args:
        again: takes a job that may be tried again, with the places it needs kept for it.
        refuse: takes a job that has waited for too long.
        patience: returns for how many seconds a job may wait, as of now; None for any time.
        share: how many threads a row may have.
        limit: how many jobs may wait at the gate of one row.
    """

    def __init__(
        self,
        again: Callable[[T, Keys], None],
        refuse: Callable[[T, Busy], None],
        patience: Patience = lambda: None,
        share: int = SHARE,
        limit: int = PARKED,
    ) -> None:
        self._again = again
        self._refuse = refuse
        self._patience = patience
        self._share = share
        self._limit = limit
        self._lock = threading.Condition()
        self._taken: dict[str, int] = defaultdict(int)
        self._lines: dict[str, list[Parked[T]]] = {}
        self._watched_until: float | None = None

    @contextmanager
    def visit(self, keys: Keys) -> Iterator[Visit[T]]:
        """Let the running thread try a job that has places in these keys already."""
        _here.visit = visit = Visit(self, keys)
        try:
            yield visit
        finally:
            _here.visit = None

    def take(self, keys: Collection[str]) -> bool:
        """Take a place in each of these keys, or none; tell which."""
        with self._lock:
            return self._take(keys)

    def leave(self, keys: Collection[str]) -> None:
        """Give places back; who waits for them is tried again."""
        with self._lock:
            self._leave(keys)

    def park(self, number: int, job: T, held: Collection[str], keys: Keys) -> None:
        """Let a job wait that has to step aside, and give its places back.

        Args:
            number: its place in the order of the asking.
            job: the job.
            held: the keys in which it has a place.
            keys: all that it needs.
        """
        seconds = self._patience()
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            self._leave(held)
            if self._take(keys):  # somebody left meanwhile
                self._again(job, keys)
            elif any(len(self._lines.get(key, ())) >= self._limit for key in keys):
                self._refuse(job, Busy())
            else:
                parked = Parked(number, job, keys, deadline)
                for key in keys:
                    # By the number, since threads may come here in another order.
                    insort(self._lines.setdefault(key, []), parked)
                self._watch(deadline)

    def _take(self, keys: Collection[str]) -> bool:
        if any(self._taken.get(key, 0) >= self._share for key in keys):
            return False
        for key in keys:
            self._taken[key] += 1
        return True

    def _leave(self, keys: Collection[str]) -> None:
        for key in keys:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
        for key in keys:
            # One place was given back. Who needs other keys too lets others of this one pass.
            for parked in self._lines.get(key, ()):
                if self._take(parked.keys):
                    self._forget(parked)
                    self._again(parked.job, parked.keys)
                    break

    def _forget(self, parked: Parked[T]) -> None:
        for key in parked.keys:
            line = self._lines[key]
            line.remove(parked)
            if not line:
                del self._lines[key]

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

"""Gates: a locked row keeps no more than its share of the database threads busy.

A job that waits for the lock of a row keeps a thread waiting. So a job enters the gates of its
rows, named by their keys, before it locks them. If a row has its share of threads already, the job
is parked: its transaction is undone, and its thread does other work. The job starts again from its
beginning when one of the row's threads has finished.
"""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..errors import Busy

T = TypeVar("T")

SHARE = 2
"""How many threads a row may have: one that works, and one that is ready to follow it."""

PARKED = 1000
"""How many jobs may wait at the gate of one row."""

Keys = frozenset[str]

Patience = Callable[[], float | None]
"""Returns for how many seconds a job may wait at present; None for no limit."""


class Crowded(BaseException):
    """A row has its share of threads, so the job must be parked. Its thread catches this.

    It is no `Exception`, so that an operation's `except Exception` lets it pass.

    Attributes:
        keys: all the keys that the job has asked for so far.
    """

    def __init__(self, keys: Keys) -> None:
        super().__init__(f"Enough threads wait for {', '.join(sorted(keys))}.")
        self.keys = keys


def enter(keys: Iterable[Any]) -> None:
    """Enter the gates of some keys, right before their rows are locked.

    It does nothing on a thread that has no gate: a view, a command or SQLite's one thread simply
    waits for the lock. The job leaves its gates when it is done.

    Args:
        keys: the keys; some of them may have been entered before.

    Raises:
        Crowded: one of them has its share of threads.
    """
    visit = _here.visit
    if visit is not None:
        visit.enter(keys)


def applies() -> bool:
    """Return whether the running thread has to enter gates."""
    return _here.visit is not None


class _Here(threading.local):
    """The visit of the job that a thread is doing; None on a thread without a gate."""

    visit: Visit[Any] | None = None


_here = _Here()


@dataclass(order=True, slots=True)
class Parked(Generic[T]):
    """A job that waits at a gate.

    Attributes:
        number: the number under which it was queued: lower ones go first.
        job: the job.
        keys: all of its keys.
        deadline: when it is refused, by the monotonic clock; None for never.
    """

    number: int
    job: T = field(compare=False)
    keys: Keys = field(compare=False)
    deadline: float | None = field(compare=False)


@dataclass(slots=True)
class Visit(Generic[T]):
    """One attempt at a job, and the keys that it has entered.

    Attributes:
        gate: the gate.
        keys: the keys.
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
    """The gates of all keys, for one crew of threads.

    Any thread may call any method.

    Args:
        again: called with a job that may start again, and the keys that it has entered already.
        refuse: called with a job that has waited for too long, or found too many waiting.
        patience: returns for how many seconds a job may wait at present; None for no limit.
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
        """Run one attempt at a job on this thread; the job has entered these keys already."""
        _here.visit = visit = Visit(self, keys)
        try:
            yield visit
        finally:
            _here.visit = None

    def take(self, keys: Collection[str]) -> bool:
        """Enter all of these keys, or none of them; return whether they were entered."""
        with self._lock:
            return self._take(keys)

    def leave(self, keys: Collection[str]) -> None:
        """Leave these keys. Parked jobs that can enter theirs now start again."""
        with self._lock:
            self._leave(keys)

    def park(self, number: int, job: T, held: Collection[str], keys: Keys) -> None:
        """Leave the keys of a job, and let it wait until it can enter all that it needs.

        Args:
            number: the number under which it was queued.
            job: the job.
            held: the keys that it has entered.
            keys: all keys that it needs.
        """
        seconds = self._patience()
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            self._leave(held)
            if self._take(keys):  # another job left meanwhile
                self._again(job, keys)
            elif any(len(self._lines.get(key, ())) >= self._limit for key in keys):
                self._refuse(job, Busy())
            else:
                parked = Parked(number, job, keys, deadline)
                for key in keys:
                    # Sorted by the number: threads may come here in another order.
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
            # One thread has left. A job that needs other keys, too, may have to let others pass.
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
        """Start the thread that refuses late jobs, or tell it of an earlier deadline."""
        if deadline is None:
            return
        if self._watched_until is None:
            self._watched_until = deadline
            threading.Thread(target=self._refuse_in_time, name="chat-gate", daemon=True).start()
        elif deadline < self._watched_until:  # the setting was lowered meanwhile
            self._watched_until = deadline
            self._lock.notify()

    def _refuse_in_time(self) -> None:
        """Refuse each job at its deadline, until no job waits."""
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

"""Readings: the changes that happen while the memberships of users are read.

The answer of a database may be older than what the hub knows by the time it comes. So the hub keeps
the frames and departures that happen while a reading is under way.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable

from gql_chat.streams import Envelope

from .registry import Registry


class Readings:
    """Knows the readings under way, and keeps the changes that they may not know.

    Args:
        registry: the subscribers and streams.
        take: takes the kept frames whose streams are heard by the end of a reading.
        on_idle: called when the last reading has ended.
    """

    def __init__(
        self,
        registry: Registry,
        take: Callable[[list[Envelope]], None],
        on_idle: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._take = take
        self._on_idle = on_idle
        self._numbers = itertools.count(1)
        self._newest = 0
        # The readings under way, the oldest first, with their numbers.
        self._under_way: dict[object, int] = {}
        # The departures: user, stream and sequence number; and frames of streams that nobody here
        # hears yet. Each has the number of the newest reading that needs it: later readings know
        # it.
        self._left: dict[tuple[str, str], tuple[int, int]] = {}
        self._stash: deque[tuple[int, Envelope]] = deque()

    def __contains__(self, reading: object) -> bool:
        return reading in self._under_way

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def kept_frames(self) -> int:
        """How many frames are kept."""
        return len(self._stash)

    @property
    def kept_departures(self) -> int:
        """How many departures are kept."""
        return len(self._left)

    def begin(self, reading: object) -> None:
        """Begin to keep changes: memberships are about to be read that may be older."""
        self._newest = self._under_way[reading] = next(self._numbers)

    def end(self, reading: object) -> None:
        """End a reading: the frames that arrived meanwhile are taken now."""
        self._under_way.pop(reading, None)
        if self._stash:
            heard = self._registry.streams
            self._take([envelope for _, envelope in self._stash if envelope.stream in heard])
        oldest = next(iter(self._under_way.values()), None)
        if oldest is not None:
            self._forget_before(oldest)
            return
        self.clear()
        self._on_idle()

    def keep(self, envelope: Envelope) -> None:
        """Keep a frame of a stream that nobody here hears, if a reading may need it."""
        if self._under_way and envelope.seq:
            self._stash.append((self._newest, envelope))

    def keep_departure(self, name: str, user: str, seq: int) -> None:
        """Keep that a user left a stream at a sequence number, if a reading may need it."""
        if self._under_way:
            before, _ = self._left.pop((name, user), (0, 0))
            self._left[name, user] = (max(seq, before), self._newest)

    def departure(self, name: str, user: str) -> int:
        """Return the sequence number at which a user left a stream; 0 where none is kept."""
        return self._left[name, user][0] if (name, user) in self._left else 0

    def forget_departure(self, name: str, user: str) -> None:
        """Forget that a user left: they are back."""
        self._left.pop((name, user), None)

    def clear(self) -> None:
        """Forget the changes."""
        self._stash.clear()
        self._left.clear()

    def _forget_before(self, oldest: int) -> None:
        """Drop the changes that no reading needs any more. Readings may overlap at all times."""
        while self._stash and self._stash[0][0] < oldest:
            self._stash.popleft()
        while self._left:
            key = next(iter(self._left))
            if self._left[key][1] >= oldest:
                return
            del self._left[key]

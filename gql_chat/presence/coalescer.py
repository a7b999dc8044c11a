"""The coalescer: of many changes of a value only so many are told, and always the last one."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Coalescer(Generic[KeyT, ValueT]):
    """Says which changes of values are to be told, and when: at most one per key and interval.

    The first change is told at once. Those that follow too soon wait, each in place of the one
    before it. A value that is back at what was told last is no change.

    It has no clock: whoever calls it says what time it is.

    Args:
        interval: how many seconds lie between two changes of a key that are told.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._told: dict[KeyT, ValueT] = {}
        self._told_at: dict[KeyT, float] = {}
        self._waiting: dict[KeyT, ValueT] = {}
        # The keys that wait, by when they are due. Of each only its newest entry counts.
        self._entries: dict[KeyT, int] = {}
        self._due: list[tuple[float, int, KeyT]] = []
        self._numbers = 0

    def __contains__(self, key: KeyT) -> bool:
        """Tell whether something was told of a key."""
        return key in self._told

    @property
    def next_due(self) -> float | None:
        """When the next change is to be told, in seconds of the caller's clock; None for never."""
        while self._due and self._is_stale(*self._due[0][1:]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _is_stale(self, number: int, key: KeyT) -> bool:
        return key not in self._waiting or self._entries[key] != number

    def start(self, key: KeyT, value: ValueT) -> None:
        """Note what somebody was told of a key by other means. It is no change."""
        self._told[key] = value

    def offer(self, key: KeyT, value: ValueT, now: float) -> None:
        """Take the value that a key has now, changed or not."""
        if key in self._told and self._told[key] == value:
            self._waiting.pop(key, None)
            return
        if key not in self._waiting:
            due = max(now, self._told_at.get(key, float("-inf")) + self._interval)
            self._numbers += 1
            self._entries[key] = self._numbers
            heapq.heappush(self._due, (due, self._numbers, key))
        self._waiting[key] = value

    def take_due(self, now: float) -> list[tuple[KeyT, ValueT]]:
        """Return the changes that are to be told now, and take them for told."""
        found = []
        while (due := self.next_due) is not None and due <= now:
            _, _, key = heapq.heappop(self._due)
            value = self._waiting.pop(key)
            self._told[key], self._told_at[key] = value, now
            found.append((key, value))
        return found

    def forget(self, key: KeyT) -> None:
        """Forget a key that nobody wants to be told of any more."""
        self._told.pop(key, None)
        self._told_at.pop(key, None)
        self._waiting.pop(key, None)
        self._entries.pop(key, None)

"""Deadlines that an event loop with much to do puts off."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

PAUSE = 0.1
"""Seconds of one of the pauses that a deadline counts."""

MOST = 4
"""By how many times a late event loop may put a deadline off."""


class Deadline:
    """Ends the work of its block with `TimeoutError`, like `asyncio.timeout`, but is fair.

    `asyncio.timeout` counts seconds. A loop that is late spends them on other work, while the
    answer waits in a buffer, unread. So this counts short pauses, and one that ends late does not
    count. A server that hangs still runs into the deadline: it answers in no pause.

    Args:
        seconds: how long the work may take in a loop that keeps up; `MOST` times as long, and the
            time by which the loop is late, in one that does not.
    """

    __slots__ = ("_due", "_in_time", "_left", "_limit", "_loop", "_most", "_timer")

    def __init__(self, seconds: float) -> None:
        self._in_time = max(1, round(seconds / PAUSE))
        self._left = self._in_time
        self._most = self._in_time * MOST

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        await self._limit.__aenter__()
        self._pause()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, traceback)

    def go_on(self) -> None:
        """Give the next part of the work as many seconds as the first; `MOST` bounds all of it."""
        self._left = self._in_time

    def _pause(self) -> None:
        self._due = self._loop.time() + PAUSE
        self._timer = self._loop.call_at(self._due, self._count)

    def _count(self) -> None:
        now = self._loop.time()
        self._most -= 1
        if now - self._due < PAUSE:
            self._left -= 1
        if self._left <= 0 or self._most <= 0:
            self._limit.reschedule(now)
        else:
            self._pause()

"""The intake of one socket: its frames are begun in order, and several are under way at once.

The next frame is begun when the database work of the one before is queued. So a client that sends
without waiting keeps the database thread busy, where one frame after the other would leave it idle
while frames go out; and its events may share a commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

LIMIT = 8
"""How many frames of one socket may be under way."""

Answer = Callable[[str | None], Coroutine[Any, Any, None]]
Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Intake:
    """Begins with frames, and knows which are under way.

    Args:
        answer: answers a frame. It calls `queued` when others may follow; until then, or until
            it is done, none is begun.
        spawn: runs a coroutine in the background.
        limit: how many frames may be under way.
    """

    def __init__(self, answer: Answer, spawn: Spawn, limit: int = LIMIT) -> None:
        self._answer = answer
        self._spawn = spawn
        self._limit = limit
        # In the order in which they were begun, each with what its successor waits for.
        self._under_way: dict[asyncio.Task[None], asyncio.Future[None]] = {}

    async def take(self, text: str | None) -> None:
        """Begin with a frame; return when the next may come."""
        if len(self._under_way) >= self._limit:
            await _wait_for(next(iter(self._under_way)))
        queued = asyncio.get_running_loop().create_future()
        task = self._spawn(self._answer(text))
        self._under_way[task] = queued
        task.add_done_callback(self._ended)
        await queued

    def queued(self) -> None:
        """Say, out of `answer`, that the work of the frame is queued."""
        task = asyncio.current_task()
        queued = None if task is None else self._under_way.get(task)
        if queued is not None:
            _release(queued)

    async def earlier(self) -> None:
        """Wait, inside `answer`, until all frames before this one are answered."""
        mine = asyncio.current_task()
        for task in list(self._under_way):
            if task is mine:
                return
            await _wait_for(task)

    async def finish(self) -> None:
        """Wait until nothing is under way."""
        for task in list(self._under_way):
            await _wait_for(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        _release(self._under_way.pop(task))


def _release(queued: asyncio.Future[None]) -> None:
    if not queued.done():
        queued.set_result(None)


async def _wait_for(task: asyncio.Task[None]) -> None:
    if not task.done():
        await asyncio.wait([task])

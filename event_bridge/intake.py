"""The intake of one socket: the work of several of its frames may be queued at once.

The next frame is taken while the database work of those before it waits or runs. So a client that
sends without waiting keeps the database thread busy, and its events may share a commit. Frame by
frame, the thread would be idle while answers go out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

LIMIT = 8
"""How many frames of one socket may be under way."""

Job = asyncio.Future[Any]


class Intake:
    """Knows which frames are under way: queued, and not answered yet.

    The database thread does the work in the order of the queue. So frames are answered in order.

    Args:
        limit: how many frames may be under way.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._jobs: list[Job] = []

    def add(self, job: Job, answer: Callable[[Job], None]) -> None:
        """Count a frame whose work was queued as under way.

        Args:
            job: the work.
            answer: called with the job when it is done.
        """
        self._jobs.append(job)
        job.add_done_callback(self._jobs.remove)
        job.add_done_callback(answer)

    async def free(self) -> None:
        """Wait until another frame may be taken."""
        while len(self._jobs) >= self._limit:
            await asyncio.wait([self._jobs[0]])

    async def finish(self) -> None:
        """Wait until nothing is under way: all frames so far are answered."""
        while self._jobs:
            await asyncio.wait([self._jobs[-1]])

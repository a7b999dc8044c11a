"""The intake of one socket: the work of several of its frames may be queued at once.

The next frame is taken while the database work of those before it waits or runs. So a client that
sends without waiting keeps the database thread busy, where one frame after the other would leave
it idle while frames go out; and its events may share a commit.
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

    The queue has to do first what was queued first; so frames are answered in their order.

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

"""The thread on which contents with markup are cleaned, before an event is queued."""

from __future__ import annotations

import asyncio

from gql_chat.errors import RETRY_AFTER, Unavailable
from gql_chat.schema import Context
from gql_chat.sql.threads import DatabaseThreads

LIMIT = 100
"""How many contents may wait. Each takes at most about a tenth of a second."""


class Cleaning:
    """Cleans contents one after the other, on a thread that nothing else waits for.

    It is a database thread, since a project's `EventHandler.sanitize` may ask the database.

    Args:
        limit: how many contents may be under way.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._threads = DatabaseThreads(1)
        self._under_way: set[asyncio.Future[None]] = set()

    async def clean(self, context: Context, content: str) -> None:
        """Clean a content. Its operation finds the result in the context.

        Raises:
            Unavailable: too many wait.
        """
        if len(self._under_way) >= self._limit:
            detail = {"message": "Too many messages wait.", "retry_after": RETRY_AFTER}
            raise Unavailable(detail)
        job = self._threads.run(context.clean, content)
        self._under_way.add(job)
        job.add_done_callback(self._under_way.discard)
        await job

    def close(self) -> None:
        """Let the thread finish what waits, close its connections and end."""
        self._threads.close()

"""The background tasks of a hub."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, TypeVar

from gql_chat.failures import outline
from gql_chat.tables import report_missing

logger = logging.getLogger("event_bridge")

T = TypeVar("T")

RETRY_SECONDS = 2.0
"""How long the hub waits until it asks a database again that did not answer."""


class Tasks:
    """Runs a hub's work in the background.

    Args:
        loop: the event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Run a coroutine in the background, until it ends or all are cancelled.

        It gets a context of its own: its work is not done for the socket that caused it.
        """
        task: asyncio.Task[Any] = self._loop.create_task(work, context=Context())
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the database until it answers."""
        while True:
            try:
                return await ask()
            except Exception as error:
                if not report_missing(error):
                    logger.warning("The hub could not ask the database: %s", outline(error))
                await asyncio.sleep(RETRY_SECONDS)

    def cancel(self) -> None:
        """Cancel all tasks."""
        for task in tuple(self._running):
            task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("A task of the hub ended: %s", outline(error))

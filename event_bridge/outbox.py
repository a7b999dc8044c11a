"""The outbox of one socket: frames leave in order, and a slow client delays nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import CoroutineType, coroutine
from typing import Any

logger = logging.getLogger("event_bridge")

Send = Callable[[dict[str, Any]], Awaitable[None]]

LIMIT = 1000
"""How many frames may wait for a client before it counts as too slow."""

SIZE_LIMIT = 8 * 1024 * 1024
"""How many characters those frames may have together."""


class Outbox:
    """Writes frames to a socket.

    A client that keeps up gets each frame at once, with no task and no queue: the server's
    `send` is run until it would wait, which for such a client it does not. When it would,
    the rest of that `send` and all frames after it are left to a task, until the client has
    caught up.

    Args:
        send: the ASGI `send` of the socket.
        on_overflow: called, once, when more waits than may.
        limit: how many frames may wait.
        size_limit: how many characters they may have together.

    Attributes:
        size: how many characters wait.
    """

    # A message goes through hundreds of outboxes: what is far from the rest of one costs time.
    __slots__ = (
        "_closed",
        "_limit",
        "_on_overflow",
        "_send",
        "_size_limit",
        "_task",
        "_waiting",
        "size",
    )

    def __init__(
        self,
        send: Send,
        on_overflow: Callable[[], None],
        limit: int = LIMIT,
        size_limit: int = SIZE_LIMIT,
    ) -> None:
        self._send = send
        self._on_overflow = on_overflow
        self._limit = limit
        self._size_limit = size_limit
        self.size = 0
        # Made when needed: an empty one takes more than half a kilobyte of every idle socket.
        self._waiting: deque[str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def write(self, text: str) -> None:
        """Send a frame, now or after those that wait. After `close` it goes nowhere."""
        if self._closed:
            return
        if self._task is not None:
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append(text)
            self.size += len(text)
            if len(self._waiting) > self._limit or self.size > self._size_limit:
                self.close()
                self._on_overflow()
            return
        sending: Any = self._send({"type": "websocket.send", "text": text})
        if type(sending) is not CoroutineType:
            sending = _wait_for(sending)
        try:
            pause = sending.send(None)
        except StopIteration:
            return
        except Exception:
            # The client is gone; the socket's own receive loop is about to learn it.
            self.close()
            return
        self._task = asyncio.get_running_loop().create_task(self._catch_up(sending, pause))

    def close(self) -> None:
        """Drop what waits and send nothing any more."""
        self._closed = True
        self._forget()
        if self._task is not None:
            self._task.cancel()

    async def drain(self) -> None:
        """Wait until nothing waits."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _catch_up(self, sending: Coroutine[Any, Any, None], pause: Any) -> None:
        try:
            await _resume(sending, pause)
            while self._waiting:
                text = self._waiting.popleft()
                self.size -= len(text)
                await self._send({"type": "websocket.send", "text": text})
        except Exception:
            self._closed = True
            self._forget()
        finally:
            self._task = None

    def _forget(self) -> None:
        self._waiting = None
        self.size = 0


async def _wait_for(sending: Awaitable[None]) -> None:
    """Await what a server's `send` returned that is no coroutine."""
    await sending


@coroutine
def _resume(sending: Coroutine[Any, Any, None], pause: Any) -> Generator[Any, Any, None]:
    """Await the rest of a coroutine that was run up to its first pause.

    It is what Python 3.12 calls starting a task eagerly; 3.11 has no such thing.
    """
    while True:
        try:
            value = yield pause
        except BaseException as error:
            advance = partial(sending.throw, error)
        else:
            advance = partial(sending.send, value)
        try:
            pause = advance()
        except StopIteration:
            return

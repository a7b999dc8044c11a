"""The outbox of one socket: frames leave in order, and a slow client delays nobody else."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from functools import partial
from types import CoroutineType, coroutine
from typing import Any

from channels.sessions import InstanceSessionWrapper

Send = Callable[[dict[str, Any]], Awaitable[None]]

LIMIT = 1000
"""How many frames may wait for a client before it counts as too slow."""

SIZE_LIMIT = 8 * 1024 * 1024
"""How many characters those frames may have together."""

BACKLOG = 1024 * 1024
"""While more characters wait, no further frame of the client is taken: its requests wait, too."""

PLAIN = ("uvicorn.protocols.websockets.",)
"""The modules of servers whose own `send` may begin in any task: it needs none, and no context.
No server says so of itself. `tests/wire/test_servers.py` notices when a name changes."""


class Outbox:
    """Writes frames to a socket, one `send` at a time.

    A client that keeps up gets each frame at once, with no task and no queue, if the server's
    `send` allows it. The outbox runs that `send` until it would wait; for such a client it does
    not. If it would, a task goes on with that `send` and all frames after it, until the client has
    caught up.

    Any other `send` (another server's, or one that a middleware wraps) runs in a task from its
    beginning. It may belong to a task, as code with `asyncio.timeout` does, and tasks of other
    sockets call `write`.

    Made in the context of the socket, in which its tasks run.

    Args:
        send: the ASGI `send` of the socket.
        on_overflow: called, once, when more frames or characters wait than may.
        on_failure: called, once, with what `send` raised. Nothing is sent after that.
        limit: how many frames may wait.
        size_limit: how many characters they may have together.

    Attributes:
        send: the same as the argument.
        size: how many characters wait.
    """

    # A message goes through hundreds of outboxes. It costs time if an outbox lies in many places
    # of the memory.
    __slots__ = (
        "_begun",
        "_closed",
        "_context",
        "_limit",
        "_on_failure",
        "_on_overflow",
        "_plain",
        "_relief",
        "_size_limit",
        "_task",
        "_waiting",
        "send",
        "size",
    )

    def __init__(
        self,
        send: Send,
        on_overflow: Callable[[], None],
        on_failure: Callable[[BaseException], None],
        limit: int = LIMIT,
        size_limit: int = SIZE_LIMIT,
    ) -> None:
        self.send = send
        self._plain = _is_plain(send)
        self._on_overflow = on_overflow
        self._on_failure = on_failure
        self._limit = limit
        self._size_limit = size_limit
        self._context: Context = copy_context()
        self.size = 0
        # Made when needed: an empty one takes more than half a kilobyte of every idle socket.
        self._waiting: deque[str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._relief: asyncio.Future[None] | None = None
        # Whether the client had a chance to take what waits. If not, the client is not slow.
        self._begun = False
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many frames wait, besides the one that is being sent."""
        return len(self._waiting or ())

    def write(self, text: str) -> None:
        """Send a frame, now or after those that wait. After `close` it goes nowhere.

        Never raises: the caller has other sockets to write to.
        """
        if self._closed:
            return
        if self._task is None and self._plain:
            try:
                sending: Any = self.send({"type": "websocket.send", "text": text})
                if type(sending) is not CoroutineType:
                    sending = _wait_for(sending)
                pause = sending.send(None)
            except StopIteration:
                return
            except Exception as error:
                self._fail(error)
                return
            self._start(self._catch_up(_resume(sending, pause)))
            self._begun = True
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(text)
        self.size += len(text)
        if self._begun and (len(self._waiting) > self._limit or self.size > self._size_limit):
            self.close()
            self._on_overflow()
        elif self._task is None:
            self._start(self._catch_up(None))

    def close(self) -> None:
        """Drop what waits and send nothing any more."""
        self._closed = True
        self._forget()
        if self._task is not None:
            self._task.cancel()

    async def finish(self, seconds: float) -> None:
        """Take nothing more and let what waits leave; drop what has not left in time.

        When it returns no `send` is under way, unless the server's cannot be cancelled.
        """
        self._closed = True
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)
        self.close()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)

    async def drain(self) -> None:
        """Wait until nothing waits."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def relieve(self, size: int) -> None:
        """Wait until at most so many characters wait, or until no more will leave."""
        while self.size > size:
            self._relief = asyncio.get_running_loop().create_future()
            await self._relief

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(work, context=self._context)
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._task is task:  # it was cancelled before it began
            self._task = None
            self._fail(asyncio.CancelledError())

    async def _catch_up(self, begun: Awaitable[None] | None) -> None:
        try:
            if begun is not None:
                await begun
            while self._waiting:
                self._begun = True
                text = self._waiting.popleft()
                self.size -= len(text)
                self._wake()
                await self.send({"type": "websocket.send", "text": text})
        except BaseException as error:
            # A cancellation, too: an open socket must not stay without frames.
            self._fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._task = None
            self._begun = False

    def _fail(self, error: BaseException) -> None:
        """Send nothing any more; tell the socket unless it has closed the outbox itself."""
        told = self._closed
        self._closed = True
        self._forget()
        if not told:
            self._on_failure(error)

    def _forget(self) -> None:
        self._waiting = None
        self.size = 0
        self._wake()

    def _wake(self) -> None:
        """Let `relieve` check the size again."""
        relief, self._relief = self._relief, None
        if relief is not None and not relief.done():
            relief.set_result(None)


def _is_plain(send: Any) -> bool:
    """Tell whether a `send` is the plain one of a server that `PLAIN` names."""
    owner = getattr(send, "__self__", None)
    while isinstance(owner, InstanceSessionWrapper):
        # Channels' sessions only pass frames on, to an attribute that is not public.
        # `tests/wire/test_servers.py` notices when its name changes.
        owner = getattr(owner.real_send, "__self__", None)
    return type(owner).__module__.startswith(PLAIN)


async def _wait_for(sending: Awaitable[None]) -> None:
    """Await an object that a server's `send` returned and that is no coroutine."""
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

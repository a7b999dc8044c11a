"""Closing: how a socket comes to its end, whatever the server and the client do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import copy_context

from gql_chat.failures import outline

from . import protocol
from .daphne import says_gone
from .outbox import Outbox

logger = logging.getLogger("event_bridge")

FLUSH_SECONDS = 2.0
"""How long frames that wait may take to leave before a socket is closed."""

CLOSE_SECONDS = 30.0
"""How long the server may take for closing a socket, until its application just ends."""

GONE_SECONDS = 5.0
"""How long a server may take to tell `receive` as well that a client is gone."""


class Closing:
    """Closes one socket.

    Made in the context of the socket. It sends in that context, whoever closes the socket.

    Args:
        outbox: the frames that wait in it leave before the socket is closed.
        close: closes the socket with a code, in the background.

    Attributes:
        life: ends the application where the server does not; None while it does not run.
        is_receiving: whether the application waits for the client, and answers nothing.
        code: the code that the socket is closed with; None while nobody closes it.
    """

    # A process has many idle sockets.
    __slots__ = ("_close", "_context", "_doubt", "_outbox", "_task", "code", "is_receiving", "life")

    def __init__(self, outbox: Outbox, close: Callable[[int], object]) -> None:
        self.life: asyncio.Timeout | None = None
        self.is_receiving = False
        self.code: int | None = None
        self._outbox = outbox
        self._close = close
        self._context = copy_context()
        self._task: asyncio.Task[None] | None = None
        self._doubt: asyncio.TimerHandle | None = None

    def begin(self, code: int) -> None:
        """Send the frames that wait, then close the socket with a code."""
        self.code = code
        # A task of its own: a project's code, or a hub that stops, may end the task that asked.
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(code), context=self._context)

    async def finished(self, seconds: float | None = None) -> None:
        """Wait until the socket is closed, if that has begun, at most for so many seconds."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)

    def fail(self, error: BaseException) -> None:
        """Close a socket whose server raised at a frame: it would get no frame any more."""
        is_gone = isinstance(error, OSError) and not isinstance(error, TimeoutError)
        if is_gone or says_gone(error):
            # By such an error a server says that the client is gone. It tells `receive` as well,
            # after the frames that the client sent before it went.
            loop = asyncio.get_running_loop()
            self._doubt = loop.call_later(GONE_SECONDS, self._close, protocol.CLOSE_ERROR)
        else:
            logger.warning("A frame could not be sent; the socket is closed: %s", outline(error))
            self._close(protocol.CLOSE_ERROR)

    def forget(self) -> None:
        """Wait for nothing more: the application ends."""
        if self._doubt is not None:
            self._doubt.cancel()

    async def _run(self, code: int) -> None:
        await self._outbox.finish(FLUSH_SECONDS)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send(code)
        except Exception as error:
            logger.debug("A socket could not be closed with %s: %s", code, outline(error))
            self._end(0)
        else:
            self._end(CLOSE_SECONDS)

    async def _send(self, code: int) -> None:
        send = self._outbox.send
        try:
            await send({"type": "websocket.close", "code": code})
        except TimeoutError:
            raise
        except Exception:
            if code not in protocol.CLOSE_SUBSTITUTES:
                raise
            code, problem = protocol.CLOSE_SUBSTITUTES[code]
            await send({"type": "websocket.send", "text": protocol.error(problem)})
            await send({"type": "websocket.close", "code": code})

    def _end(self, seconds: float) -> None:
        """End the application in so many seconds, unless the server ends the connection first."""
        if self.life is not None and not self.life.expired():
            if not self.is_receiving:
                seconds = CLOSE_SECONDS  # the frame that is being answered comes to its end
            self.life.reschedule(asyncio.get_running_loop().time() + seconds)

"""The load: sockets of the documented protocol that cost the client as little as they can.

The server under load has one core and the client must not need the other: picows parses
frames in C, and a frame that only counts is searched for its tag, not parsed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

#: Seconds that any single answer may take.
PATIENCE = 60.0

#: How many sockets are opened at the same time.
AT_ONCE = 50

Frame = dict[str, Any]


class RefusedError(Exception):
    """The server answered with an error, or closed a socket."""


class Socket(WSListener):
    """One open socket of one user.

    Args:
        user_id: the user.
        on_trouble: called when the server closes the socket, or `sink` fails.

    Attributes:
        user_id: the user.
        sink: takes every text frame, as bytes; frames wait to be taken while it is None.
    """

    def __init__(self, user_id: int, on_trouble: Callable[[Exception], None]) -> None:
        super().__init__()
        self.user_id = user_id
        self.sink: Callable[[bytes], None] | None = None
        self._on_trouble = on_trouble
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._transport: WSTransport | None = None
        self._closed = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep what frames are sent with."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame off the network."""
        if frame.msg_type is WSMsgType.CLOSE:
            self._end(RefusedError(f"closed with {frame.get_close_code()}"))
        elif frame.msg_type is WSMsgType.TEXT:
            raw = frame.get_payload_as_bytes()
            if self.sink is None:
                self._frames.put_nowait(raw)
                return
            try:
                self.sink(raw)
            except RefusedError as error:
                self._end(error)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Tell of a connection that is lost."""
        self._end(RefusedError("the connection is lost"))

    def _end(self, error: RefusedError) -> None:
        if not self._closed:
            self._closed = True
            self._on_trouble(error)

    def send(self, event_type: str, data: Any = None) -> None:
        """Send an event."""
        assert self._transport is not None
        frame = {"event_type": event_type, "data": {} if data is None else data}
        self._transport.send(WSMsgType.TEXT, orjson.dumps(frame))

    async def next(self, event_type: str) -> Frame:
        """Return the next frame of this event; others before it are dropped.

        A heartbeat's answer, which has no event, is asked for as `status`.

        Raises:
            RefusedError: the server answered with an error.
            TimeoutError: nothing came in `PATIENCE` seconds.
        """
        async with asyncio.timeout(PATIENCE):
            while True:
                frame: Frame = orjson.loads(await self._frames.get())
                if "error" in frame:
                    raise RefusedError(f"{event_type}: {frame['error']}")
                if frame.get("eventType") == event_type or event_type in frame:
                    return frame

    async def ask(self, event_type: str, data: Any, answer: str) -> Any:
        """Send an event and return the data of its answer."""
        self.send(event_type, data)
        return (await self.next(answer))["data"]

    def close(self) -> None:
        """Hang up."""
        self._closed = True
        if self._transport is not None:
            self._transport.disconnect(graceful=False)


async def open_socket(socket: Socket, url: str) -> None:
    """Connect a socket; return when the server has greeted it."""
    await ws_connect(
        lambda: socket,
        f"{url}?user={socket.user_id}",
        enable_auto_pong=True,
        max_frame_size=1 << 28,
        extra_headers={"Origin": f"http://{urlsplit(url).netloc}"},
    )
    await socket.next("chat.notifications")


@asynccontextmanager
async def crowd(urls: Sequence[str], user_ids: Sequence[int]) -> AsyncIterator[list[Socket]]:
    """Open a socket for each user, until the end of the block.

    Args:
        urls: the server's processes; users take turns, as behind a balancer.
        user_ids: the users.

    Raises:
        RefusedError: as soon as the server refuses something, whatever the block waits for.
    """
    block = asyncio.current_task()
    assert block is not None
    trouble: list[Exception] = []

    def interrupt(error: Exception) -> None:
        if not trouble:
            block.cancel()
        trouble.append(error)

    sockets = [Socket(user_id, interrupt) for user_id in user_ids]
    try:
        for start in range(0, len(sockets), AT_ONCE):
            some = sockets[start : start + AT_ONCE]
            await asyncio.gather(
                *(
                    open_socket(one, urls[place % len(urls)])
                    for place, one in enumerate(some, start)
                )
            )
        yield sockets
    except asyncio.CancelledError:
        if trouble:
            block.uncancel()
            raise trouble[0] from None
        raise
    finally:
        for socket in sockets:
            socket.close()

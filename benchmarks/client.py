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
    """The server answered with an error, which is the message of this one."""


class Socket(WSListener):
    """One open socket of one user.

    Attributes:
        user_id: the user.
        sink: takes every text frame, as bytes; frames wait to be taken while it is None.
    """

    def __init__(self, user_id: int) -> None:
        super().__init__()
        self.user_id = user_id
        self.sink: Callable[[bytes], None] | None = None
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep what frames are sent with."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame off the network."""
        if frame.msg_type is not WSMsgType.TEXT:
            return
        raw = frame.get_payload_as_bytes()
        if self.sink is not None:
            self.sink(raw)
        else:
            self._frames.put_nowait(raw)

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
        if self._transport is not None:
            self._transport.disconnect(graceful=False)


async def open_socket(url: str, user_id: int) -> Socket:
    """Open a socket of a user; return when the server has greeted it."""
    socket = Socket(user_id)
    await ws_connect(
        lambda: socket,
        f"{url}?user={user_id}",
        enable_auto_pong=True,
        max_frame_size=1 << 28,
        extra_headers={"Origin": f"http://{urlsplit(url).netloc}"},
    )
    await socket.next("chat.notifications")
    return socket


@asynccontextmanager
async def crowd(urls: Sequence[str], user_ids: Sequence[int]) -> AsyncIterator[list[Socket]]:
    """Open a socket for each user, until the end of the block.

    Args:
        urls: the server's processes; users take turns, as behind a balancer.
        user_ids: the users.
    """
    sockets: list[Socket] = []
    try:
        for start in range(0, len(user_ids), AT_ONCE):
            some = user_ids[start : start + AT_ONCE]
            sockets += await asyncio.gather(
                *(
                    open_socket(urls[(start + place) % len(urls)], user_id)
                    for place, user_id in enumerate(some)
                )
            )
        yield sockets
    finally:
        for socket in sockets:
            socket.close()

"""How the floor's processes tell each other what was said: one channel of Redis Pub/Sub.

It speaks Redis' protocol by hand: a client library would cost more than all else that the floor
does for a message.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import orjson

Take = Callable[[str, list[int] | None, str], Awaitable[None]]
"""Takes what another process said: the room, its members if it is new, and the frame."""


class Peers:
    """The other processes of the floor.

    Args:
        url: of Redis.
        channel: the channel that all of them use.
        take: called with what each of the others publishes.
    """

    def __init__(self, url: str, channel: str, take: Take) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._channel = channel.encode()
        self._take = take
        self._name = uuid.uuid4().hex
        self._own = b'["%b"' % self._name.encode()
        self._writer: asyncio.StreamWriter | None = None
        self._starting: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Subscribe, unless it is done already."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        replies, self._writer = await asyncio.open_connection(*self._address)
        reader, writer = await asyncio.open_connection(*self._address)
        writer.write(b"SUBSCRIBE %b\r\n" % self._channel)
        await reader.readuntil(b":1\r\n")
        hearing = asyncio.create_task(self._hear(reader, writer))
        self._tasks = [hearing, asyncio.create_task(_drain(replies))]

    def publish(self, room_id: str, members: list[int] | None, text: str) -> None:
        """Tell the others, without waiting for Redis.

        Args:
            room_id: the room.
            members: its members, if it is new.
            text: the frame.
        """
        assert self._writer is not None
        said = orjson.dumps([self._name, room_id, members]) + b"\n" + text.encode()
        self._writer.write(
            b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
            % (len(self._channel), self._channel, len(said), said)
        )

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The writer is kept: with it the connection would go.
        head = b"*3\r\n$7\r\nmessage\r\n$%d\r\n%b\r\n$" % (len(self._channel), self._channel)
        while not writer.is_closing():
            await reader.readexactly(len(head))
            size = int(await reader.readline())
            said = (await reader.readexactly(size + 2))[:-2]
            if not said.startswith(self._own):
                header, _, text = said.partition(b"\n")
                _, room_id, members = orjson.loads(header)
                await self._take(room_id, members, text.decode())


async def _drain(reader: asyncio.StreamReader) -> None:
    """Read the replies to what was published, which nobody waits for."""
    while await reader.read(1 << 16):
        pass

"""Sockets of people: the project's own ASGI application, without a network between."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from channels.routing import URLRouter

from event_bridge.routing import websocket_urlpatterns
from tests.model.chat import Frame, Person
from tests.timing import PATIENCE

PATH = "/messaging/"
#: An event that there is not. Its answer needs no database, and stands behind all that was handed
#: to the socket before.
FENCE = "test.fence"

_numbers = itertools.count(1)


class Device:
    """One socket of a person.

    Attributes:
        person: whose it is, in the model.
        resumed: whether its frames are numbered.
        kept: the sequence number of each stream that it has, as a client keeps them.
    """

    def __init__(self, person: Person, user: Any) -> None:
        self.person = person
        self.resumed = False
        self.kept: dict[str, int] = {}
        self._user = user
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and wait until the socket is accepted."""
        scope = {
            "type": "websocket",
            "path": PATH,
            "headers": [],
            "query_string": b"",
            "subprotocols": [],
            "user": self._user,
        }
        application: Any = URLRouter(websocket_urlpatterns)
        self._task = asyncio.create_task(application(scope, self._in.get, self._out.put))
        self._in.put_nowait({"type": "websocket.connect"})
        accepted = await self._next()
        assert accepted["type"] == "websocket.accept", accepted

    async def close(self) -> None:
        """Leave, and wait until the server has noticed."""
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1000})
        if self._task is not None:
            async with asyncio.timeout(PATIENCE):
                await self._task

    def send(self, frame: Frame) -> None:
        """Send a frame."""
        self.send_raw({"text": json.dumps(frame)})

    def send_raw(self, content: dict[str, Any]) -> None:
        """Send a text or bytes as they are."""
        self._in.put_nowait({"type": "websocket.receive", **content})

    def fence(self) -> str:
        """Send a fence; returns what its answer is known by."""
        mark = f"fence {next(_numbers)}"
        self.send({"event_type": FENCE, "request_id": mark})
        return mark

    async def until(self, mark: str) -> list[Frame]:
        """Take every frame that was handed to the socket before it took a fence."""
        frames: list[Frame] = []
        while True:
            message = await self._next()
            if message["type"] != "websocket.send":
                frames.append({"closed": message.get("code")})
                return frames
            frame = json.loads(message["text"])
            if frame.get("request_id") == mark:
                return frames
            frames.append(frame)

    async def next_frame(self) -> Frame:
        """Take the next frame."""
        frame: Frame = json.loads((await self._next())["text"])
        return frame

    async def _next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self._out.get()

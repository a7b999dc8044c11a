"""A reference client of the event protocol: connect, heartbeat, resume, resend.

It holds three things between connections: how far it has come in each stream, which sends the
server has not confirmed, and what to do with events. That is all a client needs to see every
event once, in order, and to send every message once, whatever breaks.

    pip install websockets
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

NOT_AUTHENTICATED = 4001
"""Log in again: trying again with the same credentials is of no use."""

TOO_MANY = 4029
"""Limits were ignored: wait longer before the next attempt."""

RETRY_LATER = {4029, 4503}
"""Errors that say: the same event may succeed after `retry_after` seconds."""

HEARTBEAT_SECONDS = 20


class LoggedOut(Exception):
    """The server does not know the user any more."""


class ChatClient:
    """Keeps one connection, for as long as `run` runs.

    Args:
        url: of the socket, `wss://example.org/messaging/`.
        on_event: called with the name and the data of every event, in order, once.
        on_refetch: called with a stream's name where the log no longer reaches back: fetch the
            room again with `room.info` and `room.messages`.
        on_gone: called with the name of a stream that the user no longer has.
        options: for `websockets.connect`, such as `additional_headers` with a session cookie.
    """

    def __init__(
        self,
        url: str,
        on_event: Callable[[str, Any], None],
        on_refetch: Callable[[str], None] = lambda stream: None,
        on_gone: Callable[[str], None] = lambda stream: None,
        **options: Any,
    ) -> None:
        self.url = url
        self.on_event = on_event
        self.on_refetch = on_refetch
        self.on_gone = on_gone
        self.options = options
        self.positions: dict[str, int] = {}
        self.unconfirmed: dict[str, dict[str, Any]] = {}
        self.resumed = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._retries: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._replays = False
        self._socket: ClientConnection | None = None

    async def run(self) -> None:
        """Stay connected until cancelled.

        Raises:
            LoggedOut: the server closed with 4001.
        """
        for attempt in itertools.count():
            try:
                async with connect(self.url, **self.options) as socket:
                    await self._talk(socket)
            except (ConnectionClosed, OSError):
                pass
            self.resumed.clear()
            code = self._socket.close_code if self._socket is not None else None
            if code == NOT_AUTHENTICATED:
                raise LoggedOut
            self._fail_answers()
            longest = 30 if code == TOO_MANY else min(30, 0.5 * 2 ** min(attempt, 6))
            await asyncio.sleep(random.uniform(0.1, longest))

    async def send_message(self, room_id: str, content: str, **extra_fields: Any) -> str:
        """Send a message once, however often the connection breaks; return its `client_id`."""
        client_id = str(uuid.uuid4())
        self.unconfirmed[client_id] = {
            "room_id": room_id,
            "content": content,
            "client_id": client_id,
            "extra_fields": extra_fields,
        }
        if self.resumed.is_set():
            await self._send_unconfirmed(client_id)
        return client_id

    async def ask(self, event_type: str, data: dict[str, Any]) -> Any:
        """Send an event and return its private answer's data, or None where it has none.

        Raises:
            RuntimeError: the server answered with an error.
            ConnectionError: the connection broke; whether the event happened is not known.
        """
        await self.resumed.wait()
        assert self._socket is not None
        request_id = f"ask-{next(self._numbers)}"
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        await self._socket.send(
            json.dumps({"event_type": event_type, "data": data, "request_id": request_id})
        )
        return await answer

    async def _talk(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._replays = bool(self.positions)
        resume = {"event_type": "session.resume", "data": {"streams": self.positions}}
        await socket.send(json.dumps(resume))
        heartbeat = asyncio.create_task(self._beat(socket))
        try:
            async for text in socket:
                await self._take(json.loads(text))
        finally:
            for task in (heartbeat, *self._retries):
                task.cancel()

    async def _beat(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await socket.send(json.dumps({"event_type": "session.heartbeat", "data": {}}))

    async def _take(self, frame: dict[str, Any]) -> None:
        request_id = frame.get("request_id")
        if request_id in self._answers:
            self._settle(self._answers.pop(request_id), frame)
        elif request_id in self.unconfirmed:
            self._confirm(request_id, frame)
        elif frame.get("eventType") == "session.resumed":
            await self._start(frame["data"]["streams"])
        elif "seq" in frame:
            self._advance(frame)
        elif frame.get("eventType") == "chat.notifications" or (
            "eventType" in frame and (self.resumed.is_set() or not self._replays)
        ):
            self.on_event(frame["eventType"], frame["data"])  # typing has no place in a stream
        # Any other event before `session.resumed` comes again, in its place, in the replay.

    def _advance(self, frame: dict[str, Any]) -> None:
        stream, seq = frame["stream"], frame["seq"]
        if seq > self.positions.get(stream, 0):
            self.positions[stream] = seq
            self.on_event(frame["eventType"], frame["data"])

    async def _start(self, streams: dict[str, dict[str, Any]]) -> None:
        for stream, place in streams.items():
            if place.get("gone"):
                self.positions.pop(stream, None)
                self.on_gone(stream)
                continue
            self.positions[stream] = place["seq"]
            if not place["recovered"]:
                self.on_refetch(stream)
        self.resumed.set()
        for client_id in list(self.unconfirmed):
            await self._send_unconfirmed(client_id)

    async def _send_unconfirmed(self, client_id: str) -> None:
        assert self._socket is not None
        frame = {
            "event_type": "message.send",
            "data": self.unconfirmed[client_id],
            "request_id": client_id,
        }
        with suppress(ConnectionClosed):  # the next connection sends it again
            await self._socket.send(json.dumps(frame))

    def _confirm(self, client_id: str, frame: dict[str, Any]) -> None:
        error = frame.get("error")
        if error is not None and error["code"] in RETRY_LATER:
            retry = asyncio.create_task(self._retry(client_id, error["detail"]["retry_after"]))
            self._retries.add(retry)
            retry.add_done_callback(self._retries.discard)
            return
        del self.unconfirmed[client_id]
        if error is not None:
            self.on_event("error", error)

    async def _retry(self, client_id: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._send_unconfirmed(client_id)

    def _settle(self, answer: asyncio.Future[Any], frame: dict[str, Any]) -> None:
        if answer.done():
            return
        if "error" in frame:
            answer.set_exception(RuntimeError(frame["error"]))
        else:
            answer.set_result(frame.get("data"))

    def _fail_answers(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the connection broke"))
        self._answers.clear()

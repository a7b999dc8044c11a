"""A WebSocket server that does what a test tells it to, one step for each connection."""

import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.servers import HOST
from tests.timing import PATIENCE, eventually

Frame = dict[str, Any]


class Peer:
    """The server's side of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.answers_heartbeats = True

    async def next(self) -> Frame:
        """Return the next frame; heartbeats are answered and left out."""
        while True:
            frame: Frame = json.loads(await self.connection.recv())
            if frame["event_type"] != "session.heartbeat":
                return frame
            if self.answers_heartbeats:
                await self.confirm(frame)

    async def takes(self, event_type: str) -> Frame:
        """Return the next frame, which has to be of this event."""
        frame = await self.next()
        assert frame["event_type"] == event_type, frame
        return frame

    async def send(self, **frame: Any) -> None:
        """Send a frame."""
        await self.connection.send(json.dumps(frame))

    async def confirm(self, frame: Frame) -> None:
        """Answer a frame with the confirmation."""
        await self.send(status="success", request_id=frame["request_id"])

    async def refuse(self, frame: Frame, code: int, detail: Any) -> None:
        """Answer a frame with an error."""
        await self.send(error={"code": code, "detail": detail}, request_id=frame["request_id"])

    async def resume(self, epoch: str | None = None, **streams: Any) -> Any:
        """Answer `session.resume`; a number stands for a stream that is recovered there.

        Returns:
            The data of the event.
        """
        frame = await self.takes("session.resume")
        places = {
            name.replace("_", ":"): place
            if isinstance(place, dict)
            else {"seq": place, "recovered": True}
            for name, place in streams.items()
        }
        data = {"streams": places} | ({} if epoch is None else {"epoch": epoch})
        await self.send(eventType="session.resumed", data=data, request_id=frame["request_id"])
        return frame["data"]

    async def dispatch(self, content: str, stream: str | None = None, seq: int = 0) -> None:
        """Send a message, with its place or without."""
        place = {} if stream is None else {"stream": stream, "seq": seq}
        await self.send(eventType="message.dispatch", data={"content": content}, **place)

    async def close(self, code: int) -> None:
        """Close; 1006 is a connection that breaks."""
        if code == 1006:
            # Node forgets what it has not read when the connection breaks.
            await (await self.connection.ping())
            self.connection.transport.abort()
        else:
            await self.connection.close(code)

    async def stay(self) -> None:
        """Confirm whatever comes, until the client goes."""
        with suppress(ConnectionClosed):
            while True:
                await self.confirm(await self.next())


Talk = Callable[[Peer], Awaitable[None]]


class Handshake:
    """A step that does not come to a connection.

    Args:
        status: of the answer, or None to answer with `text` as it is and hang up.
        text: what is written, or the body.
        headers: of the answer.
    """

    def __init__(
        self, status: int | None = None, text: str = "", headers: dict[str, str] | None = None
    ) -> None:
        self.status = status
        self.text = text
        self.headers = headers or {}

    def __call__(self, connection: ServerConnection) -> Response:
        """Give the answer."""
        response = connection.respond(self.status or 503, self.text)
        response.headers.update(self.headers)
        if self.status is None:
            connection.transport.write(self.text.encode())
            connection.transport.close()
        return response


async def resumes(peer: Peer) -> None:
    """Take the client in, and confirm what it sends."""
    await peer.resume(user_1=1)
    await peer.stay()


class ScriptedServer:
    """Serves one step for each attempt to connect.

    Args:
        steps: in order. Further attempts get the last one again.
        port: where to listen; a free one if None.
    """

    def __init__(self, *steps: Talk | Handshake, port: int | None = None) -> None:
        self._steps = itertools.chain(steps, itertools.repeat(steps[-1]))
        self._number = len(steps)
        self._port = port or 0
        self._step: Talk | Handshake = steps[-1]
        self._server: Server | None = None
        self._failures: list[BaseException] = []
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"ws://{HOST}:{next(iter(self._server.sockets)).getsockname()[1]}/"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._talk,
            HOST,
            self._port,
            process_request=self._answer,
            select_subprotocol=lambda _, offered: offered[0] if offered else None,
            max_size=None,
            # Node's own WebSocket takes no compressed frame that is larger than 4 MiB.
            compression=None,
            ping_interval=None,
            close_timeout=PATIENCE,
        )
        return self

    async def __aexit__(self, kind: Any, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        if self._failures and kind is None:
            raise self._failures[0]

    async def reached(self, attempts: int | None = None) -> None:
        """Wait until there were so many attempts; all steps of the script if None."""
        wanted = attempts or self._number
        await eventually(lambda: len(self.requests) >= wanted, f"{wanted} attempts to connect")

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        step = next(self._steps)
        if isinstance(step, Handshake):
            return step(connection)
        connection.step = step  # type: ignore[attr-defined]
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        try:
            await connection.step(Peer(connection))  # type: ignore[attr-defined]
        except ConnectionClosed:
            pass
        except Exception as failure:
            self._failures.append(failure)

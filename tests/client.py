"""A client of the chat socket that knows the documented protocol and nothing of the server.

Every method that expects something fails at once, and with all that arrived, when something else
comes: a test says each frame that a socket receives, in order.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.frames import Recorded, record
from tests.timing import PATIENCE

Frame = dict[str, Any]
RequestId = str | int


class Client:
    """One socket of one user.

    ``async with Client(url, user.pk) as alice`` returns when the server has greeted the user with
    ``chat.notifications``, kept in `notifications`; with ``greeted=False``, as soon as the socket
    is open.
    """

    def __init__(
        self,
        url: str,
        user: object | None = None,
        *,
        greeted: bool = True,
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
        **options: Any,
    ) -> None:
        """Prepare a connection.

        Args:
            url: Where the socket is.
            user: The primary key of the user, or None for somebody unknown.
            greeted: Whether to wait for ``chat.notifications``.
            origin: What a browser sends as its page's origin; the server's own by default.
            headers: More headers of the handshake, a cookie for instance.
            timeout: How long any expected frame may take.
            **options: Passed to ``websockets.connect``.
        """
        self.url = url if user is None else f"{url}?{urlencode({'user': str(user)})}"
        self.timeout = timeout
        self.notifications: Any = None
        #: Every frame that the test has taken, in order.
        self.taken: list[Frame] = []
        self._greeted = greeted
        self._resumed = False
        self._options: dict[str, Any] = {
            "origin": origin or f"http://{urlsplit(url).netloc}",
            "additional_headers": headers,
            # Whatever the environment says, a test talks to its own machine.
            "proxy": None,
            # The reader below takes every frame, so that a test sees what arrived and when; only
            # pause_reading() makes a slow client.
            "max_queue": None,
            "max_size": None,
            "open_timeout": timeout,
            **options,
        }
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        # None is the end of the connection.
        self._arrived: asyncio.Queue[str | bytes | None] = asyncio.Queue()

    @property
    def socket(self) -> ClientConnection:
        """The connection itself, for what has no method here."""
        if self._socket is None:
            raise RuntimeError("the client is not connected")
        return self._socket

    async def __aenter__(self) -> Self:
        self._socket = await connect(self.url, **self._options)
        self._reader = asyncio.create_task(self._read(self._socket))
        try:
            if self._greeted:
                self.notifications = await self.expect("chat.notifications")
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                frame = await socket.recv()
                self._record("received", frame)
                self._arrived.put_nowait(frame)
        except ConnectionClosed:
            record.append(Recorded(id(self), "closed", str(socket.close_code)))
            self._arrived.put_nowait(None)

    async def close(self) -> None:
        """Close the socket, as a page that is left does."""
        if self._socket is None or self._reader is None:
            return
        # A transport that was paused would never see the server's answer to the close.
        self.resume_reading()
        await self._socket.close()
        await self._reader

    async def abort(self) -> None:
        """Lose the connection without a word, as a phone in a tunnel does."""
        self.socket.transport.abort()
        await self.socket.wait_closed()

    def pause_reading(self) -> None:
        """Take nothing more from the network: what the server sends piles up at its end."""
        self.socket.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take from the network again."""
        # The transport raises where it is closed or was never paused.
        transport = self.socket.transport
        if not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()

    # Sending

    async def send(
        self,
        event_type: str,
        data: Any = None,
        *,
        request_id: RequestId | None = None,
    ) -> None:
        """Send an event; without data, an empty object."""
        frame: Frame = {"event_type": event_type, "data": {} if data is None else data}
        if request_id is not None:
            frame["request_id"] = request_id
        self._resumed = self._resumed or event_type == "session.resume"
        await self.send_raw(json.dumps(frame))

    async def send_raw(self, frame: str | bytes) -> None:
        """Send a text frame (or a binary one, given bytes) as it is."""
        self._record("sent", frame)
        await self.socket.send(frame)

    # Receiving

    async def next(self, timeout: float | None = None) -> Frame:
        """The next frame, whatever it is."""
        limit = self.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(limit):
                text = await self._arrived.get()
        except TimeoutError:
            raise AssertionError(f"no frame within {limit:g} s{self._history()}") from None
        if text is None:
            # The end stays the end, however often a test looks.
            self._arrived.put_nowait(None)
            code, reason = self.socket.close_code, self.socket.close_reason
            raise AssertionError(f"closed with {code} {reason!r}{self._history()}")
        if isinstance(text, bytes):
            raise AssertionError(f"a binary frame: {text!r}{self._history()}")
        frame = json.loads(text)
        if not isinstance(frame, dict):
            raise AssertionError(f"not an object: {text}{self._history()}")
        self.taken.append(frame)
        return frame

    async def expect(self, event_type: str, *, request_id: RequestId | None = None) -> Any:
        """The data of the next frame, which must be this event and nothing more.

        ``stream`` and ``seq`` may stand beside it once this client has resumed; ``request_id``
        must, where it is given, and must not where it is not.
        """
        frame = await self.next()
        extra = {"stream", "seq"} if self._resumed else set()
        named = {"request_id"} if request_id is not None else set()
        keys = frame.keys() - extra
        if (
            frame.get("eventType") != event_type
            or keys != {"eventType", "data"} | named
            or frame.get("request_id") != request_id
        ):
            raise self._unexpected(event_type, frame)
        return frame["data"]

    async def error(self, code: int, *, request_id: RequestId | None = None) -> Any:
        """The detail of the next frame, which must be this error and nothing more."""
        frame = await self.next()
        error = frame.get("error")
        named = {"request_id"} if request_id is not None else set()
        if (
            not isinstance(error, dict)
            or frame.keys() != {"error"} | named
            or error.keys() != {"code", "detail"}
            or error["code"] != code
            or frame.get("request_id") != request_id
        ):
            raise self._unexpected(f"error {code}", frame)
        return error["detail"]

    async def success(self, *, request_id: RequestId | None = None) -> None:
        """Take the next frame, which must be a bare success."""
        expected: Frame = {"status": "success"}
        if request_id is not None:
            expected["request_id"] = request_id
        frame = await self.next()
        if frame != expected:
            raise self._unexpected(str(expected), frame)

    async def heartbeat(self) -> None:
        """Send a heartbeat and take its answer, which must be the next frame."""
        await self.send("session.heartbeat")
        await self.success()

    async def nothing(self) -> None:
        """Make sure that the server has sent nothing more.

        A heartbeat goes there and back: its answer stands behind everything that the server had
        handed to this socket before. What is still under way between processes is not covered: let
        somebody on the same process receive that frame first.
        """
        await self.heartbeat()

    def drain(self) -> list[Frame]:
        """Take every frame that has arrived so far, without waiting for more."""
        frames: list[Frame] = []
        while not self._arrived.empty():
            text = self._arrived.get_nowait()
            if text is None:
                self._arrived.put_nowait(None)
                break
            frames.append(json.loads(text))
        self.taken += frames
        return frames

    async def closed(self) -> int | None:
        """Wait until the server has closed the socket; returns the code.

        Frames that came before can still be taken.
        """
        try:
            async with asyncio.timeout(self.timeout):
                await self.socket.wait_closed()
        except TimeoutError:
            message = f"not closed within {self.timeout:g} s{self._history()}"
            raise AssertionError(message) from None
        return self.socket.close_code

    def _record(self, direction: Literal["sent", "received"], frame: str | bytes) -> None:
        if isinstance(frame, str):
            record.append(Recorded(id(self), direction, frame))

    # Failing

    def waiting(self) -> list[str | bytes]:
        """The frames that arrived and that the test has not taken, as they came."""
        frames = []
        while not self._arrived.empty():
            frames.append(self._arrived.get_nowait())
        for frame in frames:
            self._arrived.put_nowait(frame)
        return [frame for frame in frames if frame is not None]

    def _unexpected(self, expected: str, frame: Frame) -> AssertionError:
        return AssertionError(f"expected {expected}, got {json.dumps(frame)}{self._history()}")

    def _history(self) -> str:
        lines = ["", "taken before:"]
        lines += [f"  {json.dumps(frame)}" for frame in self.taken] or ["  nothing"]
        lines += ["waiting:"]
        lines += [f"  {frame!r}" for frame in self.waiting()] or ["  nothing"]
        return "\n".join(lines)

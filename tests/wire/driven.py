"""The reference clients, driven alike: the Python one in the test, the JavaScript one in Node."""

import asyncio
import itertools
import json
import shutil
import subprocess
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

from docs.clients.chat_client import ChatClient, GivenUp, LoggedOut, QueueFull, Refused
from tests.configuration import cannot_run
from tests.timing import PATIENCE, eventually

CLIENTS = Path(__file__).resolve().parents[2] / "docs" / "clients"
DRIVER = Path(__file__).parent / "drive_client.mjs"
MEBIBYTE = 1024 * 1024
#: Short enough for tests; a test that is about one of them gives its own.
PAUSES = {"first_pause": 0.002, "longest_pause": 0.02, "heartbeat": 5.0}


class Driven(ABC):
    """A client that is told what to do, and what it heard.

    Args:
        urls: where to connect, one for each attempt; the last is kept.
        tokens: what its function for the token gives, one for each attempt; the last is kept.
            "trouble" raises. With them, the token goes into the URL and the subprotocols.
        late: whether its functions are asynchronous.
        options: of the client, as in Python.
    """

    def __init__(
        self, *urls: str, tokens: list[str | None] | None = None, late: bool = False, **options: Any
    ) -> None:
        self.urls = urls
        self.tokens = tokens
        self.late = late
        self.options = {**PAUSES, **options}
        self.events: list[dict[str, Any]] = []

    @abstractmethod
    async def start(self) -> None:
        """Start it."""

    @abstractmethod
    async def tell(self, **command: Any) -> None:
        """Tell it to do something."""

    @abstractmethod
    async def stop(self) -> None:
        """End it."""

    def note(self, name: str, data: Any = None) -> None:
        """Keep what it heard."""
        self.events.append({"name": name, "data": data})

    @property
    def messages(self) -> list[str]:
        """The contents of the messages that it heard."""
        return [message["content"] for message in self.data("message.dispatch")]

    def saw(self, name: str) -> int:
        """How many of these it heard."""
        return len(self.data(name))

    def data(self, name: str) -> list[Any]:
        """The data of those."""
        return [event["data"] for event in self.events if event["name"] == name]

    async def hears(self, name: str, count: int = 1) -> Any:
        """Wait until it has heard so many of these; returns the data of that one."""
        try:
            await eventually(lambda: self.saw(name) >= count, name)
        except TimeoutError:
            raise AssertionError(f"not {count} of {name}: {self.events}"[:3000]) from None
        return self.data(name)[count - 1]


class Node(Driven):
    """The JavaScript client in a Node process, told what to do over a pipe."""

    def _arguments(self) -> dict[str, Any]:
        names = {
            "max_frame_bytes": "maxFrameBytes",
            "max_unsent": "maxUnsent",
            "max_losses": "maxLosses",
        }
        milliseconds = {
            "heartbeat": "heartbeatMs",
            "first_pause": "firstPauseMs",
            "longest_pause": "longestPauseMs",
            "longest_retry_after": "longestRetryAfterMs",
        }
        given = {"urls": self.urls, "tokens": self.tokens, "late": self.late}
        for name, value in self.options.items():
            if name in milliseconds:
                given[milliseconds[name]] = value * 1000
            else:
                given[names.get(name, name)] = value
        return given

    async def start(self) -> None:
        """Start it."""
        if shutil.which("node") is None:
            cannot_run("needs node to run the JavaScript client")
        self.process = await asyncio.create_subprocess_exec(
            "node",
            "--experimental-websocket",
            "--no-warnings",
            str(DRIVER),
            str(CLIENTS / "chat_client.js"),
            json.dumps(self._arguments()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=2**26,
        )
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.events.append(json.loads(line))

    async def tell(self, **command: Any) -> None:
        """Tell it to do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        await self.process.stdin.drain()

    async def stop(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            await self.process.wait()
            await self._reader
        assert self.process.returncode == 0


class Python(Driven):
    """The Python client, in the test's own loop."""

    async def start(self) -> None:
        """Start it."""
        urls = itertools.chain(self.urls[:-1], itertools.repeat(self.urls[-1]))
        tokens = itertools.chain(
            (self.tokens or [])[:-1], itertools.repeat((self.tokens or [None])[-1])
        )

        def find_url(token: str | None) -> str:
            return next(urls) if token is None else f"{next(urls)}?token={token}"

        def find_protocols(token: str | None) -> list[str] | None:
            return None if token is None else ["bearer", token]

        def find_headers(token: str | None) -> dict[str, str] | None:
            return None if token is None else {"Cookie": f"sessionid={token}"}

        def find_token(renew: bool) -> str | None:
            self.note("token", renew)
            token = next(tokens)
            if token == "trouble":
                raise RuntimeError("no token today")
            return token

        self._tasks: set[asyncio.Task[None]] = set()
        self.client = ChatClient(
            self._late(find_url),
            self.note,
            lambda stream: self.note("refetch", stream),
            lambda stream: self.note("gone", stream),
            on_refused=lambda error, data: self.note(
                "refused", {**self._shown(error), "message": data and data["content"]}
            ),
            on_pause=self._pause,
            on_ready=lambda: self.note("ready"),
            token=self._late(find_token) if self.tokens else None,
            subprotocols=self._late(find_protocols),
            headers=self._late(find_headers),
            proxy=None,
            **self.options,
        )
        self._connect()

    def _late(self, function: Any) -> Any:
        async def late(argument: Any) -> Any:
            await asyncio.sleep(0)
            return function(argument)

        return late if self.late else function

    def _pause(self, seconds: float, reason: str) -> None:
        self.note("waiting", reason)
        self.note("pause", seconds)

    def _connect(self) -> None:
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.client.run()
        except LoggedOut:
            self.note("closed", 4001)

    def _shown(self, error: Exception) -> dict[str, Any]:
        return {
            "code": getattr(error, "code", None),
            "detail": getattr(error, "detail", str(error)),
        }

    async def _settle(self, work: Any) -> None:
        try:
            self.note("resolved", await work)
        except (Refused, GivenUp, QueueFull, ConnectionError) as error:
            self.note("rejected", {"kind": type(error).__name__, **self._shown(error)})

    async def tell(self, **command: Any) -> None:
        """Tell it to do something."""
        match command.pop("do"):
            case "ask":
                self._spawn(self.client.ask(command["event"], command["data"]))
            case "send":
                self._spawn(self.client.send_message(command.pop("room"), **command))
            case "watch":
                self._spawn(self.client.watch_presence(**command["data"]))
            case "active":
                await self.client.set_active(command["active"])
            case "save":
                self.note("saved", self.client.save())
            case "break":
                assert self.client._socket is not None
                self.client._socket.transport.abort()
            case "close":
                await self._end()
                self.note("closed", 1000)
            case "connect":
                self._connect()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(self._settle(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running

    async def stop(self) -> None:
        """End it; an error in the client is the test's."""
        await self._end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def send(client: Driven, *contents: str, **more: Any) -> None:
    """Tell a client to send messages, one for each content."""
    for content in contents:
        await client.tell(do="send", room="r", content=content, **more)

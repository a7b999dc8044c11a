"""Clients that come back: what every app has to do where servers are restarted and killed."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Self
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.client import Frame
from tests.timing import LOOK, PATIENCE, eventually

UNAVAILABLE = 4503


class LostError(Exception):
    """The socket ended before the answer came."""


class Follower:
    """A user's client that reconnects, elsewhere if need be, resumes, and resends until confirmed.

    It drops nothing itself: what arrives twice is recorded twice.

    Attributes:
        contents: the messages it was sent, in order.
        places: for each stream the last place it has.
        sequences: for each stream all places, as they came.
        others: the names of all other dispatches, in order.
        refusals: the details of the errors 4503 it was answered with.
        connections: how often it has connected.
    """

    def __init__(self, user: AbstractUser, *urls: str, resumes: bool = True) -> None:
        """Takes the user, where to connect, one address after the other, and whether it resumes."""
        self.user = user
        self.contents: list[str] = []
        self.places: dict[str, int] = {}
        self.sequences: dict[str, list[int]] = {}
        self.others: list[str] = []
        self.refusals: list[Any] = []
        self.unrecovered: list[str] = []
        self.connections = 0
        self._urls = urls
        self._resumes = resumes
        # While it resumes, what comes without a place is in the replay as well.
        self._covered = False
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Frame]] = {}
        self._socket: ClientConnection | None = None
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._come_back())
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ready.wait()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _come_back(self) -> None:
        for url in itertools.cycle(self._urls):
            try:
                async with connect(
                    f"{url}?{urlencode({'user': str(self.user.pk)})}",
                    origin=f"http://{urlsplit(url).netloc}",  # type: ignore[arg-type]
                    proxy=None,
                    max_queue=None,
                    max_size=None,
                    open_timeout=PATIENCE,
                ) as socket:
                    await self._follow(socket)
            except (OSError, WebSocketException):
                # A server that is down refuses at once: a breath between two attempts.
                await asyncio.sleep(LOOK)
            finally:
                self._ready.clear()
                self._socket = None
                for answer in self._answers.values():
                    if not answer.done():
                        answer.set_exception(LostError())

    async def _follow(self, socket: ClientConnection) -> None:
        self.connections += 1
        self._socket = socket
        # From the first frame on: some may be here before the task below has begun.
        self._covered = self._resumes and bool(self.places)
        opening = asyncio.create_task(self._open(socket))
        try:
            async for text in socket:
                frame = json.loads(text)
                if "request_id" in frame:
                    self._take_answer(frame)
                elif "error" in frame:
                    # Only of a server that could not open the socket, and closes it.
                    self._note_refusal(frame)
                elif frame["eventType"] != "chat.notifications":
                    self._take(frame)
                elif not self._resumes:
                    self._ready.set()
        finally:
            opening.cancel()

    async def _open(self, socket: ClientConnection) -> None:
        if not self._resumes:
            return
        with suppress(LostError, WebSocketException):
            answer = await self._ask("session.resume", {"streams": dict(self.places)})
            if "error" in answer:
                self._note_refusal(answer)
                await socket.close()
            else:
                self._ready.set()

    def _take_answer(self, frame: Frame) -> None:
        if frame.get("eventType") == "session.resumed":
            self._covered = False
            for stream, place in frame["data"]["streams"].items():
                if not place.get("gone"):
                    self.places.setdefault(stream, place["seq"])
                    if not place["recovered"]:
                        self.unrecovered.append(stream)
        answer = self._answers.pop(frame["request_id"])
        if not answer.done():
            answer.set_result(frame)

    def _take(self, frame: Frame) -> None:
        if self._covered and "seq" not in frame:
            return
        if "seq" in frame:
            self.places[frame["stream"]] = frame["seq"]
            self.sequences.setdefault(frame["stream"], []).append(frame["seq"])
        if frame["eventType"] == "message.dispatch":
            self.contents.append(frame["data"]["content"])
        else:
            self.others.append(frame["eventType"])

    def _note_refusal(self, answer: Frame) -> None:
        error = answer["error"]
        if error["code"] != UNAVAILABLE:
            raise AssertionError(f"not {UNAVAILABLE}: {answer}")
        self.refusals.append(error["detail"])

    async def _ask(self, event_type: str, data: Any) -> Frame:
        if self._socket is None:
            raise LostError
        request_id = f"request {next(self._numbers)}"
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        frame = {"event_type": event_type, "data": data, "request_id": request_id}
        await self._socket.send(json.dumps(frame))
        return await answer

    async def request(self, event_type: str, data: Any = None) -> Frame:
        """Send an event until it is answered with anything but 4503; returns the answer."""
        data = {} if data is None else data
        while True:
            await self._ready.wait()
            try:
                answer = await self._ask(event_type, data)
            except (LostError, WebSocketException):
                await asyncio.sleep(0)
                continue
            error = answer.get("error")
            if not isinstance(error, dict) or error["code"] != UNAVAILABLE:
                return answer
            self._note_refusal(answer)
            # Sooner than the server asks for: no test is to depend on its kindness.
            await asyncio.sleep(LOOK)

    async def say(self, room_id: Any, content: str) -> None:
        """Send a message until it is confirmed, always with the same ``client_id``."""
        data = {"room_id": str(room_id), "content": content, "client_id": str(uuid4())}
        answer = await self.request("message.send", data)
        # The first confirmation may have been lost: a repeat is answered with the message.
        assert answer.get("status") == "success" or answer["data"]["content"] == content, answer

    def problems(self, expected: list[str], order: list[str]) -> list[str]:
        """What is wrong with what it has: these messages, sorted, are expected, in that order."""
        got = Counter(self.contents)
        found = {
            "missing": sorted((Counter(expected) - got).elements()),
            "unexpected": sorted(got.keys() - set(expected)),
            "more than once": sorted((got - Counter(expected)).keys() & set(expected)),
            "not recovered": self.unrecovered,
            "out of step": [
                f"{stream} {places}"
                for stream, places in self.sequences.items()
                if places != list(range(places[0], places[0] + len(places)))
            ],
        }
        if self.contents != order:
            found["in another order"] = self.contents
            found["than"] = order
        return [f"{what}: {found[what]}" for what in found if found[what]]

    async def talk(self, room_id: Any, contents: Iterable[str]) -> None:
        """Say one thing after the other."""
        for content in contents:
            await self.say(room_id, content)


@asynccontextmanager
async def talking(room_id: Any, *talkers: Follower) -> AsyncIterator[list[str]]:
    """Let them talk, each as fast as they are confirmed, until the end of the block.

    Gives the list of what they have said, which grows.
    """
    said: list[str] = []
    over = asyncio.Event()

    async def talk(talker: Follower) -> None:
        for number in itertools.count():
            if over.is_set():
                return
            said.append(f"{talker.user} {number}")
            await talker.say(room_id, said[-1])

    tasks = [asyncio.create_task(talk(talker)) for talker in talkers]
    try:
        yield said
        over.set()
        # What is under way has a bounded time to be confirmed.
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def go_on(said: list[str], count: int = 20) -> None:
    """Wait until so much more has been said."""
    enough = len(said) + count
    await eventually(lambda: len(said) >= enough, "the talk goes on")


@asynccontextmanager
async def following(*followers: Follower) -> AsyncIterator[None]:
    """Connect all of these, until the end of the block."""
    async with AsyncExitStack() as stack:
        for follower in followers:
            await stack.enter_async_context(follower)
        yield


async def everybody_has(contents: Iterable[str], *followers: Follower) -> None:
    """Wait until each has as many messages, and make sure that they are these, in one order."""
    expected = sorted(contents)

    def complete() -> bool:
        return all(len(follower.contents) >= len(expected) for follower in followers)

    with suppress(TimeoutError):
        await eventually(complete, "everybody has every message")
    for follower in followers:
        problems = follower.problems(expected, followers[0].contents)
        if problems:
            raise AssertionError(f"{follower.user}: {'; '.join(problems)}")

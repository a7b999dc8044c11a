"""One device: a socket that comes back, resumes, acknowledges what arrives, and holds a mirror."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.stress.journal import PASSING, Deed, Journal
from tests.stress.mirror import MIRRORED, Mirror, room_of
from tests.stress.outlines import Outline
from tests.stress.places import Heard
from tests.timing import LOOK, STARTUP

Frame = dict[str, Any]

#: Dispatches that need nothing that is held already.
_KNOWN = ("roomdelete.dispatch", "roomcreate.dispatch")

#: How many frames a failure shows of a device.
REMEMBERED = 25
#: How many messages one acknowledgement names at most.
AT_ONCE = 40


class LostError(Exception):
    """The socket ended before the answer came."""


class UnansweredError(Exception):
    """A request was not answered in any time that is reasonable."""


@lru_cache(maxsize=500)
def _parse(text: str) -> Frame:
    # All devices are sent the same text: they share what it says, and change none of it.
    found: Frame = orjson.loads(text)
    return found


class Frames:
    """What each place of each stream held, over all devices: it must be the same for all.

    But what is deleted meanwhile is blank from then on.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen: dict[tuple[str, int], tuple[bytes, Outline]] = {}

    def check(self, stream: str, seq: int, text: str, device: str) -> None:
        """Compare a frame with what others were sent in its place."""
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        known = self._seen.get((stream, seq))
        if known is not None and known[0] == digest:
            return
        outline = Outline(_parse(text))
        if known is not None:
            if not outline.agrees_with(known[1]):
                what = f"{device} was sent another frame than others at {stream} {seq}: "
                self._journal.violate("one frame", what + text[:300], stream)
            outline.fill_from(known[1])
        self._seen[stream, seq] = digest, outline


class Device:
    """A device of a user.

    Attributes:
        name: the user's name and the device's number.
        resumes: whether it resumes, so that frames come with their places; else it is a page that
            is loaded anew each time.
        mirror: what it holds.
        heard: for each stream the places that it was given.
        order: the ids of the messages it was sent, in order, by room: of a page that never resumes.
        asked: how many requests are under way.
        past: what it was given of streams that it then had to begin anew.
    """

    def __init__(
        self,
        user: Any,
        username: str,
        number: int,
        urls: Sequence[str],
        journal: Journal,
        frames: Frames,
        *,
        resumes: bool = True,
    ) -> None:
        self.user = user
        self.username = username
        self.name = f"{username}/{number}"
        self.resumes = resumes
        self.mirror = Mirror()
        self.heard: dict[str, Heard] = {}
        self.past: list[tuple[str, Heard]] = []
        self.asked = 0
        self.order: dict[str, list[str]] = {}
        self.last_frames: deque[str] = deque(maxlen=REMEMBERED)
        self._journal = journal
        self._frames = frames
        self._urls = itertools.cycle(urls)
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Frame]] = {}
        self._socket: ClientConnection | None = None
        self._ready = asyncio.Event()
        # Whether stored frames without a place are left aside: the replay, or the load, has them.
        self._covered = True
        self._places: dict[str, int] = {}
        self._recovered = True
        self._loaded = False
        self._unfetched: set[str] = set()
        self._unacknowledged: dict[str, str] = {}
        self._arrived = asyncio.Event()
        self._acknowledging = False
        # Rooms that are being fetched, each with what came meanwhile.
        self._fetching: dict[str, list[tuple[str, Any]]] = {}
        self._off = False
        self._tasks: set[asyncio.Task[Any]] = set()

    # Life

    async def __aenter__(self) -> Device:
        self._spawn(self._come_back())
        self._spawn(self._acknowledge())
        async with asyncio.timeout(STARTUP):
            await self._ready.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._off = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._journal.violate("client", f"{self.name}: {error!r}", self.username)

    async def cut(self) -> None:
        """Lose the connection without a word."""
        if self._socket is not None:
            self._socket.transport.abort()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be done by the device itself."""
        waits = self._unacknowledged or self._acknowledging or self._fetching or self._unfetched
        return self._ready.is_set() and not waits

    async def _come_back(self) -> None:
        for url in self._urls:
            socket = None
            try:
                async with connect(
                    f"{url}?{urlencode({'user': str(self.user)})}",
                    origin=f"http://{urlsplit(url).netloc}",  # type: ignore[arg-type]
                    proxy=None,
                    compression=None,
                    max_queue=None,
                    max_size=None,
                    open_timeout=STARTUP,
                    ping_interval=None,
                ) as socket:
                    await self._follow(socket)
            except (OSError, WebSocketException):
                await asyncio.sleep(LOOK)
            finally:
                self._ready.clear()
                self._socket = None
                for answer in self._answers.values():
                    if not answer.done():
                        answer.set_exception(LostError())
                        answer.exception()  # also where nobody waits for it any more
                self._answers.clear()
                if socket is not None and not self._off:
                    self._journal.closes[socket.close_code or 0] += 1

    async def _follow(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._covered = self.resumes
        opening = asyncio.create_task(self._open())
        try:
            async for text in socket:
                assert isinstance(text, str)
                self._take(text)
        finally:
            opening.cancel()
            with suppress(asyncio.CancelledError, LostError, WebSocketException):
                await opening

    async def _open(self) -> None:
        try:
            if self.resumes:
                await self._resume()
            else:
                await self._load()
            # A connection that was lost may have left some rooms unfetched.
            for room_id in list(self._unfetched):
                self._look_into(room_id)
            self._ready.set()
        except (LostError, WebSocketException):
            pass  # the next connection opens the page
        except Exception as problem:
            # Now, not when the socket ends: until then the device would only be silent.
            self._journal.violate("opening", f"{self.name}: {problem!r}", self.username)

    async def _resume(self) -> None:
        self._places = {stream: heard.last for stream, heard in self.heard.items()}
        await self._insist("session.resume", {"streams": self._places})
        if not (self._loaded and self._recovered):
            await self._load()

    def _take_resumed(self, streams: dict[str, Any]) -> None:
        """Note where the streams stand, before the next frame is taken."""
        self._covered = False
        self._recovered = True
        for stream, place in streams.items():
            if place.get("gone"):
                self._break_off(stream)
                self.mirror.forget_room(stream.partition(":")[2])
            elif not place["recovered"]:
                self._break_off(stream)
                self.heard[stream] = Heard(place["seq"])
                self._recovered = False
            elif not self._places:
                self.heard[stream] = Heard(place["seq"])

    def _break_off(self, stream: str) -> None:
        heard = self.heard.pop(stream, None)
        if heard is not None:
            self.past.append((stream, heard))

    async def _load(self) -> None:
        """Load the rooms, as a page does."""
        self._loaded = False
        self.mirror = Mirror()
        listed = await self._insist("room.list", {})
        for room in listed["data"]:
            # A frame of it may have had it looked into already.
            if room["id"] not in self._fetching and room["id"] not in self.mirror.rooms:
                await self._fetch(room["id"])
        self._loaded = True

    async def _insist(self, event: str, data: Any) -> Frame:
        """Ask until the answer is no passing error."""
        while True:
            answer = await self._ask(event, data)
            error = answer.get("error")
            if error is None:
                return answer
            if not isinstance(error, dict) or error["code"] not in PASSING:
                raise AssertionError(f"{event} was answered {answer}")
            await asyncio.sleep(LOOK)

    # Rooms

    def _look_into(self, room_id: str) -> None:
        self._unfetched.add(room_id)
        if room_id not in self._fetching:
            self._fetching[room_id] = []
            self._spawn(self._fetch_some_time(room_id))

    async def _fetch_some_time(self, room_id: str) -> None:
        with suppress(LostError, WebSocketException):
            await self._fetch(room_id)

    async def _fetch(self, room_id: str) -> None:
        """Fetch a room; what comes of it meanwhile is applied afterwards."""
        while True:
            self._fetching.setdefault(room_id, [])
            try:
                deed = await self._deed("room.info", {"room_id": room_id})
                page = None
                if deed.code is None:
                    paginate = {"page": 1, "size": MIRRORED}
                    page = await self._deed(
                        "room.messages", {"room_id": room_id, "paginate": paginate}
                    )
            finally:
                meanwhile = self._fetching.pop(room_id)
            if page is not None and page.code is None:
                assert deed.answer is not None
                assert page.answer is not None
                found = page.answer["data"]
                self.mirror.take_room(
                    deed.answer["data"], found["data"]["messages"], more=found["has_next"]
                )
                self._unfetched.discard(room_id)
                for event, data in meanwhile:
                    self._apply(event, data)
                return
            refused = page or deed
            self._journal.judge(refused, self.user, rooms=[room_id])
            self.mirror.forget_room(room_id)
            if not meanwhile:
                self._unfetched.discard(room_id)
                return  # else the user may have come in again

    def _apply(self, event: str, data: Any) -> None:
        room_id = room_of(event, data)
        if room_id is None:
            # A deletion of messages does not say in which room.
            for meanwhile in self._fetching.values():
                meanwhile.append((event, data))
            self.mirror.apply(event, data)
        elif room_id in self._fetching:
            self._fetching[room_id].append((event, data))
        elif event == "roomexit.dispatch":
            self.mirror.forget_room(room_id)
            # It may be late: somebody may have brought the user in again.
            self._look_into(room_id)
        elif event in _KNOWN or room_id in self.mirror.rooms:
            self.mirror.apply(event, data)
        else:
            self._look_into(room_id)

    # Frames

    def _take(self, text: str) -> None:
        frame = _parse(text)
        self.last_frames.append(_brief(frame, text))
        if "request_id" in frame:
            self._take_answer(frame)
        elif "error" in frame:
            # Of a server that cannot open the socket, and closes it.
            error = frame["error"]
            if not isinstance(error, dict) or error["code"] not in PASSING:
                what = f"{self.name} was told {text[:500]}"
                self._journal.violate("unasked error", what, self.username)
        elif frame["eventType"] == "chat.notifications":
            for notifications in frame["data"].values():
                for notification in notifications:
                    self._note_arrival(notification["message"])
        else:
            self._take_dispatch(frame, text)

    def _take_answer(self, frame: Frame) -> None:
        if frame.get("eventType") == "session.resumed":
            self._take_resumed(frame["data"]["streams"])
        answer = self._answers.pop(str(frame["request_id"]), None)
        if answer is None:
            self._journal.violate("answers", f"{self.name}: answered twice: {frame}", self.username)
        elif not answer.done():
            answer.set_result(frame)

    def _take_dispatch(self, frame: Frame, text: str) -> None:
        event, data = frame["eventType"], frame["data"]
        stream, seq = frame.get("stream"), frame.get("seq")
        if stream is not None and seq is not None:
            self._take_place(stream, seq, text)
        elif self._covered:
            return  # the replay, or the page that is about to be loaded, has it
        if event == "message.dispatch":
            if not self.resumes:
                self.order.setdefault(data["room"]["id"], []).append(data["id"])
            self._note_arrival(data)
        elif event == "reaction.dispatch" and data["message"]["sender"]["id"] == self.user:
            self._note_arrival(data["message"])
        self._apply(event, data)

    def _take_place(self, stream: str, seq: int, text: str) -> None:
        self._frames.check(stream, seq, text, self.name)
        if self._covered and not self._places:
            what = f"{self.name}: an empty resume replayed {stream} {seq}"
            self._journal.violate("empty resume", what, stream, self.username)
        heard = self.heard.get(stream)
        if heard is None:
            heard = self.heard[stream] = Heard(None)
        problem = heard.take(seq)
        if problem is not None:
            what = f"{self.name}: {stream}: {problem}"
            self._journal.violate("places", what, stream, self.username)

    def _note_arrival(self, message: Any) -> None:
        self._unacknowledged[message["id"]] = message["room"]["id"]
        self._arrived.set()

    # Asking

    async def _ask(self, event: str, data: Any) -> Frame:
        if self._socket is None:
            raise LostError
        request_id = f"{self.name} {next(self._numbers)}"
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        frame = {"event_type": event, "data": data, "request_id": request_id}
        await self._socket.send(orjson.dumps(frame).decode())
        return await answer

    async def _deed(self, event: str, data: Any) -> Deed:
        """Ask on this connection until the answer is no passing error."""
        deed = Deed(self.username, self.name, event, data)
        while True:
            deed.answer = await self._ask(event, data)
            if deed.code not in PASSING:
                return deed
            self._journal.refusals[f"{event} {deed.code}"] += 1
            await asyncio.sleep(LOOK)

    async def request(self, event: str, data: Any, rooms: Sequence[str] = ()) -> Deed:
        """Ask, over as many connections as it takes, until the answer is no passing error.

        Raises:
            UnansweredError: the server is up, and does not answer.
        """
        deed = Deed(self.username, self.name, event, data)
        self._journal.note(deed, rooms)
        self.asked += 1
        try:
            async with asyncio.timeout(STARTUP):
                while True:
                    await self._ready.wait()
                    try:
                        deed.answer = (await self._deed(event, data)).answer
                    except (LostError, WebSocketException):
                        deed.repeated = True
                        # Its end is noticed in a task of its own.
                        await asyncio.sleep(0)
                        continue
                    return deed
        except TimeoutError:
            state = {
                "ready": self._ready.is_set(),
                "connected": self._socket is not None,
                "covered": self._covered,
                "loaded": self._loaded,
                "fetching": list(self._fetching),
                "waiting for": list(self._answers),
                "off": self._off,
            }
            what = f"not answered within {STARTUP:g} s: {deed}; {self.name} is {state}"
            self._journal.violate("answers", what, self.username, *rooms)
            raise UnansweredError from None
        finally:
            self.asked -= 1

    async def _acknowledge(self) -> None:
        """Acknowledge what has arrived, at once, as often as something has."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._unacknowledged:
                self._acknowledging = True
                due = dict(itertools.islice(self._unacknowledged.items(), AT_ONCE))
                for message_id in due:
                    del self._unacknowledged[message_id]
                with suppress(UnansweredError):
                    if not await self._acknowledge_all(due) and len(due) > 1:
                        for message_id, room_id in due.items():
                            await self._acknowledge_all({message_id: room_id})
                self._acknowledging = False

    async def _acknowledge_all(self, due: dict[str, str]) -> bool:
        deed = await self.request("message.acknowledged", {"message_id": list(due)})
        return self._journal.judge(deed, self.user, messages=due, rooms=due.values())


def _brief(frame: Frame, text: str) -> str:
    if "stream" in frame:
        return f"{frame['stream']} {frame['seq']} {frame['eventType']} {text[:200]}"
    return text[:240]

"""A reference client of the event protocol: connect, heartbeat, resume, resend.

It keeps three things between connections: how far it has come in each stream, the messages that
the server has not confirmed, and the epoch of the server's history. That is all a client needs to
see every event once, in order, and to send every message once, whatever breaks.

    pip install websockets
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import logging
import math
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias, TypeVar, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

logger = logging.getLogger(__name__)

T = TypeVar("T")
Given: TypeAlias = T | Callable[[str | None], T | Awaitable[T]]
"""A value, or a function of the token that returns one. The function may be a coroutine's."""

TOO_LARGE = 1009
"""A frame had too many bytes: it would have as many the next time."""

NOT_AUTHENTICATED = 4001
"""Log in again: trying again with the same credentials is of no use."""

TOO_MANY = 4029
"""Limits were ignored: wait longer before the next attempt."""

RETRY_LATER = {4029, 4503}
"""Errors that say: the same event may succeed after `retry_after` seconds."""

NO_MESSAGES_FAULT = {1001, 1012, 1013, NOT_AUTHENTICATED, 4008, TOO_MANY}
"""Close codes with a reason of their own: no message that was under way is suspected."""

STAND_FOR = {4009: TOO_LARGE, 4011: 1011, 4012: 1012}
"""Close codes of servers that cannot send those that they stand for."""

LARGEST_FRAME_RECEIVED = 64 * 1024 * 1024
"""The server's frames are far smaller; `websockets` alone would refuse those above 1 MiB."""

WINDOW = 16
"""How many messages may be under way at once."""

ROOMS_LEFT = 100
"""How many rooms that the user has left are remembered until the next connection."""

_RESUME, _BEAT = "resume", "beat"


class LoggedOut(Exception):
    """The server does not know the user (any more): log in again, then call `run` again."""


class Refused(Exception):
    """An event was refused, by the server or, where its frame is too large, by the client.

    Attributes:
        code: as in the protocol; 1009 for a frame that is too large, None for an unknown event.
        detail: a sentence, a list, or an object whose keys name the fields.
    """

    def __init__(self, code: int | None, detail: Any) -> None:
        super().__init__(f"refused ({code or 'unknown event'}): {detail}")
        self.code = code
        self.detail = detail


class GivenUp(Exception):
    """Each time this message was sent, the connection ended: whether it is stored is not known.

    Attributes:
        code: of the last close; None where the client ended a connection that had gone silent.
    """

    def __init__(self, code: int | None) -> None:
        super().__init__(f"the connection ended each time this message was sent ({code})")
        self.code = code


class QueueFull(Exception):
    """As many messages wait for the server as `max_unsent` allows."""


@dataclass(slots=True, eq=False)
class _Unsent:
    """A message that the server has not confirmed."""

    client_id: str
    request_id: str
    text: str
    done: asyncio.Future[str] | None = None  # none for a message of an earlier process
    waiting: int = 0  # how many callers wait for it
    flying: bool = False  # sent on this connection, not answered
    beats: int = 0  # heartbeats since it was sent
    suspect: bool = False  # a connection ended while it was under way: it is sent alone
    losses: int = 0  # connections that ended while it was under way alone
    later: asyncio.TimerHandle | None = None  # until its `retry_after` has passed

    @property
    def data(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.text)["data"])


@dataclass(slots=True, eq=False)
class _Asked:
    """An event that waits for its answer."""

    answer: asyncio.Future[Any]
    flying: bool = True
    beats: int = 0


@dataclass(slots=True)
class _End:
    """Why an attempt ended.

    Attributes:
        reason: for the log and `on_pause`.
        code: of the server's close.
        at_least: seconds that the server asked to wait.
        logged_out: whether the server did not know the user.
        suspicious: whether a message that was under way may have been the reason.
    """

    reason: str
    code: int | None = None
    at_least: float = 0
    logged_out: bool = False
    suspicious: bool = False


class _Break(Exception):
    """The client wants another connection."""

    def __init__(self, end: _End) -> None:
        self.end = end


class ChatClient:
    """Keeps one connection, for as long as `run` runs.

    `url`, `subprotocols` and `headers` may be functions. Each is called at every attempt to
    connect, with the token (None without a `token` function), and may be a coroutine function.
    Where one raises, the client logs it and tries again after its pause.

    The callbacks run one after the other, in the event loop. What one raises ends `run`.

    Args:
        url: of the socket, `wss://example.org/messaging/`.
        on_event: called with the name and the data of every event, in order, once.
        on_refetch: called with a stream's name where the log no longer reaches back, or where
            the server's history is another: fetch the room again with `room.info` and
            `room.messages`, for the user's own stream the rooms with `room.list`.
        on_gone: called with the name of a stream that the user no longer has.
        on_refused: called with an error that nobody waits for, and with the message's data where
            it is that of a message.
        on_pause: called with the seconds and the reason before each pause.
        on_ready: called when a connection has resumed, after `on_gone` and `on_refetch`.
        on_change: called after each change of what `save` returns.
        token: returns a fresh token, or None where the user has to log in. It is called at every
            attempt, with True where the server has refused the last one: return a new one then.
        subprotocols: to offer, in order.
        headers: of the handshake, for instance `{"Cookie": "sessionid=…"}`.
        state: what `save` returned, in another process perhaps, for the same user.
        max_frame_bytes: the server's `MAX_FRAME_BYTES`. Larger frames are not sent.
        max_unsent: how many messages, and how many questions, may wait for the server.
        max_losses: after so many connections that ended while a message was under way alone, it
            is given up.
        heartbeat: seconds between heartbeats, 15 to 30. A connection that answers nothing for two
            of them is closed.
        first_pause: seconds; the pause doubles from one failed attempt to the next.
        longest_pause: seconds; and the pause after a close with 4029.
        longest_retry_after: at most so many seconds of `Retry-After` and `retry_after` are waited.
        options: for `websockets.connect`.
    """

    def __init__(
        self,
        url: Given[str],
        on_event: Callable[[str, Any], None],
        on_refetch: Callable[[str], None] = lambda stream: None,
        on_gone: Callable[[str], None] = lambda stream: None,
        *,
        on_refused: Callable[[Refused | GivenUp, dict[str, Any] | None], None] | None = None,
        on_pause: Callable[[float, str], None] = lambda seconds, reason: None,
        on_ready: Callable[[], None] = lambda: None,
        on_change: Callable[[], None] = lambda: None,
        token: Callable[[bool], str | Awaitable[str | None] | None] | None = None,
        subprotocols: Given[Sequence[str] | None] = None,
        headers: Given[Mapping[str, str] | None] = None,
        state: Mapping[str, Any] | None = None,
        max_frame_bytes: int = 1024 * 1024,
        max_unsent: int = 1000,
        max_losses: int = 3,
        heartbeat: float = 20,
        first_pause: float = 0.5,
        longest_pause: float = 30,
        longest_retry_after: float = 300,
        **options: Any,
    ) -> None:
        self.url = url
        self.on_event = on_event
        self.on_refetch = on_refetch
        self.on_gone = on_gone
        self.on_refused = on_refused or _log_refusal
        self.on_pause = on_pause
        self.on_change = on_change
        self.on_ready = on_ready
        self.token = token
        self.subprotocols = subprotocols
        self.headers = headers
        self.max_frame_bytes = max_frame_bytes
        self.max_unsent = max_unsent
        self.max_losses = max_losses
        self.heartbeat = heartbeat
        self.first_pause = first_pause
        self.longest_pause = longest_pause
        self.longest_retry_after = longest_retry_after
        # The heartbeats below find out that a connection is dead: pings need not.
        defaults = {"max_size": LARGEST_FRAME_RECEIVED, "ping_interval": None, "close_timeout": 2}
        self.options: dict[str, Any] = {**defaults, **options}

        self.positions: dict[str, int] = {}
        self.epoch: str | None = None
        self.at: tuple[str, int] | None = None
        self.resumed = asyncio.Event()
        self._unsent: dict[str, _Unsent] = {}
        self._asked: dict[str, _Asked] = {}
        self._left: dict[str, None] = {}
        self._watched: list[dict[str, Any]] = []  # whose presence, on every connection
        self._watching: asyncio.Task[None] | None = None
        self._active: bool | None = None  # whether somebody sits here; None until that is said
        self._numbers = itertools.count(1)
        self._socket: ClientConnection | None = None
        self._running = False
        self._renew = False  # the next token has to be a new one
        self._replays = False  # this connection replays what it missed
        self._afresh = False  # positions were dropped: everything has to be fetched
        self._silence = 0  # heartbeats that nothing has come after
        self._stalled = 0  # heartbeats without progress in resuming
        self._held: asyncio.TimerHandle | None = None  # until a limit is over
        self._wake = asyncio.Event()
        if state is not None:
            self._restore(state)

    # What a program calls

    async def run(self) -> None:
        """Stay connected until cancelled. May be called again, and goes on where it was.

        Raises:
            LoggedOut: the server does not know the user: it closed with 4001, or answered the
                handshake with 401 or 403. With a `token` function: it refused a new token, too,
                or the function returned None.
            websockets.exceptions.InvalidURI: the URL is none.
        """
        if self._running:
            raise RuntimeError("this client runs already")
        self._running = True
        failures, renewed = 0, False
        try:
            while True:
                end = await self._attempt()
                if self.resumed.is_set():  # a good connection: whatever was before is over
                    failures, renewed = 0, False
                self._ended(end)
                if end.logged_out:
                    if self.token is None or renewed:
                        raise LoggedOut(end.reason)
                    self._renew = renewed = True
                pause = self._choose_pause(failures, end)
                failures += 1
                logger.info("%s; connecting again in %.1f s", end.reason, pause)
                self.on_pause(pause, end.reason)
                await asyncio.sleep(pause)
        finally:
            self._running = False
            self._ended(_End("ended by the program"))

    async def send_message(
        self, room_id: str, content: str, *, client_id: str | None = None, **extra_fields: Any
    ) -> str:
        """Send a message once, however often the connection breaks.

        Returns when the server has stored it. A caller that is cancelled stops waiting; the
        message is sent all the same.

        Args:
            room_id: of the room.
            content: the text.
            client_id: a name for the message that this user never used before; made up if None.
            extra_fields: as in the protocol: `parent_message_id`, `media` and so on.

        Returns:
            The `client_id`.

        Raises:
            Refused: the server refused it, or it is larger than `max_frame_bytes` (1009).
            GivenUp: the connection ended each time it was sent.
            QueueFull: `max_unsent` messages wait already.
            TypeError, ValueError: it cannot be written as JSON.
        """
        client_id = str(uuid.uuid4()) if client_id is None else client_id
        entry = next((each for each in self._unsent.values() if each.client_id == client_id), None)
        if entry is None:
            data = {
                "room_id": room_id,
                "content": content,
                "client_id": client_id,
                "extra_fields": extra_fields,
            }
            entry = self._prepare(data)
            if self._is_too_large(entry.text):
                raise self._too_large()
            if len(self._unsent) >= self.max_unsent:
                raise QueueFull(f"{self.max_unsent} messages wait for the server")
            self._unsent[entry.request_id] = entry
            self._wake.set()
            self.on_change()
        if entry.done is None:
            entry.done = asyncio.get_running_loop().create_future()
        entry.waiting += 1
        try:
            return await asyncio.shield(entry.done)
        finally:
            entry.waiting -= 1

    async def ask(self, event_type: str, data: dict[str, Any]) -> Any:
        """Send an event and return its private answer's data, or None where it has none.

        It waits for a connection first.

        Raises:
            Refused: the server refused it, or it is larger than `max_frame_bytes` (1009).
            ConnectionError: the connection broke; whether the event happened is not known.
            QueueFull: `max_unsent` questions wait already.
            TypeError, ValueError: the data cannot be written as JSON.
        """
        request_id = f"ask-{next(self._numbers)}"
        text = _encode({"event_type": event_type, "data": data, "request_id": request_id})
        if self._is_too_large(text):
            raise self._too_large()
        while not self.resumed.is_set():
            await self.resumed.wait()
        assert self._socket is not None
        if len(self._asked) >= self.max_unsent:
            raise QueueFull(f"{self.max_unsent} questions wait for the server")
        answer = asyncio.get_running_loop().create_future()
        self._asked[request_id] = _Asked(answer)
        try:
            with suppress(ConnectionClosed):  # the end of the connection settles the answer
                await self._socket.send(text)
            return await answer
        finally:
            self._asked.pop(request_id, None)

    async def watch_presence(
        self, *, users: Sequence[Any] | None = None, rooms: Sequence[str] | None = None
    ) -> Any:
        """Watch the presence of users or rooms, on this connection and on every later one.

        `on_event` is called with `presence.dispatch` for whoever changes, and with a snapshot after
        each new connection.

        Args:
            users: the ids of users; the other one is left out.
            rooms: the ids of rooms.

        Returns:
            The snapshot: `users`, each with `user_id`, `status` and `last_seen`.

        Raises:
            Refused, ConnectionError, QueueFull: as `ask`; then nothing is watched.
        """
        named = {"users": users, "rooms": rooms}
        data = {name: list(ids) for name, ids in named.items() if ids is not None}
        answer = await self.ask("presence.subscribe", data)
        self._watched.append(data)
        return answer

    async def unwatch_presence(self) -> None:
        """Watch nobody any more.

        Raises:
            Refused, ConnectionError, QueueFull: as `ask`; later connections watch nobody.
        """
        self._watched.clear()
        await self.ask("presence.unsubscribe", {})

    async def set_active(self, active: bool) -> None:
        """Say whether somebody sits here: at once, and with every heartbeat from now on."""
        self._active = active
        if self._socket is not None and self.resumed.is_set():
            with suppress(ConnectionClosed):
                await self._socket.send(self._beat_frame())

    def save(self) -> dict[str, Any]:
        """Return what another client of the same user needs to go on, as plain JSON.

        The places are those of the events that `on_event` was called with.
        """
        return {
            "epoch": self.epoch,
            "streams": dict(self.positions),
            "unsent": [entry.data for entry in self._unsent.values()],
        }

    @property
    def unconfirmed(self) -> list[str]:
        """The `client_id`s of the messages that the server has not confirmed."""
        return [entry.client_id for entry in self._unsent.values()]

    # Connections

    async def _attempt(self) -> _End:
        try:
            async with asyncio.timeout(2 * self.heartbeat):
                url, options = await self._find_address()
        except LoggedOut:
            raise
        except Exception as error:
            logger.warning("No address to connect to", exc_info=True)
            return _End(f"no address: {error!r}")
        try:
            socket = await connect(url, **options)
        except InvalidStatus as refusal:
            return self._judge(refusal)
        except InvalidURI:
            raise
        except (OSError, EOFError, WebSocketException) as error:
            return _End(f"no connection: {error!r}")
        try:
            return await self._talk(socket)
        finally:
            await socket.close()

    async def _find_address(self) -> tuple[str, dict[str, Any]]:
        token = None
        if self.token is not None:
            token = await _settle(self.token(self._renew))
            self._renew = False
            if token is None:
                raise LoggedOut("there is no token")
        options = dict(self.options)
        subprotocols = await _resolve(self.subprotocols, token)
        headers = await _resolve(self.headers, token)
        if subprotocols is not None:
            options["subprotocols"] = subprotocols
        if headers is not None:
            options["additional_headers"] = headers
        return await _resolve(self.url, token), options

    def _judge(self, refusal: InvalidStatus) -> _End:
        status = refusal.response.status_code
        said = next(iter(refusal.response.headers.get_all("Retry-After")), None)
        return _End(
            f"the handshake was answered with {status}",
            at_least=self._bound(_read_retry_after(said)),
            logged_out=status in (401, 403),
        )

    async def _talk(self, socket: ClientConnection) -> _End:
        self._socket = socket
        self._silence = self._stalled = 0
        tasks = [asyncio.create_task(self._beat(socket)), asyncio.create_task(self._pump(socket))]
        known = self._choose_positions()
        try:
            await socket.send(self._resume_frame())
            while True:
                self._take(await socket.recv())
        except ConnectionClosed as closed:
            ours = closed.sent is not None and not closed.rcvd_then_sent
            code = None if ours else _read_close_code(socket.close_code)
            if code == TOO_LARGE and not self.resumed.is_set():
                self._drop_positions()
            return _End(
                f"the connection ended: {closed}",
                code=code,
                logged_out=code == NOT_AUTHENTICATED,
                suspicious=code not in NO_MESSAGES_FAULT
                and not (ours and closed.sent is not None and closed.sent.code == TOO_LARGE),
            )
        except _Break as wanted:
            return wanted.end
        finally:
            if not known and not self.resumed.is_set():
                self.positions.clear()  # of some streams only: a replay would leave out others
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, end: _End) -> None:
        """Settle what was under way on the connection that ended."""
        self.resumed.clear()
        self._socket = None
        if self._held is not None:
            self._held.cancel()
            self._held = None
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(ConnectionError(end.reason))
        self._asked.clear()
        flying = [entry for entry in self._unsent.values() if entry.flying]
        for entry in self._unsent.values():
            if entry.later is not None:
                entry.later.cancel()
                entry.later = None
            entry.flying = False
        if not end.suspicious:
            return
        for entry in flying:
            entry.suspect = True
        if len(flying) == 1:
            self._suspect(flying[0], end)

    def _suspect(self, entry: _Unsent, end: _End) -> None:
        """A connection ended while this message alone was under way."""
        entry.losses += 1
        if end.code == TOO_LARGE:
            self._finish(entry, self._too_large())
        elif entry.losses >= self.max_losses:
            self._finish(entry, GivenUp(end.code))
        else:  # those behind it go first: they need not wait for it
            del self._unsent[entry.request_id]
            self._unsent[entry.request_id] = entry

    def _choose_pause(self, failures: int, end: _End) -> float:
        """Choose by chance, so that the clients of a server that comes back do not come at once."""
        growing = min(self.longest_pause, self.first_pause * 2 ** min(failures, 30))
        longest = self.longest_pause if end.code == TOO_MANY else growing
        return max(longest * random.uniform(0.5, 1), end.at_least * random.uniform(1, 1.2))

    def _bound(self, seconds: float) -> float:
        return min(max(seconds, 0), self.longest_retry_after)

    async def _beat(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed, TimeoutError):
            await asyncio.sleep(self.heartbeat)
            while not self._is_silent():
                self._silence += 1
                async with asyncio.timeout(self.heartbeat):  # a full buffer would hold it up
                    await socket.send(self._beat_frame())
                await asyncio.sleep(self.heartbeat)
        await socket.close()

    def _beat_frame(self) -> str:
        data = {} if self._active is None else {"active": self._active}
        return _encode({"event_type": "session.heartbeat", "data": data, "request_id": _BEAT})

    async def _watch_again(self) -> None:
        """Say on a new connection what was said on the one before."""
        if self._active is False:
            await self.set_active(False)
        for data in list(self._watched):
            try:
                answer = await self.ask("presence.subscribe", data)
            except Refused as error:
                if error.code not in RETRY_LATER and data in self._watched:
                    self._watched.remove(data)
                self.on_refused(error, data)
            except (ConnectionError, QueueFull):
                return  # the next connection asks again
            else:
                self.on_event("presence.dispatch", answer)

    def _is_silent(self) -> bool:
        """Tell whether nothing, or not what was asked for, came for two heartbeats."""
        if not self.resumed.is_set():
            self._stalled += 1
        overdue = self._stalled > 2
        requests: list[_Unsent | _Asked] = [*self._unsent.values(), *self._asked.values()]
        for each in requests:
            each.beats += 1
            overdue = overdue or (each.flying and each.beats > 2)
        return overdue or self._silence > 1

    # Resuming

    def _choose_positions(self) -> bool:
        """Prepare the places to resume from; tell whether there are any."""
        if self._is_too_large(self._resume_frame()):
            self._drop_positions()
        self._replays = bool(self.positions)
        return self._replays

    def _resume_frame(self) -> str:
        data: dict[str, Any] = {"streams": self.positions}
        if self.epoch is not None:
            data["epoch"] = self.epoch
        return _encode({"event_type": "session.resume", "data": data, "request_id": _RESUME})

    def _drop_positions(self) -> None:
        """Forget where this client was: the server does not take it."""
        self._afresh = self._afresh or bool(self.positions)
        self.positions.clear()
        self.epoch = None
        self.on_change()

    def _start(self, data: dict[str, Any]) -> None:
        positions: dict[str, int] = {}
        refetch, gone = [], []
        for stream, place in data["streams"].items():
            if place.get("gone"):
                gone.append(stream)
                continue
            positions[stream] = place["seq"]
            if place["recovered"]:
                positions[stream] = max(place["seq"], self.positions.get(stream, 0))
            if self._afresh or not place["recovered"]:
                refetch.append(stream)
        self.positions = positions
        self.epoch = data.get("epoch", self.epoch)
        self._afresh = False
        self._left.clear()
        for entry in list(self._unsent.values()):
            if self._is_too_large(entry.text):  # one of another process, with another limit
                self._finish(entry, self._too_large())
        self.resumed.set()
        self._wake.set()
        self.on_change()
        for stream in gone:
            self.on_gone(stream)
        for stream in refetch:
            self.on_refetch(stream)
        if self._watched or self._active is False:
            if self._watching is not None:
                self._watching.cancel()
            self._watching = asyncio.get_running_loop().create_task(self._watch_again())
        self.on_ready()

    def _fail_to_resume(self, error: Refused) -> None:
        seconds = 0.0
        if error.code in RETRY_LATER:
            seconds = self._retry_after(error)
        elif error.code != NOT_AUTHENTICATED:
            logger.warning("The server does not resume: %s", error)
            self._drop_positions()
        raise _Break(
            _End(
                f"not resumed: {error}",
                at_least=seconds,
                logged_out=error.code == NOT_AUTHENTICATED,
            )
        )

    # What arrives

    def _take(self, text: str | bytes) -> None:
        self._silence = 0
        try:
            frame = json.loads(text)
        except ValueError:
            frame = None
        if not isinstance(frame, dict):
            logger.warning("A frame that is no JSON object was left aside")
            return
        request_id = frame.get("request_id")
        error = _read_error(frame)
        if frame.get("eventType") == "session.resumed":
            self._start(frame["data"])
        elif request_id == _RESUME and error is not None:
            self._fail_to_resume(error)
        elif request_id in (_RESUME, _BEAT):
            pass
        elif request_id in self._asked:
            self._answer(self._asked.pop(request_id).answer, frame, error)
        elif request_id in self._unsent:
            self._confirm(self._unsent[request_id], error)
        elif error is not None:
            self.on_refused(error, None)
        elif "seq" in frame:
            self._advance(frame)
        elif frame.get("eventType") == "chat.notifications" or (
            "eventType" in frame and (self.resumed.is_set() or not self._replays)
        ):
            self.on_event(frame["eventType"], frame["data"])  # typing has no place in a stream
        # Any other event before `session.resumed` comes again, in its place, in the replay.

    def _advance(self, frame: dict[str, Any]) -> None:
        stream, seq = frame["stream"], frame["seq"]
        last = self.positions.get(stream)
        if last is not None and seq <= last:
            return
        # Who resumes, or comes back into a room, does not hear what was before the joining.
        may_jump = last is None or not self.resumed.is_set() or stream in self._left
        if not may_jump and last is not None and seq > last + 1:
            raise _Break(_End(f"{stream} has a gap between {last} and {seq}"))
        self._left.pop(stream, None)
        self._stalled = 0
        self.positions[stream] = seq
        self._note_leaving(frame["eventType"], frame["data"])
        self.at = (stream, seq)
        try:
            self.on_event(frame["eventType"], frame["data"])
        finally:
            self.at = None
        self.on_change()

    def _note_leaving(self, event_type: str, data: Any) -> None:
        if event_type == "roomdelete.dispatch":
            self.positions.pop(f"room:{data['room_id']}", None)
        elif event_type == "roomexit.dispatch":
            self._left[f"room:{data['room']['id']}"] = None
            if (
                len(self._left) > ROOMS_LEFT
            ):  # the room is not named when resuming: it is not missed
                oldest = next(iter(self._left))
                del self._left[oldest]
                self.positions.pop(oldest, None)

    def _answer(
        self, answer: asyncio.Future[Any], frame: dict[str, Any], error: Refused | None
    ) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(frame.get("data"))

    # Messages

    def _prepare(self, data: dict[str, Any]) -> _Unsent:
        request_id = f"message-{next(self._numbers)}"
        frame = {"event_type": "message.send", "data": data, "request_id": request_id}
        return _Unsent(data["client_id"], request_id, _encode(frame))

    async def _pump(self, socket: ClientConnection) -> None:
        """Send what waits, as long as the connection is there."""
        with suppress(ConnectionClosed):  # the next connection sends it again
            while True:
                await self._wake.wait()
                self._wake.clear()
                while (entry := self._next_unsent()) is not None:
                    entry.flying = True
                    entry.beats = 0
                    await socket.send(entry.text)

    def _next_unsent(self) -> _Unsent | None:
        """Choose the message to send now; None while none may be.

        They go in order, several at once. A connection that ends does not say whose fault it was:
        those that were under way go alone the next time.
        """
        if not self.resumed.is_set() or self._held is not None:
            return None
        flying = 0
        for entry in self._unsent.values():
            if entry.flying:
                flying += 1
                if entry.suspect or flying >= WINDOW:
                    return None
        for entry in self._unsent.values():
            if entry.flying or entry.later is not None:
                continue
            return None if entry.suspect and flying else entry
        return None

    def _confirm(self, entry: _Unsent, error: Refused | None) -> None:
        if error is not None and error.code == NOT_AUTHENTICATED:
            return  # a close follows; it is sent after the login
        entry.flying = False
        self._wake.set()
        if error is None:
            self._finish(entry, None)
        elif error.code == TOO_MANY:
            if self._held is not None:
                self._held.cancel()
            self._held = self._call_later(self._retry_after(error), self._end_holding)
        elif error.code in RETRY_LATER:
            again = self._call_later(self._retry_after(error), self._end_waiting, entry)
            entry.later = again
        else:
            self._finish(entry, error)

    def _finish(self, entry: _Unsent, error: Refused | GivenUp | None) -> None:
        del self._unsent[entry.request_id]
        self.on_change()
        if entry.done is not None and not entry.done.done():
            if error is None:
                entry.done.set_result(entry.client_id)
            else:
                entry.done.set_exception(error)
                entry.done.exception()  # so that asyncio does not complain where nobody waits
        if error is not None and not entry.waiting:
            self.on_refused(error, entry.data)

    def _call_later(self, seconds: float, what: Callable[..., None], *args: Any) -> Any:
        return asyncio.get_running_loop().call_later(seconds, what, *args)

    def _end_holding(self) -> None:
        self._held = None
        self._wake.set()

    def _end_waiting(self, entry: _Unsent) -> None:
        entry.later = None
        self._wake.set()

    def _retry_after(self, error: Refused) -> float:
        said = error.detail.get("retry_after") if isinstance(error.detail, dict) else None
        seconds = float(said) if isinstance(said, int | float) and math.isfinite(said) else 1.0
        return self._bound(seconds) * random.uniform(1, 1.2)

    def _is_too_large(self, text: str) -> bool:
        return len(text.encode()) > self.max_frame_bytes

    def _too_large(self) -> Refused:
        return Refused(TOO_LARGE, f"The frame is larger than {self.max_frame_bytes} bytes.")

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Take what can be read: a file may have been cut off, or be of another version."""
        epoch, streams, unsent = (state.get(key) for key in ("epoch", "streams", "unsent"))
        self.epoch = epoch if isinstance(epoch, str) else None
        if isinstance(streams, dict):
            self.positions = {
                str(stream): seq
                for stream, seq in streams.items()
                if isinstance(seq, int) and not isinstance(seq, bool) and seq >= 0
            }
        for data in unsent if isinstance(unsent, list) else []:
            if isinstance(data, dict) and isinstance(data.get("client_id"), str):
                entry = self._prepare(data)
                self._unsent[entry.request_id] = entry


async def _settle(value: T | Awaitable[T]) -> T:
    return cast(T, await value) if inspect.isawaitable(value) else value


async def _resolve(given: Given[T], token: str | None) -> T:
    return await _settle(given(token)) if callable(given) else given


def _encode(frame: dict[str, Any]) -> str:
    """Write a frame.

    Raises:
        TypeError, ValueError: it cannot be written as JSON.
    """
    text = json.dumps(frame, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a pair of surrogates: the server says what it thinks of it
        return json.dumps(frame, allow_nan=False)
    return text


def _read_error(frame: dict[str, Any]) -> Refused | None:
    error = frame.get("error")
    if error is None:
        return None
    if isinstance(error, dict):
        return Refused(error.get("code"), error.get("detail"))
    return Refused(None, error)


def _read_close_code(code: int | None) -> int | None:
    return code if code is None else STAND_FOR.get(code, code)


def _read_retry_after(said: str | None) -> float:
    """Read the header `Retry-After`: seconds or a date; 0 where it is neither."""
    if said is None:
        return 0
    try:
        return float(int(said))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(said)
    except ValueError:
        return 0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return (when - datetime.now(UTC)).total_seconds()


def _log_refusal(error: Refused | GivenUp, data: dict[str, Any] | None) -> None:
    logger.warning("%s: %s", error, data)

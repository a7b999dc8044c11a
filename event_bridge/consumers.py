"""The socket at `/messaging/`: events in, answers and dispatches out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from functools import partial
from typing import Any

from gql_chat import origins, rates, sessions
from gql_chat.conf import chat_settings
from gql_chat.errors import ChatError, NotAuthenticated, RateLimited
from gql_chat.failures import bare
from gql_chat.guards import get_guard
from gql_chat.logins import Login, unknown
from gql_chat.schema import Context
from gql_chat.streams import Envelope

from . import closing, limits, protocol
from .daphne import with_brake
from .delivery import Delivered, Held
from .fitting import encode_answer, fit_waiting
from .hooks import Hooks
from .hub import get_hub
from .intake import Intake
from .metrics import describe
from .mounts import check_mount
from .operations import Prepared, events
from .outbox import BACKLOG, LIMIT, SIZE_LIMIT, Outbox
from .presence import read_activity
from .protocol import Frame, Malformed
from .resume import Resumption
from .session import Session

logger = logging.getLogger("event_bridge")

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Scope = dict[str, Any]
Performed = tuple[Any, list[Envelope]]
"""The result of an operation, and the envelopes to publish."""


class State(Enum):
    """The states of a socket."""

    OPENING = auto()
    OPEN = auto()
    CLOSING = auto()


class ChatConsumer(Hooks):
    """One socket. An ASGI application, made anew for each connection.

    It is no Channels consumer. Those hop to a database thread for every frame and keep a channel
    of the layer each. Here one hub listens for all sockets. A project derives a class from it
    (`CHAT_CONSUMER_CLASS`) for `Hooks`, and for events of its own.
    """

    outbox_limit = LIMIT
    """How many frames may wait for a client that does not read."""

    outbox_size_limit = SIZE_LIMIT
    """How many characters they may have together."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope)
        self.state = State.OPENING
        self.hub = get_hub()
        self.outbox = Outbox(
            send,
            self._overflowed,
            self._send_failed,
            self.outbox_limit,
            self.outbox_size_limit,
        )
        self.intake = Intake()
        self.resumption: Resumption | None = None
        self.resumed = False
        self.reached: dict[str, int] = {}
        self.login = Login.of(scope)
        self.guard = get_guard()
        self._receive = receive
        self._send = send
        self._held = Held()
        # Whether frames go out as they come: the socket is open, it has never resumed, and no frame
        # that the hub delivers is older than it.
        self._in_step = False
        self._closing = closing.Closing(self.outbox, self._close_soon)

    @classmethod
    def as_asgi(cls) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        """Return the ASGI application that serves each connection with a consumer.

        Raises:
            ImproperlyConfigured: the bridge is mounted already, with another consumer or other
                settings.
        """
        check_mount(cls)

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await cls(scope, receive, send).run()

        return application

    # Life

    async def run(self) -> None:
        """Serve the connection until it ends."""
        await self._receive()  # websocket.connect
        if not origins.may_open(self.scope):
            await self._send({"type": "websocket.close"})  # refuses the handshake with 403
            return
        self.hub.recorder.opened()
        subprotocol = self.choose_subprotocol(self.scope.get("subprotocols", ()))
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        self._send = self.outbox.send = with_brake(self._send)
        if not self.is_authenticated() or self.login.is_expired:
            await self._turn_away()
            self.hub.recorder.closed(self._closing.code)
            return
        self.user_id: Any = self.user.pk  # type: ignore[union-attr]
        self.user_key = str(self.user_id)
        self.channel_name = self.hub.name_socket()
        self._session = Session(self.hub.threads, self.user_id, self.channel_name)
        try:
            self.hub.register(self)
            self.guard.watch(self.login, self.dismiss)
            await self._live()
        finally:
            self.state = State.CLOSING
            await self._depart()

    async def _live(self) -> None:
        life = asyncio.timeout(None)
        try:
            async with life:
                self._closing.life = life
                if await self._open() and await self._welcome():
                    await self._serve()
        except TimeoutError:
            if not life.expired():
                raise
        finally:
            self._closing.life = None

    async def _depart(self) -> None:
        """Leave nothing behind, even if the server cancels this once and again."""
        try:
            # The server ends the connection with this application: not before it is closed.
            await self._closing.finished(closing.CLOSE_SECONDS)
        finally:
            self.hub.recorder.closed(self._closing.code)
            self.outbox.close()
            self.guard.forget(self.login)
            self._closing.forget()
            try:
                await self._say_goodbye()
            finally:
                try:
                    await self._session.forget()
                finally:
                    self.hub.leave(self)

    async def _welcome(self) -> bool:
        """Run the project's hook; tell whether the socket may stay."""
        try:
            await self.connected()
        except Exception as error:
            await self._refuse(self._explain(error))
            return False
        return True

    async def _say_goodbye(self) -> None:
        try:
            async with asyncio.timeout(closing.CLOSE_SECONDS):
                await self.disconnected()
        except Exception as error:
            said = "A hook failed that is called when a socket has closed."
            logger.error(said, exc_info=bare(error))

    async def close(self, code: int) -> None:
        """Send the frames that wait, then close the socket with a code. Never raises."""
        if self.state is not State.CLOSING:
            self.state = State.CLOSING
            self._closing.begin(code)
        await self._closing.finished()

    def _close_soon(self, code: int) -> None:
        self.hub.spawn(self.close(code))

    def _send_failed(self, error: BaseException) -> None:
        self._closing.fail(error)

    async def _open(self) -> bool:
        """Make the session, enter the hub, send what waits; tell whether that worked."""
        try:
            sessions.check_count(len(self.hub.registry.subscribers[self.user_key]) - 1)
            await self._charge()
        except Exception as error:
            return await self._give_up(error)
        async with self.hub.turn(self.user_key):
            try:
                positions, notifications = await self._session.open()
            except Exception as error:
                return await self._give_up(error)
            heard = {frame.envelope.stream for frame in self._held}
            self.reached = self.hub.enter(self, positions, heard)
        await self.hub.subscribed()
        if chat_settings.ENABLE_NOTIFICATION:
            pending = {room["room_id"]: room["notifications"] for room in notifications}
            fit = partial(fit_waiting, pending)
            self.outbox.write(encode_answer("chat.notifications", pending, fit))
        if self.state is not State.OPENING:
            return False  # dismissed meanwhile
        self.state = State.OPEN
        held, self._held = self._held, Held()
        self._release(held)
        self._forget_reached()
        self._in_step = not self.reached
        return True

    async def _give_up(self, error: Exception) -> bool:
        """Close a socket that could not be opened; returns False."""
        self.hub.cancel(self)
        await self._refuse(self._explain(error))
        return False

    async def _turn_away(self) -> None:
        """Close a socket that has no valid user; it may try again if its login cannot be read."""
        if not self.is_authenticated() and await self.guard.misses_login(self.scope):
            await self._refuse(unknown())
        else:
            await self.close(protocol.CLOSE_NOT_AUTHENTICATED)

    async def _refuse(self, problem: ChatError) -> None:
        """Close a socket that cannot be opened, with the code that says why."""
        self.hub.recorder.refused(problem)
        if not isinstance(problem, NotAuthenticated):
            self.outbox.write(protocol.error(problem))
        await self.close(protocol.CLOSE_CODES.get(problem.code, protocol.CLOSE_ERROR))

    # Frames in

    async def _serve(self) -> None:
        while self.state is State.OPEN:
            self._closing.is_receiving = True
            # A client that does not read its answers gets no more of them.
            await self.outbox.relieve(BACKLOG)
            message = await self._receive()
            self._closing.is_receiving = False
            if message["type"] == "websocket.disconnect":
                self.outbox.close()
                break
            text, data = message.get("text"), message.get("bytes")
            if limits.is_too_large(text, data):
                await self.close(protocol.CLOSE_TOO_LARGE)
            else:
                await self.receive(text)
        await self.intake.finish()

    async def receive(self, text: str | None) -> None:
        """Answer one frame; `text` is None for a binary one."""
        recorder = self.hub.recorder
        came = time.perf_counter() if recorder.active else 0.0
        problem: ChatError | None = None
        try:
            frame: Frame | Malformed = protocol.parse(text)
        except Malformed as malformed:
            frame = malformed
        try:
            self.check_rate(frame)
            await self._charge(len(text or ""))
            if isinstance(frame, Malformed):
                raise frame
            if self._takes_several() and frame.event_type in events():
                await self._queue(frame, came)
                return  # it is recorded when it is settled
            await self.intake.finish()
            await self.handle(frame)
        except limits.Ignored:
            problem = RateLimited("The socket is closed.")
            await self.close(protocol.CLOSE_TOO_MANY)
        except Exception as error:
            await self.intake.finish()
            problem = self._fail(error, frame)
        if recorder.active:
            self._record(frame, problem, came)

    async def _charge(self, size: int = 0) -> None:
        """Count an event of so many characters among those of the user, over all sockets.

        Raises:
            RateLimited, Ignored: as `check_rate` does.
        """
        budget, cost = rates.get_budget(self.user_id), rates.get_cost(size)
        if not budget.check(cost):
            await self.hub.threads.run(budget.lease, cost)

    async def handle(self, frame: Frame) -> None:
        """Answer one well-formed frame. A project's consumer may answer events of its own first.

        If a project overrides it, the next frame is taken when this one is answered.

        Raises:
            Exception: something went wrong; the client is told.
        """
        table = events()
        if frame.event_type == "session.heartbeat":
            await self.guard.check(self.login)
            self.hub.publish(await self._session.touch(read_activity(frame.data)))
            self.outbox.write(protocol.status(frame.request_id))
        elif frame.event_type == "session.resume":
            await self._resume(frame)
        elif frame.event_type in table:
            event = table.find(frame.event_type, frame.data)
            context = await self._prepare(event, frame)
            self._conclude(event, frame, await self._put(event, frame, context))
        else:
            self.outbox.write(protocol.unknown_event(frame.request_id))

    async def _queue(self, frame: Frame, came: float) -> None:
        """Queue the work of an event. The next frame may come; the answer follows the work."""
        await self.intake.free()
        event = events().find(frame.event_type, frame.data)
        context = await self._prepare(event, frame)
        settle = partial(self._settle, event, frame, came)
        self.intake.add(self._put(event, frame, context), settle)

    def _takes_several(self) -> bool:
        """Tell whether the next frame may come while the work of one is queued.

        It may if one thread does all work in order, the client keeps up, and no project overrides
        `handle`.
        """
        return (
            self.hub.threads.in_order
            and not self.outbox.size
            and type(self).handle is ChatConsumer.handle
        )

    async def _prepare(self, event: Prepared, frame: Frame) -> Context:
        """Return the context for the work of an event. It holds the cleaned content."""
        context = Context(self.user_id)
        markup = event.find_markup(_fields(frame))
        if markup is not None:
            await self.hub.cleaning.clean(context, markup)
        return context

    def _put(self, event: Prepared, frame: Frame, context: Context) -> asyncio.Future[Performed]:
        """Hand the work of an event to the database threads."""
        threads = self.hub.threads
        queue = threads.commit if event.document.writes else threads.run
        return queue(event.run, _fields(frame), context)

    def _settle(
        self, event: Prepared, frame: Frame, came: float, job: asyncio.Future[Performed]
    ) -> None:
        """Answer an event whose work is done, well or not."""
        problem: ChatError | None = None
        try:
            self._conclude(event, frame, job.result())
        except Exception as error:
            problem = self._fail(error, frame)
        if self.hub.recorder.active:
            self._record(frame, problem, came)

    def _conclude(self, event: Prepared, frame: Frame, performed: Performed) -> None:
        """Publish what an event did, and answer it."""
        result, envelopes = performed
        self.hub.publish(envelopes)
        fields, request_id = _fields(frame), frame.request_id
        result = event.operation.settle(self, result, fields)
        answer = event.operation.answer(result, fields)
        if answer is not None:
            name, data = answer
            fit = partial(event.operation.fit, data, fields)
            self.outbox.write(encode_answer(name, data, fit, request_id))
        elif request_id is not None:
            self.outbox.write(protocol.status(request_id))

    def _fail(self, error: Exception, frame: Frame | Malformed) -> ChatError:
        """Tell the client what went wrong, and return it."""
        problem = self._explain(error)
        if isinstance(problem, NotAuthenticated):
            self._close_soon(protocol.CLOSE_NOT_AUTHENTICATED)
        else:
            self.outbox.write(protocol.error(problem, frame.request_id))
        return problem

    def _record(self, frame: Frame | Malformed, problem: ChatError | None, came: float) -> None:
        answered = describe(frame, problem, came, self.user_id, events().__contains__)
        self.hub.recorder.answered(answered)

    def _explain(self, error: Exception) -> ChatError:
        problem: ChatError = chat_settings.load("EXCEPTION_HANDLER_CLASS")().handle(error)
        return problem

    # Frames out

    def deliver(self, frame: Delivered) -> None:
        """Take a dispatch that the user is entitled to."""
        if self._in_step:
            self.outbox.write(frame.plain)
        elif self.state is State.OPENING:
            self._hold(self._held, frame)
        elif self.resumption is not None:
            self._hold(self.resumption.held, frame)
        elif not 0 < frame.envelope.seq <= self.reached.get(frame.envelope.stream, 0):
            self.outbox.write(frame.numbered if self.resumed else frame.plain)

    def _hold(self, held: Held, frame: Delivered) -> None:
        """Hold a frame back until the socket is open or its replay is done; only so many."""
        held.append(frame)
        if len(held) > self.outbox_limit or held.size > self.outbox_size_limit:
            held.clear()
            self.outbox.close()
            self._overflowed()

    def _release(self, held: Held) -> None:
        """Deliver the frames that were held back. If one fails, the hub closes the socket."""
        for frame in held:
            if not self.hub.offer(self, frame):
                return

    def dismiss(self, login: str | None = None) -> None:
        """Close, as not authenticated any more; with `login`, if opened with that login session."""
        key = self.login.session_key
        if login is None or (key is not None and sessions.fingerprint(key) == login):
            self._close_soon(protocol.CLOSE_NOT_AUTHENTICATED)

    def interrupt(self) -> None:
        """Close, so that the client reconnects and resumes."""
        self._close_soon(protocol.CLOSE_RESTART)

    def _overflowed(self) -> None:
        self._close_soon(protocol.CLOSE_TOO_SLOW)

    async def _resume(self, frame: Frame) -> None:
        resumption = Resumption.parse(frame.data, self._delivered())
        self._in_step = False
        self.resumption = resumption
        try:
            # One after the other: a user's sockets read no two replays into memory at a time.
            async with self.hub.turn(self.user_key):
                replay = await self.hub.threads.run(resumption.read, self.user_id)
            self.hub.doubt(replay.epoch)
            while replay.frames:
                for missed in replay.frames:
                    self.outbox.write(missed.numbered)
                    await self.outbox.drain()
                await self.hub.threads.run(replay.read_on)
        except BaseException:
            self.resumption = None
            self._release(resumption.held)
            raise
        self.reached = replay.reached
        data = {"streams": replay.answer, "epoch": replay.epoch}
        self.outbox.write(protocol.event("session.resumed", data, frame.request_id))
        self.resumed = True
        self.resumption = None
        self._release(resumption.held)
        self._forget_reached()

    def _forget_reached(self) -> None:
        """Forget those streams of `reached` in which the hub has come as far."""
        if self.reached:
            given = self.hub.positions(self.user_key)
            self.reached = {
                name: seq for name, seq in self.reached.items() if given.get(name, -1) < seq
            }

    def _delivered(self) -> dict[str, int]:
        """Return for each stream the sequence number up to which the socket needs no frames.

        It was given those frames, or it was opened after them.
        """
        reached = dict(self.reached)
        for name, seq in self.hub.positions(self.user_key).items():
            reached[name] = max(seq, reached.get(name, 0))
        return reached


def _fields(frame: Frame) -> dict[str, Any]:
    return frame.data if isinstance(frame.data, dict) else {}

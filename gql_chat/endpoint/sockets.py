"""The endpoint over WebSocket: any operation, by the protocol `graphql-transport-ws`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.types.unset import UNSET

from .. import origins, rates
from ..conf import chat_settings
from ..errors import ChatError, NotAuthenticated, RateLimited, Unavailable, excerpt
from ..failures import outline
from ..guards import get_guard
from ..json_values import has_too_many
from ..logins import Login, ended
from .access import Caller
from .leases import get_leases
from .limits import ID_LENGTH
from .schema import get_schema, get_threads

logger = logging.getLogger("gql_chat")

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Scope = dict[str, Any]

CLOSE_TOO_LARGE = 1009
CLOSE_ERROR = 1011
CLOSE_LATER = 1013
CLOSE_TOO_SLOW = 4008
CLOSE_TOO_MANY = 4029
CLOSE_UNAUTHORIZED = 4401
CLOSE_PROTOCOL = 4406

ACT_AS = "act_as"
"""The key of the connection's payload that names the user on whose behalf it is used."""

SUBSTITUTE = 3000
"""Added to a close code below 3000 if the server (daphne) refuses to send that code."""

_REASON_BYTES = 123  # as many as a close frame has room for


class ChatGraphQLSocket:
    """One socket: an ASGI application with an instance for each connection.

    Mount it with `path("chat/graphql/", ChatGraphQLSocket.as_asgi())` inside the project's
    `AuthMiddlewareStack`. It is no Channels consumer: a consumer would read a client's messages
    into memory, however slowly they are answered. Here unread messages wait at the client.
    """

    slow_seconds = 30.0
    """How long the server waits for a client to take a message."""

    init_seconds = 10.0
    """How long a client may take to say `connection_init`."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._sending = asyncio.Lock()
        self._closed = False
        self._too_slow = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._is_refused = False
        self._limited = 0
        self._limited_ids: set[Any] = set()

    @classmethod
    def as_asgi(cls) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        """Return the ASGI application that serves each connection with a socket."""
        get_schema()  # built before the first client needs it

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await cls(scope, receive, send).run()

        return application

    async def run(self) -> None:
        """Serve the connection until it ends."""
        await self._receive()  # websocket.connect
        if not origins.may_post(self._scope):
            await self._send({"type": "websocket.close"})  # refuses the handshake with 403
            return
        if GRAPHQL_TRANSPORT_WS_PROTOCOL not in self._scope.get("subprotocols", ()):
            await self._send({"type": "websocket.accept"})
            await self.close(CLOSE_PROTOCOL, f"Speak {GRAPHQL_TRANSPORT_WS_PROTOCOL}.")
            return
        await self._send({"type": "websocket.accept", "subprotocol": GRAPHQL_TRANSPORT_WS_PROTOCOL})
        login = Login.of(self._scope)
        self._connection = connection = Connection(
            Caller.of(self._scope.get("user"), login), self._scope, self.close
        )
        handler: Any = _Handler(
            view=connection,  # type: ignore[arg-type]
            websocket=self,  # type: ignore[arg-type]
            context=connection,
            root_value=None,
            schema=get_schema(),
            connection_init_wait_timeout=timedelta(seconds=self.init_seconds),
            max_subscriptions_per_connection=chat_settings.GRAPHQL_MAX_SUBSCRIPTIONS,
        )
        guard = get_guard()
        guard.watch(login, self._end)
        try:
            await self._serve(handler)
        finally:
            guard.forget(login)
            connection.leave()

    def _end(self) -> None:
        """Close the socket: its login has ended."""
        if self._ending is None:
            closing = self.close(CLOSE_UNAUTHORIZED, ended().sentence)
            self._ending = asyncio.get_running_loop().create_task(closing)

    async def _serve(self, handler: Any) -> None:
        """Let the handler work until the client goes, or proves to be too slow."""
        serving = asyncio.create_task(handler.handle())
        too_slow = asyncio.create_task(self._too_slow.wait())
        try:
            await asyncio.wait({serving, too_slow}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            too_slow.cancel()
            await asyncio.wait({serving, too_slow})
        if self._too_slow.is_set():
            # The handler has ended, so nothing is kept in memory if the client is slow here, too.
            await self.close(CLOSE_TOO_SLOW, "Too slow: reconnect and go on from the last seq.")
        elif not serving.cancelled():
            serving.result()

    # Strawberry's handler calls these

    async def iter_json(self) -> AsyncGenerator[object, None]:
        """Give the client's messages; each is read when the handler is done with the one before."""
        while not self._closed:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._closed = True
                return
            text = message.get("text")
            if text is None:
                raise NonTextMessageReceived
            limit = chat_settings.GRAPHQL_MAX_BODY_BYTES
            if limit is not None and len(text.encode(errors="surrogatepass")) > limit:
                await self.close(CLOSE_TOO_LARGE, f"At most {limit} bytes are allowed.")
                return
            if has_too_many(text):
                most = chat_settings.MAX_FRAME_ELEMENTS
                await self.close(CLOSE_TOO_LARGE, f"At most {most} values are allowed.")
                return
            try:
                content = orjson.loads(text)
            except (orjson.JSONDecodeError, UnicodeEncodeError):
                raise NonJsonMessageReceived from None
            if await self._may_take(content):
                yield content

    async def _may_take(self, content: Any) -> bool:
        """Count a message among the events of the user; return whether it is to be answered.

        One that subscribes is counted when its operation runs, and answered in any case.
        """
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "subscribe" or self._connection.name is None:
            return True
        budget = rates.get_budget(self._connection.caller.user_id)
        try:
            if not budget.check():
                await get_threads().run(budget.lease)
        except rates.Ignored:
            await self.close(CLOSE_TOO_MANY, "Too many messages: wait before you connect again.")
            return False
        except RateLimited:
            return False
        return True

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send a message. A client that does not take it in time is disconnected."""
        if self._closed or self._too_slow.is_set():
            return
        text = orjson.dumps(message, default=str).decode()
        try:
            async with asyncio.timeout(self.slow_seconds), self._sending:
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self._too_slow.set()
        except OSError:
            self._closed = True  # the client is gone; `iter_json` is about to read that
        except Exception as error:
            # It may be daphne's own error for a client that is gone. Otherwise tell the client.
            logger.warning("A message could not be sent; the socket is closed: %s", outline(error))
            await self.close(CLOSE_ERROR, "Connect again.")
        self._is_refused = self._is_refused or _has_code(message, NotAuthenticated.code)
        if self._is_refused and message["type"] != "next":  # the operation has ended, too
            await self.close(CLOSE_UNAUTHORIZED, ended().sentence)
        if _has_code(message, RateLimited.code):
            self._limited += 1
            if message["type"] == "next":
                self._limited_ids.add(message["id"])
        elif message["type"] == "complete" and message["id"] not in self._limited_ids:
            # Not at a result: those of a subscription come, whatever else the client asks for.
            self._limited = 0
        if message["type"] == "complete":
            self._limited_ids.discard(message["id"])
        if self._limited > rates.PATIENCE:
            await self.close(CLOSE_TOO_MANY, "Too many events: wait before you connect again.")

    async def close(self, code: int, reason: str) -> None:
        """Close the socket with a code and a reason, once."""
        if not self._closed:
            self._closed = True
            reason = excerpt(reason).encode()[:_REASON_BYTES].decode(errors="ignore")
            message = {"type": "websocket.close", "code": code, "reason": reason}
            try:
                await self._send(message)
            except Exception:
                with suppress(Exception):  # the client may be gone
                    if code < SUBSTITUTE:
                        await self._send({**message, "code": code + SUBSTITUTE})


class Connection:
    """A handler's client.

    Attributes:
        caller: the caller who is connected.
        scope: the ASGI scope of the socket.
        connection_params: the payload of `connection_init`.
        name: the channel name of the socket's session; None before it has one.
    """

    def __init__(
        self, caller: Caller, scope: Scope, close: Callable[[int, str], Awaitable[None]]
    ) -> None:
        self.caller = caller
        self.scope = scope
        self.connection_params: dict[str, Any] = {}
        self.name: str | None = None
        self._close = close

    async def on_ws_connect(self, context: Connection) -> Any:
        """Check whether the client may use the endpoint.

        Raises:
            ConnectionRejectionError: it may not. The socket is closed with 4403, with 4401 if
                nobody has signed in, with 1013 if that cannot be checked now, or with 4029 if the
                user has too many sockets.
        """
        act_as = self.connection_params.get(ACT_AS)
        if not isinstance(act_as, int | str | None):
            raise ConnectionRejectionError
        self.caller = replace(self.caller, act_as=act_as)
        try:
            await get_threads().run(self._enter)
            self.name = await get_leases().open(self.caller.user_id)
        except NotAuthenticated as problem:
            nobody = self.caller.user_id is None
            if nobody and await get_guard().misses_login(self.scope):
                await self._close(CLOSE_LATER, "Try again later.")
            else:
                await self._close(CLOSE_UNAUTHORIZED, problem.sentence)
            raise ConnectionRejectionError from None
        except Unavailable:
            await self._close(CLOSE_LATER, "Try again later.")
            raise ConnectionRejectionError from None
        except RateLimited as problem:
            await self._close(CLOSE_TOO_MANY, problem.sentence)
            raise ConnectionRejectionError from None
        except ChatError:
            raise ConnectionRejectionError from None
        return UNSET

    def _enter(self) -> None:
        self.caller.enter()
        rates.get_budget(self.caller.user_id).spend()

    def leave(self) -> None:
        """Forget the session, if there is one."""
        if self.name is not None:
            get_leases().close(self.name)
            self.name = None


class _Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's handler, for messages of any shape. Operations get the `Caller` as context."""

    async def handle_connection_init(self, message: Any) -> None:
        await super().handle_connection_init(message)
        if self.connection_acknowledged and isinstance(self.context, Connection):
            self.context = self.context.caller

    async def handle_message(self, message: Any) -> None:
        problem = _find_problem(message)
        if problem is None:
            await super().handle_message(message)
        else:
            await self.handle_invalid_message(problem)


def _has_code(message: Mapping[str, Any], code: int) -> bool:
    """Return whether a message tells the client of an error with this code."""
    payload = message.get("payload")
    match message.get("type"):
        case "error":
            errors = payload
        case "next":
            errors = payload.get("errors") if isinstance(payload, Mapping) else None
        case _:
            return False
    return any((error.get("extensions") or {}).get("code") == code for error in errors or ())


def _is_id(value: Any) -> bool:
    """Return whether a value may name an operation: all its results repeat it."""
    return isinstance(value, str) and len(value) <= ID_LENGTH


def _find_problem(message: Any) -> str | None:
    """Return what is wrong with the shape of a message, or None."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "A message is an object with a type."
    kind = message["type"]
    if kind in ("subscribe", "complete") and not _is_id(message.get("id")):
        return f"The id is a string of at most {ID_LENGTH} characters."
    if kind != "subscribe":
        return None
    payload = message.get("payload")
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        return "The payload is an object with a query."
    if not isinstance(payload.get("variables"), dict | None):
        return "The variables are an object."
    if not isinstance(payload.get("operationName"), str | None):
        return "The operationName is a string."
    return None

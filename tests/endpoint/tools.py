"""An internal tool at the GraphQL endpoint: over HTTP, and over a socket as the protocol has it."""

import asyncio
import json
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.test import Client as Browser
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gql_chat import streams
from gql_chat.endpoint import subscribers
from gql_chat.models import GroupChat
from tests.conftest import Orm
from tests.servers import HOST
from tests.timing import PATIENCE, eventually

PATH = "/chat/graphql/"
TOKEN = "t" * 32

SEND = """mutation Send($input: SendMessageInput!) {
  send_message(input: $input) { message_id stream seq }
}"""
FOLLOW_ROOM = """subscription ($room: UUID!, $after: Int) {
  room_events(room_id: $room, after: $after) {
    stream seq event {
      __typename
      ... on MessageSent { message { content sender { username } } }
      ... on RoomUpdated { room { __typename id } }
    }
  }
}"""


def sign_in(orm: Orm, user: AbstractUser) -> str:
    """Sign a user in; returns the value of the session cookie."""
    browser = Browser()
    orm(browser.force_login, user)
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def code_of(body: Any) -> int:
    """The code of the one error of a response."""
    (error,) = body["errors"]
    code: int = error["extensions"]["code"]
    return code


class Tool:
    """Somebody's tool that speaks HTTP with the endpoint of a server."""

    def __init__(self, port: int, session: str | None = None) -> None:
        self.port = port
        self.session = session

    def post(
        self, query: str, variables: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> tuple[int, Any]:
        """Send an operation; returns the status and the body."""
        content = {"query": query, "variables": variables, **more}
        return self.request("POST", PATH, json.dumps(content), headers)

    def get(self, headers: dict[str, str] | None = None, **parameters: str) -> tuple[int, Any]:
        """Send an operation in the address; returns the status and the body."""
        return self.request("GET", f"{PATH}?{urlencode(parameters)}", None, headers)

    def request(
        self,
        method: str,
        path: str,
        body: str | bytes | None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Send anything, with a valid CSRF token unless the headers say otherwise."""
        cookies = {"csrftoken": TOKEN, "sessionid": self.session}
        sent = {
            "Content-Type": "application/json",
            "X-CSRFToken": TOKEN,
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items() if value),
            **(headers or {}),
        }
        connection = HTTPConnection(HOST, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if is_json else text

    def ask(self, query: str, variables: Any = None, **more: Any) -> Any:
        """Send an operation that must succeed; returns the data."""
        status, body = self.post(query, variables, **more)
        assert (status, body.get("errors")) == (200, None), body
        return body["data"]


class Subscriber:
    """One socket of a tool, by the protocol `graphql-transport-ws`."""

    def __init__(
        self,
        port: int,
        session: str | None,
        payload: dict[str, Any] | None = None,
        *,
        origin: str | None = None,
        subprotocol: str | None = "graphql-transport-ws",
        **options: Any,
    ) -> None:
        self._payload = payload
        self._url = f"ws://{HOST}:{port}{PATH}"
        self._options: dict[str, Any] = {
            "additional_headers": {"Cookie": f"sessionid={session}"} if session else {},
            "origin": origin or f"http://{urlsplit(self._url).netloc}",
            "subprotocols": None if subprotocol is None else [subprotocol],
            "proxy": None,
            "max_size": None,
            **options,
        }
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        self._socket = await connect(self._url, **self._options)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.socket.close()

    @property
    def socket(self) -> ClientConnection:
        """The connection."""
        assert self._socket is not None
        return self._socket

    async def init(self) -> Self:
        """Say hello, and wait for the answer."""
        await self.send({"type": "connection_init", "payload": self._payload or {}})
        assert await self.next() == {"type": "connection_ack"}
        return self

    async def send(self, message: Any) -> None:
        """Send a message."""
        await self.socket.send(json.dumps(message))

    async def next(self) -> Any:
        """Take the next message, which must come."""
        return json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))

    async def start(self, id: str, query: str, **variables: Any) -> None:
        """Start an operation."""
        payload = {"query": query, "variables": variables}
        await self.send({"id": id, "type": "subscribe", "payload": payload})

    async def stop(self, id: str) -> None:
        """End an operation, and wait until nothing more of it can come."""
        await self.send({"id": id, "type": "complete"})
        await self.nothing()

    async def data(self, id: str) -> Any:
        """Take the next message, which must be a result without errors of this operation."""
        message = await self.next()
        assert (message["id"], message["type"]) == (id, "next"), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def frame(self, id: str) -> Any:
        """Take the next frame of a subscription to a room."""
        return (await self.data(id))["room_events"]

    async def error(self, id: str) -> int:
        """Take the error that ends an operation; returns its code.

        Where a login has ended, the server may see that before the operation does. It closes the
        socket then, which says the same.
        """
        try:
            message = await self.next()
        except ConnectionClosed:
            assert self.socket.close_code == 4401, self.socket.close_reason
            return 4001
        assert message["id"] == id, message
        if message["type"] == "error":
            return code_of({"errors": message["payload"]})
        assert message["type"] == "next", message
        await self.completed(id)
        return code_of(message["payload"])

    async def completed(self, id: str) -> None:
        """Take the end of an operation."""
        assert await self.next() == {"id": id, "type": "complete"}

    async def nothing(self) -> None:
        """Nothing has come."""
        await self.send({"type": "ping"})
        assert await self.next() == {"type": "pong"}

    async def closed(self) -> tuple[int, str]:
        """Wait until the server closes; returns code and reason. What else comes is dropped."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed:
                return self.socket.close_code or 0, self.socket.close_reason or ""


FOLLOW_USER = """subscription ($user: UserID!, $after: Int) {
  user_events(user_id: $user, after: $after) { stream seq event { __typename } }
}"""


def contents(frame: Any) -> str:
    """The content of the message that a frame tells of."""
    content: str = frame["event"]["message"]["content"]
    return content


def is_followed(room: GroupChat) -> bool:
    """Whether a subscriber of the room's stream waits for a wake-up."""
    name = streams.room_stream(room.pk)
    return any(name in notifier._subscribers for notifier in list(subscribers._notifiers.values()))


def subscribers_of(room: GroupChat) -> list[Any]:
    """The subscribers of the room's stream."""
    name = streams.room_stream(room.pk)
    notifiers = list(subscribers._notifiers.values())
    return [each for notifier in notifiers for each in notifier._subscribers.get(name, ())]


def wake(subscriber: Any) -> None:
    """Let a subscriber look at its stream, on the event loop that it belongs to."""
    for loop, notifier in list(subscribers._notifiers.items()):
        if any(subscriber in found for found in notifier._subscribers.values()):
            loop.call_soon_threadsafe(subscriber.wake_up.set)


async def follows(socket: Any, id: str, room: GroupChat, say: Any) -> None:
    """A subscription without a place to begin at has begun: it hears of this message."""
    await eventually(lambda: is_followed(room), "it follows")
    say(room, "begin")
    assert contents(await socket.frame(id)) == "begin"

"""The endpoint's socket: the messages of `graphql-transport-ws`, and who is let in."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from autobahn.exception import Disconnected
from django.contrib.auth.models import AbstractUser
from websockets.exceptions import InvalidStatus

from gql_chat import guards, send_message
from gql_chat.endpoint.sockets import ChatGraphQLSocket
from tests.conftest import Orm, Users
from tests.endpoint.conftest import MakeGroup, OpenSocket
from tests.endpoint.tools import FOLLOW_ROOM, SEND, Subscriber, sign_in
from tests.servers import ChatThread
from tests.timing import PATIENCE
from tests.wire import kept_sessions


async def test_queries_and_mutations_run_on_a_socket_too(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup
) -> None:
    room = make_group(staff)
    socket = await (await open_socket(staff)).init()

    await socket.start("1", SEND, input={"room_id": str(room.pk), "content": "x"})
    assert (await socket.data("1"))["send_message"]["seq"] == 1
    await socket.completed("1")
    await socket.start("2", "{ rooms { id } }")
    assert await socket.data("2") == {"rooms": [{"id": str(room.pk)}]}
    await socket.completed("2")


@pytest.mark.parametrize(
    "query",
    ["{", "{ nothing }", "", "subscription { events { __typename } }", "subscription { rooms }"],
)
async def test_a_document_that_does_not_fit_is_an_error_and_the_socket_stays(
    query: str, open_socket: OpenSocket, staff: AbstractUser
) -> None:
    socket = await (await open_socket(staff)).init()

    await socket.start("1", query)

    assert await socket.error("1") == 4003
    await socket.nothing()


async def test_nobody_unknown_and_nobody_who_may_not_is_let_in(
    open_socket: OpenSocket, users: Users
) -> None:
    for user, code in ((None, 4401), (users("alice"), 4403)):
        socket = await open_socket(user)
        await socket.send({"type": "connection_init"})
        assert (await socket.closed())[0] == code


@pytest.fixture
def own_engine(settings: Any) -> Iterator[type[kept_sessions.SessionStore]]:
    """A session engine of a project's own, which a test may take away."""
    settings.SESSION_ENGINE = kept_sessions.__name__
    yield kept_sessions.SessionStore
    kept_sessions.SessionStore.away = False


def change_password(user: AbstractUser) -> None:
    user.set_password("another")
    user.save()


async def test_a_silent_socket_ends_with_its_login(
    open_socket: OpenSocket, staff: AbstractUser, orm: Orm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(guards, "CHECK_SECONDS", 0.05)
    socket = await (await open_socket(staff)).init()

    orm(change_password, staff)

    assert (await socket.closed())[0] == 4401


async def test_the_next_operation_after_the_login_ended_closes_the_socket(
    open_socket: OpenSocket, staff: AbstractUser, orm: Orm
) -> None:
    socket = await (await open_socket(staff)).init()
    await socket.start("1", "{ rooms { id } }")
    await socket.data("1")
    await socket.completed("1")

    orm(change_password, staff)
    await socket.start("2", "{ rooms { id } }")

    assert await socket.error("2") == 4001
    assert (await socket.closed())[0] == 4401


async def test_a_store_of_sessions_that_is_away_ends_nothing_that_was_begun(
    own_engine: type[kept_sessions.SessionStore],
    open_socket: OpenSocket,
    staff: AbstractUser,
    make_group: MakeGroup,
    orm: Orm,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = make_group(staff)
    monkeypatch.setattr(guards, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(guards, "CHECK_SECONDS", 0.05)
    socket = await (await open_socket(staff)).init()
    orm(send_message, room, "begun", sender=staff)
    await socket.start("follow", FOLLOW_ROOM, room=str(room.pk), after=0)
    await socket.frame("follow")

    own_engine.away = True
    await socket.start("1", "{ rooms { id } }")
    assert await socket.error("1") == 4503
    orm(send_message, room, "still heard", sender=staff)
    assert (await socket.frame("follow"))["event"]["message"]["content"] == "still heard"

    own_engine.away = False
    await socket.start("2", "{ rooms { id } }")
    await socket.data("2")
    await socket.completed("2")
    orm(change_password, staff)
    assert (await socket.closed())[0] == 4401


async def test_who_says_hello_while_the_store_is_away_comes_back_later(
    own_engine: type[kept_sessions.SessionStore], open_socket: OpenSocket, staff: AbstractUser
) -> None:
    socket = await open_socket(staff)
    own_engine.away = True

    await socket.send({"type": "connection_init"})

    assert (await socket.closed())[0] == 1013


async def test_nothing_runs_before_the_client_has_said_hello(
    open_socket: OpenSocket, staff: AbstractUser
) -> None:
    socket = await open_socket(staff)

    await socket.start("1", "{ rooms { id } }")

    assert (await socket.closed())[0] == 4401


async def test_a_client_that_never_says_hello_is_closed(
    open_socket: OpenSocket, staff: AbstractUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChatGraphQLSocket, "init_seconds", 0.05)

    assert (await (await open_socket(staff)).closed())[0] == 4408


async def test_another_protocol_is_refused(open_socket: OpenSocket, staff: AbstractUser) -> None:
    socket = await open_socket(staff, subprotocol=None)

    assert (await socket.closed())[0] == 4406


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "5",
        "[]",
        "null",
        "{}",
        '{"type": 5}',
        '{"type": "unknown"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": [], "payload": {"query": "{ rooms { id } }"}}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 5}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "operationName": 5}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": {}}',
        '{"type": "ping", "payload": "\\ud800"}',
        b"\x00",
    ],
    ids=str,
)
async def test_a_message_of_another_shape_closes_the_socket(
    message: str | bytes, open_socket: OpenSocket, staff: AbstractUser
) -> None:
    socket = await (await open_socket(staff)).init()

    await socket.socket.send(message)

    assert (await socket.closed())[0] == 4400


async def test_an_id_that_is_taken_closes_the_socket_whatever_is_in_it(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup
) -> None:
    room = make_group(staff)
    socket = await (await open_socket(staff)).init()
    id = "\N{PILE OF POO}" * 200

    for _ in range(2):
        await socket.start(id, FOLLOW_ROOM, room=str(room.pk))

    assert (await socket.closed())[0] == 4409


async def test_a_page_of_another_site_opens_no_socket(
    chat: ChatThread, staff: AbstractUser, orm: Orm, settings: Any
) -> None:
    # This host is allowed to serve the site, but is not the one that serves this page.
    other = f"http://localhost:{chat.port}"
    session = sign_in(orm, staff)
    with pytest.raises(InvalidStatus, match="403"):
        await Subscriber(chat.port, session, origin=other).__aenter__()

    settings.CSRF_TRUSTED_ORIGINS = [other]

    async with Subscriber(chat.port, session, origin=other) as socket:
        await socket.init()


class Server:
    """The server's side of a socket that somebody has signed in for.

    Attributes:
        codes: with what the socket was closed.
        error: what `send` raises for a message of the protocol.
    """

    def __init__(self, *messages: str, least_code: int = 0) -> None:
        self.codes: list[int] = []
        self.error: Exception | None = None
        self._least_code = least_code
        self._coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._coming.put_nowait({"type": "websocket.connect"})
        for text in messages:
            self._coming.put_nowait({"type": "websocket.receive", "text": text})

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send" and self.error is not None:
            raise self.error
        if message["type"] == "websocket.close":
            if message["code"] < self._least_code:
                raise ValueError("no such code")
            self.codes.append(message["code"])
            self._coming.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    async def serve(self, user: Any) -> None:
        """Serve the socket to its end."""
        scope = {"user": user, "subprotocols": ["graphql-transport-ws"], "headers": []}
        socket = ChatGraphQLSocket(scope, self._coming.get, self.send)
        await asyncio.wait_for(socket.run(), PATIENCE)


@pytest.mark.parametrize(("least_code", "expected"), [(0, 1009), (3000, 4009)])
async def test_a_server_that_cannot_send_a_code_sends_another(
    least_code: int, expected: int, staff: AbstractUser, settings: Any
) -> None:
    """daphne; a socket that stayed open would never be answered again."""
    settings.REALTIME_CHAT_MESSAGING = {"GRAPHQL_MAX_BODY_BYTES": 100}
    server = Server('{"type": "connection_init"}', f'"{"x" * 200}"', least_code=least_code)

    await server.serve(staff)

    assert server.codes == [expected]


@pytest.mark.parametrize("error", [Disconnected("gone"), RuntimeError("a middleware's bug")])
async def test_a_message_that_cannot_be_sent_closes_the_socket(
    error: Exception, staff: AbstractUser
) -> None:
    server = Server('{"type": "connection_init"}', '{"type": "ping"}')
    server.error = error

    await server.serve(staff)

    assert server.codes == [1011]

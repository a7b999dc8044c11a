"""The example of a project whose users come with tokens."""

from collections.abc import Iterator

import pytest
from channels.routing import URLRouter

from event_bridge.routing import get_websocket_urlpatterns
from gql_chat import logins
from shop.tokens import TokenAuth, make_token
from tests.client import Client
from tests.conftest import Users
from tests.servers import ChatThread


@pytest.fixture
def token_socket(chat: ChatThread) -> Iterator[str]:
    """The socket of a project whose middleware takes users from tokens."""
    with ChatThread(TokenAuth(URLRouter(get_websocket_urlpatterns()))) as server:
        yield server.url


async def test_a_token_is_accepted_as_subprotocol_and_ends_the_socket_with_its_end(
    token_socket: str, users: Users
) -> None:
    user = users("alice")
    offered = ["bearer", make_token(user, seconds=3)]
    async with Client(token_socket, subprotocols=offered) as client:
        assert client.socket.subprotocol == "bearer"
        await client.heartbeat()

        assert await client.closed() == 4001

    async with Client(token_socket, subprotocols=offered, greeted=False) as client:
        assert client.socket.subprotocol == "bearer"
        assert await client.closed() == 4001


async def test_a_token_that_has_ended_is_refused_by_the_next_heartbeat(
    token_socket: str, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_token(users("alice"))
    async with Client(token_socket, subprotocols=["bearer", token]) as client:
        await client.heartbeat()
        now = logins.time.time()
        monkeypatch.setattr(logins.time, "time", lambda: now + 3601)

        await client.send("session.heartbeat")

        assert await client.closed() == 4001


@pytest.mark.parametrize("offered", [["bearer", "forged.token"], ["bearer"], None])
async def test_who_has_no_token_that_holds_is_closed_with_4001(
    token_socket: str, offered: list[str] | None
) -> None:
    async with Client(token_socket, subprotocols=offered, greeted=False) as client:
        assert client.socket.subprotocol == ("bearer" if offered else None)
        assert await client.closed() == 4001

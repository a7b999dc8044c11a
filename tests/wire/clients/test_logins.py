"""The reference clients where a login is refused, or a token runs out."""

from typing import Any

import pytest

from tests.wire.driven import Python, send
from tests.wire.scripted import Handshake, Peer, ScriptedServer, resumes


def tokens_of(server: ScriptedServer) -> list[Any]:
    return [request.path.partition("token=")[2] for request in server.requests]


async def test_without_a_token_a_refused_login_is_not_tried_again(start: Any) -> None:
    async def logs_out(peer: Peer) -> None:
        await peer.resume(user_1=1)
        frame = await peer.takes("message.send")
        await peer.refuse(frame, 4001, "Not authenticated.")
        await peer.close(4001)

    async with ScriptedServer(logs_out, resumes) as server:
        client = await start(server.url)
        await send(client, "kept")
        assert await client.hears("closed") == 4001
        assert len(server.requests) == 1
        # Who has logged in again goes on with the same client.
        await client.tell(do="connect")
        await client.hears("resolved")
        assert client.saw("rejected") == 0


@pytest.mark.parametrize("late", [False, True])
async def test_a_refused_token_is_renewed_once_and_nothing_is_lost(start: Any, late: bool) -> None:
    sent = []

    async def first(peer: Peer) -> None:
        assert peer.connection.subprotocol == "bearer"
        await peer.resume(user_1=1)
        await peer.dispatch("two", "user:1", 2)
        sent.append((await peer.takes("message.send"))["data"]["client_id"])
        await peer.close(4001)

    async def second(peer: Peer) -> None:
        assert (await peer.resume(user_1=2))["streams"] == {"user:1": 2}
        frame = await peer.takes("message.send")
        sent.append(frame["data"]["client_id"])
        await peer.confirm(frame)
        await peer.stay()

    async with ScriptedServer(first, second) as server:
        client = await start(server.url, tokens=["old", "new"], late=late)
        await send(client, "kept")
        await client.hears("resolved")
        assert sent[0] == sent[1]
        assert client.data("token") == [False, True]
        assert tokens_of(server) == ["old", "new"]
        offered = [request.headers["Sec-WebSocket-Protocol"] for request in server.requests]
        assert [each.replace(" ", "") for each in offered] == ["bearer,old", "bearer,new"]
        if isinstance(client, Python):
            cookies = [request.headers["Cookie"] for request in server.requests]
            assert cookies == ["sessionid=old", "sessionid=new"]


async def test_a_new_token_that_is_refused_too_ends_it(start: Any) -> None:
    async def refuses(peer: Peer) -> None:
        await peer.close(4001)

    async with ScriptedServer(refuses, Handshake(502), refuses, resumes) as server:
        client = await start(server.url, tokens=["one", "two", "three"])
        assert await client.hears("closed") == 4001
        assert client.data("token") == [False, True, False]
        assert tokens_of(server) == ["one", "two", "three"]


async def test_no_token_means_logged_out(start: Any) -> None:
    async with ScriptedServer(resumes) as server:
        client = await start(server.url, tokens=[None])
        assert await client.hears("closed") == 4001
        assert server.requests == []


async def test_a_token_that_cannot_be_had_today_is_asked_for_again(start: Any) -> None:
    async with ScriptedServer(resumes) as server:
        client = await start(server.url, tokens=["trouble", "trouble", "good"])
        await client.hears("ready")
        assert client.saw("token") == 3
        assert tokens_of(server) == ["good"]


async def test_a_handshake_that_asks_for_a_login_renews_the_token() -> None:
    async with ScriptedServer(Handshake(401), resumes) as server:
        client = Python(server.url, tokens=["old", "new"])
        await client.start()
        await client.hears("ready")
        await client.stop()
        assert client.data("token") == [False, True]

"""The reference clients against servers and networks that have every trouble there is."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from docs.clients.chat_client import ChatClient, LoggedOut
from tests.servers import HOST, free_port
from tests.timing import PATIENCE
from tests.wire.driven import PAUSES, send
from tests.wire.scripted import Handshake, Peer, ScriptedServer, resumes

TROUBLES = [
    *(Handshake(status) for status in (500, 502, 503, 504, 429, 404)),
    Handshake(text=""),
    Handshake(text="HTTP/1.1 101 Switching Pro"),
    Handshake(text="what?\r\n\r\n"),
]


async def test_handshakes_that_fail_are_tried_again(start: Any) -> None:
    async with ScriptedServer(*TROUBLES, resumes) as server:
        client = await start(server.url)
        await send(client, "one")
        await client.hears("resolved")
        assert client.saw("pause") == len(TROUBLES)


async def test_a_server_that_is_down_is_waited_for(start: Any) -> None:
    port = free_port()
    client = await start(f"ws://{HOST}:{port}/")
    await client.hears("pause", 3)
    async with ScriptedServer(resumes, port=port):
        await client.hears("ready")


async def test_a_name_that_is_not_found_is_looked_up_again(start: Any) -> None:
    async with ScriptedServer(resumes) as server:
        client = await start("ws://chat.invalid:1/", server.url)
        await client.hears("pause")
        await client.hears("ready")


async def test_a_handshake_that_is_never_answered_is_given_up(start: Any) -> None:
    held: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: held.append(writer), HOST, 0)
    port = silent.sockets[0].getsockname()[1]
    async with ScriptedServer(resumes) as server:
        options = {"open_timeout": 0.2} if start_is_python(start) else {}
        client = await start(f"ws://{HOST}:{port}/", server.url, heartbeat=0.1, **options)
        await client.hears("ready")
    silent.close()
    for writer in held:
        writer.close()


def start_is_python(start: Any) -> bool:
    return "python" in str(start.__closure__[0].cell_contents)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 9),
        ("86400", 9, 11),
        ("-5", 0, 1),
        ("soon", 0, 1),
        pytest.param(
            format_datetime(datetime.now(UTC) + timedelta(days=1)), 9, 11, id="tomorrow-9-11"
        ),
        (format_datetime(datetime(2020, 1, 1, tzinfo=UTC)), 0, 1),
    ],
)
async def test_retry_after_is_waited_within_bounds(said: str, least: float, most: float) -> None:
    busy = Handshake(429, headers={"Retry-After": said})
    waited: list[float] = []

    class Waits(Exception):
        pass

    def pause(seconds: float, reason: str) -> None:
        assert "429" in reason
        waited.append(seconds)
        raise Waits

    async with ScriptedServer(busy) as server:
        client = ChatClient(
            server.url,
            lambda name, data: None,
            on_pause=pause,
            longest_retry_after=9,
            first_pause=0.01,
            proxy=None,
        )
        with pytest.raises(Waits):
            await client.run()
    assert least <= waited[0] <= most


@pytest.mark.parametrize("status", [401, 403])
async def test_the_python_client_stops_where_a_handshake_asks_for_a_login(status: int) -> None:
    async with ScriptedServer(Handshake(502), Handshake(status)) as server:
        client = ChatClient(server.url, lambda name, data: None, proxy=None, **PAUSES)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(LoggedOut, match=str(status)):
                await client.run()
        assert len(server.requests) == 2


async def test_the_pause_grows_and_starts_anew_after_a_good_connection(start: Any) -> None:
    async def breaks(peer: Peer) -> None:
        await peer.resume(user_1=1)
        await peer.close(1006)

    async def never_resumes(peer: Peer) -> None:
        await peer.takes("session.resume")
        await peer.close(1011)

    steps = [Handshake(502)] * 3 + [never_resumes] * 2 + [breaks, resumes]
    async with ScriptedServer(*steps) as server:
        client = await start(server.url, first_pause=0.002, longest_pause=1)
        await client.hears("ready", 2)
    pauses = client.data("pause")[:6]
    for number, pause in enumerate(pauses[:5]):
        assert 0.001 * 2**number <= pause <= 0.002 * 2**number
    assert pauses[5] <= 0.002


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 4008, 4999])
async def test_a_close_leads_to_a_new_connection_that_resumes(start: Any, code: int) -> None:
    async def first(peer: Peer) -> None:
        assert (await peer.resume(user_1=1))["streams"] == {}
        await peer.dispatch("two", "user:1", 2)
        await peer.close(code)

    async def second(peer: Peer) -> None:
        assert (await peer.resume(user_1=2))["streams"] == {"user:1": 2}
        await peer.stay()

    async with ScriptedServer(first, second) as server:
        client = await start(server.url)
        await client.hears("ready", 2)
        assert client.messages == ["two"]


async def test_a_close_for_limits_leads_to_a_longer_pause(start: Any) -> None:
    async def limits(peer: Peer) -> None:
        await peer.resume(user_1=1)
        await peer.close(4029)

    async with ScriptedServer(limits, resumes) as server:
        client = await start(server.url, first_pause=0.001, longest_pause=0.2)
        await client.hears("ready", 2)
        assert client.data("pause")[0] >= 0.1


async def test_a_connection_that_goes_silent_is_replaced(start: Any) -> None:
    async def deaf(peer: Peer) -> None:
        peer.answers_heartbeats = False
        await peer.resume(user_1=1)
        await peer.stay()

    async with ScriptedServer(deaf, resumes) as server:
        client = await start(server.url, heartbeat=0.05)
        await client.hears("ready", 2)


async def test_a_connection_that_never_resumes_is_replaced(start: Any) -> None:
    async with ScriptedServer(Peer.stay, resumes) as server:
        client = await start(server.url, heartbeat=0.05)
        await client.hears("ready")
        assert len(server.requests) == 2

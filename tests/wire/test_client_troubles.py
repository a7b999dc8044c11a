"""The reference clients against a server that has every trouble there is, on real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from docs.clients.chat_client import ChatClient, LoggedOut
from tests.servers import HOST, free_port
from tests.timing import PATIENCE, eventually
from tests.wire.driven import PAUSES, Driven, Node, Python
from tests.wire.scripted import Handshake, Peer, ScriptedServer, resumes

MEBIBYTE = 1024 * 1024
ROOM = "room:00000000-0000-0000-0000-000000000001"


@pytest.fixture(params=[Python, Node], ids=["python", "javascript"])
async def start(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Starts one of the two clients."""
    started: list[Driven] = []

    async def begin(*urls: str, **options: Any) -> Driven:
        client: Driven = request.param(*urls, **options)
        started.append(client)
        await client.start()
        return client

    yield begin
    for client in started:
        await client.stop()


async def send(client: Driven, *contents: str, **more: Any) -> None:
    for content in contents:
        await client.tell(do="send", room="r", content=content, **more)


# Connecting

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


# Logins


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


# Frames that are too large


async def test_frames_as_large_as_the_server_sends_are_heard(start: Any) -> None:
    content = "x" * (12 * MEBIBYTE)

    async def large(peer: Peer) -> None:
        await peer.resume(user_1=1)
        await peer.dispatch(content, "user:1", 2)
        await peer.stay()

    async with ScriptedServer(large) as server:
        client = await start(server.url)
        await client.hears("message.dispatch")
        assert client.messages == [content]
        assert client.saw("pause") == 0


# 40 letters are 40, 80 and 160 bytes; what stands around them is 130 to 180.
@pytest.mark.parametrize(("letter", "most"), [("x", 250), ("é", 290), ("🍜", 370)])
async def test_a_message_that_is_too_large_is_refused_and_not_sent(
    start: Any, letter: str, most: int
) -> None:
    seen = []

    async def sees(peer: Peer) -> None:
        await peer.resume(user_1=1)
        while True:
            frame = await peer.next()
            seen.append(frame["data"].get("content"))
            await peer.confirm(frame)

    async with ScriptedServer(sees) as server:
        client = await start(server.url, max_frame_bytes=most)
        await client.hears("ready")
        await send(client, letter * 130)
        assert (await client.hears("rejected"))["code"] == 1009
        await send(client, letter * 40)
        await client.hears("resolved")
        await client.tell(do="ask", event="room.info", data={"room_id": letter * 300})
        assert (await client.hears("rejected", 2))["code"] == 1009
        assert seen == [letter * 40]
        assert client.saw("pause") == 0


POISON = [1000, 1002, 1003, 1006, 1007, 1008, 1009, 1011, 4009, 4011, 4999]
#: Codes that stand for those that a server cannot send.
STAND_FOR = {4009: 1009, 4011: 1011}


@pytest.mark.parametrize("code", POISON)
async def test_a_message_that_ends_each_connection_is_given_up(start: Any, code: int) -> None:
    stored: list[str] = []
    tries = 0

    async def poisoned(peer: Peer) -> None:
        nonlocal tries
        await peer.resume(user_1=1)
        while True:
            frame = await peer.next()
            if frame["data"]["content"] == "poison":
                tries += 1
                await peer.close(code)
                return
            stored.append(frame["data"]["content"])
            await peer.confirm(frame)

    async with ScriptedServer(poisoned) as server:
        client = await start(server.url)
        await client.hears("ready")
        await send(client, "before", "poison", "behind", "last")
        await client.hears("resolved", 3)
        refused = await client.hears("rejected")
        assert refused["code"] == STAND_FOR.get(code, code)
        assert refused["kind"] == ("Refused" if code in (1009, 4009) else "GivenUp")
        assert tries <= 5
        await send(client, "next")
        await client.hears("resolved", 4)
    assert set(stored) == {"before", "behind", "last", "next"}


async def test_a_message_that_is_never_answered_is_given_up(start: Any) -> None:
    async def ignores(peer: Peer) -> None:
        await peer.resume(user_1=1)
        while True:
            frame = await peer.next()
            if frame["data"]["content"] != "poison":
                await peer.confirm(frame)

    async with ScriptedServer(ignores) as server:
        client = await start(server.url, heartbeat=0.05)
        await send(client, "poison", "behind")
        assert (await client.hears("rejected"))["kind"] == "GivenUp"
        await client.hears("resolved")


@pytest.mark.parametrize("code", [1001, 1012, 4008, 4012, 4029])
async def test_a_close_with_another_reason_gives_no_message_up(start: Any, code: int) -> None:
    async def restarts(peer: Peer) -> None:
        await peer.resume(user_1=1)
        await peer.takes("message.send")
        await peer.close(code)

    async with ScriptedServer(*[restarts] * 6, resumes) as server:
        client = await start(server.url)
        await send(client, "kept")
        await client.hears("resolved")
        assert client.saw("rejected") == 0


# Messages and their answers


@pytest.mark.parametrize("code", [4029, 4503])
async def test_a_message_for_later_is_sent_again_as_the_same(start: Any, code: int) -> None:
    sent = []

    async def busy(peer: Peer) -> None:
        await peer.resume(user_1=1)
        for detail in ({"retry_after": 0.01}, {"retry_after": 1e9}, "later"):
            frame = await peer.takes("message.send")
            sent.append(frame["data"])
            await peer.refuse(frame, code, detail)
        frame = await peer.takes("message.send")
        sent.append(frame["data"])
        await peer.confirm(frame)
        await peer.stay()

    async with ScriptedServer(busy) as server:
        client = await start(server.url, longest_retry_after=0.02)
        await send(client, "one")
        assert await client.hears("resolved") == sent[0]["client_id"]
        assert sent == sent[:1] * 4
        assert client.saw("rejected") == client.saw("pause") == 0


async def test_a_message_that_has_to_wait_does_not_hold_up_the_others(start: Any) -> None:
    async def locked(peer: Peer) -> None:
        await peer.resume(user_1=1)
        while True:
            frame = await peer.next()
            if frame["data"]["content"] == "locked":
                await peer.refuse(frame, 4503, {"retry_after": 0.01})
            else:
                await peer.confirm(frame)

    async with ScriptedServer(locked) as server:
        client = await start(server.url)
        await send(client, "locked", *map(str, range(20)))
        await client.hears("resolved", 20)
        assert client.saw("rejected") == client.saw("pause") == 0


@pytest.mark.parametrize("code", [4002, 4003, 4004, 4005, 4006])
async def test_another_error_ends_the_send_with_its_code_and_detail(start: Any, code: int) -> None:
    async def refuses(peer: Peer) -> None:
        await peer.resume(user_1=1)
        await peer.refuse(await peer.takes("message.send"), code, {"content": "No."})
        await peer.stay()

    async with ScriptedServer(refuses) as server:
        client = await start(server.url)
        await send(client, "one")
        expected = {"kind": "Refused", "code": code, "detail": {"content": "No."}}
        assert await client.hears("rejected") == expected
        await send(client, "two")
        await client.hears("resolved")


async def test_messages_are_sent_in_order_over_a_break(start: Any) -> None:
    stored: list[str] = []

    async def breaks(peer: Peer) -> None:
        await peer.resume(user_1=1)
        for number in range(6):
            frame = await peer.takes("message.send")
            if number < 3:
                stored.append(frame["data"]["content"])
                await peer.confirm(frame)
        await peer.close(1006)

    async def stores(peer: Peer) -> None:
        await peer.resume(user_1=1)
        while True:
            frame = await peer.takes("message.send")
            stored.append(frame["data"]["content"])
            await peer.confirm(frame)

    expected = [str(number) for number in range(40)]
    async with ScriptedServer(breaks, stores) as server:
        client = await start(server.url)
        await send(client, *expected)
        await client.hears("resolved", 40)
    assert stored == expected


async def test_the_queue_has_an_end(start: Any) -> None:
    port = free_port()
    client = await start(f"ws://{HOST}:{port}/", max_unsent=3)
    await send(client, "one", "two", "three", "four")
    assert (await client.hears("rejected"))["kind"] == "QueueFull"
    async with ScriptedServer(resumes, port=port):
        await client.hears("resolved", 3)
        await send(client, "five")
        await client.hears("resolved", 4)


async def test_the_same_message_twice_is_one(start: Any) -> None:
    seen = []

    async def sees(peer: Peer) -> None:
        await peer.resume(user_1=1)
        while True:
            frame = await peer.next()
            seen.append(frame["data"]["content"])
            await peer.confirm(frame)

    port = free_port()
    client = await start(f"ws://{HOST}:{port}/")
    await send(client, "one", "one", client_id="same")
    await send(client, "two")
    async with ScriptedServer(sees, port=port):
        await client.hears("resolved", 3)
    assert seen == ["one", "two"]


# Streams


async def test_another_epoch_is_kept_and_what_it_changes_is_told(start: Any) -> None:
    async def before(peer: Peer) -> None:
        assert "epoch" not in await peer.resume("a", user_1=1, room_1=9, room_2=2)
        await peer.dispatch("ten", "room:1", 10)
        await peer.close(1006)

    async def restored(peer: Peer) -> None:
        streams = {"user:1": 1, "room:1": 10, "room:2": 2}
        answer = {"room_1": {"seq": 4, "recovered": False}, "room_2": {"gone": True}}
        assert await peer.resume("b", user_1=1, **answer) == {"streams": streams, "epoch": "a"}
        await peer.dispatch("five", "room:1", 5)
        await peer.close(1006)

    async def without(peer: Peer) -> None:
        data = {"streams": {"user:1": 1, "room:1": 5}, "epoch": "b"}
        assert await peer.resume(user_1=1, room_1=5) == data
        await peer.close(1006)

    async def after(peer: Peer) -> None:
        assert (await peer.resume("b", user_1=1, room_1=5))["epoch"] == "b"
        await peer.stay()

    async with ScriptedServer(before, restored, without, after) as server:
        client = await start(server.url)
        await client.hears("ready", 4)
        assert client.data("refetch") == ["room:1"]
        assert client.data("gone") == ["room:2"]
        assert client.messages == ["ten", "five"]


async def test_a_server_without_epochs_is_sent_none(start: Any) -> None:
    async def first(peer: Peer) -> None:
        await peer.resume(user_1=1)
        await peer.close(1006)

    async def second(peer: Peer) -> None:
        assert await peer.resume(user_1=1) == {"streams": {"user:1": 1}}
        await peer.stay()

    async with ScriptedServer(first, second) as server:
        client = await start(server.url)
        await client.hears("ready", 2)


async def test_a_resume_that_has_to_wait_is_tried_again_as_it_was(start: Any) -> None:
    async def first(peer: Peer) -> None:
        await peer.resume("a", user_1=1)
        await peer.close(1006)

    async def busy(peer: Peer) -> None:
        await peer.refuse(await peer.takes("session.resume"), 4503, {"retry_after": 0.05})
        await peer.stay()

    async def second(peer: Peer) -> None:
        assert await peer.resume("a", user_1=1) == {"streams": {"user:1": 1}, "epoch": "a"}
        await peer.stay()

    async with ScriptedServer(first, busy, busy, second) as server:
        client = await start(server.url)
        await client.hears("ready", 2)
        assert client.saw("refetch") == 0
        assert min(client.data("pause")[1:3]) >= 0.05


@pytest.mark.parametrize("how", ["refused", "closed", "closed by another code", "too large"])
async def test_a_resume_that_the_server_does_not_take_starts_afresh(start: Any, how: str) -> None:
    async def refuses(peer: Peer) -> None:
        frame = await peer.takes("session.resume")
        if how == "refused":
            await peer.refuse(frame, 4003, {"streams": "No."})
            await peer.stay()
        await peer.close(4009 if how == "closed by another code" else 1009)

    async def second(peer: Peer) -> None:
        assert await peer.resume("a", user_1=1, room_1=7) == {"streams": {}}
        await peer.stay()

    streams = {f"room:{number}": 1 for number in range(50)}
    steps = [second] if how == "too large" else [refuses, second]
    async with ScriptedServer(*steps) as server:
        state = {"epoch": "a", "streams": streams, "unsent": []}
        most = 600 if how == "too large" else MEBIBYTE
        client = await start(server.url, state=state, max_frame_bytes=most)
        await client.hears("ready")
        assert sorted(client.data("refetch")) == ["room:1", "user:1"]


@pytest.mark.parametrize(("streams", "heard"), [({}, ["early", "two"]), ({"user:1": 1}, ["two"])])
async def test_early_events_are_taken_only_where_no_replay_has_them(
    start: Any, streams: dict[str, int], heard: list[str]
) -> None:
    async def early(peer: Peer) -> None:
        await peer.dispatch("early")
        await peer.resume(user_1=1)
        await peer.dispatch("two", "user:1", 2)
        await peer.stay()

    async with ScriptedServer(early) as server:
        client = await start(server.url, state={"epoch": None, "streams": streams, "unsent": []})
        await eventually(lambda: "two" in client.messages, "the live event")
        assert client.messages == heard


async def test_positions_of_a_connection_that_never_resumed_are_not_kept(start: Any) -> None:
    async def breaks(peer: Peer) -> None:
        await peer.takes("session.resume")
        await peer.dispatch("one", "room:1", 1)
        await peer.close(1006)

    async def second(peer: Peer) -> None:
        # A replay from there would leave out what the user's own stream had meanwhile.
        assert (await peer.resume(user_1=1, room_1=1))["streams"] == {}
        await peer.stay()

    async with ScriptedServer(breaks, second) as server:
        client = await start(server.url)
        await client.hears("ready")
        assert client.messages == ["one"]


async def test_repeats_are_dropped_and_a_gap_is_resumed(start: Any) -> None:
    async def gap(peer: Peer) -> None:
        await peer.resume(user_1=1, room_1=3)
        for seq in (4, 4, 3, 5, 7):
            await peer.dispatch(str(seq), "room:1", seq)
        await peer.stay()

    async def replays(peer: Peer) -> None:
        frame = await peer.takes("session.resume")
        assert frame["data"]["streams"] == {"user:1": 1, "room:1": 5}
        for seq in (6, 7):
            await peer.dispatch(str(seq), "room:1", seq)
        places = {"room:1": {"seq": 7, "recovered": True}}
        await peer.send(eventType="session.resumed", data={"streams": places})
        await peer.stay()

    async with ScriptedServer(gap, replays) as server:
        client = await start(server.url)
        await client.hears("ready", 2)
        assert client.messages == ["4", "5", "6", "7"]


async def test_a_room_that_was_left_and_joined_again_has_no_gap(start: Any) -> None:
    async def rejoins(peer: Peer) -> None:
        await peer.resume(user_1=1, room_1=3, room_2=3)
        data = {"room": {"id": "1"}, "message": "You left"}
        await peer.send(eventType="roomexit.dispatch", data=data, stream="user:1", seq=2)
        await peer.dispatch("back", "room:1", 9)
        deleted = {"room_id": "2"}
        await peer.send(eventType="roomdelete.dispatch", data=deleted, stream="room:2", seq=4)
        await peer.dispatch("next", "room:1", 10)
        await peer.stay()

    async with ScriptedServer(rejoins) as server:
        client = await start(server.url)
        await eventually(lambda: client.messages == ["back", "next"], "both messages")
        await client.tell(do="save")
        assert (await client.hears("saved"))["streams"] == {"user:1": 2, "room:1": 10}
        assert client.saw("pause") == 0


async def test_a_frame_that_is_none_does_no_harm(start: Any) -> None:
    async def babbles(peer: Peer) -> None:
        await peer.resume(user_1=1)
        for text in ("no JSON", "[]", "null", '"text"', "{}"):
            await peer.connection.send(text)
        await peer.dispatch("two", "user:1", 2)
        await peer.stay()

    async with ScriptedServer(babbles) as server:
        client = await start(server.url)
        await client.hears("message.dispatch")
        assert client.saw("pause") == 0


# What is kept from one process to the next


async def test_positions_and_messages_are_saved_and_restored(start: Any) -> None:
    sent = []

    async def before(peer: Peer) -> None:
        await peer.resume("a", user_1=1, room_1=3)
        await peer.dispatch("four", "room:1", 4)
        for _ in range(2):
            frame = await peer.takes("message.send")
            sent.append(frame["data"])
        await peer.stay()

    async def after(peer: Peer) -> None:
        streams = {"user:1": 1, "room:1": 4}
        assert await peer.resume("a", user_1=1, room_1=4) == {"streams": streams, "epoch": "a"}
        frames = [await peer.takes("message.send") for _ in range(2)]
        assert [frame["data"] for frame in frames] == sent
        await peer.confirm(frames[0])
        await peer.refuse(frames[1], 4002, "No.")
        await peer.stay()

    async with ScriptedServer(before, after) as server:
        first = await start(server.url)
        await send(first, "one", "two é")
        await first.hears("message.dispatch")
        await eventually(lambda: len(sent) == 2, "two messages")
        await first.tell(do="save")
        state = json.loads(json.dumps(await first.hears("saved")))
        assert state["unsent"] == sent
        await first.tell(do="close")

        second = await start(server.url, state=state)
        refused = await second.hears("refused")
        assert refused == {"code": 4002, "detail": "No.", "message": "two é"}
        await second.tell(do="save")
        assert (await second.hears("saved"))["unsent"] == []


BROKEN: list[Any] = [
    {},
    {"epoch": 3, "streams": None, "unsent": None},
    {"streams": {"user:1": -1, "room:1": "x", "room:2": None}, "unsent": [None, 3, {}, "x"]},
    {"streams": [1], "unsent": {"a": 1}},
]


@pytest.mark.parametrize("state", BROKEN)
async def test_a_state_that_is_damaged_does_no_harm(start: Any, state: Any) -> None:
    async def first(peer: Peer) -> None:
        data = await peer.resume(user_1=1)
        assert "epoch" not in data
        assert set(data["streams"].values()) <= {1}
        await peer.stay()

    async with ScriptedServer(first) as server:
        client = await start(server.url, state=state)
        await client.hears("ready")
        await send(client, "one")
        await client.hears("resolved")

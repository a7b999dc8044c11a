"""What the reference clients make of messages that wait, are refused or too large."""

from typing import Any

import pytest

from tests.servers import HOST, free_port
from tests.wire.driven import MEBIBYTE, send
from tests.wire.scripted import Peer, ScriptedServer, resumes

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

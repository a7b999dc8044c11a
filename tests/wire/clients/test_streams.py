"""The reference clients' places in streams: over breaks, gaps, epochs and restarts."""

import json
from typing import Any

import pytest

from tests.timing import eventually
from tests.wire.driven import MEBIBYTE, send
from tests.wire.scripted import Peer, ScriptedServer

ROOM = "room:00000000-0000-0000-0000-000000000001"


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

"""A client that does not wait for answers gets them in the order in which it asked."""

import json
from typing import Any

import pytest

from tests.conftest import Connect, Users
from tests.wire.rooms import NOWHERE, group, messages_of, one_to_one, people

ROUNDS = 5


def number_of(frame: dict[str, Any]) -> Any:
    return frame.get("request_id")


async def test_answers_and_errors_come_in_the_order_of_the_events(
    connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    where = {"room_id": room["id"]}
    events: list[tuple[Any, Any]] = [
        ("message.send", {**where, "content": "one"}),
        ("room.paint", {}),
        ("message.send", {**where, "content": ""}),
        ("session.heartbeat", {}),
        ("room.info", where),
        (5, {}),
        ("message.send", {"room_id": NOWHERE, "content": "two"}),
        ("message.modify", {"action": "paint"}),
        ("message.typing", where),
        ("session.resume", {"streams": {}}),
        ("room.list", {}),
        ("session.resume", {}),
        ("message.send", {**where, "content": "three"}),
    ]

    count = 0
    for _ in range(ROUNDS):
        for event_type, data in events:
            frame = {"event_type": event_type, "data": data, "request_id": count}
            await alice.client.send_raw(json.dumps(frame))
            count += 1

    answered = []
    while len(answered) < count:
        frame = await alice.next()
        if frame.get("eventType") not in ("message.dispatch", "messagetyping.dispatch"):
            answered.append(number_of(frame))
    assert answered == list(range(count))
    said = [message["content"] for message in await messages_of(alice, room)]
    assert said == ["three", "one"] * ROUNDS


async def test_an_event_finds_what_the_one_before_did(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    where = {"room_id": room["id"]}

    await alice.send("message.send", {**where, "content": "before"})
    await alice.send("room.leave", where)
    await alice.send("message.send", {**where, "content": "after"})
    await alice.send("room.info", where)

    await alice.expect("message.dispatch")
    await alice.expect("roomexit.dispatch")
    await alice.error(4002)
    await alice.error(4002)
    await bob.expect("message.dispatch")
    await bob.expect("roomremovemembers.dispatch")
    assert [message["content"] for message in await messages_of(bob, room)] == ["before"]


@pytest.mark.parametrize("count", [3, 30])
async def test_what_was_sent_before_the_socket_closed_is_done(
    count: int, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    for number in range(count):
        await alice.send("message.send", {"room_id": room["id"], "content": str(number)})
    await alice.client.close()

    heard = [(await bob.expect("message.dispatch"))["content"] for _ in range(count)]
    assert heard == [str(number) for number in range(count)]
    assert len(await messages_of(bob, room)) == count

"""PROTOCOL 4, ``message.acknowledged`` and ``message.read``."""

import re
from typing import Any

import pytest

from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.messages import acknowledge, read
from tests.wire.rooms import (
    NOWHERE,
    ROOM_TYPES,
    Message,
    Person,
    another_socket,
    everybody_gets,
    group,
    messages_of,
    nobody_gets_anything,
    one_to_one,
    people,
    room_of_type,
    say,
    stored,
)

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
MALFORMED_IDS = (None, "", "x", 1, True, [], {}, [None], [[]], ["x"], [1], [NOWHERE, "x"])


def ids_of(messages: list[Message]) -> list[str]:
    return [message["id"] for message in messages]


def readers(message: Message) -> list[str]:
    return [receipt["reader"]["username"] for receipt in message["read_receipts"]]


# Acknowledged


@pytest.mark.parametrize("room_type", ROOM_TYPES)
@pytest.mark.parametrize("listed", [False, True])
async def test_every_socket_of_the_sender_hears_that_a_message_has_arrived_and_nobody_else(
    listed: bool, room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(room_type, alice, bob)
    devices = [await another_socket(connect, person) for person in (alice, bob)]
    message = await say(alice, room, "hello", bob, *devices)

    message_id = [message["id"]] if listed else message["id"]
    await bob.send("message.acknowledged", {"message_id": message_id})

    delivered = await everybody_gets("messagedelivered.dispatch", alice, devices[0])
    assert delivered == [{**message, "delivered_to": [bob.name], "delivered_to_count": 1}]
    assert await messages_of(bob, room) == delivered
    await nobody_gets_anything(alice, bob, *devices)


async def test_messages_of_one_sender_are_acknowledged_in_one_frame(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    sent = [await say(alice, room, str(number), bob, carol) for number in range(3)]

    await acknowledge(bob, sent[1], sent[0], sent[1], sent[2])

    delivered = await alice.expect("messagedelivered.dispatch")
    assert ids_of(delivered) == ids_of([sent[1], sent[0], sent[2]])
    assert [message["delivered_to"] for message in delivered] == [[bob.name]] * 3
    await nobody_gets_anything(alice, bob, carol)


async def test_each_sender_hears_of_their_own_messages_across_rooms(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol, dave = await people(connect, users, "alice", "bob", "carol", "dave")
    big = await group(alice, bob, carol, dave)
    small = await group(bob, carol, dave)
    a1 = await say(alice, big, "a1", bob, carol, dave)
    b1 = await say(bob, big, "b1", alice, carol, dave)
    b2 = await say(bob, small, "b2", carol, dave)
    c1 = await say(carol, small, "c1", bob, dave)
    own = await say(dave, small, "own", bob, carol)

    await acknowledge(dave, b2, c1, a1, own, b1)

    assert ids_of(await alice.expect("messagedelivered.dispatch")) == [a1["id"]]
    assert ids_of(await bob.expect("messagedelivered.dispatch")) == ids_of([b2, b1])
    assert ids_of(await carol.expect("messagedelivered.dispatch")) == [c1["id"]]
    await nobody_gets_anything(alice, bob, carol, dave)


async def test_all_who_acknowledged_are_listed(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(alice, room, "hello", bob, carol)

    for person, names in ((carol, [carol.name]), (bob, [carol.name, bob.name])):
        await acknowledge(person, message)
        (delivered,) = await alice.expect("messagedelivered.dispatch")
        assert delivered["delivered_to"] == names

    assert (await messages_of(bob, room))[0]["delivered_to"] == [carol.name, bob.name]


async def test_acknowledging_again_changes_nothing(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first, second = await say(alice, room, "first", bob), await say(alice, room, "second", bob)
    await acknowledge(bob, first)
    await alice.expect("messagedelivered.dispatch")
    before = stored(orm, room)

    await acknowledge(bob, first)
    await bob.send("message.acknowledged", {"message_id": first["id"]})
    await nobody_gets_anything(bob, alice)
    assert stored(orm, room) == before

    await acknowledge(bob, first, second)
    assert ids_of(await alice.expect("messagedelivered.dispatch")) == [second["id"]]
    newest, oldest = await messages_of(alice, room)
    assert newest["delivered_to"] == oldest["delivered_to"] == [bob.name]


async def test_ones_own_messages_are_not_acknowledged(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "mine", bob)
    before = stored(orm, room)

    await acknowledge(alice, message)
    await alice.send("message.acknowledged", {"message_id": message["id"]})

    await nobody_gets_anything(alice, bob)
    after = stored(orm, room)
    # Up to where nothing waits for a member is noted there, whosever the messages are.
    assert after | {"members": None} == before | {"members": None}
    assert await messages_of(bob, room) == [message]


async def test_what_is_acknowledged_waits_no_longer(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    first, second = [await say(alice, room, text, bob, carol) for text in ("first", "second")]

    async def waiting_for(person: Person) -> list[str]:
        late = await connect(person.user)
        waiting = late.notifications.get(room["id"], [])
        return [notification["message"]["id"] for notification in waiting]

    assert await waiting_for(bob) == ids_of([first, second])
    await acknowledge(bob, first)
    await alice.expect("messagedelivered.dispatch")
    assert await waiting_for(bob) == [second["id"]]
    assert await waiting_for(carol) == ids_of([first, second])

    await acknowledge(carol, first, second)
    await alice.expect("messagedelivered.dispatch")
    # Nobody waits for the first any more: its notification has deleted itself.
    left = get_model("ChatNotification").objects.filter(room_id=room["id"])
    assert orm(lambda: [str(each.message_id) for each in left]) == [second["id"]]
    assert await waiting_for(carol) == []


# Read


@pytest.mark.parametrize("room_type", ROOM_TYPES)
@pytest.mark.parametrize("listed", [False, True])
async def test_every_socket_of_every_member_hears_that_a_message_was_read(
    listed: bool, room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await room_of_type(room_type, alice, bob)
    devices = [await another_socket(connect, person) for person in (alice, bob)]
    message = await say(alice, room, "hello", bob, *devices)

    message_id = [message["id"]] if listed else message["id"]
    await bob.send("message.read", {"message_id": message_id})

    shown = await everybody_gets("readreceipt.dispatch", alice, bob, *devices)
    (receipt,) = shown["read_receipts"]
    assert shown == {**message, "read_receipts": [receipt], "read_receipts_count": 1}
    assert receipt == {
        "reader": bob.shown,
        "read_at": receipt["read_at"],
    }
    assert TIME.fullmatch(receipt["read_at"])
    assert await messages_of(alice, room) == [shown]
    await nobody_gets_anything(alice, bob, *devices, stranger)


async def test_several_messages_of_a_room_are_read_in_one_frame(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    first = await say(alice, room, "first", bob, carol)
    second = await say(carol, room, "second", alice, bob)
    own = await say(bob, room, "own", alice, carol)

    await read(bob, second, own, first, second)

    shown = await everybody_gets("readreceipt.dispatch", alice, bob, carol)
    assert ids_of(shown) == ids_of([second, first])
    assert [readers(message) for message in shown] == [[bob.name], [bob.name]]
    await nobody_gets_anything(alice, bob, carol)


async def test_every_reader_has_a_receipt_of_their_own(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(alice, room, "hello", bob, carol)

    for person, names in ((carol, [carol.name]), (bob, [carol.name, bob.name])):
        await person.send("message.read", {"message_id": message["id"]})
        shown = await everybody_gets("readreceipt.dispatch", alice, bob, carol)
        assert readers(shown) == names


async def test_messages_of_several_rooms_are_read_in_one_frame_per_room(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    with_alice, with_carol = await one_to_one(alice, bob), await one_to_one(carol, bob)
    a1, a2 = [await say(alice, with_alice, text, bob) for text in ("a1", "a2")]
    c1 = await say(carol, with_carol, "c1", bob)

    await read(bob, a2, c1, a1)

    for_alice = await alice.expect("readreceipt.dispatch")
    assert ids_of(for_alice) == ids_of([a2, a1])
    for_carol = await carol.expect("readreceipt.dispatch")
    assert for_carol["id"] == c1["id"]
    for_bob = [await bob.expect("readreceipt.dispatch") for _ in range(2)]
    assert for_alice in for_bob
    assert for_carol in for_bob
    await nobody_gets_anything(alice, bob, carol)


async def test_reading_a_single_message_again_is_a_duplicate(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)
    await read(bob, message)
    await everybody_gets("readreceipt.dispatch", alice, bob)
    before = stored(orm, room)

    await bob.refused(4005, "message.read", {"message_id": message["id"]})

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob)


async def test_in_a_list_what_was_read_before_is_skipped(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first, second = await say(alice, room, "first", bob), await say(alice, room, "second", bob)
    await read(bob, first)
    before = await everybody_gets("readreceipt.dispatch", alice, bob)

    await read(bob, first, second)
    shown = await everybody_gets("readreceipt.dispatch", alice, bob)
    assert shown["id"] == second["id"]
    assert await messages_of(alice, room) == [shown, before]

    rows = stored(orm, room)
    await read(bob, first, second)
    await read(bob, first)
    await nobody_gets_anything(bob, alice)
    assert stored(orm, room) == rows


async def test_ones_own_messages_are_not_read(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "mine", bob)
    before = stored(orm, room)

    await read(alice, message)
    await alice.send("message.read", {"message_id": message["id"]})
    await alice.send("message.read", {"message_id": message["id"]})

    await nobody_gets_anything(alice, bob)
    assert stored(orm, room) == before


async def test_reading_is_not_acknowledging(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)

    await read(bob, message)
    assert (await everybody_gets("readreceipt.dispatch", alice, bob))["delivered_to"] == []
    await acknowledge(bob, message)
    (delivered,) = await alice.expect("messagedelivered.dispatch")

    assert delivered["delivered_to"] == [bob.name]
    assert readers(delivered) == [bob.name]


# Both


@pytest.mark.parametrize("event", ["message.acknowledged", "message.read"])
async def test_a_malformed_message_id_is_refused(
    event: str, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.refused(4003, event, {})
    for message_id in MALFORMED_IDS:
        await alice.refused(4003, event, {"message_id": message_id})


@pytest.mark.parametrize("event", ["message.acknowledged", "message.read"])
async def test_a_list_with_one_wrong_message_does_nothing(
    event: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room, elsewhere = await one_to_one(alice, bob), await one_to_one(alice, carol)
    message = await say(alice, room, "hello", bob)
    foreign = await say(alice, elsewhere, "not for bob", carol)
    before = stored(orm, room, elsewhere)
    wrong: list[tuple[int, Any]] = [(4003, "x"), (4004, NOWHERE), (4002, foreign["id"])]

    for code, message_id in wrong:
        await bob.refused(code, event, {"message_id": [message["id"], message_id]})
        await bob.refused(code, event, {"message_id": message_id})

    assert stored(orm, room, elsewhere) == before
    await nobody_gets_anything(alice, bob, carol)

"""What a message shows, and who gets it: PROTOCOL 4, `message.send`."""

import pytest

from tests.conftest import Connect, Users
from tests.wire.messages import MESSAGE_KEYS, TIME, alone, media
from tests.wire.rooms import (
    ONE_TO_ONE,
    ROOM_TYPES,
    another_socket,
    everybody_gets,
    in_list,
    messages_of,
    nobody_gets_anything,
    one_to_one,
    people,
    room_of_type,
    say,
)

USER_KEYS = {"id", "username", "email", "first_name", "last_name"}


# What a message is, and who gets it


async def test_a_message_shows_what_the_protocol_names_and_nothing_else(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    message = await say(alice, room, "hello", bob)

    assert message.keys() == MESSAGE_KEYS
    assert message["room"] == {"id": room["id"]}
    assert message["sender"] == alice.shown
    assert message["content"] == "hello"
    flags = [message[name] for name in ("is_deleted", "is_edited", "is_forwarded")]
    assert flags == [False, False, False]
    assert message["forwarded_from"] is None
    assert message["parent_message"] is None
    lists = ("delivered_to", "read_receipts", "reactions", "attachments")
    assert [message[name] for name in lists] == [[], [], [], []]
    assert TIME.fullmatch(message["created_at"])
    assert TIME.fullmatch(message["updated_at"])


@pytest.mark.parametrize("room_type", ROOM_TYPES)
async def test_a_message_reaches_every_socket_of_every_member_and_nobody_else(
    room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol, stranger = await people(connect, users, "alice", "bob", "carol", "mallory")
    members = [bob] if room_type == ONE_TO_ONE else [bob, carol]
    room = await room_of_type(room_type, alice, *members)
    devices = [await another_socket(connect, person) for person in (alice, bob)]

    message = await say(alice, room, "to all of you", *members, *devices)

    assert message["content"] == "to all of you"
    others = [stranger] if carol in members else [stranger, carol]
    await nobody_gets_anything(alice, *members, *devices, *others)


async def test_messages_arrive_at_every_socket_in_the_same_order(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    for number in range(10):
        for sender in (alice, bob):
            data = {"room_id": room["id"], "content": f"{sender.name} {number}"}
            await sender.send("message.send", data)

    sent = [await everybody_gets("message.dispatch", alice, bob) for _ in range(20)]
    for sender in (alice, bob):
        mine = [each["content"] for each in sent if each["sender"]["id"] == sender.id]
        assert mine == [f"{sender.name} {number}" for number in range(10)]
    assert await messages_of(bob, room) == sent[::-1]


async def test_what_room_messages_shows_is_what_was_dispatched(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first = await say(alice, room, "first", bob)
    reply = await say(bob, room, "second", alice, extra_fields={"parent_message_id": first["id"]})
    forward = await say(alice, room, "", bob, extra_fields={"forwarded_from_id": reply["id"]})
    picture = await say(bob, room, "", alice, extra_fields={"media": [media()]})

    assert await messages_of(alice, room) == [picture, forward, reply, first]
    assert (await in_list(bob, room))["last_message"] == picture


async def test_extra_fields_may_be_missing_empty_or_null(connect: Connect, users: Users) -> None:
    alice, room = await alone(connect, users)
    nothing = {"parent_message_id": None, "forwarded_from_id": None, "media": None}

    for extra_fields in ({}, None, {"media": []}, nothing):
        message = await say(alice, room, "plain", extra_fields=extra_fields)
        assert message["attachments"] == []


async def test_the_same_text_twice_is_two_messages(connect: Connect, users: Users) -> None:
    alice, room = await alone(connect, users)

    first, second = await say(alice, room, "again"), await say(alice, room, "again")

    assert first["id"] != second["id"]
    assert await messages_of(alice, room) == [second, first]

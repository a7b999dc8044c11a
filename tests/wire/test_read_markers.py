"""FEATURES `read_markers`: what each socket hears of reading, of marks, and of what is unread."""

from typing import Any

import pytest

from tests.conftest import Connect, Users
from tests.wire.resuming import resume
from tests.wire.rooms import (
    NOWHERE,
    ROOM_TYPES,
    Message,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    nobody_gets_anything,
    people,
    room_of_type,
    say,
)


async def mark(person: Person, event: str, room: Room, **data: Any) -> None:
    await person.send(event, {"room_id": room["id"], **data})


def unread(room: Room, as_of: int, *messages: Message, marked: bool = False) -> dict[str, Any]:
    """What `unread.dispatch` says of a room where these messages are unread."""
    return {
        "room_id": room["id"],
        "unread_count": len(messages),
        "mention_count": 0,
        "more": False,
        "first_unread": messages[0]["id"] if messages else None,
        "marked": marked,
        "as_of": as_of,
    }


def totals(rooms: int, messages: int) -> dict[str, Any]:
    return {"rooms": rooms, "messages": messages, "mentions": 0, "muted": 0}


@pytest.mark.parametrize("room_type", ROOM_TYPES)
async def test_the_members_hear_who_has_read_and_the_own_devices_what_is_left(
    room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await room_of_type(room_type, alice, bob)
    device = await another_socket(connect, bob)
    first, second = [await say(alice, room, text, bob, device) for text in ("1", "2")]

    await mark(bob, "room.read", room, up_to=first["id"])

    heard = await everybody_gets("roomread.dispatch", alice, bob, device)
    assert heard == {
        "room_id": room["id"],
        "user": {"id": bob.id, "username": bob.name},
        "up_to": first["id"],
        "read_at": heard["read_at"],
    }
    own = await everybody_gets("unread.dispatch", bob, device)
    assert own == {**unread(room, 4, second), "totals": totals(1, 1)}
    assert await bob.ask("unread.list", {}) == {
        "rooms": [unread(room, 4, second)],
        "totals": totals(1, 1),
    }
    info = await alice.ask("room.info", {"room_id": room["id"]})
    marker = {"user_id": bob.id, "up_to": first["id"], "read_at": heard["read_at"]}
    assert info["read_markers"] == [marker]

    await mark(bob, "room.read", room, up_to=first["id"])
    await nobody_gets_anything(alice, bob, device, stranger)
    await mark(bob, "room.read", room)
    assert (await everybody_gets("roomread.dispatch", alice, bob, device))["up_to"] == second["id"]
    assert (await everybody_gets("unread.dispatch", bob, device))["unread_count"] == 0
    assert await bob.ask("unread.list", {}) == {"rooms": [], "totals": totals(0, 0)}
    asked = await bob.ask("unread.list", {"room_id": room["id"]})
    assert asked["rooms"] == [unread(room, 5)]


async def test_private_reading_is_heard_on_the_own_devices_alone(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await say(alice, room, "hello", bob)

    await mark(bob, "room.read", room, private=True)

    assert (await bob.expect("unread.dispatch"))["unread_count"] == 0
    await nobody_gets_anything(alice, bob)
    assert (await alice.ask("room.info", {"room_id": room["id"]}))["read_markers"] == []


async def test_a_room_is_marked_as_unread_on_the_own_devices_alone(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    device = await another_socket(connect, bob)
    first, second = [await say(alice, room, text, bob, device) for text in ("1", "2")]
    await bob.send("message.read", {"message_id": [first["id"], second["id"]]})
    await everybody_gets("readreceipt.dispatch", alice, bob, device)

    await mark(bob, "room.unread", room, **{"from": second["id"]})

    own = await everybody_gets("unread.dispatch", bob, device)
    assert own == {**unread(room, 4, second, marked=True), "totals": totals(1, 1)}
    (listed,) = await bob.ask("room.list")
    assert listed["unread_count"] == 1
    await nobody_gets_anything(alice, bob, device)


async def test_a_device_that_was_away_is_told_on_resuming(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "hello", bob)
    late = await another_socket(connect, bob)
    places = {f"user:{bob.id}": 0, f"room:{room['id']}": 2}

    await mark(bob, "room.read", room)
    await everybody_gets("roomread.dispatch", alice, bob)
    await bob.expect("unread.dispatch")
    await late.expect("roomread.dispatch")
    await late.expect("unread.dispatch")

    again = await another_socket(connect, bob)
    frames, _ = await resume(again, places)
    kinds = {frame["eventType"]: frame["data"] for frame in frames}
    assert kinds["roomread.dispatch"]["up_to"] == message["id"]
    assert kinds["unread.dispatch"]["unread_count"] == 0


async def test_a_request_is_confirmed_whether_it_changes_something_or_not(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    await bob.client.send("room.read", {"room_id": room["id"]}, request_id="r")

    assert await bob.next() == {"status": "success", "request_id": "r"}
    await nobody_gets_anything(alice, bob)


MALFORMED = (None, "", "x", 1, True, [], {})


async def test_what_is_malformed_or_unknown_is_refused(connect: Connect, users: Users) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await group(alice, bob)
    message = await say(alice, room, "hello", bob)

    for wrong in MALFORMED:
        await bob.refused(4003, "room.read", {"room_id": wrong})
        await bob.refused(4003, "room.unread", {"room_id": room["id"], "from": wrong})
        if wrong is not None:
            await bob.refused(4003, "room.read", {"room_id": room["id"], "up_to": wrong})
            await bob.refused(4003, "unread.list", {"room_id": wrong})
    await bob.refused(4003, "room.unread", {"room_id": room["id"]})
    await bob.refused(4003, "room.read", {"room_id": room["id"], "private": "yes"})
    await bob.refused(4004, "room.read", {"room_id": NOWHERE})
    await bob.refused(4004, "unread.list", {"room_id": NOWHERE})
    await bob.refused(4004, "room.read", {"room_id": room["id"], "up_to": NOWHERE})
    await bob.refused(4004, "room.unread", {"room_id": room["id"], "from": NOWHERE})
    await stranger.refused(4002, "room.read", {"room_id": room["id"], "up_to": message["id"]})
    await stranger.refused(4002, "room.unread", {"room_id": room["id"], "from": message["id"]})
    await stranger.refused(4002, "unread.list", {"room_id": room["id"]})
    await nobody_gets_anything(alice, bob, stranger)

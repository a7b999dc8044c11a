"""FEATURES `pins` on the wire: pins for everybody, saved messages for one user's devices."""

from typing import Any

import pytest
from django.utils.dateparse import parse_datetime

from tests.conftest import Connect, Orm, Users
from tests.wire.resuming import brief, follow, of_room, of_user, resume
from tests.wire.rooms import (
    NOWHERE,
    ROOM_TYPES,
    Message,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    messages_of,
    nobody_gets_anything,
    one_to_one,
    people,
    remove,
    room_of_type,
    say,
    stored,
)

FUTURE = "2100-01-31T09:30:00.000000Z"


async def mark(person: Person, event: str, message: Message, **data: Any) -> None:
    await person.send(event, {"message_id": message["id"], **data})


async def pin(person: Person, message: Message, *others: Person, **data: Any) -> Any:
    """Pin a message; the person and the others, who must be all, take the frame."""
    await mark(person, "message.pin", message, **data)
    return await everybody_gets("messagepin.dispatch", person, *others)


async def pinned(person: Person, room: Room, **paginate: Any) -> Any:
    data = {"room_id": room["id"], **({"paginate": paginate} if paginate else {})}
    return await person.ask("room.pins", data)


async def saved(person: Person, **paginate: Any) -> Any:
    return await person.ask("saved.list", {"paginate": paginate} if paginate else {})


def shown_ids(page: Any, kind: str) -> list[str]:
    return [each["message"]["id"] for each in page["data"][kind]]


def without(frame: Any, *keys: str) -> Any:
    return {key: value for key, value in frame.items() if key not in keys}


@pytest.mark.parametrize("type", ROOM_TYPES)
async def test_every_socket_of_every_member_is_told_of_a_pin(
    type: str, connect: Connect, users: Users
) -> None:
    alice, bob, eve = await people(connect, users, "alice", "bob", "eve")
    room = await room_of_type(type, alice, bob)
    message = await say(alice, room, "look here", bob)
    phone = await another_socket(connect, bob)

    told = await pin(alice, message, bob, phone)

    assert parse_datetime(told["pinned_at"]) is not None
    assert told["pinned_at"].endswith("Z")
    assert told == {
        "status": "successful",
        "action": "pin",
        "message": message,
        "pinned_by": alice.name,
        "pinned_at": told["pinned_at"],
        "until": None,
    }
    page = await pinned(bob, room)
    assert page == {
        "has_next": False,
        "has_previous": False,
        "size": 100,
        "data": {"room_id": room["id"], "pins": [without(told, "status", "action")]},
    }

    await mark(alice, "message.unpin", message)
    untold = await everybody_gets("messagepin.dispatch", alice, bob, phone)
    assert untold == {**told, "action": "unpin"}
    assert (await pinned(bob, room))["data"]["pins"] == []
    await nobody_gets_anything(alice, bob, phone, eve)


async def test_a_pin_may_end_and_its_end_is_shown(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "until then", bob)

    told = await pin(bob, message, alice, until=FUTURE)

    assert (told["pinned_by"], told["until"]) == (bob.name, FUTURE)
    assert (await pinned(alice, room))["data"]["pins"] == [without(told, "status", "action")]


async def test_pins_come_in_pages_newest_first(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    messages = [await say(alice, room, str(number)) for number in range(3)]
    for message in messages:
        await pin(alice, message)
    oldest, middle, newest = (message["id"] for message in messages)

    first = await pinned(alice, room, size=2)
    second = await pinned(alice, room, size=2, before=middle)

    assert shown_ids(first, "pins") == [newest, middle]
    assert shown_ids(second, "pins") == [oldest]
    assert (first["has_next"], first["has_previous"], first["size"]) == (True, False, 2)
    assert (second["has_next"], second["has_previous"]) == (False, True)


async def test_what_is_refused_stores_and_sends_nothing(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, eve = await people(connect, users, "alice", "bob", "eve")
    room = await group(alice, bob)
    kept = await say(alice, room, "pinned", bob)
    plain = await say(alice, room, "plain", bob)
    await pin(alice, kept, bob)
    await mark(bob, "message.save", kept)
    await bob.expect("messagesave.dispatch")
    before = stored(orm, room)

    for person, event, data, code in (
        (bob, "message.pin", {"message_id": kept["id"]}, 4005),
        (bob, "message.save", {"message_id": kept["id"]}, 4005),
        (bob, "message.unpin", {"message_id": plain["id"]}, 4004),
        (bob, "message.unsave", {"message_id": plain["id"]}, 4004),
        (bob, "message.pin", {"message_id": plain["id"], "until": "2001-01-01T00:00:00Z"}, 4003),
        (bob, "message.pin", {"message_id": plain["id"], "until": "soon"}, 4003),
        (bob, "message.pin", {"message_id": [plain["id"]]}, 4003),
        (bob, "message.save", {}, 4003),
        (bob, "room.pins", {"room_id": room["id"], "paginate": {"size": 0}}, 4003),
        (bob, "room.pins", {"room_id": NOWHERE}, 4004),
        (bob, "saved.list", {"paginate": {"page": 1}}, 4003),
        (eve, "message.pin", {"message_id": plain["id"]}, 4002),
        (eve, "message.unpin", {"message_id": kept["id"]}, 4002),
        (eve, "message.save", {"message_id": plain["id"]}, 4002),
        (eve, "room.pins", {"room_id": room["id"]}, 4002),
        *(
            (alice, f"message.{verb}", {"message_id": NOWHERE}, 4004)
            for verb in ("pin", "unpin", "save", "unsave")
        ),
    ):
        await person.refused(code, event, data)

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob, eve)


async def test_saving_is_told_to_the_users_own_sockets_alone(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    first = await say(alice, room, "first", bob)
    second = await say(bob, room, "second", alice)
    phone = await another_socket(connect, bob)

    told = []
    for message in (second, first):
        await mark(bob, "message.save", message)
        told.append(await everybody_gets("messagesave.dispatch", bob, phone))

    assert told[1] == {
        "status": "successful",
        "action": "save",
        "message": first,
        "saved_at": told[1]["saved_at"],
    }
    page = await saved(phone)
    assert page == {
        "has_next": False,
        "has_previous": False,
        "size": 100,
        "data": {"saved": [without(each, "status", "action") for each in reversed(told)]},
    }
    assert shown_ids(await saved(bob, size=1, before=first["id"]), "saved") == [second["id"]]

    await mark(phone, "message.unsave", first)
    assert await everybody_gets("messagesave.dispatch", bob, phone) == {
        **told[1],
        "action": "unsave",
    }
    assert shown_ids(await saved(bob), "saved") == [second["id"]]
    assert (await saved(alice))["data"]["saved"] == []
    await nobody_gets_anything(alice, bob, phone)


async def test_a_client_that_was_away_gets_pins_and_what_its_user_saved(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "look here", bob)
    phone = await another_socket(connect, bob)
    places = await follow(phone)
    await phone.close()

    told = [await pin(alice, message, bob)]
    await mark(alice, "message.unpin", message)
    told.append(await everybody_gets("messagepin.dispatch", alice, bob))
    await mark(bob, "message.save", message)
    kept = await bob.expect("messagesave.dispatch")

    phone = await another_socket(connect, bob)
    frames, answer = await resume(phone, places)

    room_seq, user_seq = places[of_room(room)], places[of_user(bob)]
    assert sorted(brief(frames)) == [
        ("messagepin.dispatch", of_room(room), room_seq + 1),
        ("messagepin.dispatch", of_room(room), room_seq + 2),
        ("messagesave.dispatch", of_user(bob), user_seq + 1),
    ]
    assert [f["data"] for f in frames if f["eventType"] == "messagepin.dispatch"] == told
    assert [f["data"] for f in frames if f["eventType"] == "messagesave.dispatch"] == [kept]
    assert all(stream["recovered"] for stream in answer.values())


async def test_a_deleted_message_is_neither_pinned_nor_saved_nor_shown_in_old_frames(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "secret-pin-9c1f", bob)
    places = await follow(bob)
    await pin(alice, message)
    await bob.next()
    await mark(bob, "message.save", message)
    await bob.next()

    await mark(alice, "message.modify", message, action="delete")
    await alice.expect("messagemodification.dispatch")
    await bob.next()

    assert (await pinned(bob, room))["data"]["pins"] == []
    assert (await saved(bob))["data"]["saved"] == []
    assert await bob.refused(4004, "message.pin", {"message_id": message["id"]})
    later = await another_socket(connect, bob)
    frames, _ = await resume(later, places)
    assert "messagepin.dispatch" in [frame["eventType"] for frame in frames]
    assert "secret-pin-9c1f" not in str(frames)


async def test_who_is_out_sees_nothing_of_what_they_saved(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "for members", bob)
    await mark(bob, "message.save", message)
    await bob.expect("messagesave.dispatch")

    await remove(alice, room, bob)

    assert (await saved(bob))["data"]["saved"] == []
    await bob.refused(4002, "message.unsave", {"message_id": message["id"]})
    await bob.refused(4002, "room.pins", {"room_id": room["id"]})
    await pin(alice, message)
    await nobody_gets_anything(alice, bob)


async def test_a_pin_makes_nothing_unread(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "look here", bob)
    await bob.send("room.read", {"room_id": room["id"]})
    for person in (alice, bob):
        await person.expect("roomread.dispatch")
    await bob.expect("unread.dispatch")

    await pin(alice, message, bob)

    assert (await bob.ask("unread.list", {}))["rooms"] == []
    phone = await another_socket(connect, bob)
    assert phone.client.notifications == {}
    # The frame shows the message as it is.
    assert (await messages_of(bob, room))[0] == message

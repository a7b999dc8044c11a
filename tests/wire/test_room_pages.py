"""FEATURES of `pages` on the wire: members, rooms and people in pages, and what frames end at."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from pytest_django import Settings

from tests import frames
from tests.conftest import Connect, Users
from tests.wire.messages import configure, read
from tests.wire.rooms import (
    NOBODY,
    NOWHERE,
    ROOM_TYPES,
    Person,
    Room,
    create,
    everybody_gets,
    group,
    member_names,
    messages_of,
    modify,
    people,
    room_of_type,
    say,
)

PAGE = {"has_next", "has_previous", "size", "data"}


def at(room: Room, **more: Any) -> dict[str, Any]:
    return {"room_id": room["id"], **more}


@pytest.mark.parametrize("type", ROOM_TYPES)
async def test_a_page_of_members_has_the_documented_fields(
    type: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)

    page = await bob.ask("room.members", at(room))

    assert page.keys() == PAGE
    assert (page["has_next"], page["has_previous"], page["size"]) == (False, False, 100)
    data = page["data"]
    assert data.keys() == {"room_id", "member_count", "members"}
    assert (data["room_id"], data["member_count"]) == (room["id"], 2)
    assert [each["user"] for each in data["members"]] == [alice.shown, bob.shown]
    assert all(each.keys() == {"user", "role", "joined_at"} for each in data["members"])
    leader = {"OneToOneChat": "member", "GroupChat": "admin", "Channel": "moderator"}[type]
    assert [each["role"] for each in data["members"]] == [leader, "member"]


async def test_pages_of_members_follow_what_a_frame_shows(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_MEMBERS_SHOWN=2)
    alice, bob, carol, dave = everybody = await people(
        connect, users, "alice", "bob", "carol", "dave"
    )
    room = await group(alice, bob, carol, dave)
    assert (member_names(room), room["member_count"]) == ([alice.name, bob.name], 4)

    room = await modify(alice, room, "add_admin", {"users": [dave.id]}, bob, carol, dave)

    assert member_names(room) == [alice.name, dave.name]
    assert room["admins"] == [alice.shown, dave.shown]
    cursor = room["participants"][-1]["id"]
    page = await carol.ask("room.members", at(room, paginate={"after": cursor, "size": 9}))
    assert [each["user"]["username"] for each in page["data"]["members"]] == [bob.name, carol.name]
    await bob.send("room.leave", at(room))
    assert (await bob.expect("roomexit.dispatch"))["room"]["member_count"] == 3
    told = await everybody_gets("roomremovemembers.dispatch", *(set(everybody) - {bob}))
    assert told["removed_members"] == [bob.name]
    assert told["room"] == await alice.ask("room.info", at(room))
    assert told["room"]["member_count"] == 3


async def test_members_and_people_are_asked_for_wrongly(connect: Connect, users: Users) -> None:
    alice, bob, eve = await people(connect, users, "alice", "bob", "eve")
    room = await group(alice, bob)

    await eve.refused(4002, "room.members", at(room))
    await alice.refused(4004, "room.members", {"room_id": NOWHERE})
    await alice.refused(4003, "room.members", {"room_id": "x"})
    await alice.refused(4003, "room.members", {})
    for paginate in ({"size": 0}, {"after": bob.id}, {"size": "many"}, {"size": 1, "after": {}}):
        await alice.refused(4003, "room.members", at(room, paginate=paginate))
        await alice.refused(4003, "user.find", {"query": "bo", "paginate": paginate})
    for user_id in (eve.id, NOBODY):
        paginate = {"size": 1, "after": user_id}
        await alice.refused(4004, "room.members", at(room, paginate=paginate))
        await alice.refused(4004, "user.find", {"query": "bo", "paginate": paginate})
    for query in ("", "x" * 101, 7, ["bo"], "\0\0"):
        await alice.refused(4003, "room.members", at(room, query=query))
        await alice.refused(4003, "user.find", {"query": query})
    await alice.refused(4003, "user.find", {"query": "b"})
    await alice.refused(4003, "user.find", {})
    assert "role" in await alice.refused(4003, "room.members", at(room, role="boss"))
    for paginate in ({"size": 0}, {"before": room["id"]}, {"size": 1, "before": "x"}):
        await alice.refused(4003, "room.list", {"paginate": paginate})
    await alice.refused(4004, "room.list", {"paginate": {"size": 1, "before": NOWHERE}})
    await eve.refused(4002, "room.list", {"paginate": {"size": 1, "before": room["id"]}})
    for wanted in ({"type": "Room"}, {"unread": "yes"}, {"query": ""}, {"colour": "red"}, [1]):
        await alice.refused(4003, "room.list", {"filter": wanted})
    for person in (alice, bob, eve):
        await person.nothing()


async def test_rooms_come_in_pages(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    rooms = [await group(alice, bob, name=f"group {number}") for number in range(3)]
    await say(bob, rooms[0], "hello", alice)

    first = await alice.ask("room.list", {"paginate": {"size": 2}})
    cursor = first["data"]["rooms"][-1]["id"]
    second = await alice.ask("room.list", {"paginate": {"before": cursor, "size": 2}})

    assert first.keys() == second.keys() == PAGE
    assert (first["has_next"], first["has_previous"], first["size"]) == (True, False, 2)
    assert (second["has_next"], second["has_previous"]) == (False, True)
    listed = await alice.ask("room.list")
    assert first["data"]["rooms"] + second["data"]["rooms"] == listed
    assert [room["id"] for room in listed] == [rooms[each]["id"] for each in (0, 2, 1)]
    unread = await alice.ask("room.list", {"filter": {"unread": True}})
    assert unread == [listed[0]]


async def test_people_are_found_who_share_a_room(
    connect: Connect, users: Users, settings: Settings
) -> None:
    alice, bob, eve = await people(connect, users, "alice", "bob", "eve")
    await group(alice, bob)

    page = await alice.ask("user.find", {"query": bob.name.upper()})

    assert page.keys() == PAGE
    assert page["data"] == {"users": [bob.shown]}
    assert (await alice.ask("user.find", {"query": eve.name}))["data"] == {"users": []}
    configure(settings, FIND_ALL_USERS=True)
    assert (await alice.ask("user.find", {"query": eve.name}))["data"] == {"users": [eve.shown]}


async def test_searches_are_counted(connect: Connect, users: Users, settings: Settings) -> None:
    configure(settings, FIND_RATE_LIMIT={"events": 2, "seconds": 3600})
    alice, beside = await people(connect, users, "alice", "beside")
    for _ in range(2):
        await alice.refused(4003, "user.find", {"query": "x"})  # which is none
        await alice.ask("user.find", {"query": "bob"})

    detail = await alice.refused(4029, "user.find", {"query": "bob"})

    assert detail["retry_after"] > 0
    assert await alice.ask("room.list") == []
    await beside.ask("user.find", {"query": "bob"})


async def test_frames_have_the_newest_receipts_and_how_many_there_are(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_RECEIPTS_SHOWN=1)
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(alice, room, "hello", bob, carol)
    assert message["read_receipts_count"] == message["reactions_count"] == 0

    for number, reader in enumerate((bob, carol), 1):
        await read(reader, message)
        told = await everybody_gets("readreceipt.dispatch", alice, bob, carol)
        assert [each["reader"]["username"] for each in told["read_receipts"]] == [reader.name]
        assert told["read_receipts_count"] == number
        assert await messages_of(bob, room) == [told]
    # Bob is not shown any more, and has read it all the same.
    await bob.refused(4005, "message.read", {"message_id": message["id"]})


@pytest.fixture
def plain() -> Iterator[None]:
    """No features: the documented protocol alone, by whose contract frames are validated."""
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ()}):
        judge = frames.make_validator()
        yield
    if judge is not None:
        frames.check(frames.record.copy(), judge)
        judge.close()
    frames.record.clear()


async def test_without_the_feature_its_events_and_keys_are_unknown(
    plain: None, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await create(alice, "GroupChat", {"name": "g", "participants": [bob.id]}, bob)
    message = await say(alice, room, "hello", bob)

    for event_type in ("room.members", "user.find", "notification.list"):
        await alice.send(event_type, at(room, query="bob"))
        assert await alice.next() == {"error": "invalid event type"}
    assert "member_count" not in room
    assert not [name for name in message if name.endswith("_count")]
    (listed,) = await alice.ask("room.list")
    assert listed["id"] == room["id"]


async def test_what_waits_is_bounded_however_much_it_is(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_NOTIFICATIONS=3)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    written = [(await say(alice, room, f"{number}", bob))["id"] for number in range(7)]

    late = Person(bob.user, await connect(bob.user, greeted=False))
    greeting = await late.expect("chat.notifications")

    shown = [each["message"]["id"] for each in greeting[room["id"]]]
    assert shown == written[-3:]
    first = await bob.ask("notification.list")
    cursor = first["data"]["notifications"][-1]["id"]
    rest = await bob.ask("notification.list", {"paginate": {"before": cursor, "size": 9}})
    found = first["data"]["notifications"] + rest["data"]["notifications"]
    assert [each["message"]["id"] for each in found] == written[::-1]

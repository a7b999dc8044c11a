"""PROTOCOL of ``room.list`` and ``room.info``: what a user sees of their rooms."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from tests.conftest import Connect, Users
from tests.wire.rooms import (
    ROOM_TYPES,
    Person,
    another_socket,
    channel,
    everybody_gets,
    group,
    one_to_one,
    people,
    room_of_type,
    say,
)

SUMMARY = {
    "type",
    "id",
    "created_at",
    "updated_at",
    "last_message",
    "unread_count",
    "preferences",
}
NAMED = SUMMARY | {"name", "description", "avatar", "creator"}
KEYS = {
    "OneToOneChat": SUMMARY | {"peer"},
    "GroupChat": NAMED | {"max_participants", "join_approval_required", "group_locked"},
    "Channel": NAMED | {"max_subscribers", "is_public"},
}


async def listed(person: Person) -> list[Any]:
    rooms: list[Any] = await person.ask("room.list")
    return rooms


async def only(person: Person) -> Any:
    (room,) = await listed(person)
    return room


async def test_who_has_no_rooms_gets_an_empty_list(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")

    assert await listed(alice) == []


async def test_the_list_needs_no_data(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.client.send_raw('{"event_type": "room.list"}')

    assert await alice.expect("roomlist.dispatch") == []


@pytest.mark.parametrize("type", ROOM_TYPES)
async def test_a_listed_room_has_the_documented_fields(
    type: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)

    found = await only(bob)

    assert found.keys() == KEYS[type]
    assert found["last_message"] is None
    assert found["unread_count"] == 0
    shared = found.keys() & room.keys()
    assert {name: found[name] for name in shared} == {name: room[name] for name in shared}


async def test_the_peer_is_the_other_one(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first, second = room["participants"]

    assert (await only(alice))["peer"] == second
    assert (await only(bob))["peer"] == first


async def test_the_list_shows_the_users_own_rooms_and_goes_to_one_socket(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    beside = await another_socket(connect, bob)
    await group(alice)
    await channel(alice, is_public=True)
    shared = await group(alice, bob, beside)

    assert [room["id"] for room in await listed(bob)] == [shared["id"]]

    await beside.nothing()
    await alice.nothing()


async def test_the_most_recently_active_room_comes_first(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    one = await group(alice)
    two = await one_to_one(alice, bob)
    three = await channel(alice)

    assert [room["id"] for room in await listed(alice)] == [three["id"], two["id"], one["id"]]

    await say(alice, one, "here")
    assert [room["id"] for room in await listed(alice)] == [one["id"], three["id"], two["id"]]

    four = await group(alice)
    await say(bob, two, "there", alice)
    assert [room["id"] for room in await listed(alice)] == [
        two["id"],
        four["id"],
        one["id"],
        three["id"],
    ]


async def test_changing_a_room_is_no_activity(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    older = await group(alice)
    newer = await group(alice)

    data = {"room_id": older["id"], "action": "update", "data": {"name": "new"}}
    await alice.send("room.modify", data)
    await alice.expect("roomupdate.dispatch")
    await alice.send("room.add_members", {"room_id": older["id"], "members": [bob.id]})
    await alice.expect("roomaddmembers.dispatch")

    assert [room["id"] for room in await listed(alice)] == [newer["id"], older["id"]]


@pytest.mark.parametrize("soft", [False, True])
async def test_the_last_message_is_the_newest_that_is_not_deleted(
    soft: bool, connect: Connect, users: Users, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MESSAGE_SOFT_DELETE": soft}
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await say(alice, room, "one", bob)
    two = await say(bob, room, "two", alice)
    three = await say(alice, room, "three", bob)

    assert (await only(bob))["last_message"] == three

    await alice.send("message.modify", {"action": "delete", "message_id": three["id"]})
    await everybody_gets("messagemodification.dispatch", alice, bob)

    for person in (alice, bob):
        assert (await only(person))["last_message"] == two


async def test_the_last_message_shows_an_edit(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "one", bob)
    await alice.send(
        "message.modify",
        {
            "action": "update",
            "message_id": message["id"],
            "extra_fields": {"content": "changed"},
        },
    )
    edited = await everybody_gets("messagemodification.dispatch", alice, bob)

    last = (await only(bob))["last_message"]

    assert last == edited["message"]
    assert last["content"] == "changed"


@pytest.mark.parametrize("soft", [False, True])
async def test_what_others_wrote_is_unread_until_it_is_read_or_deleted(
    soft: bool, connect: Connect, users: Users, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MESSAGE_SOFT_DELETE": soft}
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    first, second, third, fourth = [await say(alice, room, str(n), bob) for n in range(4)]
    await say(bob, room, "mine", alice)

    assert (await only(bob))["unread_count"] == 4
    assert (await only(alice))["unread_count"] == 1

    # In whatever order: an older one stays unread.
    await bob.send("message.read", {"message_id": third["id"]})
    await everybody_gets("readreceipt.dispatch", alice, bob)
    assert (await only(bob))["unread_count"] == 3

    await alice.send("message.modify", {"action": "delete", "message_id": second["id"]})
    await everybody_gets("messagemodification.dispatch", alice, bob)
    assert (await only(bob))["unread_count"] == 2

    await bob.send("message.read", {"message_id": [first["id"], fourth["id"]]})
    await everybody_gets("readreceipt.dispatch", alice, bob)
    assert (await only(bob))["unread_count"] == 0
    assert (await only(alice))["unread_count"] == 1

    await say(alice, room, "new", bob)
    assert (await only(bob))["unread_count"] == 1


async def test_what_was_written_before_one_joined_is_not_unread(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice)
    await say(alice, room, "before")
    await alice.send("room.add_members", {"room_id": room["id"], "members": [bob.id]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)

    assert (await only(bob))["unread_count"] == 0

    await say(alice, room, "after", bob)
    assert (await only(bob))["unread_count"] == 1


@pytest.mark.parametrize("type", ROOM_TYPES)
async def test_info_is_the_detail_of_the_room_for_every_member(
    type: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)

    for person in (alice, bob):
        assert await person.ask("room.info", {"room_id": room["id"]}) == room

    await alice.nothing()


@pytest.mark.parametrize("event_type", ["room.info", "room.messages"])
@pytest.mark.parametrize("type", ROOM_TYPES)
async def test_who_is_no_member_sees_nothing_of_a_room(
    type: str, event_type: str, connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "stranger")
    room = await room_of_type(type, alice, bob)

    await stranger.refused(4002, event_type, {"room_id": room["id"]})


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("room.info", {}),
        ("room.messages", {}),
        ("room.join", {}),
        ("room.leave", {}),
        ("room.add_members", {"members": []}),
        ("room.remove_members", {"members": []}),
        ("room.modify", {"action": "update", "data": {"name": "n"}}),
        ("room.modify", {"action": "delete"}),
        ("room.modify", {"action": "add_admin", "data": {"users": []}}),
        ("room.modify", {"action": "remove_moderator", "data": {"users": []}}),
        (
            "room.modify",
            {
                "action": "add_permission",
                "data": {"users": [], "permission": ["can_remove_participants"]},
            },
        ),
    ],
)
async def test_a_room_id_is_checked_for_shape_and_then_for_existence(
    event_type: str, data: dict[str, Any], connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.refused(4003, event_type, data)
    for malformed in (None, 1, "", "room", [str(uuid4())], {}):
        await alice.refused(4003, event_type, {**data, "room_id": malformed})
    await alice.refused(4004, event_type, {**data, "room_id": str(uuid4())})

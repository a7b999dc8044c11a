"""PROTOCOL of ``room.join`` and ``room.leave``: who may, and who hears of it."""

import asyncio

import pytest
from guardian.shortcuts import get_perms

from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import (
    CHANNEL,
    FULL,
    GROUP,
    another_socket,
    channel,
    everybody_gets,
    group,
    member_ids,
    member_names,
    one_to_one,
    people,
    room_of_type,
    say,
    stored_room,
)

ADD = {"GroupChat": "can_add_new_participants", "Channel": "can_add_new_subscribers"}
both_types = pytest.mark.parametrize("type", [GROUP, CHANNEL])


# Joining


async def test_joining_a_public_channel_is_told_to_all_its_members(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    carol_too = await another_socket(connect, carol)
    room = await channel(alice, bob, is_public=True)

    await carol.send("room.join", {"room_id": room["id"]})

    data = await everybody_gets("roomaddmembers.dispatch", alice, bob, carol, carol_too)
    assert data.keys() == {"room", "new_members", "added_by"}
    assert data["new_members"] == [carol.name]
    assert data["added_by"] == "self"
    assert data["room"].keys() == room.keys()
    assert member_names(data["room"]) == [alice.name, bob.name, carol.name]
    assert [user["username"] for user in data["room"]["moderators"]] == [alice.name]
    await say(alice, room, "welcome", bob, carol, carol_too)


async def test_who_joined_has_no_say_in_the_channel(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await channel(alice, is_public=True)
    await bob.send("room.join", {"room_id": room["id"]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)

    await bob.refused(4002, "message.send", {"room_id": room["id"], "content": "hello"})
    await bob.refused(4002, "room.add_members", {"room_id": room["id"], "members": [carol.id]})


async def test_nobody_joins_by_themselves_what_is_not_public(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    private = await channel(alice)
    closed = await group(alice)
    pair = await one_to_one(alice, bob)

    assert await carol.refused(4003, "room.join", {"room_id": private["id"]})
    detail = await carol.refused(4003, "room.join", {"room_id": closed["id"]})
    assert detail == "Ask an admin to add you to the group"
    assert await carol.refused(4003, "room.join", {"room_id": pair["id"]})

    await alice.nothing()
    for room in (private, closed, pair):
        assert carol.id not in orm(member_ids, room)


async def test_nobody_joins_twice(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await channel(alice, is_public=True)
    await bob.send("room.join", {"room_id": room["id"]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)

    for person in (bob, alice):
        await person.refused(4003, "room.join", {"room_id": room["id"]})

    await alice.nothing()
    assert orm(member_ids, room) == {alice.id, bob.id}


async def test_nobody_joins_a_full_channel(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await channel(alice, bob, is_public=True, max_subscribers=2)

    assert await carol.refused(4003, "room.join", {"room_id": room["id"]}) == FULL["Channel"]

    await alice.nothing()
    assert orm(member_ids, room) == {alice.id, bob.id}


async def test_the_cap_holds_when_many_join_at_once(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, *crowd = await people(connect, users, "alice", *["guest"] * 6)
    room = await channel(alice, is_public=True, max_subscribers=4)

    await asyncio.gather(*(guest.send("room.join", {"room_id": room["id"]}) for guest in crowd))

    joined: list[str] = []
    for _ in range(3):
        joined += (await alice.expect("roomaddmembers.dispatch"))["new_members"]
    inside = [guest for guest in crowd if guest.name in joined]
    assert len(inside) == 3
    for guest in crowd:
        if guest in inside:
            assert guest.name in (await guest.expect("roomaddmembers.dispatch"))["new_members"]
        else:
            assert await guest.error(4003) == FULL["Channel"]
    await alice.nothing()
    assert orm(member_ids, room) == {alice.id, *(guest.id for guest in inside)}


# Leaving


@both_types
async def test_leaving_is_told_to_the_leaver_and_to_those_who_remain(
    type: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    bob_too = await another_socket(connect, bob)
    room = await room_of_type(type, alice, bob, bob_too, carol, name="the room")

    await bob.send("room.leave", {"room_id": room["id"]})

    exited = await everybody_gets("roomexit.dispatch", bob, bob_too)
    assert exited.keys() == {"room", "message"}
    assert exited["message"] == "You left the room"
    assert exited["room"].keys() == room.keys()
    assert exited["room"]["id"] == room["id"]
    removed = await everybody_gets("roomremovemembers.dispatch", alice, carol)
    assert removed.keys() == {"room", "removed_members", "removed_by"}
    assert removed["removed_members"] == [bob.name]
    assert removed["removed_by"] == "self"
    assert member_names(removed["room"]) == [alice.name, carol.name]
    await say(alice, room, "gone", carol)
    await bob.nothing()
    await bob_too.nothing()


@both_types
async def test_the_last_one_out_deletes_the_room(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob, name="the room")
    await say(alice, room, "hello", bob)
    await bob.send("room.leave", {"room_id": room["id"]})
    await bob.expect("roomexit.dispatch")
    await alice.expect("roomremovemembers.dispatch")

    await alice.send("room.leave", {"room_id": room["id"]})

    exited = await alice.expect("roomexit.dispatch")
    assert exited["message"] == "You left the room"
    assert member_names(exited["room"]) == []
    assert await alice.expect("roomdelete.dispatch") == {"room_id": room["id"]}
    await alice.nothing()
    await bob.nothing()
    await alice.refused(4004, "room.info", {"room_id": room["id"]})
    assert orm(get_model("Message").objects.filter(room_id=room["id"]).count) == 0


@both_types
async def test_leaving_drops_the_role_and_the_permissions(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)
    leaders = {"GroupChat": "admins", "Channel": "moderators"}[type]
    action = {"GroupChat": "add_admin", "Channel": "add_moderator"}[type]
    data = {"room_id": room["id"], "action": action, "data": {"users": [bob.id]}}
    await alice.send("room.modify", data)
    await everybody_gets("roomupdate.dispatch", alice, bob)
    assert ADD[type] in orm(get_perms, bob.user, orm(stored_room, room))

    await bob.send("room.leave", {"room_id": room["id"]})
    await bob.expect("roomexit.dispatch")
    removed = await alice.expect("roomremovemembers.dispatch")

    assert [user["username"] for user in removed["room"][leaders]] == [alice.name]
    assert orm(get_perms, bob.user, orm(stored_room, room)) == []
    data = {"room_id": room["id"], "members": [bob.id]}
    await alice.send("room.add_members", data)
    added = await everybody_gets("roomaddmembers.dispatch", alice, bob)
    assert [user["username"] for user in added["room"][leaders]] == [alice.name]
    assert orm(get_perms, bob.user, orm(stored_room, room)) == []


async def test_nobody_leaves_a_one_to_one_chat(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    await bob.refused(4003, "room.leave", {"room_id": room["id"]})

    await alice.nothing()
    assert orm(member_ids, room) == {alice.id, bob.id}


@both_types
async def test_who_is_not_in_cannot_leave(type: str, connect: Connect, users: Users) -> None:
    alice, stranger = await people(connect, users, "alice", "stranger")
    room = await room_of_type(type, alice)

    await stranger.refused(4002, "room.leave", {"room_id": room["id"]})

    await alice.nothing()

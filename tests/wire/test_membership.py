"""PROTOCOL of ``room.add_members`` and ``room.remove_members``: who may, and who hears of it."""

import asyncio
from typing import Any

import pytest
from guardian.shortcuts import assign_perm, remove_perm

from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import (
    CHANNEL,
    FULL,
    GROUP,
    NOBODY,
    WRITINGS,
    Person,
    Room,
    another_socket,
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

CAP = {"GroupChat": "max_participants", "Channel": "max_subscribers"}
ADD = {"GroupChat": "can_add_new_participants", "Channel": "can_add_new_subscribers"}
REMOVE = {"GroupChat": "can_remove_participants", "Channel": "can_remove_subscribers"}

both_types = pytest.mark.parametrize("type", [GROUP, CHANNEL])
both_changes = pytest.mark.parametrize("event_type", ["room.add_members", "room.remove_members"])


async def change(event_type: str, person: Person, room: Room, *others: Person) -> None:
    ids = [other.id for other in others]
    await person.send(event_type, {"room_id": room["id"], "members": ids})


async def send_add(person: Person, room: Room, *others: Person) -> None:
    await change("room.add_members", person, room, *others)


async def send_remove(person: Person, room: Room, *others: Person) -> None:
    await change("room.remove_members", person, room, *others)


# Adding


@both_types
async def test_adding_is_told_to_all_the_new_ones_included(
    type: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol, dave = await people(connect, users, "alice", "bob", "carol", "dave")
    carol_too = await another_socket(connect, carol)
    room = await room_of_type(type, alice, bob)

    await send_add(alice, room, carol, dave)

    everybody = (alice, bob, carol, carol_too, dave)
    data = await everybody_gets("roomaddmembers.dispatch", *everybody)
    assert data.keys() == {"room", "new_members", "added_by"}
    assert data["new_members"] == [carol.name, dave.name]
    assert data["added_by"] == alice.name
    assert data["room"].keys() == room.keys()
    assert member_names(data["room"]) == [alice.name, bob.name, carol.name, dave.name]
    await say(alice, room, "welcome", bob, carol, carol_too, dave)


@both_types
async def test_those_who_are_in_already_are_skipped(
    type: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(type, alice, bob)

    await send_add(alice, room, alice, bob, carol, carol)
    data = await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    assert data["new_members"] == [carol.name]

    await send_add(alice, room, bob, carol)
    await alice.nothing()
    await bob.nothing()


# Removing


@both_types
async def test_removing_is_told_to_the_removed_and_to_those_who_remain(
    type: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol, dave = await people(connect, users, "alice", "bob", "carol", "dave")
    bob_too = await another_socket(connect, bob)
    room = await room_of_type(type, alice, bob, bob_too, carol, dave)

    await send_remove(alice, room, bob, carol)

    exited = await everybody_gets("roomexit.dispatch", bob, bob_too, carol)
    assert exited.keys() == {"room", "message"}
    assert exited["message"] == f"You have been removed by {alice.name}"
    assert exited["room"].keys() == room.keys()
    removed = await everybody_gets("roomremovemembers.dispatch", alice, dave)
    assert removed.keys() == {"room", "removed_members", "removed_by"}
    assert sorted(removed["removed_members"]) == sorted([bob.name, carol.name])
    assert removed["removed_by"] == alice.name
    assert member_names(removed["room"]) == [alice.name, dave.name]


async def test_the_removed_get_nothing_of_the_room_afterwards(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    where = {"room_id": room["id"]}
    of_bob = await say(bob, room, "mine", alice, carol)
    await send_remove(alice, room, bob)
    await bob.expect("roomexit.dispatch")
    await everybody_gets("roomremovemembers.dispatch", alice, carol)

    message = await say(alice, room, "secret", carol)
    await alice.send("message.typing", where)
    await everybody_gets("messagetyping.dispatch", alice, carol)
    data = {"type": "add", "message_id": of_bob["id"], "reaction_content": "+"}
    await carol.send("message.react", data)
    await everybody_gets("reaction.dispatch", alice, carol)
    await carol.send("message.acknowledged", {"message_id": [of_bob["id"], message["id"]]})
    await alice.expect("messagedelivered.dispatch")
    await carol.send("message.read", {"message_id": [of_bob["id"], message["id"]]})
    await everybody_gets("readreceipt.dispatch", alice, carol)
    await alice.send("room.modify", {**where, "action": "update", "data": {"name": "new"}})
    await everybody_gets("roomupdate.dispatch", alice, carol)
    await alice.send("room.modify", {**where, "action": "delete"})
    await everybody_gets("roomdelete.dispatch", alice, carol)

    await bob.nothing()


async def test_nothing_of_a_room_waits_for_who_was_removed(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    before, after = [await say(bob, room, content, alice) for content in ("one", "two")]
    await say(alice, room, "unread", bob)
    data = {"type": "add", "message_id": before["id"], "reaction_content": "+"}
    await alice.send("message.react", data)
    await everybody_gets("reaction.dispatch", alice, bob)
    await send_remove(alice, room, bob)
    await bob.expect("roomexit.dispatch")
    await alice.expect("roomremovemembers.dispatch")
    await alice.send("message.react", {**data, "message_id": after["id"]})
    await alice.expect("reaction.dispatch")

    assert (await connect(bob.user)).notifications == {}


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("message.send", {"content": "hello"}),
        ("message.typing", {}),
        ("room.info", {}),
        ("room.messages", {}),
        ("room.leave", {}),
        ("room.add_members", {"members": []}),
        ("room.modify", {"action": "update", "data": {"name": "mine"}}),
    ],
)
async def test_the_removed_have_no_say(
    event_type: str, data: dict[str, Any], connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await alice.send(
        "room.modify",
        {"room_id": room["id"], "action": "add_admin", "data": {"users": [bob.id]}},
    )
    await everybody_gets("roomupdate.dispatch", alice, bob)
    await send_remove(alice, room, bob)
    await bob.expect("roomexit.dispatch")
    await alice.expect("roomremovemembers.dispatch")

    await bob.refused(4002, event_type, {"room_id": room["id"], **data})

    await alice.nothing()


async def test_who_was_removed_and_is_added_again_hears_the_room_again(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await send_remove(alice, room, bob)
    await bob.expect("roomexit.dispatch")
    await alice.expect("roomremovemembers.dispatch")
    await say(alice, room, "while away")

    await send_add(alice, room, bob)

    await everybody_gets("roomaddmembers.dispatch", alice, bob)
    await say(alice, room, "welcome", bob)
    await say(bob, room, "hello", alice)


@both_types
async def test_those_who_are_not_in_are_skipped(type: str, connect: Connect, users: Users) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "stranger")
    room = await room_of_type(type, alice, bob)

    await send_remove(alice, room, stranger)
    await send_remove(alice, room, stranger, bob, bob)

    await bob.expect("roomexit.dispatch")
    removed = await alice.expect("roomremovemembers.dispatch")
    assert removed["removed_members"] == [bob.name]
    await stranger.nothing()


@both_types
async def test_the_creator_is_never_removed_by_others(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(type, alice, bob, carol)
    orm(assign_perm, REMOVE[type], bob.user, orm(stored_room, room))

    await send_remove(bob, room, alice, carol)

    await carol.expect("roomexit.dispatch")
    removed = await everybody_gets("roomremovemembers.dispatch", alice, bob)
    assert removed["removed_members"] == [carol.name]
    assert orm(member_ids, room) == {alice.id, bob.id}


# Who may


@both_types
@both_changes
async def test_a_plain_member_changes_nobody(
    type: str, event_type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol, stranger = await people(connect, users, "alice", "bob", "carol", "stranger")
    room = await room_of_type(type, alice, bob, carol)

    await change(event_type, bob, room, carol, stranger)

    await bob.error(4002)
    await alice.nothing()
    assert orm(member_ids, room) == {alice.id, bob.id, carol.id}


@both_types
@both_changes
async def test_a_stranger_changes_nobody(
    type: str, event_type: str, connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "stranger")
    room = await room_of_type(type, alice, bob)

    await change(event_type, stranger, room, stranger, bob)

    await stranger.error(4002)
    await alice.nothing()


@both_types
async def test_the_role_lets_add_and_remove(type: str, connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(type, alice, bob)
    action = {"GroupChat": "add_admin", "Channel": "add_moderator"}[type]
    data = {"room_id": room["id"], "action": action, "data": {"users": [bob.id]}}
    await alice.send("room.modify", data)
    await everybody_gets("roomupdate.dispatch", alice, bob)

    await send_add(bob, room, carol)
    added = await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    assert added["added_by"] == bob.name
    await send_remove(bob, room, carol)
    exited = await carol.expect("roomexit.dispatch")
    assert exited["message"] == f"You have been removed by {bob.name}"
    await everybody_gets("roomremovemembers.dispatch", alice, bob)


@both_types
async def test_an_object_permission_lets_add_or_remove_as_long_as_it_is_held(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(type, alice, bob)
    found = orm(stored_room, room)

    orm(assign_perm, ADD[type], bob.user, found)
    await send_add(bob, room, carol)
    await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    await send_remove(bob, room, carol)
    await bob.error(4002)

    orm(remove_perm, ADD[type], bob.user, found)
    orm(assign_perm, REMOVE[type], bob.user, found)
    await send_remove(bob, room, carol)
    await carol.expect("roomexit.dispatch")
    await everybody_gets("roomremovemembers.dispatch", alice, bob)
    await send_add(bob, room, carol)
    await bob.error(4002)


@both_types
async def test_a_permission_on_one_room_is_none_on_another(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room, other = await room_of_type(type, alice, bob), await room_of_type(type, alice, bob)
    orm(assign_perm, ADD[type], bob.user, orm(stored_room, other))

    await send_add(bob, room, carol)

    await bob.error(4002)


# What both refuse


@both_changes
async def test_the_participants_of_a_one_to_one_chat_stay(
    event_type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await one_to_one(alice, bob)

    for others in ([carol], [bob], [alice, bob, carol]):
        await change(event_type, alice, room, *others)
        await alice.error(4003)

    await change(event_type, carol, room, carol)
    await carol.error(4002)
    await bob.nothing()
    assert orm(member_ids, room) == {alice.id, bob.id}


@both_types
@both_changes
async def test_an_unknown_user_is_not_found_and_nothing_happens(
    type: str, event_type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(type, alice, bob)

    data = {"room_id": room["id"], "members": [bob.id, carol.id, NOBODY]}
    await alice.refused(4004, event_type, data)

    await bob.nothing()
    await carol.nothing()
    assert orm(member_ids, room) == {alice.id, bob.id}


@both_changes
@pytest.mark.parametrize("named", [None, "bob", {}, [None], ["bob"], [True], [1.5], [[]], [{}]])
async def test_malformed_members_are_a_validation_error(
    event_type: str, named: Any, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    await alice.refused(4003, event_type, {"room_id": room["id"], "members": named})
    await alice.refused(4003, event_type, {"room_id": room["id"]})


@pytest.mark.parametrize("write", WRITINGS)
async def test_a_user_id_is_a_number_or_a_string(
    write: Any, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice)
    data = {"room_id": room["id"], "members": [write(bob.id)]}

    await alice.send("room.add_members", data)
    await everybody_gets("roomaddmembers.dispatch", alice, bob)
    await alice.send("room.remove_members", data)
    await bob.expect("roomexit.dispatch")
    await alice.expect("roomremovemembers.dispatch")


# Caps


@both_types
async def test_the_cap_refuses_all_that_are_named_together(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol, dave = await people(connect, users, "alice", "bob", "carol", "dave")
    room = await room_of_type(type, alice, bob, **{CAP[type]: 3})

    await send_add(alice, room, carol, dave)
    assert await alice.error(4003) == FULL[type]
    assert orm(member_ids, room) == {alice.id, bob.id}

    # Those who are in already take no place.
    await send_add(alice, room, alice, bob, carol)
    await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    await send_add(alice, room, dave)
    assert await alice.error(4003) == FULL[type]

    await send_remove(alice, room, carol)
    await carol.expect("roomexit.dispatch")
    await everybody_gets("roomremovemembers.dispatch", alice, bob)
    await send_add(alice, room, dave)
    await everybody_gets("roomaddmembers.dispatch", alice, bob, dave)


@both_types
async def test_the_cap_holds_when_many_add_at_once(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, *guests = await people(connect, users, "alice", *["guest"] * 6)
    adders = [await another_socket(connect, alice) for _ in guests]
    room = await room_of_type(type, alice, *adders, **{CAP[type]: 4})

    await asyncio.gather(
        *(send_add(adder, room, guest) for adder, guest in zip(adders, guests, strict=True))
    )

    inside: list[str] = []
    for _ in range(3):
        inside += (await alice.expect("roomaddmembers.dispatch"))["new_members"]
    await alice.nothing()
    for adder, guest in zip(adders, guests, strict=True):
        frames = [await adder.next() for _ in range(3 if guest.name in inside else 4)]
        errors = [frame["error"] for frame in frames if "error" in frame]
        expected = [] if guest.name in inside else [{"code": 4003, "detail": FULL[type]}]
        assert errors == expected
        await adder.nothing()
    assert len(orm(member_ids, room)) == 4

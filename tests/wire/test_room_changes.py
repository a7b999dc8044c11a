"""PROTOCOL of ``room.modify``: its eight actions, who may, and what is refused."""

from typing import Any

import pytest
from guardian.shortcuts import get_perms

from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import (
    NOBODY,
    WRITINGS,
    Person,
    Room,
    another_socket,
    channel,
    everybody_gets,
    group,
    modify,
    one_to_one,
    people,
    room_of_type,
    say,
    stored_room,
)

LEADERS = {"GroupChat": "admins", "Channel": "moderators"}
ADD = {"GroupChat": "add_admin", "Channel": "add_moderator"}
REMOVE = {"GroupChat": "remove_admin", "Channel": "remove_moderator"}
PERMISSIONS = {
    "GroupChat": {"can_add_new_participants", "can_remove_participants"},
    "Channel": {"can_add_new_subscribers", "can_remove_subscribers", "can_send_messages"},
}

both_types = pytest.mark.parametrize("type", PERMISSIONS)


async def ask_for(person: Person, room: Room, action: str, data: Any = None) -> None:
    sent = {"room_id": room["id"], "action": action}
    await person.send("room.modify", sent if data is None else {**sent, "data": data})


async def make_leader(person: Person, room: Room, leader: Person, *others: Person) -> Room:
    data = {"users": [leader.id]}
    return await modify(person, room, ADD[room["type"]], data, leader, *others)


def leaders(room: Room) -> list[str]:
    return [user["username"] for user in room[LEADERS[room["type"]]]]


def permissions(person: Person, room: Room) -> set[str]:
    user = type(person.user).objects.get(pk=person.id)  # afresh: permissions are cached on it
    return set(get_perms(user, stored_room(room)))


# Updating


@pytest.mark.parametrize(
    ("type", "changes"),
    [
        ("GroupChat", {"name": "new"}),
        ("GroupChat", {"description": "about it"}),
        ("GroupChat", {"description": None}),
        ("GroupChat", {"avatar": "https://example.com/a.png"}),
        ("GroupChat", {"avatar": None}),
        ("GroupChat", {"group_locked": True}),
        ("GroupChat", {"join_approval_required": True}),
        ("GroupChat", {"property": {"preferences": {"colour": "red"}}}),
        ("GroupChat", {"name": "n", "group_locked": True, "property": {"preferences": {"a": 1}}}),
        ("Channel", {"name": "new"}),
        ("Channel", {"description": "about it"}),
        ("Channel", {"avatar": "https://example.com/a.png"}),
        ("Channel", {"is_public": True}),
        ("Channel", {"property": {"preferences": {"colour": "red"}}}),
    ],
)
async def test_an_update_changes_what_is_named_and_nothing_else(
    type: str, changes: dict[str, Any], connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)

    changed = await modify(alice, room, "update", changes, bob)

    assert changed["updated_at"] > room["updated_at"]
    assert changed == {**room, **changes, "updated_at": changed["updated_at"]}
    assert await bob.ask("room.info", {"room_id": room["id"]}) == changed


async def test_either_of_two_changes_the_preferences_of_their_chat(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    for person, other in ((alice, bob), (bob, alice)):
        data = {"property": {"preferences": {"by": person.name}}}
        changed = await modify(person, room, "update", data, other)
        assert changed["property"] == data["property"]
        assert changed.keys() == room.keys()


@pytest.mark.parametrize(
    ("type", "changes"),
    [
        ("GroupChat", {}),
        ("GroupChat", {"name": ""}),
        ("GroupChat", {"name": None}),
        ("GroupChat", {"name": 1}),
        ("GroupChat", {"name": "x" * 65}),
        ("GroupChat", {"description": 1}),
        ("GroupChat", {"avatar": "javascript:alert(1)"}),
        ("GroupChat", {"group_locked": None}),
        ("GroupChat", {"group_locked": "yes"}),
        ("GroupChat", {"join_approval_required": 1}),
        ("GroupChat", {"is_public": True}),
        ("GroupChat", {"max_participants": 5}),
        ("GroupChat", {"creator": 1}),
        ("GroupChat", {"type": "Channel"}),
        ("GroupChat", {"participants": []}),
        ("GroupChat", {"property": []}),
        ("GroupChat", {"property": {"preferences": 1}}),
        ("GroupChat", {"name": "fine", "is_public": True}),
        ("GroupChat", []),
        ("GroupChat", "name"),
        ("Channel", {"group_locked": True}),
        ("Channel", {"join_approval_required": True}),
        ("Channel", {"max_subscribers": 5}),
        ("Channel", {"is_public": None}),
    ],
)
async def test_a_wrong_update_is_a_validation_error_and_changes_nothing(
    type: str, changes: Any, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)

    await ask_for(alice, room, "update", changes)

    assert await alice.error(4003)
    await bob.nothing()
    assert await bob.ask("room.info", {"room_id": room["id"]}) == room


@pytest.mark.parametrize(
    "changes",
    [{"name": "ours"}, {"description": "us"}, {"group_locked": True}, {"is_public": True}],
)
async def test_a_one_to_one_chat_has_preferences_alone(
    changes: dict[str, Any], connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    await ask_for(alice, room, "update", changes)

    await alice.error(4003)
    await bob.nothing()


async def test_only_admins_write_into_a_locked_group(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    await make_leader(alice, room, bob, carol)
    await modify(alice, room, "update", {"group_locked": True}, bob, carol)

    for event_type, data in (("message.send", {"content": "hello"}), ("message.typing", {})):
        await carol.refused(4002, event_type, {"room_id": room["id"], **data})
    await say(bob, room, "an admin", alice, carol)
    await say(alice, room, "the creator", bob, carol)

    await modify(bob, room, "update", {"group_locked": False}, alice, carol)
    await say(carol, room, "at last", alice, bob)


async def test_a_channel_made_public_can_be_joined_until_it_is_private_again(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await channel(alice)

    await modify(alice, room, "update", {"is_public": True})
    await bob.send("room.join", {"room_id": room["id"]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)
    await modify(alice, room, "update", {"is_public": False}, bob)

    await carol.refused(4003, "room.join", {"room_id": room["id"]})


# Who may, and what is asked for

EVERY_ACTION = [
    ("GroupChat", "update", {"name": "mine"}),
    ("GroupChat", "delete", None),
    ("GroupChat", "add_admin", {"users": []}),
    ("GroupChat", "remove_admin", {"users": []}),
    ("Channel", "update", {"name": "mine"}),
    ("Channel", "delete", None),
    ("Channel", "add_moderator", {"users": []}),
    ("Channel", "remove_moderator", {"users": []}),
    ("GroupChat", "add_permission", {"users": [], "permission": ["can_remove_participants"]}),
    ("GroupChat", "remove_permission", {"users": [], "permission": ["can_remove_participants"]}),
    ("Channel", "add_permission", {"users": [], "permission": ["can_send_messages"]}),
    ("Channel", "remove_permission", {"users": [], "permission": ["can_send_messages"]}),
]


@pytest.mark.parametrize(("type", "action", "data"), EVERY_ACTION)
async def test_who_leads_nothing_modifies_nothing(
    type: str, action: str, data: Any, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "stranger")
    room = await room_of_type(type, alice, bob)
    # Permissions to handle members are no role.
    given = {"users": [bob.id], "permission": sorted(PERMISSIONS[type])}
    await modify(alice, room, "add_permission", given, bob)
    if data is not None and "users" in data:
        data = {**data, "users": [bob.id]}

    for person in (bob, stranger):
        await ask_for(person, room, action, data)
        await person.error(4002)

    await alice.nothing()
    assert leaders(await alice.ask("room.info", {"room_id": room["id"]})) == [alice.name]
    assert orm(permissions, bob, room) == PERMISSIONS[type]


@pytest.mark.parametrize(("type", "action", "data"), EVERY_ACTION)
async def test_who_leads_modifies(
    type: str, action: str, data: Any, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)
    await make_leader(alice, room, bob)

    await ask_for(bob, room, action, data)

    if action == "delete":
        await bob.error(4002)
        await alice.nothing()
    else:
        await everybody_gets("roomupdate.dispatch", alice, bob)


@pytest.mark.parametrize("action", [None, "", "rename", "Update", 1, [], {}])
async def test_an_unknown_action_is_a_validation_error(
    action: Any, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    await alice.refused(4003, "room.modify", {"room_id": room["id"], "action": action, "data": {}})
    await alice.refused(4003, "room.modify", {"room_id": room["id"], "data": {}})


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("update", None),
        ("add_admin", None),
        ("add_admin", {}),
        ("add_admin", {"users": None}),
        ("add_admin", {"users": "bob"}),
        ("add_admin", {"users": ["bob"]}),
        ("remove_admin", {"users": [True]}),
        ("add_permission", {"users": []}),
        ("add_permission", {"permission": ["can_remove_participants"]}),
        ("add_permission", {"users": [], "permission": []}),
        ("add_permission", {"users": [], "permission": [1]}),
        ("add_permission", {"users": [], "permission": ["can_fly"]}),
        ("add_permission", {"users": [], "permission": ["can_send_messages"]}),
        ("add_permission", {"users": [], "permission": ["change_room"]}),
        ("add_permission", {"users": [], "permission": ["can_remove_participants", "can_fly"]}),
        ("remove_permission", {"users": [], "permission": ["can_fly"]}),
    ],
)
async def test_wrong_data_is_a_validation_error(
    action: str, data: Any, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    if data and data.get("users") == []:
        data = {**data, "users": [bob.id]}

    await ask_for(alice, room, action, data)

    assert await alice.error(4003)
    await bob.nothing()
    assert orm(permissions, bob, room) == set()


@pytest.mark.parametrize(
    ("type", "action"),
    [
        ("GroupChat", "add_moderator"),
        ("GroupChat", "remove_moderator"),
        ("Channel", "add_admin"),
        ("Channel", "remove_admin"),
        ("OneToOneChat", "add_admin"),
        ("OneToOneChat", "remove_admin"),
        ("OneToOneChat", "add_moderator"),
        ("OneToOneChat", "remove_moderator"),
    ],
)
async def test_a_role_that_the_type_does_not_know_is_a_validation_error(
    type: str, action: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)

    await ask_for(alice, room, action, {"users": [bob.id]})

    await alice.error(4003)
    await bob.nothing()


@pytest.mark.parametrize("action", ["add_permission", "remove_permission"])
async def test_a_one_to_one_chat_knows_no_permissions(
    action: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    await ask_for(alice, room, action, {"users": [bob.id], "permission": ["can_send_messages"]})

    await alice.error(4003)
    await bob.nothing()


@both_types
@pytest.mark.parametrize("write", WRITINGS)
async def test_an_unknown_user_is_not_found_and_nobody_changes(
    type: str, write: Any, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)
    named = {"users": [bob.id, write(NOBODY)]}
    permission = {"permission": sorted(PERMISSIONS[type])}

    for action, data in ((ADD[type], named), ("add_permission", {**named, **permission})):
        await ask_for(alice, room, action, data)
        await alice.error(4004)

    await bob.nothing()
    assert orm(permissions, bob, room) == set()


# Roles


@both_types
async def test_a_role_comes_and_goes_with_its_permissions(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)

    changed = await modify(alice, room, ADD[type], {"users": [str(bob.id)]}, bob)
    assert changed.keys() == room.keys()
    assert leaders(changed) == [alice.name, bob.name]
    assert orm(permissions, bob, room) == PERMISSIONS[type]
    await modify(bob, room, "update", {"name": "by bob"}, alice)

    changed = await modify(alice, room, REMOVE[type], {"users": [bob.id]}, bob)
    assert leaders(changed) == [alice.name]
    assert orm(permissions, bob, room) == set()
    await ask_for(bob, room, "update", {"name": "again"})
    await bob.error(4002)


@both_types
async def test_users_who_are_no_members_are_skipped(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "stranger")
    room = await room_of_type(type, alice, bob)
    both = {"users": [stranger.id, bob.id]}

    changed = await modify(alice, room, ADD[type], both, bob)
    assert leaders(changed) == [alice.name, bob.name]
    permission = {**both, "permission": sorted(PERMISSIONS[type])}
    await modify(alice, room, "add_permission", permission, bob)
    assert orm(permissions, stranger, room) == set()
    changed = await modify(alice, room, REMOVE[type], both, bob)
    assert leaders(changed) == [alice.name]
    await modify(alice, room, "remove_permission", permission, bob)

    await stranger.nothing()


@both_types
async def test_the_creators_role_and_permissions_cannot_be_taken(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)
    await make_leader(alice, room, bob)
    both = {"users": [alice.id, bob.id]}
    permission = {**both, "permission": sorted(PERMISSIONS[type])}

    await modify(bob, room, "remove_permission", permission, alice)
    assert orm(permissions, alice, room) == PERMISSIONS[type]
    assert orm(permissions, bob, room) == set()

    changed = await modify(bob, room, REMOVE[type], both, alice)
    assert leaders(changed) == [alice.name]
    assert orm(permissions, alice, room) == PERMISSIONS[type]


# Permissions


@pytest.mark.parametrize(
    ("type", "permission"),
    [(type, permission) for type in PERMISSIONS for permission in sorted(PERMISSIONS[type])],
)
async def test_a_permission_is_given_and_taken_by_itself(
    type: str, permission: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, bob)
    data = {"users": [bob.id], "permission": [permission]}

    for _ in range(2):  # again changes nothing
        changed = await modify(alice, room, "add_permission", data, bob)
        assert changed.keys() == room.keys()
        assert orm(permissions, bob, room) == {permission}
    assert leaders(changed) == [alice.name]

    for _ in range(2):
        await modify(alice, room, "remove_permission", data, bob)
        assert orm(permissions, bob, room) == set()


async def test_a_permission_takes_effect_at_once(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await channel(alice, bob)
    data = {"users": [bob.id], "permission": ["can_send_messages"]}
    await bob.refused(4002, "message.send", {"room_id": room["id"], "content": "hello"})

    await modify(alice, room, "add_permission", data, bob)
    await say(bob, room, "hello", alice)
    await modify(alice, room, "remove_permission", data, bob)

    await bob.refused(4002, "message.send", {"room_id": room["id"], "content": "again"})


@both_types
async def test_who_leads_loses_what_is_taken(type: str, connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(type, alice, bob)
    await make_leader(alice, room, bob)
    data = {"users": [bob.id], "permission": sorted(PERMISSIONS[type])}
    await modify(alice, room, "remove_permission", data, bob)

    for event_type in ("room.add_members", "room.remove_members"):
        await bob.refused(4002, event_type, {"room_id": room["id"], "members": [carol.id]})
    await modify(bob, room, "update", {"name": "still a leader"}, alice)


# Deleting


@both_types
async def test_the_creator_deletes_the_room_for_everybody(
    type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "stranger")
    bob_too = await another_socket(connect, bob)
    room = await room_of_type(type, alice, bob, bob_too)
    message = await say(bob, room, "hello", alice, bob_too) if type == "GroupChat" else None

    await ask_for(alice, room, "delete")

    data = await everybody_gets("roomdelete.dispatch", alice, bob, bob_too)
    assert data == {"room_id": room["id"]}
    for person in (alice, bob):
        await person.nothing()
        await person.refused(4004, "room.info", {"room_id": room["id"]})
        assert await person.ask("room.list") == []
    await stranger.nothing()
    if message is not None:
        await bob.refused(4004, "message.read", {"message_id": message["id"]})
    assert not orm(get_model("Message").objects.filter(room_id=room["id"]).exists)


async def test_either_of_two_deletes_their_chat(connect: Connect, users: Users) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "stranger")

    for person in (alice, bob):
        room = await one_to_one(alice, bob)
        await ask_for(stranger, room, "delete")
        await stranger.error(4002)

        await ask_for(person, room, "delete")

        data = await everybody_gets("roomdelete.dispatch", alice, bob)
        assert data == {"room_id": room["id"]}

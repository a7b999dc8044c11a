"""Who may write in a room, and who is seen typing."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from guardian.models import UserObjectPermission

from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import (
    CHANNEL,
    GROUP,
    ONE_TO_ONE,
    ROOM_TYPES,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    modify,
    nobody_gets_anything,
    one_to_one,
    people,
    room_of_type,
    say,
    stored,
)

# Who may write, and who may be seen typing


CREATOR, LEADER, HOLDER, MEMBER, STRANGER = "creator", "leader", "holder", "member", "stranger"
LOCKED = f"locked {GROUP}"
MAY_WRITE = {
    ONE_TO_ONE: {CREATOR: True, MEMBER: True, STRANGER: False},
    GROUP: {CREATOR: True, LEADER: True, MEMBER: True, STRANGER: False},
    LOCKED: {CREATOR: True, LEADER: True, MEMBER: False, STRANGER: False},
    CHANNEL: {CREATOR: True, LEADER: True, HOLDER: True, MEMBER: False, STRANGER: False},
}


@pytest.mark.parametrize(
    ("kind", "role", "may"),
    [(kind, role, may) for kind, roles in MAY_WRITE.items() for role, may in roles.items()],
)
async def test_who_may_write(
    kind: str, role: str, may: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    locked = {"group_locked": True} if kind == LOCKED else {}
    room_type = GROUP if kind == LOCKED else kind
    room = await room_of_type(room_type, alice, bob, **locked)
    if role == LEADER:
        action = "add_admin" if room_type == GROUP else "add_moderator"
        await modify(alice, room, action, {"users": [bob.id]}, bob)
    if role == HOLDER:
        permission = {"users": [bob.id], "permission": ["can_send_messages"]}
        await modify(alice, room, "add_permission", permission, bob)
    writer = {CREATOR: alice, STRANGER: carol}.get(role, bob)
    listener = bob if writer is alice else alice

    if may:
        await writer.send("message.typing", {"room_id": room["id"]})
        typing = await everybody_gets("messagetyping.dispatch", writer, listener)
        assert typing["username"] == writer.name
        message = await say(writer, room, "hello", listener)
        assert message["sender"]["id"] == writer.id
    else:
        before = stored(orm, room)
        await writer.refused(4002, "message.typing", {"room_id": room["id"]})
        await writer.refused(4002, "message.send", {"room_id": room["id"], "content": "hello"})
        assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob, carol)


async def refused_to_write(person: Person, room: Room) -> None:
    await person.refused(4002, "message.send", {"room_id": room["id"], "content": "hello"})


@pytest.mark.parametrize("by", ["permission", "role"])
async def test_a_right_to_write_that_is_given_or_taken_holds_for_the_next_message(
    by: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(CHANNEL, alice, bob)
    data: dict[str, Any] = {"users": [bob.id]}
    given, taken = "add_moderator", "remove_moderator"
    if by == "permission":
        data["permission"] = ["can_send_messages"]
        given, taken = "add_permission", "remove_permission"

    await refused_to_write(bob, room)
    for _ in range(2):
        await modify(alice, room, given, data, bob)
        await say(bob, room, "now", alice)
        await modify(alice, room, taken, data, bob)
        await refused_to_write(bob, room)


async def test_a_group_that_is_locked_and_unlocked_is_so_for_the_next_message(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    for _ in range(2):
        await say(bob, room, "open", alice)
        await modify(alice, room, "update", {"group_locked": True}, bob)
        await refused_to_write(bob, room)
        await say(alice, room, "locked", bob)
        await modify(alice, room, "update", {"group_locked": False}, bob)


async def test_a_permission_to_write_is_worth_nothing_to_who_is_not_in_the_channel(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, mallory = await people(connect, users, "alice", "mallory")
    room = await room_of_type(CHANNEL, alice)

    def grant() -> None:
        content_type = ContentType.objects.get_for_model(
            get_model("Room").objects.get(pk=room["id"])
        )
        permission = Permission.objects.get(content_type=content_type, codename="can_send_messages")
        UserObjectPermission.objects.create(
            permission=permission,
            user=mallory.user,
            content_type=content_type,
            object_pk=room["id"],
        )

    orm(grant)

    await refused_to_write(mallory, room)
    await alice.nothing()


@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_a_creator_who_has_left_may_not_write(
    room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(room_type, alice, bob)
    await alice.send("room.leave", {"room_id": room["id"]})
    await alice.expect("roomexit.dispatch")
    await bob.expect("roomremovemembers.dispatch")

    await refused_to_write(alice, room)
    await alice.refused(4002, "message.typing", {"room_id": room["id"]})
    await bob.nothing()


# Typing


@pytest.mark.parametrize(
    ("said", "is_typing"), [({}, True), ({"is_typing": True}, True), ({"is_typing": False}, False)]
)
@pytest.mark.parametrize("room_type", ROOM_TYPES)
async def test_typing_is_shown_to_every_socket_of_every_member_and_stored_nowhere(
    room_type: str,
    said: dict[str, bool],
    is_typing: bool,
    connect: Connect,
    users: Users,
    orm: Orm,
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await room_of_type(room_type, alice, bob)
    devices = [await another_socket(connect, person) for person in (alice, bob)]
    before = stored(orm, room)

    await alice.send("message.typing", {"room_id": room["id"], **said})

    assert await everybody_gets("messagetyping.dispatch", alice, bob, *devices) == {
        "username": alice.name,
        "user_id": alice.id,
        "room_id": room["id"],
        "is_typing": is_typing,
    }
    await nobody_gets_anything(alice, bob, *devices, stranger)
    assert stored(orm, room) == before


async def test_is_typing_that_is_neither_true_nor_false_is_refused(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    for is_typing in (None, 0, 1, "false", [], {}):
        data = {"room_id": room["id"], "is_typing": is_typing}
        await alice.refused(4003, "message.typing", data)

    await bob.nothing()

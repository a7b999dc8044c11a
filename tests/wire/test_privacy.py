"""What people learn of others: what frames show of them, who is there, and what is forbidden."""

from typing import Any

import pytest

from tests import frames
from tests.conftest import ChatWith, Connect, Orm, Users
from tests.wire.attempts import quoting, reaction, update
from tests.wire.rooms import (
    CHANNEL,
    GROUP,
    NOBODY,
    NOWHERE,
    ONE_TO_ONE,
    ROOM_TYPES,
    Message,
    Person,
    Room,
    channel,
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

# What is shown of users


def users_in(value: Any) -> list[dict[str, Any]]:
    """All objects of a frame that are users."""
    if isinstance(value, list):
        return [user for item in value for user in users_in(item)]
    if not isinstance(value, dict):
        return []
    found = [user for item in value.values() for user in users_in(item)]
    return [value, *found] if "username" in value and "id" in value else found


async def test_frames_show_of_users_what_the_setting_names(
    connect: Connect, users: Users, chat_with: ChatWith
) -> None:
    chat_with(USER_FIELDS=["id", "username", "first_name"])
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "Hello", bob)
    await bob.send("message.react", reaction(message["id"]))
    reacted = await everybody_gets("reaction.dispatch", alice, bob)
    await bob.send("message.read", {"message_id": message["id"]})
    read = await everybody_gets("readreceipt.dispatch", alice, bob)
    pair = await one_to_one(alice, bob)
    listed = await alice.ask("room.list")
    info = await alice.ask("room.info", {"room_id": room["id"]})
    page = await messages_of(bob, room)
    late = await connect(bob.user)

    for shown in (room, message, reacted, read, pair, listed, info, page, late.notifications):
        found = users_in(shown)
        assert found
        for user in found:
            assert user.keys() == {"id", "username", "first_name"}
    # They are none of the contract that the defaults make.
    frames.record.clear()


# Accounts that are not active


def namings(user: Any, in_group: Room, in_channel: Room) -> list[tuple[str, dict[str, Any]]]:
    """All events by which somebody names a user."""
    named = {"users": [user]}
    rights = {
        in_group["id"]: ("admin", {**named, "permission": ["can_remove_participants"]}),
        in_channel["id"]: ("moderator", {**named, "permission": ["can_send_messages"]}),
    }
    return [
        ("room.create", {"type": ONE_TO_ONE, "participants": [user]}),
        ("room.create", {"type": GROUP, "name": "new", "participants": [user]}),
        ("room.create", {"type": CHANNEL, "name": "new", "subscribers": [user]}),
        *(
            (event, {"room_id": room["id"], "members": [user]})
            for event in ("room.add_members", "room.remove_members")
            for room in (in_group, in_channel)
        ),
        *(
            ("room.modify", {"room_id": room_id, "action": f"{verb}_{what}", "data": data})
            for room_id, (role, permission) in rights.items()
            for verb in ("add", "remove")
            for what, data in ((role, named), ("permission", permission))
        ),
    ]


async def test_an_account_that_is_not_active_is_answered_as_one_that_does_not_exist(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    gone = users("gone", is_active=False)
    rooms = await group(alice, bob), await channel(alice, bob)
    before = stored(orm, *rooms)

    for named, unknown in zip(namings(str(gone.pk), *rooms), namings(NOBODY, *rooms), strict=True):
        answer = await alice.refused(4004, *named)
        assert answer == await alice.refused(4004, *unknown) == "There is no such user."

    assert stored(orm, *rooms) == before
    await nobody_gets_anything(alice, bob)


async def test_a_member_who_was_deactivated_leads_no_more_and_can_be_put_out(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    orm(type(bob.user)._default_manager.filter(pk=bob.user.pk).update, is_active=False)
    await bob.client.closed()

    named = {"room_id": room["id"], "action": "add_admin", "data": {"users": [bob.id]}}
    await alice.refused(4004, "room.modify", named)
    await alice.refused(4004, "room.add_members", {"room_id": room["id"], "members": [bob.id]})

    await alice.send("room.remove_members", {"room_id": room["id"], "members": [bob.id]})
    told = await everybody_gets("roomremovemembers.dispatch", alice, carol)
    assert told["removed_members"] == [bob.name]


# What is forbidden, and what is not there


def attempts(room_id: str, message_id: str, own_room: Room, own: Message) -> list[Any]:
    """All that one could try on a room, and a message, that one may not see."""
    room, message = {"id": room_id}, {"id": message_id}
    named = {"room_id": room_id}
    return [
        ("message.send", {**named, "content": "hello"}),
        ("message.send", {**named, "content": "hello", "client_id": "1"}),
        ("message.send", {**named, "content": ""}),
        ("message.send", quoting(room, "parent_message_id", message)),
        ("message.send", quoting(room, "forwarded_from_id", own)),
        ("message.send", quoting(room, "parent_message_id", {"id": NOWHERE})),
        ("message.send", quoting(own_room, "parent_message_id", message)),
        ("message.send", quoting(own_room, "forwarded_from_id", message)),
        ("message.typing", named),
        ("message.acknowledged", {"message_id": message_id}),
        ("message.acknowledged", {"message_id": [own["id"], message_id]}),
        ("message.read", {"message_id": message_id}),
        ("message.read", {"message_id": [own["id"], message_id]}),
        ("message.react", reaction(message_id)),
        ("message.react", reaction(message_id, type="remove")),
        ("message.modify", update(message_id)),
        ("message.modify", {"action": "delete", "message_id": message_id}),
        ("message.modify", {"action": "delete", "message_id": [own["id"], message_id]}),
        ("room.info", named),
        ("room.messages", named),
        ("room.messages", {**named, "paginate": {"before": message_id, "size": 10}}),
        (
            "room.messages",
            {"room_id": own_room["id"], "paginate": {"after": message_id, "size": 9}},
        ),
        ("room.join", named),
        ("room.leave", named),
        ("room.add_members", {**named, "members": [NOBODY]}),
        ("room.add_members", {**named, "members": []}),
        ("room.remove_members", {**named, "members": []}),
        ("room.modify", {**named, "action": "update", "data": {"name": "taken"}}),
        ("room.modify", {**named, "action": "update", "data": {"name": ""}}),
        ("room.modify", {**named, "action": "delete"}),
        *(
            ("room.modify", {**named, "action": action, "data": {"users": []}})
            for action in ("add_admin", "remove_admin", "add_moderator", "remove_moderator")
        ),
        (
            "room.modify",
            {**named, "action": "add_permission", "data": {"users": [], "permission": ["x"]}},
        ),
    ]


@pytest.mark.parametrize("room_type", ROOM_TYPES)
async def test_a_room_that_one_may_not_see_is_answered_as_one_that_is_not_there(
    room_type: str, connect: Connect, users: Users, orm: Orm, chat_with: ChatWith
) -> None:
    chat_with(HIDE_FORBIDDEN=True)
    alice, bob, mallory = await people(connect, users, "alice", "bob", "mallory")
    room = await room_of_type(room_type, alice, bob)
    message = await say(alice, room, "secret", bob)
    own_room = await group(mallory)
    own = await say(mallory, own_room, "own")
    before = stored(orm, room, own_room)

    there = attempts(room["id"], message["id"], own_room, own)
    nowhere = attempts(NOWHERE, NOWHERE, own_room, own)
    for (event, data), (_, unknown) in zip(there, nowhere, strict=True):
        answer = await mallory.refused(4004, event, data)
        assert answer == await mallory.refused(4004, event, unknown), (event, data)

    assert stored(orm, room, own_room) == before
    await nobody_gets_anything(alice, bob, mallory)


async def test_what_is_forbidden_to_members_is_still_called_forbidden(
    connect: Connect, users: Users, chat_with: ChatWith
) -> None:
    chat_with(HIDE_FORBIDDEN=True)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await channel(alice, bob)
    message = await say(alice, room, "news", bob)

    for event, data in (
        ("message.send", {"room_id": room["id"], "content": "x"}),
        ("message.modify", update(message["id"])),
        ("room.add_members", {"room_id": room["id"], "members": []}),
        ("room.modify", {"room_id": room["id"], "action": "delete"}),
    ):
        await bob.refused(4002, event, data)
    await bob.refused(4003, "room.join", {"room_id": room["id"]})


async def test_a_subscriber_who_may_not_write_learns_nothing_of_a_quoted_message(
    connect: Connect, users: Users, chat_with: ChatWith
) -> None:
    chat_with(HIDE_FORBIDDEN=True)
    alice, bob, mallory = await people(connect, users, "alice", "bob", "mallory")
    here = await channel(alice, mallory)
    message = await say(alice, await group(alice, bob), "secret", bob)

    for quoted in (message, {"id": NOWHERE}):
        detail = await mallory.refused(
            4004, "message.send", quoting(here, "forwarded_from_id", quoted)
        )
        assert detail == "There is no such message."


async def test_a_public_channel_is_not_hidden(
    connect: Connect, users: Users, chat_with: ChatWith
) -> None:
    chat_with(HIDE_FORBIDDEN=True)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await channel(alice, is_public=True)

    await bob.send("room.join", {"room_id": room["id"]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)


async def test_who_is_deactivated_hears_that_and_not_what_is_there(
    connect: Connect, users: Users, orm: Orm, chat_with: ChatWith
) -> None:
    chat_with(HIDE_FORBIDDEN=True)
    (alice,) = await people(connect, users, "alice")
    for room_id in ((await group(alice))["id"], NOWHERE):
        bob = Person(user := users("bob"), await connect(user))
        orm(type(user)._default_manager.filter(pk=user.pk).update, is_active=False)
        await bob.send("room.info", {"room_id": room_id})
        assert await bob.client.closed() == 4001

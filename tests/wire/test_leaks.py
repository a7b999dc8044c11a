"""What nobody may see or do, whatever they send: PROTOCOL 2, and the rules of 4 about others."""

import json

import pytest

from tests.conftest import Connect, Orm, Users
from tests.wire.attempts import SECRET, Data, quoting, reaction, update
from tests.wire.rooms import (
    CHANNEL,
    GROUP,
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

# A room, seen from outside


def attempts(
    room: Room, message: Message, own_room: Room, own: Message, somebody: Person
) -> list[tuple[str, Data]]:
    """All that one could try on a room that one is not in, with what it takes in between."""
    room_id, message_id = room["id"], message["id"]
    users = {"users": [somebody.id]}
    named: Data = {"room_id": room_id}
    return [
        ("message.send", {**named, "content": "hello"}),
        ("message.send", {**named, "content": "hello", "client_id": "1"}),
        ("message.send", quoting(room, "parent_message_id", message)),
        ("message.send", quoting(room, "forwarded_from_id", message)),
        ("message.send", quoting(room, "parent_message_id", own)),
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
        ("room.messages", {**named, "paginate": {"page": 1, "size": 10}}),
        ("room.messages", {**named, "paginate": {"before": message_id, "size": 10}}),
        ("room.messages", {**named, "paginate": {"after": message_id, "size": 10}}),
        ("room.leave", named),
        ("room.add_members", {**named, "members": [somebody.id]}),
        ("room.remove_members", {**named, "members": [somebody.id]}),
        ("room.modify", {**named, "action": "update", "data": {"name": "taken"}}),
        ("room.modify", {**named, "action": "delete"}),
        *(
            ("room.modify", {**named, "action": action, "data": users})
            for action in ("add_admin", "remove_admin", "add_moderator", "remove_moderator")
        ),
        *(
            ("room.modify", {**named, "action": action, "data": {**users, "permission": ["x"]}})
            for action in ("add_permission", "remove_permission")
        ),
    ]


@pytest.mark.parametrize("outsider", ["stranger", "removed"])
@pytest.mark.parametrize("room_type", [*ROOM_TYPES, f"public {CHANNEL}"])
async def test_nobody_sees_or_does_anything_in_a_room_they_are_not_in(
    room_type: str, outsider: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, mallory = await people(connect, users, "alice", "bob", "mallory")
    fields = {"is_public": True} if room_type.startswith("public") else {}
    room_type = room_type.removeprefix("public ")
    removable = outsider == "removed" and room_type in (GROUP, CHANNEL)
    members = [bob, mallory] if removable else [bob]
    room = await room_of_type(room_type, alice, *members, **fields)
    message = await say(alice, room, SECRET, *members)
    if removable:
        await remove(alice, room, mallory, bob)
    own_room = await group(mallory, bob)
    own = await say(mallory, own_room, "own", bob)
    before = stored(orm, room, own_room)

    for event, data in attempts(room, message, own_room, own, mallory):
        detail = await mallory.refused(4002, event, data)
        assert SECRET not in json.dumps(detail), (event, data)

    if not fields:
        await mallory.refused(4003, "room.join", {"room_id": room["id"]})
    listed = await mallory.ask("room.list")
    assert [each["id"] for each in listed] == [own_room["id"]]
    assert SECRET not in json.dumps(listed)
    assert stored(orm, room, own_room) == before
    await nobody_gets_anything(alice, bob, mallory)


async def test_a_page_is_not_reckoned_from_a_message_of_another_room(
    connect: Connect, users: Users
) -> None:
    alice, bob, mallory = await people(connect, users, "alice", "bob", "mallory")
    room, own_room = await one_to_one(alice, bob), await group(mallory)
    message = await say(alice, room, SECRET, bob)
    await say(mallory, own_room, "own")

    # In this room there is no such message, whoever may see it.
    for cursor in ("before", "after"):
        paginate = {cursor: message["id"], "size": 10}
        data = {"room_id": own_room["id"], "paginate": paginate}
        await mallory.refused(4004, "room.messages", data)


async def test_a_forward_shows_nothing_of_who_is_in_the_room_it_comes_from(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    here, there = await one_to_one(alice, bob), await one_to_one(alice, carol)
    message = await say(alice, here, "news", bob)

    async def react_to_it() -> None:
        await bob.send("message.acknowledged", {"message_id": message["id"]})
        await alice.expect("messagedelivered.dispatch")
        await bob.send("message.read", {"message_id": [message["id"]]})
        await everybody_gets("readreceipt.dispatch", alice, bob)
        await bob.send("message.react", reaction(message["id"]))
        await everybody_gets("reaction.dispatch", alice, bob)

    await react_to_it()
    forward = await say(alice, there, "", carol, extra_fields={"forwarded_from_id": message["id"]})
    shown = [forward, *await messages_of(carol, there)]
    shown += [each["last_message"] for each in await carol.ask("room.list")]
    late = await another_socket(connect, carol)
    shown += [each["message"] for each in late.client.notifications[there["id"]]]

    assert len(shown) == 4
    for each in shown:
        assert each["forwarded_from"] == {**message, "room": {"id": None}}
        assert here["id"] not in json.dumps(each)
        assert bob.name not in json.dumps(each)


async def test_a_forward_opens_nothing_of_the_message_it_shows(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    here, there = await one_to_one(alice, bob), await one_to_one(alice, carol)
    message = await say(alice, here, "news", bob)
    await say(alice, there, "", carol, extra_fields={"forwarded_from_id": message["id"]})
    before = stored(orm, here, there)

    for event, data in (
        ("message.react", reaction(message["id"])),
        ("message.read", {"message_id": message["id"]}),
        ("message.acknowledged", {"message_id": message["id"]}),
        ("message.send", quoting(there, "parent_message_id", message)),
        ("message.send", quoting(there, "forwarded_from_id", message)),
    ):
        await carol.refused(4002, event, data)

    assert stored(orm, here, there) == before
    await nobody_gets_anything(alice, bob, carol)


# What is not the client's to set


NEVER_SET = (
    "id",
    "pk",
    "room",
    "room_id",
    "sender",
    "sender_id",
    "user",
    "is_deleted",
    "is_edited",
    "is_forwarded",
    "created_at",
    "updated_at",
    "forwarded_from",
    "parent_message",
    "delivered_to",
    "read_receipts",
    "reactions",
    "attachments",
    "notifications",
    "deliveries",
    "relations",
    "client_id",
    "seq",
    "stream",
    "save",
    "objects",
    "__class__",
    "_state",
    "sender__id",
    "",
    "no such field",
)


@pytest.mark.parametrize("name", NEVER_SET)
async def test_extra_fields_do_not_set_what_is_not_the_clients(
    name: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, mallory = await people(connect, users, "alice", "mallory")
    room = await one_to_one(mallory, alice)
    other = await group(alice, mallory)
    hers = await say(alice, room, "hers", mallory)
    mine = await say(mallory, room, "mine", alice)
    media = {"media_url": "https://example.com/a.png", "media_type": "image"}
    media |= {"mime_type": "image/png"}
    before = stored(orm, room, other)

    for value in (alice.id, other["id"], hers["id"], True, None, "2020-01-01T00:00:00Z", [], {}):
        extra_fields = {name: value}
        send = {"room_id": room["id"], "content": "hello"}
        item = {"media": [{**media, **extra_fields}]}
        for event, data in (
            ("message.send", {**send, "extra_fields": extra_fields}),
            ("message.send", {**send, "extra_fields": item}),
            ("message.modify", update(mine["id"], "changed", **extra_fields)),
        ):
            assert name in json.dumps(await mallory.refused(4003, event, data)), (event, value)

    assert stored(orm, room, other) == before
    await nobody_gets_anything(alice, mallory)


@pytest.mark.parametrize("name", ["content", "message", "message_id", "position"])
async def test_a_media_item_does_not_say_where_it_hangs(
    name: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, mallory = await people(connect, users, "alice", "mallory")
    room = await one_to_one(alice, mallory)
    hers = await say(alice, room, "hers", mallory)
    before = stored(orm, room)

    item = {"media_url": "https://example.com/a.png", "media_type": "image"}
    item |= {"mime_type": "image/png", name: hers["id"]}
    data = {"room_id": room["id"], "content": "hello", "extra_fields": {"media": [item]}}
    assert name in json.dumps(await mallory.refused(4003, "message.send", data))

    assert stored(orm, room) == before
    await alice.nothing()


@pytest.mark.parametrize("name", ["parent_message_id", "forwarded_from_id", "media", "room_id"])
async def test_an_edit_changes_the_text_and_nothing_else(
    name: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first, second = await say(alice, room, "first", bob), await say(alice, room, "second", bob)
    before = stored(orm, room)

    for value in (first["id"], [], None):
        data = update(second["id"], "changed", **{name: value})
        assert name in json.dumps(await alice.refused(4003, "message.modify", data))

    assert stored(orm, room) == before
    await bob.nothing()


async def test_what_stands_beside_the_fields_of_an_event_sets_nothing(
    connect: Connect, users: Users
) -> None:
    alice, mallory = await people(connect, users, "alice", "mallory")
    room = await one_to_one(alice, mallory)
    hers = await say(alice, room, "hers", mallory)
    forged = {
        **{name: hers[name] for name in ("id", "sender", "created_at", "updated_at")},
        **{f"is_{name}": True for name in ("deleted", "edited", "forwarded")},
        **dict.fromkeys(("sender_id", "user", "user_id", "reader", "actor"), alice.id),
        "username": alice.name,
    }

    await mallory.send("message.send", {**forged, "room_id": room["id"], "content": "mine"})
    message = await everybody_gets("message.dispatch", alice, mallory)
    assert message["sender"]["id"] == mallory.id
    assert message["id"] != hers["id"]
    assert message["created_at"] > hers["created_at"]
    assert not any(message[f"is_{name}"] for name in ("deleted", "edited", "forwarded"))
    await mallory.send("message.typing", {**forged, "room_id": room["id"]})
    typing = await everybody_gets("messagetyping.dispatch", alice, mallory)
    assert (typing["username"], typing["user_id"]) == (mallory.name, mallory.id)
    await mallory.send("message.read", {**forged, "message_id": hers["id"]})
    shown = await everybody_gets("readreceipt.dispatch", alice, mallory)
    assert [each["reader"]["id"] for each in shown["read_receipts"]] == [mallory.id]
    await mallory.send("message.react", {**forged, **reaction(hers["id"])})
    reacted = (await everybody_gets("reaction.dispatch", alice, mallory))["message"]
    assert [each["user"]["id"] for each in reacted["reactions"]] == [mallory.id]
    await mallory.send("message.acknowledged", {**forged, "message_id": hers["id"]})
    (delivered,) = await alice.expect("messagedelivered.dispatch")
    assert delivered["delivered_to"] == [mallory.name]
    await nobody_gets_anything(alice, mallory)

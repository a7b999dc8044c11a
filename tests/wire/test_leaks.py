"""What nobody may see or do, whatever they send: PROTOCOL 2, and the rules of 4 about others."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from guardian.models import UserObjectPermission

from gql_chat.models import Membership, get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import (
    CHANNEL,
    GROUP,
    NOWHERE,
    ROOM_TYPES,
    Message,
    Person,
    Room,
    another_socket,
    channel,
    everybody_gets,
    group,
    messages_of,
    modify,
    nobody_gets_anything,
    one_to_one,
    people,
    remove,
    room_of_type,
    say,
    stored,
    write_unheard,
)

SECRET = "the launch is at dawn"
Data = dict[str, Any]

#: Every event of the protocol that asks for something in a room.
EVENTS = (
    "message.send",
    "message.acknowledged",
    "message.read",
    "message.react",
    "message.typing",
    "message.modify",
    "room.create",
    "room.info",
    "room.messages",
    "room.join",
    "room.leave",
    "room.add_members",
    "room.remove_members",
    "room.modify",
)


def quoting(room: Room, field: str, message: Message) -> Data:
    """The data of a ``message.send`` that replies to a message or forwards it."""
    extra_fields = {field: message["id"]}
    return {"room_id": room["id"], "content": "hello", "extra_fields": extra_fields}


def reaction(message_id: str, content: str = "👍", type: str = "add") -> Data:
    """The data of a ``message.react``."""
    return {"type": type, "message_id": message_id, "reaction_content": content}


def update(message_id: str, content: Any = "changed", **extra_fields: Any) -> Data:
    """The data of a ``message.modify`` that edits."""
    extra_fields["content"] = content
    return {"action": "update", "message_id": message_id, "extra_fields": extra_fields}


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
        assert each["forwarded_from"] == message
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


# Those who are out


async def leave(person: Person, room: Room, *others: Person) -> None:
    """Go out of a room; the others, who must be all its members, hear it."""
    await person.send("room.leave", {"room_id": room["id"]})
    await person.expect("roomexit.dispatch")
    await everybody_gets("roomremovemembers.dispatch", *others)


@pytest.mark.parametrize("how", ["removed", "left"])
@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_who_is_out_of_a_room_hears_nothing_of_it_any_more(
    room_type: str, how: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(room_type, alice, bob, carol)
    if room_type == CHANNEL:
        await modify(alice, room, "add_moderator", {"users": [bob.id]}, bob, carol)
    his = await say(bob, room, "his", alice, carol)
    tablet = await another_socket(connect, bob)
    if how == "removed":
        await remove(alice, room, bob, carol)
    else:
        await leave(bob, room, alice, carol)
    await tablet.expect("roomexit.dispatch")

    # All that happens to a room, also to what they wrote there themselves.
    message = await say(alice, room, SECRET, carol)
    await alice.send("message.typing", {"room_id": room["id"]})
    await everybody_gets("messagetyping.dispatch", alice, carol)
    await alice.send("message.modify", update(message["id"]))
    await everybody_gets("messagemodification.dispatch", alice, carol)
    await carol.send("message.read", {"message_id": his["id"]})
    await everybody_gets("readreceipt.dispatch", alice, carol)
    await carol.send("message.react", reaction(his["id"]))
    await everybody_gets("reaction.dispatch", alice, carol)
    await carol.send("message.acknowledged", {"message_id": [his["id"], message["id"]]})
    delivered = await alice.expect("messagedelivered.dispatch")
    assert [each["id"] for each in delivered] == [message["id"]]
    await modify(alice, room, "update", {"name": SECRET}, carol)
    await alice.send("message.modify", {"action": "delete", "message_id": message["id"]})
    await everybody_gets("messagemodification.dispatch", alice, carol)

    await nobody_gets_anything(bob, tablet, alice, carol)
    late = await another_socket(connect, bob)
    assert late.client.notifications == {}
    assert await late.ask("room.list") == []


@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_what_waited_for_somebody_goes_with_their_membership(
    room_type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(room_type, alice, bob)
    if room_type == CHANNEL:
        await modify(alice, room, "add_moderator", {"users": [bob.id]}, bob)
    his = await say(bob, room, "his", alice)
    await say(alice, room, SECRET, bob)
    await alice.send("message.react", reaction(his["id"]))
    await everybody_gets("reaction.dispatch", alice, bob)
    await remove(alice, room, bob)

    late = await another_socket(connect, bob)
    assert late.client.notifications == {}
    rows = get_model("ChatNotification").objects.filter(room_id=room["id"])
    assert orm(lambda: [user for row in rows for user in row.recipients]) == [alice.user]


async def test_a_former_member_is_told_nothing_when_they_resume(
    connect: Connect, users: Users
) -> None:
    alice, mallory = await people(connect, users, "alice", "mallory")
    room, other = await group(alice, mallory), await group(alice)
    await say(alice, room, SECRET, mallory)
    await remove(alice, room, mallory)
    await say(alice, room, SECRET)
    await say(alice, other, SECRET)

    late = await another_socket(connect, mallory)
    named = {f"room:{each['id']}": 0 for each in (room, other)}
    await late.send("session.resume", {"streams": named})

    answer = await late.expect("session.resumed")
    assert {answer["streams"][stream]["gone"] for stream in named} == {True}
    await late.nothing()


@pytest.mark.parametrize("how", ["removed", "left"])
@pytest.mark.parametrize("role", ["leader", "holder"])
@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_who_is_out_of_a_room_keeps_no_role_and_no_permission_also_if_they_return(
    room_type: str, role: str, how: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(room_type, alice, bob)
    people_named = "participants" if room_type == GROUP else "subscribers"
    permissions = [f"can_add_new_{people_named}", f"can_remove_{people_named}"]
    if room_type == CHANNEL:
        permissions.append("can_send_messages")
    held = UserObjectPermission.objects.filter(user_id=bob.id, object_pk=room["id"])
    if role == "leader":
        action = "add_admin" if room_type == GROUP else "add_moderator"
        await modify(alice, room, action, {"users": [bob.id]}, bob)
    else:
        data = {"users": [bob.id], "permission": permissions}
        await modify(alice, room, "add_permission", data, bob)
    assert orm(held.count) == len(permissions)

    if how == "removed":
        await remove(alice, room, bob)
    else:
        await leave(bob, room, alice)
    assert orm(held.count) == 0

    await alice.send("room.add_members", {"room_id": room["id"], "members": [bob.id]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)
    assert orm(held.count) == 0
    membership = Membership.objects.filter(user_id=bob.id, room_id=room["id"])
    assert orm(lambda: membership.get().role) == "member"
    named = {"room_id": room["id"]}
    await bob.refused(4002, "room.add_members", {**named, "members": [carol.id]})
    await bob.refused(4002, "room.remove_members", {**named, "members": [alice.id]})
    await bob.refused(4002, "room.modify", {**named, "action": "update", "data": {"name": "x"}})
    if room_type == CHANNEL:
        await bob.refused(4002, "message.send", {**named, "content": "hello"})
    await nobody_gets_anything(alice, bob, carol)


# Members whom plain code makes


async def test_who_is_made_a_member_by_plain_code_hears_nothing_from_before(
    connect: Connect, users: Users, orm: Orm
) -> None:
    """The server has yet to hear of what was written before."""
    alice, bob = await people(connect, users, "alice", "bob")
    for _ in range(3):
        room = await group(alice)
        for number in range(3):
            orm(write_unheard, alice, room, f"{SECRET} {number}")
        orm(Membership.objects.create, room_id=room["id"], user=bob.user)
        await alice.send("message.send", {"room_id": room["id"], "content": "after"})

        heard = [await alice.expect("message.dispatch") for _ in range(4)]
        assert [message["content"] for message in heard][3] == "after"
        assert (await bob.expect("message.dispatch"))["content"] == "after"
    await nobody_gets_anything(alice, bob)


# Errors: their order, and that nothing comes of them


@dataclass
class World:
    """What the events of the table below are about, seen by their sender, `dave`.

    Attributes:
        near: a group that dave is a plain member of.
        own: a group that dave leads.
        own_channel: a channel that dave leads.
        pair: dave's chat with alice.
        far, far_pair, far_channel: rooms that dave is not in.
        hers: alice's message in `near`.
        mine: dave's message in `own`.
        other: dave's message in `pair`.
        hidden: alice's message in `far`.
    """

    alice: Person
    bob: Person
    dave: Person
    near: Room
    own: Room
    own_channel: Room
    pair: Room
    far: Room
    far_pair: Room
    far_channel: Room
    hers: str
    mine: str
    other: str
    hidden: str

    @property
    def rooms(self) -> list[Room]:
        """All rooms."""
        mine = [self.near, self.own, self.own_channel, self.pair]
        return [*mine, self.far, self.far_pair, self.far_channel]


async def make_world(connect: Connect, users: Users) -> World:
    alice, bob, dave = await people(connect, users, "alice", "bob", "dave")
    near, own = await group(alice, dave), await group(dave, alice)
    pair, far = await one_to_one(dave, alice), await group(alice, bob)
    return World(
        alice=alice,
        bob=bob,
        dave=dave,
        near=near,
        own=own,
        own_channel=await channel(dave, alice),
        pair=pair,
        far=far,
        far_pair=await one_to_one(alice, bob),
        far_channel=await channel(alice, bob),
        hers=(await say(alice, near, "hers", dave))["id"],
        mine=(await say(dave, own, "mine", alice))["id"],
        other=(await say(dave, pair, "other", alice))["id"],
        hidden=(await say(alice, far, SECRET, bob))["id"],
    )


NO_USER = 2**31 - 1
Row = tuple[int, Callable[[World], Data]]


def send(room: Room | str, content: Any = "hello", **extra_fields: Any) -> Data:
    """The data of a ``message.send``."""
    return {**at(room), "content": content, "extra_fields": extra_fields}


def at(room: Room | str, **data: Any) -> Data:
    """Data that names a room, or an id."""
    return {"room_id": room if isinstance(room, str) else room["id"], **data}


def change(room: Room | str, action: str, **data: Any) -> Data:
    """The data of a ``room.modify``."""
    return at(room, action=action, data=data)


def create(type: str, **data: Any) -> Data:
    """The data of a ``room.create``."""
    return {"type": type, **data}


#: Frames with two faults each, and the code of the one that counts: shape (4003) before existence
#: (4004) before permission (4002) before rules (4003).
TABLE: dict[str, list[Row]] = {
    "message.send": [
        (4003, lambda w: send(NOWHERE, content=5)),
        (4003, lambda w: send(NOWHERE, sender=1)),
        (4003, lambda w: send(NOWHERE, parent_message_id="x")),
        (4003, lambda w: {**send(NOWHERE), "client_id": 5}),
        (4003, lambda w: {**send(NOWHERE), "client_id": ""}),
        (4003, lambda w: {**send(NOWHERE), "client_id": "x" * 65}),
        (4003, lambda w: {**send(w.far), "client_id": "x" * 65}),
        (4003, lambda w: send(NOWHERE, media=[{"media_url": "https://example.com"}])),
        (4003, lambda w: {"content": "hello"}),
        (4004, lambda w: send(NOWHERE, "")),
        (4004, lambda w: send(w.far, parent_message_id=NOWHERE)),
        (4004, lambda w: send(w.far, forwarded_from_id=NOWHERE)),
        (4004, lambda w: send(w.near, parent_message_id=w.hers, forwarded_from_id=NOWHERE)),
        (4004, lambda w: send(w.near, parent_message_id=w.hidden, forwarded_from_id=NOWHERE)),
        (4002, lambda w: send(w.far, "")),
        (4002, lambda w: send(w.far, parent_message_id=w.hers, forwarded_from_id=w.hers)),
        (4002, lambda w: send(w.near, "", parent_message_id=w.hidden)),
        (4002, lambda w: send(w.near, forwarded_from_id=w.hidden, parent_message_id=w.hers)),
        (4003, lambda w: send(w.near, "")),
        (4003, lambda w: send(w.near, forwarded_from_id=w.hers, parent_message_id=w.hers)),
    ],
    **{
        event: [
            (4003, lambda w: {"message_id": [NOWHERE, "x"]}),
            (4003, lambda w: {"message_id": [w.hidden, None]}),
            (4004, lambda w: {"message_id": [w.hidden, NOWHERE]}),
            (4004, lambda w: {"message_id": [w.hers, NOWHERE]}),
            (4002, lambda w: {"message_id": [w.hers, w.hidden]}),
            (4002, lambda w: {"message_id": w.hidden}),
        ]
        for event in ("message.acknowledged", "message.read")
    },
    "message.react": [
        (4003, lambda w: reaction(NOWHERE, "")),
        (4003, lambda w: reaction(w.hidden, "x" * 129)),
        (4003, lambda w: reaction(NOWHERE, "", "remove")),
        (4003, lambda w: reaction(w.hidden, "x" * 129, "remove")),
        (4003, lambda w: reaction(NOWHERE, type="toggle")),
        (4004, lambda w: reaction(NOWHERE)),
        (4004, lambda w: reaction(NOWHERE, type="remove")),
        (4002, lambda w: reaction(w.hidden)),
        (4002, lambda w: reaction(w.hidden, type="remove")),
        (4004, lambda w: reaction(w.hers, type="remove")),
    ],
    "message.typing": [
        (4003, lambda w: at(NOWHERE, is_typing=5)),
        (4003, lambda w: at(w.far, is_typing="yes")),
        (4004, lambda w: at(NOWHERE)),
        (4002, lambda w: at(w.far)),
    ],
    "message.modify": [
        (4003, lambda w: update(NOWHERE, 5)),
        (4003, lambda w: update(w.hidden, "x", sender=1)),
        (4003, lambda w: {"action": "delete", "message_id": [w.hidden, NOWHERE, "x"]}),
        (4003, lambda w: {"action": "pin", "message_id": NOWHERE}),
        (4004, lambda w: update(NOWHERE, "")),
        (4004, lambda w: {"action": "delete", "message_id": [w.hidden, NOWHERE]}),
        (4002, lambda w: update(w.hidden, "")),
        (4002, lambda w: update(w.hers, "")),
        (4002, lambda w: {"action": "delete", "message_id": [w.mine, w.hers]}),
        (4002, lambda w: {"action": "delete", "message_id": [w.mine, w.hidden]}),
        (4003, lambda w: update(w.mine, "")),
        (4003, lambda w: {"action": "delete", "message_id": [w.mine, w.other]}),
    ],
    "room.create": [
        (4003, lambda w: create("Forum", name="x", participants=[NO_USER])),
        (4003, lambda w: create(GROUP, name=5, participants=[NO_USER])),
        (4003, lambda w: create(GROUP, participants=[NO_USER])),
        (4003, lambda w: create(GROUP, name="x", participants=["nobody", NO_USER])),
        (4003, lambda w: create(GROUP, name="x", participants=[NO_USER], extra_fields={"id": 1})),
        (4004, lambda w: create("OneToOneChat", participants=[NO_USER, w.alice.id])),
        (
            4004,
            lambda w: create(
                GROUP, name="x", participants=[NO_USER], extra_fields={"max_participants": 1}
            ),
        ),
        (4003, lambda w: create("OneToOneChat", participants=[w.bob.id, w.alice.id])),
        (
            4003,
            lambda w: create(
                CHANNEL, name="x", subscribers=[w.bob.id], extra_fields={"max_subscribers": 1}
            ),
        ),
        (4005, lambda w: create("OneToOneChat", participants=[w.alice.id])),
    ],
    "room.info": [
        (4003, lambda w: at("x")),
        (4004, lambda w: at(NOWHERE)),
        (4002, lambda w: at(w.far)),
    ],
    "room.messages": [
        (4003, lambda w: at(NOWHERE, paginate={"page": 0, "size": 1})),
        (4003, lambda w: at(NOWHERE, paginate={"page": 1})),
        (4003, lambda w: at(w.far, paginate=5)),
        (4004, lambda w: at(NOWHERE)),
        (4002, lambda w: at(w.far)),
    ],
    "room.join": [
        (4003, lambda w: at("x")),
        (4004, lambda w: at(NOWHERE)),
        (4003, lambda w: at(w.far)),
        (4003, lambda w: at(w.far_pair)),
        (4003, lambda w: at(w.far_channel)),
    ],
    "room.leave": [
        (4003, lambda w: at("x")),
        (4004, lambda w: at(NOWHERE)),
        (4002, lambda w: at(w.far)),
        (4002, lambda w: at(w.far_pair)),
        (4003, lambda w: at(w.pair)),
    ],
    **{
        event: [
            (4003, lambda w: at(NOWHERE, members=["nobody"])),
            (4003, lambda w: at(w.far, members=[w.bob.id, None])),
            (4003, lambda w: at(NOWHERE)),
            (4004, lambda w: at(NOWHERE, members=[w.bob.id])),
            (4004, lambda w: at(w.far, members=[w.bob.id, NO_USER])),
            (4004, lambda w: at(w.pair, members=[NO_USER])),
            (4002, lambda w: at(w.far, members=[w.bob.id])),
            (4002, lambda w: at(w.far_pair, members=[w.bob.id])),
            (4002, lambda w: at(w.near, members=[w.bob.id])),
            (4003, lambda w: at(w.pair, members=[w.bob.id])),
        ]
        for event in ("room.add_members", "room.remove_members")
    },
    "room.modify": [
        (4003, lambda w: change(NOWHERE, "update", name=5)),
        (4003, lambda w: change(NOWHERE, "update", id=1)),
        (4003, lambda w: change(NOWHERE, "rename", name="x")),
        (4003, lambda w: change(NOWHERE, "add_admin", users=["nobody"])),
        (4003, lambda w: change(w.far, "remove_moderator", users=["nobody"])),
        (4003, lambda w: change(NOWHERE, "add_permission", users=[NO_USER])),
        (4003, lambda w: change(NOWHERE, "add_permission", users=["nobody"], permission=["x"])),
        (4004, lambda w: change(NOWHERE, "update", name="x")),
        (4004, lambda w: at(NOWHERE, action="delete")),
        (4004, lambda w: change(w.far, "add_admin", users=[NO_USER])),
        (4004, lambda w: change(w.own, "add_moderator", users=[NO_USER])),
        (4004, lambda w: change(w.far, "remove_permission", users=[NO_USER], permission=["x"])),
        (4002, lambda w: change(w.far, "update", is_public=True)),
        (4002, lambda w: change(w.near, "update", is_public=True)),
        (4002, lambda w: change(w.near, "update", name="")),
        (4002, lambda w: at(w.near, action="delete")),
        (4002, lambda w: change(w.far, "add_moderator", users=[w.bob.id])),
        (4002, lambda w: change(w.near, "add_moderator", users=[w.dave.id])),
        (4002, lambda w: change(w.near, "add_permission", users=[w.dave.id], permission=["x"])),
        (4003, lambda w: change(w.own, "update", name="")),
        (4003, lambda w: change(w.own, "update", is_public=True)),
        (4003, lambda w: change(w.own, "add_moderator", users=[w.alice.id])),
        (4003, lambda w: change(w.own_channel, "add_admin", users=[w.alice.id])),
        (4003, lambda w: change(w.own, "add_permission", users=[w.alice.id], permission=["x"])),
        (4003, lambda w: change(w.own, "add_permission", users=[w.alice.id], permission=[])),
    ],
}


def test_the_table_has_every_event() -> None:
    assert set(TABLE) == set(EVENTS)


@pytest.mark.parametrize("event", EVENTS)
async def test_of_two_faults_the_first_in_the_order_of_checks_is_named_and_nothing_comes_of_it(
    event: str, connect: Connect, users: Users, orm: Orm
) -> None:
    world = await make_world(connect, users)
    before = stored(orm, *world.rooms)
    expected, answered = [], []

    for code, build in TABLE[event]:
        data = build(world)
        await world.dave.send(event, data)
        frame = await world.dave.next()
        assert SECRET not in json.dumps(frame)
        expected.append((code, data))
        answered.append((frame.get("error", {}).get("code"), data))

    assert answered == expected
    assert stored(orm, *world.rooms) == before
    await nobody_gets_anything(world.alice, world.bob, world.dave)


@pytest.mark.parametrize("event", EVENTS)
async def test_every_event_needs_the_fields_that_it_is_about(
    event: str, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    for data in ({}, {"room_id": None, "message_id": None, "type": None, "action": None}):
        await alice.refused(4003, event, data)
    for no_object in (None, 5, "x", [], [{}]):
        await alice.client.send_raw(json.dumps({"event_type": event, "data": no_object}))
        await alice.error(4003)

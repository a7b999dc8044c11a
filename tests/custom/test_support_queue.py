"""A fourth room type, that of docs/examples/support_queue, over the socket and in Python."""

from typing import Any

import pytest
from django.contrib import admin
from django.db.models.signals import post_save
from django.test import RequestFactory
from guardian.shortcuts import get_perms

from docs.examples.support_queue.models import SupportQueue, Ticket
from gql_chat.admin import RoomAdmin
from gql_chat.errors import Invalid
from gql_chat.models import GroupChat, Membership, Room
from gql_chat.schema import get_schema
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import (
    Person,
    create,
    everybody_gets,
    in_list,
    messages_of,
    modify,
    nobody_gets_anything,
    people,
    say,
)

ROOM = {"type", "id", "created_at", "updated_at"}
DETAIL = ROOM | {"property", "read_markers", "member_count"}
COLUMNS = {"name", "description", "creator", "max_participants", "group_locked", "is_public"}


async def queue(creator: Person, *members: Person, **fields: Any) -> dict[str, Any]:
    data = {"name": "queue", "participants": [each.id for each in members], "extra_fields": fields}
    return await create(creator, "SupportQueue", data, *members)


async def test_a_queue_is_made_and_shows_what_its_rules_name(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")

    room = await queue(alice, bob, max_participants=3)

    assert room.keys() == DETAIL | COLUMNS | {"participants", "admins", "history"}
    assert {name: room[name] for name in ("type", "name", "creator")} == {
        "type": "SupportQueue",
        "name": "queue",
        "creator": alice.shown,
    }
    assert (room["max_participants"], room["group_locked"], room["is_public"]) == (3, False, True)
    assert room["participants"] == [alice.shown, bob.shown]
    assert room["admins"] == [alice.shown]
    assert await bob.ask("room.info", {"room_id": room["id"]}) == room
    stored = orm(Room.objects.get, pk=room["id"])
    assert type(stored) is SupportQueue
    assert orm(get_perms, alice.user, stored) == ["can_add_new_participants"]
    await nobody_gets_anything(alice, bob)


async def test_a_queue_is_listed_with_its_last_message(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await queue(alice, bob)

    message = await say(alice, room, "Next, please", bob)

    listed = await in_list(bob, room)
    summary = ROOM | COLUMNS | {"last_message", "unread_count", "preferences"}
    assert listed.keys() == summary
    assert (listed["last_message"], listed["unread_count"]) == (message, 1)
    assert await messages_of(bob, room) == [message]


async def test_the_rules_of_a_queue_hold(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await queue(alice, bob, max_participants=3)
    where = {"room_id": room["id"]}

    locked = await modify(alice, room, "update", {"group_locked": True}, bob)
    assert locked["group_locked"] is True
    await bob.refused(4002, "message.send", {**where, "content": "?"})
    await modify(alice, room, "add_admin", {"users": [bob.id]}, bob)
    await say(bob, room, "I am here", alice)

    await carol.send("room.join", where)
    await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    (dave,) = await people(connect, users, "dave")
    assert await dave.refused(4003, "room.join", where) == "The queue is full"
    await modify(alice, room, "update", {"is_public": False}, bob, carol)
    await dave.refused(4003, "room.join", where)
    moderators = {**where, "action": "add_moderator", "data": {"users": [bob.id]}}
    await alice.refused(4003, "room.modify", moderators)
    await nobody_gets_anything(alice, bob, carol, dave)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"subscribers": []}, "subscribers"),
        ({"extra_fields": {"avatar": "https://x.test"}}, "extra_fields.avatar"),
        ({"name": ""}, "name"),
    ],
    ids=str,
)
async def test_what_a_queue_does_not_take_is_refused(
    wrong: dict[str, Any], named: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    wrong = {"subscribers": [bob.id]} if "subscribers" in wrong else wrong

    detail = await alice.refused(
        4003, "room.create", {"type": "SupportQueue", "name": "queue", **wrong}
    )

    assert detail.keys() == {named}
    await bob.nothing()


async def test_the_last_one_out_ends_a_queue(connect: Connect, users: Users, orm: Orm) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await queue(alice)

    await alice.send("room.leave", {"room_id": room["id"]})

    exited = await alice.expect("roomexit.dispatch")
    assert exited["message"] == "You left queue"
    await alice.expect("roomdelete.dispatch")
    assert not orm(SupportQueue.objects.filter(pk=room["id"]).exists)


def test_the_schema_has_types_for_it() -> None:
    text = get_schema().as_str()

    assert "type SupportQueue implements Room {" in text
    assert "type SupportQueueSummary implements RoomSummary {" in text


def test_the_admin_has_queues_with_the_columns_of_their_rules() -> None:
    assert admin.site.is_registered(SupportQueue)
    fields = RoomAdmin(SupportQueue, admin.site).get_fields(RequestFactory().get("/"))

    shown = {"name", "creator", "max_participants", "group_locked", "is_public"}
    assert shown <= set(fields)
    assert not {"max_subscribers", "join_approval_required"} & set(fields)


def test_the_orm_makes_queues_with_everything_that_rooms_have(db: None, users: Users) -> None:
    heard: list[type[Any]] = []

    def hear(sender: type[Any], **kwargs: Any) -> None:
        heard.append(sender)

    alice, bob = users.make("alice", "bob")
    post_save.connect(hear, sender=SupportQueue)

    room = Room.objects.create(type="SupportQueue", name="queue", creator=alice)
    room.participants.add(bob)
    ticket = Ticket.objects.create(queue=room)

    assert heard == [SupportQueue]
    assert type(room) is SupportQueue
    assert (room.max_participants, room.is_public) == (50, True)
    assert list(room.admins.all()) == [alice]
    assert room.property.preferences == {}
    assert SupportQueue.objects.get().ticket == ticket
    assert not GroupChat.objects.exists()
    SupportQueue.objects.filter(pk=room.pk).update(max_participants=2)
    room.refresh_from_db()
    with pytest.raises(Invalid, match="The queue is full"):
        room.participants.add(users("carol"))
    room.participants.remove(alice, bob)
    assert not Membership.objects.exists()
    assert not SupportQueue.objects.exists()

"""PROTOCOL of notifications: which rows there are, for whom, and what a new socket is told."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from gql_chat.models import Delivery, get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.messages import acknowledge, react
from tests.wire.rooms import (
    NOWHERE,
    Message,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    one_to_one,
    people,
    say,
)


def rows_of(message: Message) -> list[tuple[str, set[str]]]:
    """Each notification of a message: its type and the names of its recipients."""
    rows = get_model("ChatNotification").objects.filter(message_id=message["id"])
    return [
        (row.notification_type, {user.get_username() for user in row.recipients})
        for row in rows.order_by("created_at")
    ]


async def waiting(connect: Connect, person: Person) -> dict[str, list[tuple[str, str]]]:
    """What a new socket is told: by room, the types and contents of the notifications."""
    socket = await another_socket(connect, person)
    told = {
        room_id: [(each["notification_type"], each["message"]["content"]) for each in found]
        for room_id, found in socket.client.notifications.items()
    }
    await socket.close()
    return told


async def reply(sender: Person, room: Room, parent: Message, *others: Person) -> Message:
    extra = {"parent_message_id": parent["id"]}
    return await say(sender, room, "reply", *others, extra_fields=extra)


async def settle(person: Person, *messages: Message) -> None:
    """Acknowledge messages; what the senders hear of it stays to be taken."""
    await acknowledge(person, *messages)
    await person.nothing()


# The rows


async def test_a_message_makes_one_notification_for_the_others(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)

    message = await say(bob, room, "hello", alice, carol)

    assert orm(rows_of, message) == [("NEW_MESSAGE", {alice.name, carol.name})]


async def test_a_reply_makes_one_notification_of_its_own_kind(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(bob, room, "hello", alice, carol)

    answer = await reply(alice, room, message, bob, carol)

    assert orm(rows_of, answer) == [("REPLY", {bob.name, carol.name})]
    assert orm(rows_of, message) == [("NEW_MESSAGE", {alice.name, carol.name})]


async def test_a_reaction_makes_one_notification_for_the_sender(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(alice, room, "hello", bob, carol)

    await react(bob, message, "+", alice, carol)

    assert orm(rows_of, message)[1:] == [("REACTION", {alice.name})]


async def test_another_reaction_takes_the_place_of_the_first(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)

    await react(bob, message, "+", alice)
    await react(bob, message, "-", alice)

    assert orm(rows_of, message)[1:] == [("REACTION", {alice.name})]


async def test_a_reaction_that_is_taken_back_waits_for_nobody(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)
    await react(bob, message, "+", alice)

    data = {"type": "remove", "message_id": message["id"], "reaction_content": "+"}
    await bob.send("message.react", data)
    await everybody_gets("reaction.dispatch", alice, bob)

    assert orm(rows_of, message) == [("NEW_MESSAGE", {bob.name})]


async def test_a_reaction_to_ones_own_message_makes_none(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)

    await react(alice, message, "+", bob)

    assert orm(rows_of, message) == [("NEW_MESSAGE", {bob.name})]


async def test_who_joins_later_is_no_recipient(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob)
    before = await say(alice, room, "before", bob)
    await alice.send("room.add_members", {"room_id": room["id"], "members": [carol.id]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    after = await say(alice, room, "after", bob, carol)

    assert orm(rows_of, before) == [("NEW_MESSAGE", {bob.name})]
    assert orm(rows_of, after) == [("NEW_MESSAGE", {bob.name, carol.name})]
    assert await waiting(connect, carol) == {room["id"]: [("NEW_MESSAGE", "after")]}


async def test_who_leaves_is_a_recipient_no_more_and_the_last_one_takes_it_along(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(alice, room, "hello", bob, carol)

    await bob.send("room.leave", {"room_id": room["id"]})
    await everybody_gets("roomremovemembers.dispatch", alice, carol)
    assert orm(rows_of, message) == [("NEW_MESSAGE", {carol.name})]

    await carol.send("room.leave", {"room_id": room["id"]})
    await alice.expect("roomremovemembers.dispatch")
    assert orm(rows_of, message) == []


# Acknowledging


async def test_acknowledging_takes_out_a_recipient_and_the_last_one_deletes_it(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(alice, room, "hello", bob, carol)
    other = await say(alice, room, "other", bob, carol)

    await settle(bob, message)
    assert orm(rows_of, message) == [("NEW_MESSAGE", {carol.name})]
    await settle(bob, message)
    assert orm(rows_of, message) == [("NEW_MESSAGE", {carol.name})]

    await settle(carol, message)
    assert orm(rows_of, message) == []
    assert orm(rows_of, other) == [("NEW_MESSAGE", {bob.name, carol.name})]


async def test_the_sender_who_acknowledges_is_done_with_the_reactions_alone(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)
    await react(bob, message, "+", alice)

    await settle(alice, message)

    assert orm(rows_of, message) == [("NEW_MESSAGE", {bob.name})]
    await bob.nothing()


async def test_a_delivery_noted_by_other_code_deletes_it_too(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)

    orm(Delivery.objects.create, message_id=message["id"], user_id=bob.id)

    assert orm(rows_of, message) == []


@pytest.mark.parametrize("soft", [False, True])
async def test_deleting_a_message_deletes_its_notifications(
    soft: bool, connect: Connect, users: Users, orm: Orm, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MESSAGE_SOFT_DELETE": soft}
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)
    await react(bob, message, "+", alice)

    await alice.send("message.modify", {"action": "delete", "message_id": message["id"]})
    await everybody_gets("messagemodification.dispatch", alice, bob)

    assert orm(rows_of, message) == []
    assert await waiting(connect, bob) == await waiting(connect, alice) == {}


# What a new socket is told


async def test_a_notification_has_the_documented_fields(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)

    told = (await connect(bob.user)).notifications

    row = orm(get_model("ChatNotification").objects.get, message_id=message["id"])
    shown = {
        "id": str(row.pk),
        "notification_type": "NEW_MESSAGE",
        "message": message,
        "reason": "message",
    }
    assert told == {room["id"]: [shown]}


async def test_notifications_are_grouped_by_room_the_oldest_first(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    pair = await one_to_one(alice, bob)
    team = await group(carol, alice, bob)
    await group(alice, bob)
    mine = await say(bob, pair, "mine", alice)
    await say(alice, team, "one", bob, carol)
    await say(alice, pair, "two", bob)
    await reply(carol, team, await say(bob, team, "three", alice, carol), alice, bob)
    await react(alice, mine, "+", bob)

    assert await waiting(connect, bob) == {
        pair["id"]: [("NEW_MESSAGE", "two"), ("REACTION", "mine")],
        team["id"]: [("NEW_MESSAGE", "one"), ("REPLY", "reply")],
    }
    assert await waiting(connect, alice) == {
        pair["id"]: [("NEW_MESSAGE", "mine")],
        team["id"]: [("NEW_MESSAGE", "three"), ("REPLY", "reply")],
    }


async def test_what_is_shown_waits_until_it_is_acknowledged(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first, second, third = [await say(alice, room, name, bob) for name in ("one", "two", "three")]
    all_of_them = [("NEW_MESSAGE", name) for name in ("one", "two", "three")]

    for _ in range(2):
        assert await waiting(connect, bob) == {room["id"]: all_of_them}

    # In whatever order: an older one goes on waiting.
    await settle(bob, second)
    assert await waiting(connect, bob) == {room["id"]: [all_of_them[0], all_of_them[2]]}
    await settle(bob, third)
    assert await waiting(connect, bob) == {room["id"]: [all_of_them[0]]}
    await settle(bob, first)
    assert await waiting(connect, bob) == {}

    for message in (second, third, first):
        (delivered,) = await alice.expect("messagedelivered.dispatch")
        assert delivered["id"] == message["id"]
    await say(alice, room, "four", bob)
    assert await waiting(connect, bob) == {room["id"]: [("NEW_MESSAGE", "four")]}


async def test_reading_is_no_acknowledging(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)

    await bob.send("message.read", {"message_id": message["id"]})
    await everybody_gets("readreceipt.dispatch", alice, bob)

    assert await waiting(connect, bob) == {room["id"]: [("NEW_MESSAGE", "hello")]}


async def test_a_waiting_message_is_shown_as_it_stands_now(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)
    data = {"message_id": message["id"], "extra_fields": {"content": "changed"}}
    await alice.send("message.modify", {"action": "update", **data})
    await everybody_gets("messagemodification.dispatch", alice, bob)

    assert await waiting(connect, bob) == {room["id"]: [("NEW_MESSAGE", "changed")]}


async def test_nothing_of_a_deleted_room_waits(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "hello", bob)
    await alice.send("room.modify", {"room_id": room["id"], "action": "delete"})
    await everybody_gets("roomdelete.dispatch", alice, bob)

    assert await waiting(connect, bob) == {}
    assert orm(rows_of, message) == []


# Switched off


async def test_without_notifications_none_are_made_or_sent(
    connect: Connect, users: Users, orm: Orm, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"ENABLE_NOTIFICATION": False}
    alice, bob = [
        Person(user, await connect(user, greeted=False)) for user in users.make("alice", "bob")
    ]
    for person in (alice, bob):
        await person.nothing()  # it is answered, so its socket is open, though nothing greets it
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)
    await react(bob, message, "+", alice)
    await reply(bob, room, message, alice)

    await settle(bob, message)

    assert len(await alice.expect("messagedelivered.dispatch")) == 1
    rows = get_model("ChatNotification").objects.filter(room_id=room["id"])
    assert not orm(rows.exists)
    late = await connect(bob.user, greeted=False)
    await late.nothing()


# More than a frame holds


def write_waiting(person: Person, room: Room, count: int, content: str) -> list[str]:
    """Write messages as an operation does, but for the events; to be called through ``orm``."""
    at = timezone.now()
    messages = get_model("Message").objects.bulk_create(
        get_model("Message")(
            room_id=room["id"],
            sender=person.user,
            content=content,
            created_at=at + timedelta(microseconds=number),
        )
        for number in range(count)
    )
    rows = get_model("ChatNotification")
    made = rows.objects.bulk_create(
        rows(
            notification_type="NEW_MESSAGE",
            message=message,
            room_id=room["id"],
            actor=person.user,
            created_at=message.created_at,
        )
        for message in messages
    )
    return [str(row.pk) for row in made]


async def pages(person: Person, size: int) -> AsyncIterator[list[Any]]:
    """The pages of all that waits for somebody."""
    paginate: dict[str, Any] = {"size": size}
    while True:
        page = await person.ask("notification.list", {"paginate": paginate})
        shown = page["data"]["notifications"]
        yield shown
        assert page == {
            "has_next": page["has_next"],
            "has_previous": "before" in paginate,
            "size": min(size, 100),
            "data": {"notifications": shown},
        }
        if not page["has_next"]:
            return
        paginate = {"before": shown[-1]["id"], "size": size}


async def test_however_much_waits_a_frame_holds_the_newest(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room, quiet = await group(alice, bob), await one_to_one(carol, bob)
    await say(carol, quiet, "long ago", bob)
    ids = orm(write_waiting, alice, room, 2300, 2000 * "x")
    await say(carol, quiet, "just now", bob)

    late = Person(bob.user, await connect(bob.user))

    told = late.client.notifications
    assert len(json.dumps(told)) < 300_000
    assert [each["message"]["content"] for each in told.pop(quiet["id"])] == ["just now"]
    assert [each["id"] for each in told.pop(room["id"])] == ids[-99:]
    assert told == {}

    listed: list[Any] = []
    async for page in pages(late, 500):
        assert len(page) <= 100
        listed += page
        if len(listed) == 500:
            await say(carol, quiet, "meanwhile", bob, late)
    contents = [each["message"]["content"] for each in listed]
    assert contents == ["just now", *[2000 * "x"] * 2300, "long ago"]
    assert [each["id"] for each in listed[1:-1]] == ids[::-1]
    assert {each["message"]["room"]["id"] for each in listed} == {room["id"], quiet["id"]}


async def test_without_a_page_the_newest_are_listed(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    for name in ("one", "two", "three"):
        await say(alice, room, name, bob)

    for data in ({}, {"paginate": None}):
        page = await bob.ask("notification.list", data)
        shown = page["data"]["notifications"]
        assert [each["message"]["content"] for each in shown] == ["three", "two", "one"]
        assert (page["has_next"], page["has_previous"], page["size"]) == (False, False, 100)


async def test_a_page_that_cannot_be_is_refused(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "hello", bob)
    rows = get_model("ChatNotification").objects
    mine = str(orm(rows.get, message_id=message["id"]).pk)

    for paginate, field in (
        ({}, "paginate.size"),
        ({"size": 0}, "paginate.size"),
        ({"size": "1"}, "paginate.size"),
        ({"size": 1, "before": "x"}, "paginate.before"),
        ({"size": 1, "before": 5}, "paginate.before"),
        ({"size": 1, "after": mine}, "paginate.after"),
        (5, "paginate"),
    ):
        detail = await bob.refused(4003, "notification.list", {"paginate": paginate})
        assert list(detail) == [field], detail
    assert "data" in await bob.refused(4003, "notification.list", [1])
    for person, before in ((bob, NOWHERE), (alice, mine)):
        data = {"paginate": {"size": 1, "before": before}}
        await person.refused(4004, "notification.list", data)


async def test_nothing_is_listed_while_notifications_are_off(
    connect: Connect, users: Users, settings: Settings
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    await say(alice, await one_to_one(alice, bob), "hello", bob)
    settings.REALTIME_CHAT_MESSAGING = {"ENABLE_NOTIFICATION": False}

    page = await bob.ask("notification.list", {})

    assert page["data"] == {"notifications": []}
    assert (page["has_next"], page["has_previous"]) == (False, False)

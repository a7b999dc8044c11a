"""Mentions and preferences on the wire: who is told what, and what is answered."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from tests import frames
from tests.conftest import Connect, Users
from tests.wire.resuming import of_user, resume
from tests.wire.rooms import (
    GROUP,
    NOBODY,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    messages_of,
    people,
    room_of_type,
    say,
)


@pytest.fixture
def plain() -> Iterator[None]:
    """No features: the documented protocol alone, by whose contract frames are validated."""
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ()}):
        judge = frames.make_validator()
        yield
    if judge is not None:
        frames.check(frames.record.copy(), judge)
        judge.close()
    frames.record.clear()


def named(*persons: Person, room: bool = False, here: bool = False) -> dict[str, Any]:
    """What frames show of mentions."""
    users = [{"id": person.id, "username": person.name} for person in persons]
    return {"users": users, "room": room, "here": here}


async def mention(
    sender: Person, room: Room, *others: Person, users: Any = (), **calls: bool
) -> Any:
    mentions = {"users": [user.id for user in users], **calls}
    data = {"room_id": room["id"], "content": "hi", "extra_fields": {"mentions": mentions}}
    await sender.send("message.send", data)
    return await everybody_gets("message.dispatch", sender, *others)


async def change(sender: Person, message: Any, mentions: Any, *others: Person) -> Any:
    fields = {"mentions": mentions}
    data = {"action": "update", "message_id": message["id"], "extra_fields": fields}
    await sender.send("message.modify", data)
    return await everybody_gets("messagemodification.dispatch", sender, *others)


async def test_frames_show_whom_a_message_mentions(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)

    message = await mention(alice, room, bob, carol, users=[carol, bob, alice], here=True)

    assert message["mentions"] == named(carol, bob, here=True)
    (fetched,) = await messages_of(bob, room)
    assert fetched["mentions"] == message["mentions"]
    plain = await say(alice, room, "plain", bob, carol)
    assert plain["mentions"] == named()

    edited = await change(alice, message, {"users": [bob.id], "room": True}, bob, carol)
    assert edited["message"]["mentions"] == named(bob, room=True)
    assert edited["message"]["content"] == "hi"
    # Carol is not called as one who is there any more, but with the room; Bob stays named.
    unread = await carol.expect("unread.dispatch")
    assert (unread["unread_count"], unread["mention_count"]) == (2, 1)
    page = await bob.ask("mention.list", {})
    assert [(each["kind"], each["message"]["id"]) for each in page["data"]["mentions"]] == [
        ("user", message["id"])
    ]
    assert page["data"]["mentions"][0]["message"] == (await messages_of(bob, room))[1]
    assert {name: page[name] for name in ("has_next", "has_previous", "size")} == {
        "has_next": False,
        "has_previous": False,
        "size": 100,
    }


async def test_what_is_refused_stores_nothing(connect: Connect, users: Users) -> None:
    alice, bob, eve = await people(connect, users, "alice", "bob", "eve")
    room = await group(alice, bob)
    for mentions, code in (
        ({"users": [NOBODY]}, 4004),
        ({"users": [eve.id]}, 4003),
        ({"users": [[]]}, 4003),
        ({"users": bob.id}, 4003),
        ({"users": [bob.id] * 101}, 4003),
        ({"users": None}, 4003),
        ({"room": "yes"}, 4003),
        ({"everybody": True}, 4003),
        ([bob.id], 4003),
        ("all", 4003),
    ):
        data = {"room_id": room["id"], "content": "x", "extra_fields": {"mentions": mentions}}
        await alice.send("message.send", data)
        detail = await alice.error(code)
        assert code == 4004 or "mentions" in str(detail)
    with override_settings(REALTIME_CHAT_MESSAGING={"MENTION_ALL_FREELY": 1}):
        for calls in ({"room": True}, {"here": True}):
            data = {"room_id": room["id"], "content": "x", "extra_fields": {"mentions": calls}}
            await bob.send("message.send", data)
            await bob.error(4002)
    await bob.send("mention.list", {"paginate": {"size": 0}})
    await bob.error(4003)
    assert await messages_of(bob, room) == []


async def test_a_notification_says_why(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await say(alice, room, "plain", bob)
    await mention(alice, room, bob, users=[bob])

    page = await bob.ask("notification.list", {})

    assert [each["reason"] for each in page["data"]["notifications"]] == ["mention", "message"]


async def test_devices_stay_in_step(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    phone = await another_socket(connect, bob)

    await bob.send("room.preferences", {"room_id": room["id"], "data": {"archived": "forever"}})
    shown = await everybody_gets("roompreferences.dispatch", bob, phone)
    assert shown == {
        "room_id": room["id"],
        "notify": "default",
        "muted_until": None,
        "pinned": False,
        "archived": "forever",
        "receipts": True,
    }
    await bob.send("user.preferences", {"data": {"snooze_until": "2100-01-01T00:00:00Z"}})
    everywhere = await everybody_gets("userpreferences.dispatch", bob, phone)
    assert everywhere["snooze_until"].startswith("2100-01-01")
    await alice.nothing()

    # Whoever only asks is answered alone.
    assert await bob.ask("user.preferences", {}) == everywhere
    assert await phone.ask("room.preferences", {"room_id": room["id"]}) == shown
    (listed,) = await bob.ask("room.list")
    assert listed["preferences"] == shown

    late = await another_socket(connect, bob)
    replayed, _ = await resume(late, {of_user(bob): 0})
    names = [frame["eventType"] for frame in replayed]
    assert "roompreferences.dispatch" in names
    assert "userpreferences.dispatch" in names


@pytest.mark.parametrize(
    "data", [{"muted_until": "2001-01-01T00:00:00Z"}, {"colour": 1}, {"notify": "loud"}, [], 1]
)
async def test_wrong_preferences_are_refused(data: Any, connect: Connect, users: Users) -> None:
    alice, eve = await people(connect, users, "alice", "eve")
    room = await group(alice)
    await alice.send("room.preferences", {"room_id": room["id"], "data": data})
    assert "data" in str(await alice.error(4003))
    await eve.send("room.preferences", {"room_id": room["id"]})
    await eve.error(4002)


async def test_without_the_features_there_are_no_such_events(
    plain: None, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(GROUP, alice, bob)
    for event_type in ("mention.list", "room.preferences", "user.preferences"):
        await alice.send(event_type, {"room_id": room["id"]})
        assert (await alice.next())["error"] == "invalid event type"
    extra = {"mentions": {"users": [bob.id]}}
    await alice.send("message.send", {"room_id": room["id"], "content": "x", "extra_fields": extra})
    await alice.error(4003)
    message = await say(alice, room, "plain", bob)
    assert "mentions" not in message
    (listed,) = await bob.ask("room.list")
    assert "preferences" not in listed

"""FEATURES `history` on the wire: newcomers see what is written from when they come."""

from typing import Any

import pytest

from tests.conftest import Connect, Users
from tests.wire.resuming import follow, of_room, resume
from tests.wire.rooms import (
    CHANNEL,
    GROUP,
    MEMBERS,
    Message,
    Person,
    Room,
    another_socket,
    channel,
    everybody_gets,
    group,
    in_list,
    messages_of,
    modify,
    nobody_gets_anything,
    one_to_one,
    people,
    remove,
    room_of_type,
    say,
)

SECRET = "secret-of-before-41d7"


async def add(adder: Person, room: Room, new: Person, *others: Person, **data: Any) -> None:
    """Add somebody; they, the adder and the others, who must be all, take the frame."""
    members = {"room_id": room["id"], "members": [new.id]}
    await adder.send("room.add_members", {**members, **data})
    await everybody_gets("roomaddmembers.dispatch", adder, new, *others)


async def joined_room(alice: Person, bob: Person, **more: Any) -> tuple[Room, Message]:
    """A group of `joined` history in which alice said something before bob came."""
    room = await group(alice, history="joined", **more)
    hidden = await say(alice, room, SECRET)
    await add(alice, room, bob)
    return room, hidden


def is_blank(message: Message, hidden: Message) -> bool:
    """Whether a message is shown as one that is deleted."""
    return (
        message["id"] == hidden["id"]
        and message["is_deleted"] is True
        and message["content"] == ""
        and message["attachments"] == message["reactions"] == message["read_receipts"] == []
    )


@pytest.mark.parametrize("type", [GROUP, CHANNEL])
async def test_newcomers_see_what_is_written_from_then_on(
    type: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(type, alice, history="joined")
    await say(alice, room, SECRET)
    await add(alice, room, bob)

    assert await messages_of(bob, room) == []
    listed = await in_list(bob, room)
    assert (listed["last_message"], listed["unread_count"]) == (None, 0)
    assert (await bob.ask("unread.list", {}))["rooms"] == []
    after = await say(alice, room, "after", bob)

    assert await messages_of(bob, room) == [after]
    assert [each["content"] for each in await messages_of(alice, room)] == ["after", SECRET]
    listed = await in_list(bob, room)
    assert (listed["last_message"], listed["unread_count"]) == (after, 1)
    phone = await another_socket(connect, bob)
    (waiting,) = phone.client.notifications[room["id"]]
    assert waiting["message"] == after
    assert SECRET not in str([bob.client.taken, phone.client.taken, phone.client.notifications])


async def test_nothing_is_done_with_a_hidden_message(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, hidden = await joined_room(alice, bob)
    own = await group(bob)
    one = {"message_id": hidden["id"]}
    forward = {"forwarded_from_id": hidden["id"]}
    asked = {"room_id": room["id"]}

    for event, data in (
        ("message.read", one),
        ("message.acknowledged", one),
        ("message.react", {**one, "type": "add", "reaction_content": "!"}),
        ("message.pin", one),
        ("message.save", one),
        ("message.modify", {**one, "action": "delete"}),
        ("room.read", {**asked, "up_to": hidden["id"]}),
        ("room.unread", {**asked, "from": hidden["id"]}),
        ("room.messages", {**asked, "paginate": {"before": hidden["id"], "size": 5}}),
        (
            "message.send",
            {**asked, "content": "x", "extra_fields": {"parent_message_id": hidden["id"]}},
        ),
        (
            "message.send",
            {"room_id": own["id"], "extra_fields": forward},
        ),
    ):
        await bob.refused(4002, event, data)
    await nobody_gets_anything(alice, bob)


async def test_frames_show_a_hidden_message_to_those_who_may_see_it(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, hidden = await joined_room(alice, bob)
    laptop = await another_socket(connect, alice)
    phone = await another_socket(connect, bob)
    places = await follow(phone)
    await phone.close()

    reply = {"parent_message_id": hidden["id"]}
    data = {"room_id": room["id"], "content": "an answer", "extra_fields": reply}
    await alice.send("message.send", data)
    whole = await everybody_gets("message.dispatch", alice, laptop)
    veiled = await bob.expect("message.dispatch")
    assert whole["parent_message"]["content"] == SECRET
    assert veiled == {**whole, "parent_message": None}

    for event, dispatch, data in (
        ("message.react", "reaction", {"type": "add", "reaction_content": "!"}),
        ("message.pin", "messagepin", {}),
        (
            "message.modify",
            "messagemodification",
            {"action": "update", "extra_fields": {"content": f"{SECRET} again"}},
        ),
    ):
        await alice.send(event, {"message_id": hidden["id"], **data})
        whole = await everybody_gets(f"{dispatch}.dispatch", alice, laptop)
        veiled = await bob.expect(f"{dispatch}.dispatch")
        assert SECRET in whole["message"]["content"]
        assert is_blank(veiled["message"], hidden)
        assert veiled.keys() == whole.keys()
        assert veiled["message"].keys() == whole["message"].keys()

    assert (await bob.ask("room.pins", {"room_id": room["id"]}))["data"]["pins"] == []
    # A replay shows no more, and has no gap.
    phone = await another_socket(connect, bob)
    frames, _ = await resume(phone, places)
    seen = [frame for frame in frames if frame["stream"] == of_room(room)]
    first = places[of_room(room)] + 1
    assert [frame["seq"] for frame in seen] == list(range(first, first + 4))
    assert SECRET not in str([frames, bob.client.taken])
    tablet = await another_socket(connect, alice)
    frames, _ = await resume(tablet, {of_room(room): places[of_room(room)]})
    assert len([frame for frame in frames if SECRET in str(frame)]) == 4


async def test_a_replay_from_before_one_came_begins_with_the_coming(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, _ = await joined_room(alice, bob)

    phone = await another_socket(connect, bob)
    frames, _ = await resume(phone, {of_room(room): 0})

    shown = [frame for frame in frames if frame["stream"] == of_room(room)]
    assert [frame["eventType"] for frame in shown] == ["roomaddmembers.dispatch"]
    assert SECRET not in str(frames)


@pytest.mark.parametrize(
    ("room_says", "adder_says", "sees"),
    [("joined", "all", True), ("shared", "none", False), ("shared", None, True)],
)
async def test_who_adds_decides(
    room_says: str, adder_says: str | None, sees: bool, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, history=room_says)
    message = await say(alice, room, SECRET)

    await add(alice, room, bob, **({} if adder_says is None else {"history": adder_says}))

    assert await messages_of(bob, room) == ([message] if sees else [])


async def test_who_comes_back_begins_anew(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob, history="joined")
    before = await say(alice, room, SECRET, bob)
    assert await messages_of(bob, room) == [before]

    await remove(alice, room, bob)
    await add(alice, room, bob)

    assert await messages_of(bob, room) == []
    await bob.refused(4002, "message.read", {"message_id": before["id"]})


async def test_a_channel_that_one_joins_begins_then(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await channel(alice, history="joined", is_public=True)
    await say(alice, room, SECRET)

    await bob.send("room.join", {"room_id": room["id"]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)

    assert await messages_of(bob, room) == []


async def test_a_change_holds_for_those_who_come_later(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room, _ = await joined_room(alice, bob)

    changed = await modify(alice, room, "update", {"history": "shared"}, bob)
    await add(alice, room, carol, bob)

    assert changed["history"] == "shared"
    assert {member["id"] for member in changed[MEMBERS[GROUP]]} == {alice.id, bob.id}
    assert [each["content"] for each in await messages_of(carol, room)] == [SECRET]
    assert await messages_of(bob, room) == []


async def test_a_history_that_there_is_not_is_refused(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice)
    made = {"type": "GroupChat", "name": "x", "participants": []}
    adding = {"room_id": room["id"], "members": [bob.id], "history": "some"}
    for event, data in (
        ("room.create", {**made, "extra_fields": {"history": "none"}}),
        ("room.modify", {"room_id": room["id"], "action": "update", "data": {"history": 1}}),
        ("room.add_members", adding),
    ):
        assert "history" in str(await alice.refused(4003, event, data))
    chat = await one_to_one(alice, bob)
    change = {"room_id": chat["id"], "action": "update", "data": {"history": "joined"}}
    await alice.refused(4003, "room.modify", change)
    await nobody_gets_anything(alice, bob)

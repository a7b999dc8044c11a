"""Messages that are edited."""

from typing import Any

import pytest

from tests.conftest import Connect, Orm, Users
from tests.wire.messages import alone, edit, media
from tests.wire.rooms import (
    CHANNEL,
    ONE_TO_ONE,
    ROOM_TYPES,
    another_socket,
    in_list,
    messages_of,
    modify,
    nobody_gets_anything,
    one_to_one,
    people,
    room_of_type,
    say,
    stored,
)


@pytest.mark.parametrize("listed", [False, True])
async def test_an_edit_reaches_every_socket_of_every_member_and_nobody_else(
    listed: bool, connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await one_to_one(alice, bob)
    devices = [await another_socket(connect, person) for person in (alice, bob)]
    question = await say(bob, room, "when?", alice, *devices)
    message = await say(
        alice, room, "nwo", bob, *devices, extra_fields={"parent_message_id": question["id"]}
    )
    message_id = [message["id"]] if listed else message["id"]

    answer = await edit(alice, message_id, "now", bob, *devices)

    assert answer == {
        "status": "successful",
        "action": "update",
        "message": {
            **message,
            "content": "now",
            "is_edited": True,
            "updated_at": answer["message"]["updated_at"],
        },
    }
    assert answer["message"]["updated_at"] > message["updated_at"]
    assert await messages_of(bob, room) == [answer["message"], question]
    assert (await in_list(bob, room))["last_message"] == answer["message"]
    await nobody_gets_anything(alice, bob, *devices, stranger)


async def test_an_edit_leaves_the_media_and_the_forward_of_a_message(
    connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)
    news = await say(alice, room, "news")
    picture = await say(alice, room, "picture", extra_fields={"media": [media()]})
    forward = await say(alice, room, "", extra_fields={"forwarded_from_id": news["id"]})

    for message in (picture, forward):
        edited = (await edit(alice, message["id"], "edited"))["message"]
        for name in ("attachments", "forwarded_from", "is_forwarded", "created_at"):
            assert edited[name] == message[name]


@pytest.mark.parametrize("room_type", ROOM_TYPES)
@pytest.mark.parametrize("action", ["update", "delete"])
async def test_only_the_sender_may_modify_a_message(
    action: str, room_type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await room_of_type(room_type, alice, bob)
    if room_type == CHANNEL:
        await modify(alice, room, "add_moderator", {"users": [bob.id]}, bob)
    message = await say(bob, room, "mine", alice)
    before = stored(orm, room)

    data = {"action": action, "message_id": message["id"], "extra_fields": {"content": "no"}}
    # Who leads a room may delete what others wrote there, but nobody may change it.
    others = [stranger] if action == "delete" and room_type != ONE_TO_ONE else [alice, stranger]
    for other in others:
        await other.refused(4002, "message.modify", data)

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob, stranger)


async def test_one_message_is_edited_at_a_time(connect: Connect, users: Users, orm: Orm) -> None:
    alice, room = await alone(connect, users)
    ids = [(await say(alice, room, text))["id"] for text in ("one", "two")]
    before = stored(orm, room)

    for message_id in (ids, []):
        data = {"action": "update", "message_id": message_id, "extra_fields": {"content": "x"}}
        await alice.refused(4003, "message.modify", data)

    assert stored(orm, room) == before


async def test_a_modification_that_does_not_say_what_to_do_is_refused(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, room = await alone(connect, users)
    message = await say(alice, room, "hello")
    before = stored(orm, room)
    wrong: list[dict[str, Any]] = [
        {},
        {"action": None},
        {"action": 1},
        {"action": ["update"]},
        {"action": "edit"},
        {"action": "Update"},
        {"action": "update"},
        {"action": "update", "extra_fields": None},
        {"action": "update", "extra_fields": {}},
        {"action": "update", "extra_fields": "new"},
        {"action": "update", "extra_fields": {"content": None}},
        {"action": "update", "content": "new"},
    ]

    for data in wrong:
        await alice.refused(4003, "message.modify", {"message_id": message["id"], **data})

    assert stored(orm, room) == before

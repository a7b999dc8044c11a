"""PROTOCOL 4, ``message.react``."""

from typing import Any

import pytest
from pytest_django import Settings

from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.messages import TIME, react, reaction
from tests.wire.rooms import (
    NOWHERE,
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
    room_of_type,
    say,
    stored,
)


async def take_back(person: Person, message: Message, content: str, *others: Person) -> Message:
    """Remove a reaction; the person and the others, who must be all, take the frame."""
    await person.send("message.react", reaction(message, content, "remove"))
    answer = await everybody_gets("reaction.dispatch", person, *others)
    assert (answer["status"], answer["type"]) == ("successful", "remove")
    bare: Message = answer["message"]
    return bare


def contents(message: Message) -> dict[str, str]:
    """Who reacted, and how."""
    return {each["user"]["username"]: each["reaction_content"] for each in message["reactions"]}


async def chat(connect: Connect, users: Users) -> tuple[Person, Person, Room, Message]:
    """Two people in a chat, with a message of the first."""
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    return alice, bob, room, await say(alice, room, "hello", bob)


@pytest.mark.parametrize("room_type", ROOM_TYPES)
async def test_a_reaction_reaches_every_socket_of_every_member_and_nobody_else(
    room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await room_of_type(room_type, alice, bob)
    devices = [await another_socket(connect, person) for person in (alice, bob)]
    message = await say(alice, room, "hello", bob, *devices)

    await bob.send("message.react", reaction(message, "👍🏽"))

    answer = await everybody_gets("reaction.dispatch", alice, bob, *devices)
    (added,) = answer["message"]["reactions"]
    assert answer == {
        "status": "successful",
        "type": "add",
        "message": {**message, "reactions": [added], "reactions_count": 1},
    }
    assert added == {
        "id": added["id"],
        "user": bob.shown,
        "reaction_content": "👍🏽",
        "created_at": added["created_at"],
    }
    assert TIME.fullmatch(added["created_at"])
    assert await messages_of(alice, room) == [answer["message"]]

    await bob.send("message.react", reaction(message, "👍🏽", "remove"))

    answer = await everybody_gets("reaction.dispatch", alice, bob, *devices)
    assert answer == {"status": "successful", "type": "remove", "message": message}
    assert await messages_of(alice, room) == [message]
    await nobody_gets_anything(alice, bob, *devices, stranger)


async def test_everybody_has_a_reaction_of_their_own(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(alice, room, "hello", bob, carol)

    await react(bob, message, "👍", alice, carol)
    await react(carol, message, "👍", alice, bob)
    reacted = await react(alice, message, "❤️", bob, carol)
    assert contents(reacted) == {bob.name: "👍", carol.name: "👍", alice.name: "❤️"}

    bare = await take_back(bob, message, "👍", alice, carol)
    assert contents(bare) == {carol.name: "👍", alice.name: "❤️"}


async def test_a_new_reaction_takes_the_place_of_the_old_one(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, room, message = await chat(connect, users)
    other = await say(alice, room, "another message", bob)
    await react(bob, other, "👍", alice)

    for content in ("👍", "👎", "👍"):
        reacted = await react(bob, message, content, alice)
        assert contents(reacted) == {bob.name: content}

    assert [contents(each) for each in await messages_of(alice, room)] == [{bob.name: "👍"}] * 2
    assert len(stored(orm, room)["reactions"]) == 2


@pytest.mark.parametrize("way", ["save", "create", "update_or_create"])
async def test_a_new_reaction_takes_the_place_of_the_old_one_from_any_code(
    way: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, room, message = await chat(connect, users)
    await react(bob, message, "👍", alice)
    model = get_model("Reaction")
    key: dict[str, Any] = {"message_id": message["id"], "user_id": bob.id}
    new = {"reaction_content": "👎"}
    ways: dict[str, Any] = {
        "save": lambda: model(**key, **new).save(),
        "create": lambda: model.objects.create(**key, **new),
        "update_or_create": lambda: model.objects.update_or_create(**key, defaults=new),
    }

    orm(ways[way])

    assert contents((await messages_of(alice, room))[0]) == {bob.name: "👎"}


async def test_the_same_reaction_again_is_a_duplicate(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, room, message = await chat(connect, users)
    await react(bob, message, "👍", alice)
    before = stored(orm, room)

    await bob.refused(4005, "message.react", reaction(message, "👍"))

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob)


async def test_removing_what_is_not_there_is_not_found(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, room, message = await chat(connect, users)
    await bob.refused(4004, "message.react", reaction(message, "👍", "remove"))
    await react(alice, message, "👍", bob)
    await react(bob, message, "👎", alice)
    before = stored(orm, room)

    # That of somebody else, and another one than one's own.
    await bob.refused(4004, "message.react", reaction(message, "👍", "remove"))

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob)
    await take_back(bob, message, "👎", alice)
    await bob.refused(4004, "message.react", reaction(message, "👎", "remove"))
    await nobody_gets_anything(alice, bob)


async def test_a_reaction_has_1_to_128_characters(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob, room, message = await chat(connect, users)
    for content in ("x", "ž" * 128, "👍" * 128):
        await react(bob, message, content, alice)
    before = stored(orm, room)

    for type in ("add", "remove"):
        for content in ("", "x" * 129, "👍" * 129, 1, True, [], {}, ["👍"]):
            detail = await bob.refused(4003, "message.react", reaction(message, content, type))
            assert "reaction_content" in detail, (type, content)
    for content in ({}, {"reaction_content": None}):
        data = {"type": "add", "message_id": message["id"], **content}
        assert "reaction_content" in await bob.refused(4003, "message.react", data)

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob)


async def test_a_reaction_that_is_neither_added_nor_removed_is_refused(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, room, message = await chat(connect, users)
    before = stored(orm, room)

    for type in (None, "", "Add", "toggle", 1, True, [], ["add"], {}):
        detail = await bob.refused(4003, "message.react", reaction(message, "👍", type))
        assert "type" in detail, type
    data = {"message_id": message["id"], "reaction_content": "👍"}
    assert "type" in await bob.refused(4003, "message.react", data)

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob)


@pytest.mark.parametrize("type", ["add", "remove"])
async def test_a_reaction_is_to_one_message_that_exists(
    type: str, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.refused(4004, "message.react", reaction({"id": NOWHERE}, "👍", type))
    for message_id in (None, "", "x", 1, True, [], {}, [NOWHERE]):
        await alice.refused(4003, "message.react", reaction({"id": message_id}, "👍", type))


async def test_nobody_reacts_to_a_hidden_message(
    connect: Connect, users: Users, settings: Settings, orm: Orm
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MESSAGE_SOFT_DELETE": True}
    alice, bob, room, message = await chat(connect, users)
    await react(bob, message, "👍", alice)
    await alice.send("message.modify", {"action": "delete", "message_id": message["id"]})
    await everybody_gets("messagemodification.dispatch", alice, bob)
    before = stored(orm, room)

    await bob.refused(4003, "message.react", reaction(message, "👎"))
    await bob.refused(4003, "message.react", reaction(message, "👍", "remove"))

    assert stored(orm, room) == before
    await alice.nothing()


async def test_a_reaction_waits_for_the_sender_of_the_message_alone(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(alice, room, "hello", bob, carol)

    async def reactions_waiting_for(person: Person) -> list[dict[str, str]]:
        late = await connect(person.user)
        waiting = late.notifications.get(room["id"], [])
        return [
            contents(notification["message"])
            for notification in waiting
            if notification["notification_type"] == "REACTION"
        ]

    await react(alice, message, "🎉", bob, carol)
    assert await reactions_waiting_for(alice) == []
    late = await another_socket(connect, bob)
    await react(bob, message, "👍", alice, carol, late)
    await react(bob, message, "👎", alice, carol, late)

    # One notification per reaction; each shows the message as it stands.
    now = {alice.name: "🎉", bob.name: "👎"}
    assert await reactions_waiting_for(alice) == [now]
    assert await reactions_waiting_for(bob) == []
    assert await reactions_waiting_for(carol) == []

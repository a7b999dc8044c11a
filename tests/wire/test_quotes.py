"""Replies and forwards."""

import json

import pytest
from pytest_django import Settings

from tests.conftest import Connect, Orm, Users
from tests.wire.messages import MESSAGE_KEYS, alone, configure, delete, edit, media, react
from tests.wire.rooms import (
    NOWHERE,
    ROOM_TYPES,
    Message,
    everybody_gets,
    group,
    in_list,
    messages_of,
    one_to_one,
    people,
    room_of_type,
    say,
    stored,
)

QUOTES = ["parent_message_id", "forwarded_from_id"]


def passed_on(message: Message) -> Message:
    """A message as a forward shows it in another room: not where it stands."""
    return {**message, "room": {"id": None}}


async def test_a_reply_shows_what_it_answers(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    question = await say(alice, room, "when?", bob, extra_fields={"media": [media()]})

    reply = await say(bob, room, "now", alice, extra_fields={"parent_message_id": question["id"]})

    assert reply["parent_message"] == question
    assert reply["forwarded_from"] is None
    assert reply["is_forwarded"] is False


@pytest.mark.parametrize("room_type", ROOM_TYPES)
async def test_a_forward_carries_a_message_into_another_room(
    room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    here = await room_of_type(room_type, alice, bob)
    there = await room_of_type(room_type, alice, carol)
    news = await say(alice, here, "news", bob, extra_fields={"media": [media()]})

    forward = await say(
        alice, there, "read this", carol, extra_fields={"forwarded_from_id": news["id"]}
    )

    assert forward["forwarded_from"] == passed_on(news)
    assert forward["is_forwarded"] is True
    assert forward["parent_message"] is None
    assert forward["room"] == {"id": there["id"]}
    assert forward["content"] == "read this"
    assert forward["attachments"] == []
    assert await messages_of(carol, there) == [forward]
    await bob.nothing()


async def test_a_reply_and_a_forward_exclude_each_other(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    one, other = await say(alice, room, "one", bob), await say(alice, room, "other", bob)
    before = stored(orm, room)

    for forwarded in (one, other):
        both = {"parent_message_id": one["id"], "forwarded_from_id": forwarded["id"]}
        data = {"room_id": room["id"], "content": "both", "extra_fields": both}
        await bob.refused(4003, "message.send", data)

    assert stored(orm, room) == before
    await alice.nothing()


@pytest.mark.parametrize("field", QUOTES)
async def test_a_chain_of_quotes_does_not_grow_the_frame(
    field: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first = quoted = await say(alice, room, "0", bob)
    chain = []

    for number in range(1, 8):
        message = await say(alice, room, str(number), bob, extra_fields={field: quoted["id"]})
        name = field.removesuffix("_id")
        assert message[name]["content"] == str(number - 1)
        assert message[name].keys() == MESSAGE_KEYS
        assert message[name]["parent_message"] is None
        assert message[name]["forwarded_from"] is None
        chain.append(message)
        quoted = message

    # The flag of the first, which quotes nothing itself, may differ in length.
    sizes = {len(json.dumps(message)) for message in chain[1:]}
    assert len(sizes) == 1
    assert await messages_of(bob, room) == [*chain[::-1], first]


@pytest.mark.parametrize("field", QUOTES)
async def test_a_quoted_message_that_does_not_exist_is_not_found(
    field: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, room = await alone(connect, users)
    before = stored(orm, room)

    data = {"room_id": room["id"], "content": "hello", "extra_fields": {field: NOWHERE}}
    await alice.refused(4004, "message.send", data)

    assert stored(orm, room) == before


@pytest.mark.parametrize("field", QUOTES)
async def test_a_malformed_id_of_a_quoted_message_is_refused(
    field: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, room = await alone(connect, users)
    before = stored(orm, room)

    for value in ("", "x", 1, True, [], {}, {"id": NOWHERE}):
        data = {"room_id": room["id"], "content": "hello", "extra_fields": {field: value}}
        assert field in json.dumps(await alice.refused(4003, "message.send", data)), value

    assert stored(orm, room) == before


@pytest.mark.parametrize("field", QUOTES)
async def test_a_message_that_was_deleted_for_good_can_no_longer_be_quoted(
    field: str, connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)
    message = await say(alice, room, "gone")
    quote = await say(alice, room, "quote", extra_fields={field: message["id"]})
    await delete(alice, [message["id"]])

    data = {"room_id": room["id"], "content": "hello", "extra_fields": {field: message["id"]}}
    await alice.refused(4004, "message.send", data)

    # A forward is a copy: it shows what it passed on.
    (shown,) = await messages_of(alice, room)
    assert shown["id"] == quote["id"]
    assert shown["parent_message"] is None
    assert shown["forwarded_from"] == quote["forwarded_from"]


@pytest.mark.parametrize("field", QUOTES)
async def test_a_hidden_message_can_no_longer_be_quoted_and_shows_nothing_where_it_was(
    field: str, connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MESSAGE_SOFT_DELETE=True)
    alice, room = await alone(connect, users)
    message = await say(alice, room, "a secret", extra_fields={"media": [media()]})
    quote = await say(alice, room, "quote", extra_fields={field: message["id"]})
    await delete(alice, [message["id"]])

    data = {"room_id": room["id"], "content": "hello", "extra_fields": {field: message["id"]}}
    await alice.refused(4003, "message.send", data)

    (shown,) = await messages_of(alice, room)
    assert shown["content"] == "quote"
    assert shown["parent_message"] is None
    assert shown["forwarded_from"] == quote["forwarded_from"]


async def test_a_quote_in_its_own_room_shows_who_reacted_also_beside_a_forward_of_the_same(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    here, there = await group(alice, bob), await group(alice, bob)
    message = await say(alice, here, "news", bob)
    reaction = {"type": "add", "message_id": message["id"], "reaction_content": "!"}
    await bob.send("message.react", reaction)
    reacted = (await everybody_gets("reaction.dispatch", alice, bob))["message"]
    extra_fields = {"forwarded_from_id": message["id"]}
    forward = await say(alice, there, "", bob, extra_fields=extra_fields)
    extra_fields = {"parent_message_id": message["id"]}
    reply = await say(bob, here, "wow", alice, extra_fields=extra_fields)

    assert reply["parent_message"] == reacted
    # Both messages are loaded for one answer.
    assert (await in_list(bob, here))["last_message"] == reply
    assert (await in_list(bob, there))["last_message"] == forward


# Forwards are copies


async def test_a_forward_shows_nothing_of_what_becomes_of_its_source(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    here, there = await group(alice, bob), await group(alice, carol)
    picture = {"media": [media(caption="as it was")]}
    source = await say(alice, here, "as it was", bob, extra_fields=picture)
    extra_fields = {"forwarded_from_id": source["id"]}
    forward = await say(alice, there, "", carol, extra_fields=extra_fields)
    assert forward["forwarded_from"] == passed_on(source)

    await edit(alice, source["id"], "a secret of theirs", bob)
    await react(bob, source, "!", alice)
    assert await messages_of(carol, there) == [forward]
    assert (await in_list(carol, there))["last_message"] == forward
    # Nor does an edit, a reaction or a receipt of the forward itself bring it in.
    edited = (await edit(alice, forward["id"], "look", carol))["message"]
    assert edited["forwarded_from"] == forward["forwarded_from"]
    reacted = await react(carol, forward, "!", alice)
    assert reacted["forwarded_from"] == forward["forwarded_from"]
    # Whoever forwards it now passes on what it says now.
    later = await say(alice, there, "", carol, extra_fields=extra_fields)
    assert later["forwarded_from"]["content"] == "a secret of theirs"
    assert later["forwarded_from"]["reactions"] == []

    await delete(alice, source["id"], bob)
    assert [each["forwarded_from"] for each in await messages_of(carol, there)] == [
        later["forwarded_from"],
        forward["forwarded_from"],
    ]


async def test_a_forward_within_its_room_says_where_its_source_stands(
    connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)
    source = await say(alice, room, "news")
    await react(alice, source, "!")

    forward = await say(alice, room, "", extra_fields={"forwarded_from_id": source["id"]})

    assert forward["forwarded_from"] == source
    assert (await messages_of(alice, room))[0] == forward


async def test_a_forward_of_a_forward_shows_the_first_of_them(
    connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)
    source = await say(alice, room, "news")
    first = await say(alice, room, "look", extra_fields={"forwarded_from_id": source["id"]})

    second = await say(alice, room, "again", extra_fields={"forwarded_from_id": first["id"]})

    assert second["forwarded_from"] == {**first, "forwarded_from": None}
    assert (await messages_of(alice, room))[0] == second


async def test_nothing_is_left_of_a_forward_that_is_deleted(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MESSAGE_SOFT_DELETE=True)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    source = await say(alice, room, "news", bob)
    forward = await say(alice, room, "", bob, extra_fields={"forwarded_from_id": source["id"]})
    await delete(alice, forward["id"], bob)

    # The row is there, and may still be read.
    await bob.send("message.read", {"message_id": forward["id"]})

    shown = await everybody_gets("readreceipt.dispatch", alice, bob)
    assert (shown["is_deleted"], shown["forwarded_from"]) == (True, None)

"""How long a message may be, how many media items it may have, and how large a frame may be."""

import json

from pytest_django import Settings

from tests.conftest import Connect, Orm, Users
from tests.wire.messages import alone, configure, edit, media
from tests.wire.rooms import (
    everybody_gets,
    nobody_gets_anything,
    one_to_one,
    people,
    say,
    stored,
)


async def test_a_message_has_a_longest_length(
    connect: Connect, users: Users, settings: Settings, orm: Orm
) -> None:
    configure(settings, MAX_MESSAGE_LENGTH=20)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    message = await say(alice, room, "ž" * 20, bob)
    before = stored(orm, room)
    too_long = {"content": "ž" * 21}
    await alice.refused(4003, "message.send", {"room_id": room["id"], **too_long})
    data = {"action": "update", "message_id": message["id"], "extra_fields": too_long}
    assert "content" in await alice.refused(4003, "message.modify", data)

    assert stored(orm, room) == before
    await bob.nothing()


async def test_by_default_a_message_has_at_most_10000_characters(
    connect: Connect, users: Users
) -> None:
    alice, room = await alone(connect, users)

    await say(alice, room, "x" * 10_000)

    await alice.refused(4003, "message.send", {"room_id": room["id"], "content": "x" * 10_001})


async def test_the_length_of_messages_may_be_unlimited(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_MESSAGE_LENGTH=None)
    alice, room = await alone(connect, users)
    text = "x" * 100_000

    message = await say(alice, room, text)
    edited = await edit(alice, message["id"], text + "y")

    assert message["content"] == text
    assert edited["message"]["content"] == text + "y"


async def test_a_message_has_a_largest_number_of_media_items(
    connect: Connect, users: Users, settings: Settings, orm: Orm
) -> None:
    configure(settings, MAX_MEDIA_ITEMS=2)
    alice, room = await alone(connect, users)

    message = await say(alice, room, "", extra_fields={"media": [media()] * 2})
    assert len(message["attachments"]) == 2
    before = stored(orm, room)
    data = {"room_id": room["id"], "content": "", "extra_fields": {"media": [media()] * 3}}
    refusal = await alice.refused(4003, "message.send", data)
    assert refusal.keys() == {"extra_fields.media"}

    assert stored(orm, room) == before


async def test_the_number_of_media_items_may_be_unlimited(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_MEDIA_ITEMS=None)
    alice, room = await alone(connect, users)

    message = await say(alice, room, "", extra_fields={"media": [media()] * 60})

    assert len(message["attachments"]) == 60


async def test_a_frame_that_is_too_large_closes_the_socket_with_1009(
    connect: Connect, users: Users, settings: Settings, orm: Orm
) -> None:
    configure(settings, MAX_FRAME_BYTES=2000)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    def frame(size: int, letter: str) -> str:
        data = {"room_id": room["id"], "content": ""}
        empty = json.dumps({"event_type": "message.send", "data": data})
        count, rest = divmod(size - len(empty), len(letter.encode()))
        data["content"] = "x" * rest + letter * count
        text = json.dumps({"event_type": "message.send", "data": data}, ensure_ascii=False)
        assert len(text.encode()) == size
        return text

    # It is bytes that count, not characters.
    for letter in ("x", "ž", "👍"):
        await alice.client.send_raw(frame(2000, letter))
        await everybody_gets("message.dispatch", alice, bob)
    before = stored(orm, room)
    for letter in ("x", "ž", "👍"):
        phone = await connect(alice.user)
        await phone.send_raw(frame(2001, letter))
        assert await phone.closed() == 1009
        assert phone.waiting() == []

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob)


async def test_a_binary_frame_that_is_too_large_closes_the_socket_with_1009(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_FRAME_BYTES=2000)
    alice = await connect(users("alice"))

    await alice.send_raw(b"\0" * 2000)
    await alice.error(4003)
    await alice.send_raw(b"\0" * 2001)

    assert await alice.closed() == 1009


async def test_by_default_a_frame_has_at_most_a_mebibyte(connect: Connect, users: Users) -> None:
    alice = await connect(users("alice"))

    await alice.send_raw("x" * 2**20)
    await alice.error(4003)
    await alice.send_raw("x" * (2**20 + 1))

    assert await alice.closed() == 1009


async def test_the_size_of_frames_may_be_unlimited(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_FRAME_BYTES=None, MAX_MESSAGE_LENGTH=None)
    alice, room = await alone(connect, users)

    message = await say(alice, room, "x" * (2**20 + 1))

    assert len(message["content"]) == 2**20 + 1

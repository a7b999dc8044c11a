"""Messages that are deleted."""

import pytest
from pytest_django import Settings

from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.messages import configure, delete, media
from tests.wire.rooms import (
    NOWHERE,
    another_socket,
    everybody_gets,
    group,
    in_list,
    messages_of,
    nobody_gets_anything,
    one_to_one,
    people,
    say,
    stored,
    wire_id,
)


@pytest.fixture(params=[False, True], ids=["hard", "soft"])
def soft(request: pytest.FixtureRequest, settings: Settings) -> bool:
    """Whether messages that are deleted are hidden only; the test runs with both."""
    configure(settings, MESSAGE_SOFT_DELETE=request.param)
    hidden: bool = request.param
    return hidden


async def test_a_deletion_reaches_every_socket_of_every_member_and_nobody_else(
    soft: bool, connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "mallory")
    room = await one_to_one(alice, bob)
    devices = [await another_socket(connect, person) for person in (alice, bob)]
    message = await say(alice, room, "oops", bob, *devices)

    answer = await delete(alice, message["id"], bob, *devices)

    assert answer == {
        "status": "successful",
        "action": "delete",
        "message_ids": [message["id"]],
        "deleted_by": alice.name,
    }
    await nobody_gets_anything(alice, bob, *devices, stranger)


async def test_a_deleted_message_is_hidden_from_the_room_and_the_list_of_rooms(
    soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    first = await say(alice, room, "first", bob)
    second = await say(bob, room, "second", alice)
    third = await say(alice, room, "third", bob, extra_fields={"media": [media()]})
    assert (await in_list(bob, room))["last_message"] == third

    await delete(alice, third["id"], bob)

    for person in (alice, bob):
        assert await messages_of(person, room) == [second, first]
        assert (await in_list(person, room))["last_message"] == second
    await delete(bob, second["id"], alice)
    await delete(alice, first["id"], bob)
    assert await messages_of(alice, room) == []
    assert (await in_list(alice, room))["last_message"] is None

    rows = stored(orm, room)["messages"]
    assert [row["is_deleted"] for row in rows] == ([True] * 3 if soft else [])


async def test_a_list_of_messages_is_deleted_at_once(
    soft: bool, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    ids = [(await say(alice, room, str(number), bob))["id"] for number in range(4)]
    kept = await say(bob, room, "kept", alice)

    answer = await delete(alice, [ids[2], ids[0], ids[2], ids[3], ids[1]], bob)

    assert answer["message_ids"] == [ids[2], ids[0], ids[3], ids[1]]
    assert await messages_of(bob, room) == [kept]
    await nobody_gets_anything(alice, bob)


async def test_messages_of_several_rooms_are_not_deleted_together(
    soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    rooms = [await one_to_one(alice, bob), await group(alice, bob)]
    ids = [(await say(alice, room, "hello", bob))["id"] for room in rooms]
    before = stored(orm, *rooms)

    await alice.refused(4003, "message.modify", {"action": "delete", "message_id": ids})

    assert stored(orm, *rooms) == before
    await bob.nothing()


@pytest.mark.parametrize(("other", "code"), [("of bob", 4002), ("unknown", 4004), ("x", 4003)])
async def test_a_list_with_one_wrong_message_deletes_none(
    other: str, code: int, soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    mine = await say(alice, room, "mine", bob)
    his = await say(bob, room, "his", alice)
    wrong = {"of bob": his["id"], "unknown": NOWHERE}.get(other, other)
    before = stored(orm, room)

    data = {"action": "delete", "message_id": [mine["id"], wrong]}
    await alice.refused(code, "message.modify", data)

    assert stored(orm, room) == before
    await nobody_gets_anything(alice, bob)


async def test_a_deleted_message_can_be_neither_edited_nor_deleted_again(
    soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "oops", bob)
    await delete(alice, message["id"], bob)
    before = stored(orm, room)

    # A hidden one still exists; one that is gone does not.
    code = 4003 if soft else 4004
    data = {"message_id": message["id"], "extra_fields": {"content": "back"}}
    await alice.refused(code, "message.modify", {"action": "update", **data})
    await alice.refused(code, "message.modify", {"action": "delete", **data})

    assert stored(orm, room) == before
    await bob.nothing()


async def test_what_was_deleted_waits_for_nobody(
    soft: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    carol = users("carol")
    room = await group(alice, bob)
    await alice.send("room.add_members", {"room_id": room["id"], "members": [wire_id(carol.pk)]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)
    message = await say(alice, room, "oops", bob)
    kept = await say(alice, room, "kept", bob)
    await bob.send(
        "message.react", {"type": "add", "message_id": message["id"], "reaction_content": "?"}
    )
    await everybody_gets("reaction.dispatch", alice, bob)

    await delete(alice, message["id"], bob)

    for person in (carol, bob.user):
        late = await connect(person)
        (waiting,) = late.notifications[room["id"]]
        assert waiting["message"]["id"] == kept["id"]
    assert (await connect(alice.user)).notifications == {}
    rows = get_model("ChatNotification").objects.filter(message_id=message["id"])
    assert orm(rows.count) == 0


@pytest.mark.parametrize("action", ["update", "delete"])
async def test_a_malformed_message_id_of_a_modification_is_refused(
    action: str, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    for message_id in (None, "", "x", 1, True, [], {}, [None], [[]], ["x"], [1], [NOWHERE, "x"]):
        data = {"action": action, "message_id": message_id, "extra_fields": {"content": "x"}}
        await alice.refused(4003, "message.modify", data)


async def test_what_was_deleted_is_not_shown_to_who_sends_it_again(
    soft: bool, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    message = await say(alice, room, "once", client_id="1")
    await alice.send("message.modify", {"action": "delete", "message_id": message["id"]})
    await alice.expect("messagemodification.dispatch")

    again = {"room_id": room["id"], "content": "once", "client_id": "1"}
    await alice.refused(4004, "message.send", again)

    assert await messages_of(alice, room) == []

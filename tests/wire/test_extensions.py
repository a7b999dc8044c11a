"""PROTOCOL of what is opt-in at the envelope: ``request_id`` and ``client_id``."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import (
    Message,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    messages_of,
    one_to_one,
    people,
    say,
)

# Naming a request


@pytest.mark.parametrize("request_id", ["1", "", "x" * 64, "ü" * 64, "👩‍👩‍👧", 0, 1, -1, 2**53])
async def test_a_request_id_is_a_string_or_an_integer_and_comes_back_as_it_was(
    request_id: Any, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.send("room.list", request_id=request_id)

    assert await alice.expect("roomlist.dispatch", request_id=request_id) == []


@pytest.mark.parametrize("request_id", ["x" * 65, True, False, 1.5, 1e30, [], ["1"], {}])
async def test_any_other_request_id_is_a_validation_error(
    request_id: Any, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    frame = {"event_type": "room.list", "data": {}, "request_id": request_id}

    await alice.client.send_raw(json.dumps(frame))

    assert await alice.error(4003)


async def test_a_request_id_of_null_is_none(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.client.send_raw('{"event_type": "room.list", "data": {}, "request_id": null}')

    assert await alice.expect("roomlist.dispatch") == []


async def test_every_private_answer_names_its_request(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    where = {"room_id": room["id"]}

    for number, (event_type, data, answer) in enumerate(
        [
            ("room.list", {}, "roomlist.dispatch"),
            ("room.info", where, "roominfo.dispatch"),
            ("room.messages", where, "roommessages.dispatch"),
            ("room.messages", {**where, "paginate": {"page": 1, "size": 1}}, None),
            ("session.resume", {"streams": {}}, "session.resumed"),
        ]
    ):
        await alice.send(event_type, data, request_id=number)
        await alice.expect(answer or "roommessages.dispatch", request_id=number)
    await alice.send("session.heartbeat", request_id="beat")
    await alice.success(request_id="beat")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"event_type": "room.info", "data": {"room_id": "x"}}, 4003),
        ({"event_type": "room.info", "data": {"room_id": str(uuid4())}}, 4004),
        ({"event_type": "room.info", "data": []}, 4003),
        ({"event_type": "room.info"}, 4003),
        ({"event_type": "room.modify", "data": {"action": "x"}}, 4003),
        ({"event_type": "session.resume", "data": {}}, 4003),
        ({"event_type": 1, "data": {}}, 4003),
        ({"data": {}}, 4003),
    ],
)
async def test_every_error_names_its_request(
    frame: dict[str, Any], code: int, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.client.send_raw(json.dumps({**frame, "request_id": "mine"}))

    assert await alice.error(code, request_id="mine")


async def test_a_denial_and_a_conflict_name_their_request(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await one_to_one(alice, bob)

    await carol.send("room.info", {"room_id": room["id"]}, request_id=1)
    await carol.error(4002, request_id=1)
    data = {"type": "OneToOneChat", "participants": [bob.id]}
    await alice.send("room.create", data, request_id=2)
    await alice.error(4005, request_id=2)


async def test_an_unknown_event_names_its_request(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.send("room.paint", request_id=7)

    assert await alice.next() == {"error": "invalid event type", "request_id": 7}


async def test_an_event_without_a_private_answer_is_confirmed_to_the_asking_socket_alone(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    beside = await another_socket(connect, alice)
    everybody = (alice, beside, bob)

    async def confirmed(sender: Person, event_type: str, data: Any, *frames: str) -> Any:
        """Send a named event, whose broadcasts come without the name and before the answer."""
        await sender.send(event_type, data, request_id=event_type)
        taken = [await everybody_gets(frame, *everybody) for frame in frames]
        await sender.success(request_id=event_type)
        return taken[0] if taken else None

    data: dict[str, Any] = {"type": "GroupChat", "name": "n", "participants": [bob.id]}
    room = await confirmed(alice, "room.create", data, "roomcreate.dispatch")
    where = {"room_id": room["id"]}
    data = {**where, "content": "hello"}
    message = await confirmed(alice, "message.send", data, "message.dispatch")
    which = {"message_id": message["id"]}
    await confirmed(bob, "message.typing", where, "messagetyping.dispatch")
    await confirmed(bob, "message.read", which, "readreceipt.dispatch")
    data = {**which, "type": "add", "reaction_content": "+"}
    await confirmed(bob, "message.react", data, "reaction.dispatch")
    data = {**which, "action": "update", "extra_fields": {"content": "changed"}}
    await confirmed(alice, "message.modify", data, "messagemodification.dispatch")
    await bob.send("message.acknowledged", which, request_id="ack")
    await bob.success(request_id="ack")
    await everybody_gets("messagedelivered.dispatch", alice, beside)
    await confirmed(alice, "message.acknowledged", which)
    data = {**which, "action": "delete"}
    await confirmed(alice, "message.modify", data, "messagemodification.dispatch")
    data = {**where, "action": "update", "data": {"name": "new"}}
    await confirmed(alice, "room.modify", data, "roomupdate.dispatch")
    await bob.send("room.leave", where, request_id="out")
    await bob.expect("roomexit.dispatch")
    await bob.success(request_id="out")
    await everybody_gets("roomremovemembers.dispatch", alice, beside)
    data = {**where, "members": [bob.id]}
    await confirmed(alice, "room.add_members", data, "roomaddmembers.dispatch")
    await alice.send("room.remove_members", data, request_id="remove")
    await bob.expect("roomexit.dispatch")
    await everybody_gets("roomremovemembers.dispatch", alice, beside)
    await alice.success(request_id="remove")
    await alice.send("room.modify", {**where, "action": "delete"}, request_id="delete")
    await everybody_gets("roomdelete.dispatch", alice, beside)
    await alice.success(request_id="delete")
    for person in everybody:
        await person.nothing()


async def test_joining_is_confirmed(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    data = {"type": "Channel", "name": "n", "extra_fields": {"is_public": True}}
    await alice.send("room.create", data)
    room = await alice.expect("roomcreate.dispatch")

    await bob.send("room.join", {"room_id": room["id"]}, request_id=1)

    await everybody_gets("roomaddmembers.dispatch", alice, bob)
    await bob.success(request_id=1)
    await alice.nothing()


# Sending again


async def repeat(sender: Person, room: Room, client_id: str, content: str = "again") -> Message:
    """Send with a ``client_id`` that was used; returns the message that the sender is shown."""
    data = {"room_id": room["id"], "content": content, "client_id": client_id}
    await sender.send("message.send", data)
    message: Message = await sender.expect("message.dispatch")
    return message


async def test_a_repeat_stores_nothing_and_tells_the_sender_alone(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    beside = await another_socket(connect, alice)
    room = await one_to_one(alice, Person(bob.user, bob.client)) if False else None
    del room
    shared = await group(alice, beside, bob)
    message = await say(alice, shared, "once", beside, bob, client_id="1")

    for sender in (alice, beside):
        assert await repeat(sender, shared, "1") == message

    for person in (alice, beside, bob):
        await person.nothing()
    assert await messages_of(alice, shared) == [message]

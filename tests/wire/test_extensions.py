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
    NOWHERE,
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


async def shown_until_now(socket: Person) -> list[Message]:
    """Every message that a socket is shown until all that it has sent is dealt with."""
    await socket.send("room.list")
    messages = []
    while (frame := await socket.next())["eventType"] == "message.dispatch":
        messages.append(frame["data"])
    assert frame["eventType"] == "roomlist.dispatch"
    return messages


async def test_a_repeat_stores_nothing_and_tells_the_asking_socket_alone(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    beside = await another_socket(connect, alice)
    room = await group(alice, beside, bob)
    message = await say(alice, room, "once", beside, bob, client_id="1")

    for sender in (alice, beside, alice):
        assert await repeat(sender, room, "1") == message

    for person in (alice, beside, bob):
        await person.nothing()
    assert await messages_of(alice, room) == [message]


async def test_a_repeat_that_has_a_name_is_answered_by_name(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    message = await say(alice, room, "once", client_id="1")

    data = {"room_id": room["id"], "content": "again", "client_id": "1"}
    await alice.send("message.send", data, request_id="again")

    assert await alice.expect("message.dispatch", request_id="again") == message
    await alice.nothing()


async def test_a_repeat_makes_no_notification(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    await say(alice, room, "once", bob, client_id="1")

    await repeat(alice, room, "1")

    rows = get_model("ChatNotification").objects.filter(room_id=room["id"])
    assert orm(rows.count) == 1


async def test_a_message_sent_on_several_sockets_at_once_is_one(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    sockets = [alice, *[await another_socket(connect, alice) for _ in range(4)]]
    room = await group(*sockets, bob)
    data = {"room_id": room["id"], "content": "once", "client_id": "1"}

    await asyncio.gather(*(socket.send("message.send", data) for socket in sockets))

    message = await bob.expect("message.dispatch")
    shown = [each for socket in sockets for each in await shown_until_now(socket)]
    # Every socket hears of it, and all but one are answered with it besides.
    assert shown == [message] * (2 * len(sockets) - 1)
    await bob.nothing()
    assert await messages_of(bob, room) == [message]


async def test_a_repeat_into_another_room_is_one(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, other = await one_to_one(alice, bob), await group(alice, bob)
    message = await say(alice, room, "once", bob, client_id="1")

    assert await repeat(alice, other, "1") == message

    await bob.nothing()
    assert await messages_of(alice, other) == []


async def test_a_message_sent_into_several_rooms_at_once_is_one(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    sockets = [alice, *[await another_socket(connect, alice) for _ in range(3)]]
    rooms = [await group(*sockets, bob) for _ in sockets]

    await asyncio.gather(
        *(
            socket.send(
                "message.send", {"room_id": room["id"], "content": "once", "client_id": "1"}
            )
            for socket, room in zip(sockets, rooms, strict=True)
        )
    )

    message = await bob.expect("message.dispatch")
    shown = [each for socket in sockets for each in await shown_until_now(socket)]
    assert shown == [message] * (2 * len(sockets) - 1)
    await bob.nothing()
    written = [each for room in rooms for each in await messages_of(bob, room)]
    assert written == [message]


async def test_a_repeat_shows_what_became_of_the_message(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "once", bob, client_id="1")
    data = {"message_id": message["id"], "extra_fields": {"content": "changed"}}
    await alice.send("message.modify", {"action": "update", **data})
    edited = (await everybody_gets("messagemodification.dispatch", alice, bob))["message"]

    assert await repeat(alice, room, "1", "once") == edited

    await bob.nothing()
    assert await messages_of(bob, room) == [edited]


async def test_a_repeat_of_a_deleted_message_does_not_bring_it_back(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "once", bob, client_id="1")
    await alice.send("message.modify", {"action": "delete", "message_id": message["id"]})
    await everybody_gets("messagemodification.dispatch", alice, bob)

    data = {"room_id": room["id"], "content": "once", "client_id": "1"}
    await alice.refused(4004, "message.send", data)

    await bob.nothing()
    assert await messages_of(bob, room) == []


async def test_the_same_id_of_another_sender_is_another_message(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    first = await say(alice, room, "mine", bob, client_id="1")
    second = await say(bob, room, "mine too", alice, client_id="1")

    assert await messages_of(alice, room) == [second, first]


async def test_a_send_that_was_refused_does_not_use_up_its_id(
    connect: Connect, users: Users, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_MESSAGE_LENGTH": 10}
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    data = {"room_id": room["id"], "content": "much too long", "client_id": "1"}
    await alice.refused(4003, "message.send", data)

    message = await say(alice, room, "shorter", client_id="1")

    assert message["content"] == "shorter"
    assert await messages_of(alice, room) == [message]


async def test_a_repeat_shows_nothing_to_who_is_in_the_room_no_more(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, own = await group(alice, bob), await group(bob)
    await say(bob, room, "once", alice, client_id="1")
    await bob.send("room.leave", {"room_id": room["id"]})
    await bob.expect("roomexit.dispatch")
    await alice.expect("roomremovemembers.dispatch")

    data = {"content": "again", "client_id": "1"}
    for where in (room, own):
        await bob.refused(4002, "message.send", {**data, "room_id": where["id"]})

    await alice.nothing()


@pytest.mark.parametrize("client_id", ["x", "x" * 64, "ü" * 64, NOWHERE])
async def test_a_client_id_has_at_most_64_characters(
    client_id: str, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    message = await say(alice, room, "once", client_id=client_id)

    assert await repeat(alice, room, client_id) == message


@pytest.mark.parametrize("client_id", ["x" * 65, 1, True, 1.5, [], ["1"], {}, "\0"])
async def test_any_other_client_id_is_a_validation_error(
    client_id: Any, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    data = {"room_id": room["id"], "content": "hello", "client_id": client_id}
    await alice.refused(4003, "message.send", data)

    assert await messages_of(alice, room) == []

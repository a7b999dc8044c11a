"""PROTOCOL of the connection itself: who is let in, what a frame must be, the heartbeat."""

import json
from typing import Any
from uuid import uuid4

import pytest
from guardian.utils import get_anonymous_user
from websockets.exceptions import InvalidStatus

from tests.client import Client
from tests.conftest import Connect, Orm, Users
from tests.servers import ChatThread

DEEP = 100_000


async def test_a_user_is_greeted_with_their_notifications(connect: Connect, users: Users) -> None:
    alice = await connect(users("alice"))

    assert alice.notifications == {}
    await alice.nothing()


async def test_every_socket_of_a_user_is_greeted(connect: Connect, users: Users) -> None:
    user = users("alice")
    phone = await connect(user)
    laptop = await connect(user)

    assert laptop.notifications == {}
    await phone.nothing()


async def test_somebody_unknown_is_accepted_and_then_closed_with_4001(connect: Connect) -> None:
    nobody = await connect(None, greeted=False)

    assert await nobody.closed() == 4001
    assert nobody.waiting() == []


async def test_guardians_anonymous_user_is_closed_with_4001(connect: Connect, orm: Orm) -> None:
    nobody = await connect(orm(get_anonymous_user), greeted=False)

    assert await nobody.closed() == 4001
    assert nobody.waiting() == []


async def test_a_user_who_does_not_exist_is_closed_with_4001(chat: ChatThread) -> None:
    async with Client(chat.url, 0, greeted=False) as nobody:
        assert await nobody.closed() == 4001


async def test_the_page_of_another_site_is_refused(chat: ChatThread, users: Users) -> None:
    stranger = Client(chat.url, users("alice").pk, origin="https://elsewhere.example")

    with pytest.raises(InvalidStatus, match="403"):
        await stranger.__aenter__()


async def test_a_heartbeat_is_answered_with_a_bare_success(connect: Connect, users: Users) -> None:
    alice = await connect(users("alice"))

    await alice.send("session.heartbeat")
    assert await alice.next() == {"status": "success"}

    await alice.send_raw('{"event_type": "session.heartbeat"}')
    assert await alice.next() == {"status": "success"}


@pytest.mark.parametrize("name", ["no.such", "", "message", "message.send ", "Message.Send", "\0"])
async def test_an_unknown_event_is_named_so_and_nothing_else(
    name: str, connect: Connect, users: Users
) -> None:
    alice = await connect(users("alice"))

    await alice.send(name, {"room_id": str(uuid4())})

    assert await alice.next() == {"error": "invalid event type"}
    await alice.nothing()


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param("", id="empty"),
        pytest.param("hello", id="text"),
        pytest.param("{", id="unfinished"),
        pytest.param('{"event_type": "session.heartbeat"} {}', id="two in one"),
        pytest.param('{"event_type": NaN}', id="NaN"),
        pytest.param("[" * DEEP + "]" * DEEP, id="deep array"),
        pytest.param('{"data":' * DEEP + "1" + "}" * DEEP, id="deep object"),
        pytest.param(b'{"event_type": "session.heartbeat"}', id="binary"),
        pytest.param(b"\xff\x00", id="binary, no text"),
        pytest.param("null", id="null"),
        pytest.param("true", id="true"),
        pytest.param("1", id="number"),
        pytest.param('"session.heartbeat"', id="string"),
        pytest.param('[{"event_type": "session.heartbeat"}]', id="array"),
        pytest.param("{}", id="no event_type"),
        pytest.param('{"eventType": "session.heartbeat", "data": {}}', id="misspelt event_type"),
    ],
)
async def test_a_frame_that_is_no_event_is_a_validation_error(
    frame: str | bytes, connect: Connect, users: Users
) -> None:
    alice = await connect(users("alice"))

    await alice.send_raw(frame)

    assert await alice.error(4003)
    await alice.heartbeat()


@pytest.mark.parametrize("event_type", [None, True, 1, 1.5, [], ["session.heartbeat"], {}])
async def test_an_event_type_that_is_no_string_is_a_validation_error(
    event_type: Any, connect: Connect, users: Users
) -> None:
    alice = await connect(users("alice"))

    await alice.send_raw(json.dumps({"event_type": event_type, "data": {}}))

    assert await alice.error(4003)
    await alice.heartbeat()


@pytest.mark.parametrize("data", [None, True, 0, 1.5, "", "room", [], [{"room_id": "1"}]])
async def test_data_that_is_no_object_is_a_validation_error(
    data: Any, connect: Connect, users: Users
) -> None:
    alice = await connect(users("alice"))

    await alice.send_raw(json.dumps({"event_type": "room.info", "data": data}))

    assert await alice.error(4003)
    await alice.heartbeat()


async def test_data_that_is_missing_is_a_validation_error(connect: Connect, users: Users) -> None:
    alice = await connect(users("alice"))

    await alice.send_raw('{"event_type": "room.info"}')

    assert await alice.error(4003)
    await alice.heartbeat()


@pytest.mark.parametrize("room_id", [None, "", "room", 1, [], {}, "\0", "\ud800"])
async def test_a_malformed_id_is_a_validation_error(
    room_id: Any, connect: Connect, users: Users
) -> None:
    alice = await connect(users("alice"))

    await alice.send("room.info", {"room_id": room_id})

    assert await alice.error(4003)
    await alice.heartbeat()


async def test_a_room_that_does_not_exist_is_not_found(connect: Connect, users: Users) -> None:
    alice = await connect(users("alice"))

    await alice.send("room.info", {"room_id": str(uuid4())})

    assert await alice.error(4004)


async def test_an_error_reaches_the_asking_socket_alone(connect: Connect, users: Users) -> None:
    user, other = users.make("alice", "bob")
    asking = await connect(user)
    beside = await connect(user)
    bob = await connect(other)

    await asking.send_raw("hello")
    await asking.error(4003)

    await beside.nothing()
    await bob.nothing()

"""The sessions of the endpoint's sockets: they count among those of their user."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from pytest_django import Settings
from websockets.exceptions import ConnectionClosed

from gql_chat import sessions
from gql_chat.endpoint import leases
from gql_chat.models import get_model
from gql_chat.rates import PATIENCE
from tests.conftest import Connect, Orm, Users
from tests.endpoint.conftest import OpenSocket
from tests.endpoint.tools import Tool
from tests.timing import eventually

SECONDS = 1_000_000
ROOMS = "{ rooms { id } }"


def sessions_of(user: AbstractUser) -> Any:
    return get_model("Session").objects.filter(user=user)


async def test_a_socket_has_a_session_from_its_greeting_until_its_end(
    open_socket: OpenSocket, staff: AbstractUser, orm: Orm
) -> None:
    socket = await open_socket(staff)
    await (await open_socket(staff)).init()
    assert orm(sessions_of(staff).count) == 1
    await socket.init()
    assert orm(sessions_of(staff).count) == 2
    names = orm(list, sessions_of(staff).values_list("channel_name", flat=True))
    assert all(name.startswith(sessions.TOOL_PREFIX) for name in names)

    await socket.socket.close()

    await eventually(lambda: orm(sessions_of(staff).count) == 1, "its session is gone")


async def test_sockets_of_both_kinds_are_counted_together(
    open_socket: OpenSocket,
    connect: Connect,
    staff: AbstractUser,
    users: Users,
    orm: Orm,
    settings: Settings,
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_SESSIONS_PER_USER": 2}
    client = await connect(staff)
    await (await open_socket(staff)).init()

    refused = await open_socket(staff)
    await refused.send({"type": "connection_init"})
    code, reason = await refused.closed()
    assert code == 4029
    assert "At most 2 sockets are allowed." in reason
    another = await connect(staff, greeted=False)
    assert (await another.error(4029))["retry_after"] > 0
    assert await another.closed() == 4029

    await client.close()
    await eventually(lambda: orm(sessions_of(staff).count) == 1, "its session is gone")
    await (await open_socket(staff)).init()
    await connect(users("somebody"))


async def test_sockets_that_open_at_once_are_no_more_than_a_user_may_have(
    open_socket: OpenSocket, staff: AbstractUser, orm: Orm, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_SESSIONS_PER_USER": 3}
    sockets = [await open_socket(staff) for _ in range(9)]

    await asyncio.gather(*(socket.send({"type": "connection_init"}) for socket in sockets))
    answers = await asyncio.gather(*(socket.next() for socket in sockets), return_exceptions=True)

    assert answers.count({"type": "connection_ack"}) == 3
    assert [socket.socket.close_code for socket in sockets].count(4029) == 6
    await eventually(lambda: orm(sessions_of(staff).count) == 3, "no other has a session")


async def test_a_tool_makes_nobody_connected(
    open_socket: OpenSocket, connect: Connect, staff: AbstractUser, tool: Tool, orm: Orm
) -> None:
    """Whoever is asked for push messages wants to know of people who look at the chat."""
    everybody = get_user_model()._default_manager.filter(pk=staff.pk)
    query = "{ connected_users { edges { node { username devices } } } }"

    def shown() -> list[Any]:
        edges = tool.ask(query)["connected_users"]["edges"]
        nodes = [each["node"] for each in edges]
        return [node["devices"] for node in nodes if node["username"] == staff.get_username()]

    await (await open_socket(staff)).init()
    assert orm(list, sessions.connected(everybody)) == []
    assert await asyncio.to_thread(shown) == []

    await connect(staff)
    assert orm(list, sessions.connected(everybody)) == [staff]
    assert await asyncio.to_thread(shown) == [1]


async def test_a_lease_is_renewed_while_its_socket_is_open(
    open_socket: OpenSocket, staff: AbstractUser, orm: Orm, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"INACTIVITY_THRESHOLD": 0.3}
    await (await open_socket(staff)).init()
    long_ago = datetime(2001, 2, 3, tzinfo=UTC)

    orm(sessions_of(staff).update, alive_at=long_ago)

    await eventually(lambda: orm(sessions_of(staff).get).alive_at > long_ago, "it is renewed")


async def test_who_connects_to_no_end_is_refused(
    open_socket: OpenSocket, staff: AbstractUser, settings: Settings
) -> None:
    """A socket counts among the events of its user, and so does each message on it."""
    settings.REALTIME_CHAT_MESSAGING = {"USER_RATE_LIMIT": {"events": 4, "seconds": SECONDS}}
    socket = await (await open_socket(staff)).init()
    for _ in range(3):
        await socket.nothing()
    # A ping too much is not answered; an operation is.
    await socket.send({"type": "ping"})
    await socket.start("1", ROOMS)
    assert await socket.error("1") == 4029

    another = await open_socket(staff)
    await another.send({"type": "connection_init"})
    assert (await another.closed())[0] == 4029


@pytest.mark.parametrize("kind", ["subscribe", "ping"])
async def test_a_client_that_goes_on_is_closed(
    kind: str, open_socket: OpenSocket, staff: AbstractUser, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"USER_RATE_LIMIT": {"events": 1, "seconds": SECONDS}}
    socket = await (await open_socket(staff)).init()

    async def go_on() -> None:
        for number in range(2 * PATIENCE):
            await socket.send({"id": str(number), "type": kind, "payload": {"query": ROOMS}})
            if kind == "subscribe":
                assert await socket.error(str(number)) == 4029

    with suppress(ConnectionClosed):
        await go_on()
    assert (await socket.closed())[0] == 4029


async def test_an_id_may_be_so_long_and_no_longer(
    open_socket: OpenSocket, staff: AbstractUser
) -> None:
    """Each result repeats it."""
    socket = await (await open_socket(staff)).init()
    await socket.start("x" * 256, ROOMS)
    await socket.data("x" * 256)
    await socket.completed("x" * 256)

    await socket.start("x" * 257, ROOMS)
    assert await socket.closed() == (4400, "The id is a string of at most 256 characters.")


async def test_a_message_of_too_many_values_closes_the_socket(
    open_socket: OpenSocket, staff: AbstractUser
) -> None:
    socket = await (await open_socket(staff)).init()

    await socket.send([[]] * 40_000)

    assert await socket.closed() == (1009, "At most 50000 values are allowed.")


async def test_without_sockets_nothing_is_renewed(
    open_socket: OpenSocket, staff: AbstractUser
) -> None:
    socket = await (await open_socket(staff)).init()
    held = [each for each in leases._leases.values() if each._held]
    assert held
    await socket.socket.close()

    await eventually(lambda: not any(each._renewing for each in held), "they rest")

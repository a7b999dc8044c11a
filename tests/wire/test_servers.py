"""What chat does on every ASGI server that is promised; ``CHAT_TEST_SERVER`` names it.

The rest of the protocol is tested on it by the modules that the step of each server in
``tests/run.py`` names.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from websockets.exceptions import ConnectionClosed

from event_bridge.consumers import ChatConsumer
from tests.client import Client
from tests.conftest import Connect, Orm, Users
from tests.servers import ChatProcess, ChatThread, chosen_kind
from tests.site.middleware import STUCK
from tests.wire.rooms import Person, group

MAX_FRAME_BYTES = 1024 * 1024

#: More than the buffers between two sockets of one machine take.
MESSAGES = 80
CONTENT = "x" * 200_000


@pytest.fixture
def process(server_environment: Mapping[str, str], request: Any) -> Iterator[ChatProcess]:
    """A process of the chosen server, with what the test puts around chat or sets."""
    application, settings = getattr(request, "param", ("tests.site.asgi:application", {}))
    environment = {**server_environment, "CHAT_TEST_SETTINGS": json.dumps(settings)}
    with ChatProcess(environment, application, chosen_kind()) as process:
        yield process


middleware = pytest.mark.parametrize(
    "process", [("tests.site.middleware:application", {})], indirect=True, ids=["middleware"]
)
impatient = pytest.mark.parametrize(
    "process",
    [
        (
            "tests.site.asgi:application",
            {
                "MAX_MESSAGE_LENGTH": None,
                "CHAT_CONSUMER_CLASS": "tests.site.consumers.Impatient",
            },
        )
    ],
    indirect=True,
    ids=["impatient"],
)


class Sockets:
    """Opens sockets on a process."""

    def __init__(self, process: ChatProcess, stack: AsyncExitStack) -> None:
        self._process = process
        self._stack = stack

    async def open(self, user: AbstractUser, more: str = "", **options: Any) -> Person:
        client = Client(self._process.url, user.pk, **options)
        client.url += more
        return Person(user, await self._stack.enter_async_context(client))


@pytest.fixture
async def sockets(process: ChatProcess) -> AsyncIterator[Sockets]:
    async with AsyncExitStack() as stack:
        yield Sockets(process, stack)


async def test_a_burst_reaches_everybody_in_order(sockets: Sockets, users: Users) -> None:
    alice, bob = users.make("alice", "bob")
    sender = await sockets.open(alice)
    room = await group(sender, await sockets.open(bob))
    listeners = [await sockets.open(bob) for _ in range(10)]

    for number in range(100):
        data = {"room_id": room["id"], "content": str(number)}
        await sender.send("message.send", data, request_id=number)

    for listener in listeners:
        got = [(await listener.expect("message.dispatch"))["content"] for _ in range(100)]
        assert got == [str(number) for number in range(100)]


async def test_a_frame_that_is_too_large_closes_the_socket_and_the_client_learns_why(
    sockets: Sockets, process: ChatProcess, users: Users
) -> None:
    alice = await sockets.open(users("alice"))

    await alice.client.send_raw("x" * (MAX_FRAME_BYTES + 1))

    if process.kind.substitutes:
        assert await alice.error(4003)
    assert await alice.client.closed() == (4009 if process.kind.substitutes else 1009)
    assert alice.client.drain() == []


async def test_a_frame_over_the_limit_of_the_server_is_not_read(
    sockets: Sockets, process: ChatProcess, users: Users
) -> None:
    alice = await sockets.open(users("alice"))

    with suppress(ConnectionClosed):  # it does not wait for the end
        await alice.client.send_raw("x" * (2 * process.kind.max_size))

    assert await alice.client.closed() == process.kind.too_large_code


@impatient
async def test_a_client_that_does_not_read_delays_nobody_and_can_resume(
    sockets: Sockets, process: ChatProcess, users: Users
) -> None:
    alice, bob = users.make("alice", "bob")
    sender, beside = await sockets.open(alice), await sockets.open(bob)
    room = await group(sender, beside)
    stream = f"room:{room['id']}"
    slow = (await sockets.open(bob, compression=None)).client
    await slow.send("session.resume", {"streams": {}})
    await slow.expect("session.resumed")

    slow.pause_reading()
    for number in range(MESSAGES):
        data = {"room_id": room["id"], "content": f"{number} {CONTENT}"}
        await sender.send("message.send", data)
        await sender.expect("message.dispatch")
        await beside.expect("message.dispatch")
    slow.resume_reading()

    code = await slow.closed()
    assert code in process.kind.slow_codes
    got = slow.drain()
    # What a connection held that was cut off may be lost with it.
    assert (0 if code == 1006 else 1) <= len(got) < MESSAGES
    last = got[-1]["seq"] if got else 1
    assert [frame["seq"] for frame in got] == list(range(2, last + 1))
    again = await sockets.open(bob)
    await again.send("session.resume", {"streams": {stream: last}})
    for number in range(len(got), MESSAGES):
        assert (await again.expect("message.dispatch"))["content"].startswith(f"{number} ")
    resumed = await again.expect("session.resumed")
    assert resumed["streams"][stream] == {"seq": MESSAGES + 1, "recovered": True}


@middleware
async def test_a_send_that_takes_too_long_closes_its_socket_and_no_other(
    sockets: Sockets, process: ChatProcess, users: Users
) -> None:
    alice, bob = users.make("alice", "bob")
    sender, other = await sockets.open(alice), await sockets.open(bob)
    room = await group(sender, other)
    sticky = await sockets.open(bob, "&sticky=1")
    fine = [await sockets.open(bob) for _ in range(3)]

    for content in ("before", STUCK, "after", "and after that"):
        await sender.send("message.send", {"room_id": room["id"], "content": content})
        for person in (sender, other, *fine):
            assert (await person.expect("message.dispatch"))["content"] == content

    # Closed, so that its client resumes; and nothing came after the frame that was lost.
    code = await sticky.client.closed()
    assert code == (4011 if process.kind.substitutes else 1011)
    got = [frame for frame in sticky.client.drain() if "eventType" in frame]
    assert [frame["data"]["content"] for frame in got] == ["before"]
    # Nobody else was cut short by that, neither at once nor when the time was up.
    for person in (sender, other, *fine):
        await person.heartbeat()


async def test_a_server_that_stops_says_how_to_go_on(
    sockets: Sockets, process: ChatProcess, users: Users
) -> None:
    alice = await sockets.open(users("alice"))

    await asyncio.to_thread(process.stop)

    assert await alice.client.closed() == process.kind.stop_code


@pytest.mark.skipif("CHAT_TEST_SERVER" in os.environ, reason="looks into a server of this process")
@pytest.mark.parametrize("ws", ["auto", "websockets-sansio", "wsproto"])
async def test_on_uvicorn_a_frame_needs_no_task(
    ws: str, users: Users, orm: Orm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below what docs/deployment.md tells projects to put around the socket, sessions included."""
    found: list[bool] = []
    welcome = ChatConsumer.connected

    async def connected(consumer: ChatConsumer) -> None:
        found.append(consumer.outbox._plain)
        await welcome(consumer)

    monkeypatch.setattr(ChatConsumer, "connected", connected)
    with ChatThread(ws=ws) as server:
        async with Client(server.url, users("alice").pk) as alice:
            await alice.heartbeat()

    assert found == [True]


async def test_hundreds_of_sockets_come_and_go(connect: Connect, users: Users) -> None:
    alice, bob = users.make("alice", "bob")
    room = await group(Person(alice, await connect(alice)), Person(bob, await connect(bob)))

    for _ in range(10):
        sockets = await asyncio.gather(*(connect(bob) for _ in range(20)))
        for number, socket in enumerate(sockets):
            if number % 2:
                await socket.close()
        await sockets[0].send("message.send", {"room_id": room["id"], "content": "hello"})
        for socket in sockets[::2]:
            while (await socket.next()).get("eventType") != "message.dispatch":
                pass
            await socket.close()

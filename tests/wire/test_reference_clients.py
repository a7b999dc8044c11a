"""The reference clients of the documentation, against a real server that loses them."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from channels.routing import ProtocolTypeRouter, URLRouter
from django.contrib.auth.models import AbstractUser

from docs.clients.chat_client import ChatClient, LoggedOut
from event_bridge.routing import websocket_urlpatterns
from tests.client import Client
from tests.conftest import Connect, Users
from tests.servers import ChatThread
from tests.site.asgi import BelieveQuery
from tests.timing import PATIENCE, eventually
from tests.wire.rooms import GROUP, wire_id

CLIENTS = Path(__file__).resolve().parents[2] / "docs" / "clients"
DRIVER = Path(__file__).parent / "drive_client.mjs"


async def make_group(creator: Client, member: AbstractUser) -> str:
    """Make a group of two over the creator's socket; return its id."""
    data = {"type": GROUP, "name": "Team", "participants": [wire_id(member.pk)]}
    await creator.send("room.create", data)
    room: str = (await creator.expect("roomcreate.dispatch"))["id"]
    return room


@pytest.fixture(scope="module")
def open_chat(committed_database: None) -> Iterator[ChatThread]:
    """A server that asks nobody for an Origin: clients that are no browsers send none."""
    application = ProtocolTypeRouter({"websocket": BelieveQuery(URLRouter(websocket_urlpatterns))})
    with ChatThread(application) as chat:
        yield chat


class Driven:
    """The JavaScript client in a Node process, told what to do over a pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    @property
    def messages(self) -> list[str]:
        return [
            event["data"]["content"] for event in self.events if event["name"] == "message.dispatch"
        ]

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.events.append(json.loads(line))

    async def tell(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        await self.process.stdin.drain()

    def saw(self, name: str) -> int:
        return sum(event["name"] == name for event in self.events)


@pytest.fixture
async def node(open_chat: ChatThread, users: Users) -> AsyncIterator[Any]:
    """Starts the JavaScript client for a user."""
    if shutil.which("node") is None:
        pytest.skip("needs node to run the JavaScript client")
    started: list[tuple[Driven, asyncio.Task[None]]] = []

    async def start(user: Any) -> Driven:
        process = await asyncio.create_subprocess_exec(
            "node",
            "--experimental-websocket",
            "--no-warnings",
            str(DRIVER),
            str(CLIENTS / "chat_client.js"),
            f"{open_chat.url}?user={user.pk}",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        driven = Driven(process)
        started.append((driven, asyncio.create_task(driven.read())))
        await eventually(lambda: driven.saw("ready") > 0, "the client is ready")
        return driven

    yield start
    for driven, reader in started:
        assert driven.process.stdin is not None
        driven.process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            await driven.process.wait()
            await reader


async def test_the_python_client_misses_nothing_and_repeats_nothing(
    open_chat: ChatThread, users: Users, connect: Connect
) -> None:
    alice, bob = users.make("alice", "bob")
    sender = await connect(alice)
    room = await make_group(sender, bob)
    seen: list[str] = []

    def take(name: str, data: Any) -> None:
        if name == "message.dispatch":
            seen.append(data["content"])

    client = ChatClient(f"{open_chat.url}?user={bob.pk}", take)
    running = asyncio.create_task(client.run())
    try:
        await client.resumed.wait()
        expected = []
        for number in range(12):
            text = f"from alice {number}"
            await sender.send("message.send", {"room_id": room, "content": text})
            await sender.expect("message.dispatch")
            expected.append(text)
            if number % 4 == 2:
                assert client._socket is not None
                client._socket.transport.abort()
        await eventually(lambda: seen == expected, "every message, once, in order")
    finally:
        running.cancel()


async def test_the_python_client_sends_each_message_once_across_breaks(
    open_chat: ChatThread, users: Users, connect: Connect
) -> None:
    alice, bob = users.make("alice", "bob")
    listener = await connect(alice)
    room = await make_group(listener, bob)
    client = ChatClient(f"{open_chat.url}?user={bob.pk}", lambda name, data: None)
    running = asyncio.create_task(client.run())
    try:
        await client.resumed.wait()
        for number in range(6):
            await client.send_message(room, f"from bob {number}")
            if number % 2:
                assert client._socket is not None
                client._socket.transport.abort()
        contents = {(await listener.expect("message.dispatch"))["content"] for _ in range(6)}
        assert contents == {f"from bob {number}" for number in range(6)}
        await eventually(lambda: not client.unconfirmed, "every send confirmed")
        await listener.nothing()
    finally:
        running.cancel()


async def test_the_python_client_stops_when_nobody_is_logged_in(open_chat: ChatThread) -> None:
    client = ChatClient(open_chat.url, lambda name, data: None)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(LoggedOut):
            await client.run()


async def test_the_javascript_client_misses_nothing_and_repeats_nothing(
    users: Users, connect: Connect, node: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    sender = await connect(alice)
    room = await make_group(sender, bob)
    client = await node(bob)
    expected = []
    for number in range(9):
        text = f"from alice {number}"
        await sender.send("message.send", {"room_id": room, "content": text})
        await sender.expect("message.dispatch")
        expected.append(text)
        if number == 4:
            await client.tell(do="break")
    await eventually(lambda: client.messages == expected, "every message, once, in order")


async def test_the_javascript_client_sends_each_message_once_across_breaks(
    users: Users, connect: Connect, node: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    listener = await connect(alice)
    room = await make_group(listener, bob)
    client = await node(bob)
    for number in range(6):
        await client.tell(do="send", room=room, content=f"from bob {number}")
        if number == 3:
            await client.tell(do="break")
    contents = {(await listener.expect("message.dispatch"))["content"] for _ in range(6)}
    assert contents == {f"from bob {number}" for number in range(6)}
    await listener.nothing()

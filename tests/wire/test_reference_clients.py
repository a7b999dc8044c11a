"""The reference clients of the documentation, against a real server that loses them."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from channels.routing import ProtocolTypeRouter, URLRouter
from django.contrib.auth.models import AbstractUser

from docs.clients.chat_client import ChatClient, LoggedOut
from event_bridge.routing import websocket_urlpatterns
from gql_chat.conf import chat_settings
from tests.client import Client
from tests.configuration import cannot_run
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


async def end(running: asyncio.Task[None]) -> None:
    """Cancel a client and wait until it has closed its socket."""
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


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

    def data(self, name: str) -> list[Any]:
        return [event["data"] for event in self.events if event["name"] == name]

    async def hears(self, name: str, count: int = 1) -> Any:
        """Wait until it has heard so many of these; returns the data of the last."""
        await eventually(lambda: self.saw(name) >= count, f"{name}, in {self.events}")
        return self.data(name)[-1]


@pytest.fixture
async def node(open_chat: ChatThread, users: Users) -> AsyncIterator[Any]:
    """Starts the JavaScript client for a user, or for nobody."""
    if shutil.which("node") is None:
        cannot_run("needs node to run the JavaScript client")
    started: list[tuple[Driven, asyncio.Task[None]]] = []

    async def start(user: Any) -> Driven:
        process = await asyncio.create_subprocess_exec(
            "node",
            "--experimental-websocket",
            "--no-warnings",
            str(DRIVER),
            str(CLIENTS / "chat_client.js"),
            f"{open_chat.url}?user={user.pk}" if user is not None else open_chat.url,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        driven = Driven(process)
        started.append((driven, asyncio.create_task(driven.read())))
        await driven.hears("ready" if user is not None else "closed")
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
        await end(running)


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
        await end(running)


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
    await eventually(lambda: client.saw("resolved") == 6, "every send confirmed")


async def test_the_javascript_client_answers_what_it_is_asked(
    users: Users, connect: Connect, node: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    room = await make_group(await connect(alice), bob)
    client = await node(bob)

    await client.tell(
        do="ask", event="room.info", data={"room_id": room}, answer="roominfo.dispatch"
    )
    assert (await client.hears("resolved"))["id"] == room
    # An event without an answer of its own is confirmed.
    await client.tell(do="ask", event="message.typing", data={"room_id": room})
    assert await client.hears("resolved", 2) is None
    assert (await client.hears("messagetyping.dispatch"))["room_id"] == room


async def test_the_javascript_client_tells_what_the_server_refused(
    users: Users, connect: Connect, node: Any
) -> None:
    (bob,) = users.make("bob")
    nowhere = "00000000-0000-0000-0000-000000000000"
    client = await node(bob)

    await client.tell(do="ask", event="room.info", data={"room_id": nowhere})
    assert await client.hears("rejected") == 4004
    await client.tell(do="send", room=nowhere, content="Hello")
    assert await client.hears("rejected", 2) == 4004
    await client.tell(do="ask", event="room.dance", data={})
    assert await client.hears("rejected", 3) == 'refused (unknown event): "invalid event type"'
    await client.tell(do="post", text="no frame")
    assert (await client.hears("refused"))["code"] == 4003


async def test_the_javascript_client_resumes_where_it_was_closed(
    users: Users, connect: Connect, node: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    sender = await connect(alice)
    room = await make_group(sender, bob)
    client = await node(bob)

    await client.tell(do="close")
    assert await client.hears("closed") == 1000
    for text in ("one", "two"):
        await sender.send("message.send", {"room_id": room, "content": text})
        await sender.expect("message.dispatch")
    await client.tell(do="connect")

    await client.hears("ready", 2)
    assert client.messages == ["one", "two"]


async def test_the_javascript_client_forgets_a_room_that_is_gone(
    users: Users, connect: Connect, node: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    creator = await connect(alice)
    room = await make_group(creator, bob)
    client = await node(bob)

    await client.tell(do="close")
    await client.hears("closed")
    await creator.send("room.remove_members", {"room_id": room, "members": [str(bob.pk)]})
    await creator.expect("roomremovemembers.dispatch")
    await client.tell(do="connect")

    assert await client.hears("gone") == f"room:{room}"


async def test_the_javascript_client_stops_when_nobody_is_logged_in(node: Any) -> None:
    client = await node(None)

    assert client.events[-1] == {"name": "closed", "data": 4001}


async def test_the_javascript_client_gives_up_a_message_that_is_too_large(
    users: Users, connect: Connect, node: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    listener = await connect(alice)
    room = await make_group(listener, bob)
    client = await node(bob)

    await client.tell(do="send", room=room, content="x" * chat_settings.MAX_FRAME_BYTES)
    assert await client.hears("waiting") == 1009
    assert await client.hears("rejected") == 1009
    await client.tell(do="send", room=room, content="short")

    assert (await listener.expect("message.dispatch"))["content"] == "short"


# What comes between the connection and `session.resumed`

EARLY = {"eventType": "message.dispatch", "data": {"content": "early"}}

FAKE = """
const [file, positions, early] = process.argv.slice(1);
const { ChatClient } = await import(file);
class WebSocket { readyState = 1; send() {} close() {} }
const client = new ChatClient("ws://nowhere", { WebSocket });
Object.assign(client.positions, JSON.parse(positions));
client.on("message.dispatch", ({ content }) => console.log(content));
client.connect();
client.socket.onopen();
client.socket.onmessage({ data: early });
client.close();
"""


@pytest.mark.parametrize(("positions", "heard"), [({}, ["early"]), ({"user:1": 3}, [])])
async def test_the_python_client_takes_early_events_only_where_no_replay_has_them(
    positions: dict[str, int], heard: list[str]
) -> None:
    seen: list[str] = []
    client = ChatClient("ws://nowhere", lambda name, data: seen.append(data["content"]))
    client._replays = bool(positions)

    await client._take(EARLY)

    assert seen == heard


@pytest.mark.parametrize(("positions", "heard"), [({}, ["early"]), ({"user:1": 3}, [])])
def test_the_javascript_client_takes_early_events_only_where_no_replay_has_them(
    positions: dict[str, int], heard: list[str]
) -> None:
    if shutil.which("node") is None:
        cannot_run("needs node to run the JavaScript client")
    arguments = [str(CLIENTS / "chat_client.js"), json.dumps(positions), json.dumps(EARLY)]
    ended = subprocess.run(
        ["node", "--input-type=module", "--eval", FAKE, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout.split() == heard

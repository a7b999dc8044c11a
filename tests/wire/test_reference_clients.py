"""The reference clients of the documentation, against a real server that loses them."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import override_settings

from tests.client import Client
from tests.conftest import Connect, Users
from tests.servers import ChatProcess, ChatThread
from tests.timing import eventually
from tests.wire.driven import Driven, Node, Python
from tests.wire.rooms import GROUP, wire_id


async def make_group(creator: Client, member: AbstractUser) -> str:
    """Make a group of two over the creator's socket; return its id."""
    data = {"type": GROUP, "name": "Team", "participants": [wire_id(member.pk)]}
    await creator.send("room.create", data)
    room: str = (await creator.expect("roomcreate.dispatch"))["id"]
    return room


OPEN = "tests.site.asgi:open_application"


@pytest.fixture(scope="module")
def open_chat(committed_database: None) -> Iterator[ChatThread]:
    with ChatThread(OPEN) as chat:
        yield chat


@pytest.fixture(params=[Python, Node], ids=["python", "javascript"])
async def start(request: pytest.FixtureRequest, open_chat: ChatThread) -> AsyncIterator[Any]:
    """Starts one of the two clients for a user, or for nobody."""
    started: list[Driven] = []

    async def begin(user: Any, url: str = open_chat.url, **options: Any) -> Driven:
        client: Driven = request.param(url if user is None else f"{url}?user={user.pk}", **options)
        started.append(client)
        await client.start()
        await client.hears("ready" if user is not None else "closed")
        return client

    yield begin
    for client in started:
        await client.stop()


async def say(client: Client, room: str, *contents: str) -> list[str]:
    for content in contents:
        await client.send("message.send", {"room_id": room, "content": content})
        await client.expect("message.dispatch")
    return list(contents)


async def test_a_client_misses_nothing_and_repeats_nothing(
    users: Users, connect: Connect, start: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    sender = await connect(alice)
    room = await make_group(sender, bob)
    client = await start(bob)
    expected: list[str] = []
    for number in range(12):
        expected += await say(sender, room, f"from alice {number}")
        if number % 4 == 2:
            await client.hears("ready", 1 + number // 4)
            await client.tell(do="break")
    await eventually(lambda: client.messages == expected, "every message, once, in order")


async def test_a_client_sends_each_message_once_across_breaks(
    users: Users, connect: Connect, start: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    listener = await connect(alice)
    room = await make_group(listener, bob)
    client = await start(bob)
    for number in range(6):
        await client.tell(do="send", room=room, content=f"from bob {number}")
        if number in (1, 3):
            await client.tell(do="break")
            await client.hears("ready", 2 + number // 2)
    contents = {(await listener.expect("message.dispatch"))["content"] for _ in range(6)}
    assert contents == {f"from bob {number}" for number in range(6)}
    await client.hears("resolved", 6)
    await listener.nothing()


async def test_a_client_gets_over_a_server_that_restarts(users: Users, start: Any) -> None:
    alice, bob = users.make("alice", "bob")
    expected: list[str] = []
    with ChatThread(OPEN) as chat:
        async with Client(chat.url, alice.pk) as sender:
            room = await make_group(sender, bob)
        client = await start(bob, chat.url)
        for number in range(3):
            async with Client(chat.url, alice.pk) as sender:
                expected += await say(sender, room, f"before {number}")
                await client.hears("message.dispatch", len(expected))
            chat.stop()
            await client.tell(do="send", room=room, content=f"while away {number}")
            await client.hears("waiting", number + 1)
            chat.start()
            await client.hears("resolved", number + 1)
            expected.append(f"while away {number}")
            await client.hears("message.dispatch", len(expected))
        assert client.messages == expected
        await client.tell(do="close")
        await client.hears("closed")
    assert client.saw("refetch") == client.saw("rejected") == 0


async def test_a_client_gets_over_a_server_that_is_killed(
    users: Users, start: Any, shared_environment: Mapping[str, str]
) -> None:
    alice, bob = users.make("alice", "bob")
    expected: list[str] = []
    with ChatProcess(shared_environment, OPEN) as process:
        async with Client(process.url, alice.pk) as sender:
            room = await make_group(sender, bob)
        client = await start(bob, process.url)
        for number in range(2):
            async with Client(process.url, alice.pk) as sender:
                expected += await say(sender, room, f"before {number}")
            process.kill()
            await client.tell(do="send", room=room, content=f"while away {number}")
            process.start()
            await client.hears("resolved", number + 1)
            expected.append(f"while away {number}")
            await client.hears("message.dispatch", len(expected))
        assert client.messages == expected
        await client.tell(do="close")
        await client.hears("closed")


async def test_a_client_goes_on_where_another_was_saved(
    users: Users, connect: Connect, start: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    sender = await connect(alice)
    room = await make_group(sender, bob)
    first = await start(bob)
    await say(sender, room, "one")
    await first.hears("message.dispatch")
    await first.tell(do="save")
    state = await first.hears("saved")
    await first.tell(do="close")
    await first.hears("closed")
    await say(sender, room, "two", "three")
    unsent = {"room_id": room, "content": "four", "client_id": "kept", "extra_fields": {}}

    second = await start(bob, state={**state, "unsent": [unsent]})

    assert (await sender.expect("message.dispatch"))["content"] == "four"
    await eventually(lambda: second.messages == ["two", "three", "four"], "what was missed")


async def test_a_client_answers_what_it_is_asked(
    users: Users, connect: Connect, start: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    room = await make_group(await connect(alice), bob)
    client = await start(bob)

    await client.tell(
        do="ask", event="room.info", data={"room_id": room}, answer="roominfo.dispatch"
    )
    assert (await client.hears("resolved"))["id"] == room
    # An event without an answer of its own is confirmed.
    await client.tell(do="ask", event="message.typing", data={"room_id": room})
    assert await client.hears("resolved", 2) is None
    assert (await client.hears("messagetyping.dispatch"))["room_id"] == room


async def test_a_client_tells_what_the_server_refused(
    users: Users, connect: Connect, start: Any
) -> None:
    (bob,) = users.make("bob")
    nowhere = "00000000-0000-0000-0000-000000000000"
    client = await start(bob)

    await client.tell(do="ask", event="room.info", data={"room_id": nowhere})
    assert (await client.hears("rejected"))["code"] == 4004
    await client.tell(do="send", room=nowhere, content="Hello")
    assert (await client.hears("rejected", 2))["code"] == 4004
    await client.tell(do="ask", event="room.dance", data={})
    refused = {"kind": "Refused", "code": None, "detail": "invalid event type"}
    assert await client.hears("rejected", 3) == refused
    # A name that is none is the server's to refuse.
    await client.tell(do="send", room=nowhere, content="Hello", client_id="x" * 65)
    assert (await client.hears("rejected", 4))["code"] == 4003


async def test_the_javascript_client_tells_of_an_error_that_nobody_waits_for(
    users: Users, open_chat: ChatThread
) -> None:
    (bob,) = users.make("bob")
    client = Node(f"{open_chat.url}?user={bob.pk}")
    await client.start()
    await client.hears("ready")
    await client.tell(do="post", text="no frame")
    assert (await client.hears("refused"))["code"] == 4003
    await client.stop()


async def test_a_client_resumes_where_it_was_closed(
    users: Users, connect: Connect, start: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    sender = await connect(alice)
    room = await make_group(sender, bob)
    client = await start(bob)

    await client.tell(do="close")
    assert await client.hears("closed") == 1000
    await say(sender, room, "one", "two")
    await client.tell(do="connect")

    await client.hears("ready", 2)
    assert client.messages == ["one", "two"]


async def test_a_client_forgets_a_room_that_is_gone(
    users: Users, connect: Connect, start: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    creator = await connect(alice)
    room = await make_group(creator, bob)
    client = await start(bob)

    await client.tell(do="close")
    await client.hears("closed")
    await creator.send("room.remove_members", {"room_id": room, "members": [str(bob.pk)]})
    await creator.expect("roomremovemembers.dispatch")
    await client.tell(do="connect")

    assert await client.hears("gone") == f"room:{room}"


async def test_a_client_hears_a_room_that_it_left_and_joined_again(
    users: Users, connect: Connect, start: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    creator = await connect(alice)
    room = await make_group(creator, bob)
    client = await start(bob)
    members = {"room_id": room, "members": [str(bob.pk)]}

    await say(creator, room, "one")
    await creator.send("room.remove_members", members)
    await creator.expect("roomremovemembers.dispatch")
    await say(creator, room, "unheard")
    await creator.send("room.add_members", members)
    await creator.expect("roomaddmembers.dispatch")
    await say(creator, room, "two")
    await eventually(lambda: client.messages == ["one", "two"], "what was meant for bob")
    await client.tell(do="break")
    await client.hears("ready", 2)

    assert client.messages == ["one", "two"]


async def test_a_client_watches_again_after_a_break_and_says_who_sits_there(
    users: Users, connect: Connect, start: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    watcher = await connect(alice)
    await make_group(watcher, bob)
    client = await start(bob)
    await watcher.send("presence.subscribe", {"users": [wire_id(bob.pk)]})
    assert (await watcher.expect("presence.dispatch"))["snapshot"] is True

    await client.tell(do="active", active=False)
    told = await watcher.expect("presence.dispatch")
    assert [user["status"] for user in told["users"]] == ["away"]
    await client.tell(do="watch", data={"users": [wire_id(alice.pk)]})
    # The one returns what it was told at first, the other calls its listeners with it.
    names = ("resolved", "presence.dispatch")
    await eventually(lambda: any(map(client.saw, names)), "it watches")
    await client.tell(do="break")
    await client.hears("ready", 2)

    def is_told() -> bool:
        places = [number for number, event in enumerate(client.events) if event["name"] == "ready"]
        after = client.events[places[1] :]
        return any(
            event["name"] == "presence.dispatch" and event["data"]["snapshot"] for event in after
        )

    await eventually(is_told, "it has watched again")


async def test_a_client_stops_when_nobody_is_logged_in(start: Any) -> None:
    client = await start(None)

    assert client.events[-1] == {"name": "closed", "data": 4001}


@pytest.fixture
def small_frames() -> Iterator[None]:
    with override_settings(REALTIME_CHAT_MESSAGING={"MAX_FRAME_BYTES": 2000}):
        yield


async def test_a_client_gives_up_a_message_that_is_too_large_for_the_server(
    users: Users, connect: Connect, start: Any, small_frames: None
) -> None:
    alice, bob = users.make("alice", "bob")
    listener = await connect(alice)
    room = await make_group(listener, bob)
    client = await start(bob)

    await client.tell(do="send", room=room, content="x" * 3000)
    assert (await client.hears("rejected"))["code"] == 1009
    await client.tell(do="send", room=room, content="short")

    assert (await listener.expect("message.dispatch"))["content"] == "short"

"""Two processes whose layer loses, delays and reorders what they tell each other.

What a socket gets is decided by places in streams, so it is the same as with a perfect layer.
"""

import asyncio

import pytest

from tests.client import Client
from tests.configuration import Configuration
from tests.conftest import Connect, StartProcess, Users
from tests.servers import ChatProcess
from tests.wire.rooms import GROUP


@pytest.fixture
def disorderly(
    configuration: Configuration, start_process: StartProcess
) -> tuple[ChatProcess, ChatProcess]:
    """Two processes with a badly behaved layer."""
    environment = {"CHAT_TEST_DISORDER": "1"}
    return start_process(environment), start_process(environment)


async def take_messages(client: Client, count: int) -> list[str]:
    """Take so many messages, passing over what else is said; return their contents."""
    contents: list[str] = []
    while len(contents) < count:
        frame = await client.next()
        if frame.get("eventType") == "message.dispatch":
            contents.append(frame["data"]["content"])
    return contents


async def test_every_socket_gets_every_message_once_in_one_order(
    disorderly: tuple[ChatProcess, ChatProcess], connect: Connect, users: Users
) -> None:
    one, other = disorderly
    alice, bob = users.make("alice", "bob")
    a, b = await connect(alice, url=one.url), await connect(bob, url=other.url)
    await a.send("room.create", {"type": GROUP, "name": "g", "participants": [bob.pk]})
    room = (await a.expect("roomcreate.dispatch"))["id"]
    await b.expect("roomcreate.dispatch")

    async def talk(client: Client, name: str) -> None:
        for number in range(20):
            data = {"room_id": room, "content": f"{name} {number}"}
            await client.send("message.send", data)

    await asyncio.gather(talk(a, "alice"), talk(b, "bob"))

    of_a, of_b = await asyncio.gather(take_messages(a, 40), take_messages(b, 40))
    assert of_a == of_b
    for name in ("alice", "bob"):
        assert [c for c in of_a if c.startswith(name)] == [f"{name} {n}" for n in range(20)]
    for client in (a, b):
        await client.nothing()


async def test_a_removed_member_gets_nothing_committed_after_the_removal(
    disorderly: tuple[ChatProcess, ChatProcess], connect: Connect, users: Users
) -> None:
    one, other = disorderly
    alice, bob, carol = users.make("alice", "bob", "carol")
    a = await connect(alice, url=one.url)
    b, c = await connect(bob, url=other.url), await connect(carol, url=other.url)
    members = [bob.pk, carol.pk]
    await a.send("room.create", {"type": GROUP, "name": "g", "participants": members})
    room = (await a.expect("roomcreate.dispatch"))["id"]

    for number in range(10):
        await a.send("message.send", {"room_id": room, "content": f"before {number}"})
    await a.send("room.remove_members", {"room_id": room, "members": [bob.pk]})
    for number in range(10):
        await a.send("message.send", {"room_id": room, "content": f"after {number}"})

    # Carol stays, on Bob's process: what she has got, he would have got.
    before = [f"before {number}" for number in range(10)]
    after = [f"after {number}" for number in range(10)]
    assert await take_messages(c, 20) == before + after
    assert await take_messages(b, 10) == before
    await b.send("room.list")
    events = []
    while (frame := await b.next())["eventType"] != "roomlist.dispatch":
        events.append(frame["eventType"])
    assert "message.dispatch" not in events
    assert frame["data"] == []


async def test_a_joiner_gets_nothing_committed_before_the_join(
    disorderly: tuple[ChatProcess, ChatProcess], connect: Connect, users: Users
) -> None:
    one, other = disorderly
    alice, bob, carol = users.make("alice", "bob", "carol")
    a = await connect(alice, url=one.url)
    b, c = await connect(bob, url=other.url), await connect(carol, url=other.url)
    await a.send("room.create", {"type": GROUP, "name": "g", "participants": [carol.pk]})
    room = (await a.expect("roomcreate.dispatch"))["id"]

    for number in range(10):
        await a.send("message.send", {"room_id": room, "content": f"before {number}"})
    await a.send("room.add_members", {"room_id": room, "members": [bob.pk]})
    for number in range(10):
        await a.send("message.send", {"room_id": room, "content": f"after {number}"})

    before = [f"before {number}" for number in range(10)]
    after = [f"after {number}" for number in range(10)]
    assert await take_messages(b, 10) == after
    assert await take_messages(c, 20) == before + after

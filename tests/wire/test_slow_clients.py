"""Clients that do not read: they delay nobody, and can resume."""

import pytest
from pytest_django import Settings

from event_bridge.consumers import ChatConsumer
from event_bridge.outbox import Outbox
from tests.client import Client
from tests.conftest import Connect, Users
from tests.wire.rooms import group, people

#: More than the buffers between two sockets of one machine take.
MESSAGES = 80
CONTENT = "x" * 200_000
#: Five such messages, with what else a frame has.
SIZE = 5 * 201_000


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much waited for clients, each time something began to wait."""
    found: list[int] = []
    write = Outbox.write

    def note(outbox: Outbox, text: str) -> None:
        write(outbox, text)
        found.append(outbox.size)

    monkeypatch.setattr(Outbox, "write", note)
    return found


@pytest.mark.parametrize("limit", ["outbox_limit", "outbox_size_limit"])
async def test_a_client_that_does_not_read_delays_nobody_and_can_resume(
    limit: str,
    sizes: list[int],
    connect: Connect,
    users: Users,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_MESSAGE_LENGTH": None}
    monkeypatch.setattr(ChatConsumer, limit, {"outbox_limit": 5, "outbox_size_limit": SIZE}[limit])
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    stream = f"room:{room['id']}"
    # Compressed, this content would fit into any buffer.
    slow: Client = await connect(bob.user, compression=None)
    await slow.send("session.resume", {"streams": {}})
    await slow.expect("session.resumed")

    slow.pause_reading()
    for number in range(MESSAGES):
        data = {"room_id": room["id"], "content": f"{number} {CONTENT}"}
        await alice.send("message.send", data)
        await alice.expect("message.dispatch")
        # The same user's other socket keeps up meanwhile.
        await bob.expect("message.dispatch")
    slow.resume_reading()

    assert await slow.closed() == 4008
    assert 0 < max(sizes) <= SIZE
    got = slow.drain()
    assert 0 < len(got) < MESSAGES
    last = got[-1]["seq"]
    assert [frame["seq"] for frame in got] == list(range(2, last + 1))
    again: Client = await connect(bob.user)
    await again.send("session.resume", {"streams": {stream: last}})
    for number in range(len(got), MESSAGES):
        assert (await again.expect("message.dispatch"))["content"].startswith(f"{number} ")
    resumed = await again.expect("session.resumed")
    assert resumed["streams"][stream] == {"seq": MESSAGES + 1, "recovered": True}

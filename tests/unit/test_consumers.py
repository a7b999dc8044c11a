"""The consumer, for what a real socket cannot be brought to."""

import asyncio
from typing import Any

import pytest

from event_bridge.consumers import ChatConsumer, State
from event_bridge.delivery import Delivered
from event_bridge.resume import Resumption
from gql_chat.streams import Envelope


class Socket:
    """The server's side of a socket that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def receive(self) -> dict[str, Any]:
        raise AssertionError("nothing is received here")

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.put_nowait(message)


def frame(seq: int) -> Delivered:
    return Delivered(Envelope("room:a", seq, "RoomDeleted", '{"room_id": "a"}'))


@pytest.mark.parametrize("resuming", [False, True])
async def test_what_is_held_back_for_a_socket_has_a_bound(
    resuming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChatConsumer, "outbox_limit", 3)
    socket = Socket()
    consumer = ChatConsumer({}, socket.receive, socket.send)
    held = consumer._held
    if resuming:
        consumer.state, consumer.resumption = State.OPEN, Resumption({}, {})
        held = consumer.resumption.held

    for seq in range(1, 4):
        consumer.deliver(frame(seq))
    assert [delivered.envelope.seq for delivered in held] == [1, 2, 3]
    consumer.deliver(frame(4))

    assert held == []
    closed = await asyncio.wait_for(socket.sent.get(), 10)
    assert closed == {"type": "websocket.close", "code": 4008}

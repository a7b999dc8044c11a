"""The consumer, for what a real socket cannot be brought to."""

import asyncio
import json
from typing import Any

import pytest

from event_bridge.consumers import ChatConsumer, State
from event_bridge.delivery import Delivered
from event_bridge.resume import Resumption
from gql_chat import errors
from gql_chat.sql.threads import DatabaseThreads
from gql_chat.streams import Envelope
from tests.timing import PATIENCE, eventually


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


class Queueing(ChatConsumer):
    """A consumer whose work is done when the test says so."""

    user_id = 1

    def __init__(self, socket: Socket) -> None:
        super().__init__({}, socket.receive, socket.send)
        self.state = State.OPEN
        self.jobs: list[asyncio.Future[Any]] = []

    def _put(self, event: Any, frame: Any, context: Any) -> asyncio.Future[Any]:
        self.jobs.append(asyncio.get_running_loop().create_future())
        return self.jobs[-1]

    async def send(self, number: int) -> None:
        frame = {"event_type": "message.send", "data": {}, "request_id": number}
        await self.receive(json.dumps(frame))


class Wrapping(Queueing):
    """A project's consumer that wants to know when an event is answered, and with what."""

    def __init__(self, socket: Socket) -> None:
        super().__init__(socket)
        self.noted: list[Any] = []

    async def handle(self, frame: Any) -> None:
        try:
            await super().handle(frame)
        except Exception as error:
            self.noted.append(type(error))
            raise
        self.noted.append(frame.request_id)


DONE = ({"original": None}, [])


async def answers(socket: Socket, count: int) -> list[dict[str, Any]]:
    frames = [await asyncio.wait_for(socket.sent.get(), PATIENCE) for _ in range(count)]
    return [json.loads(frame["text"]) for frame in frames]


@pytest.fixture
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread does the work, as on SQLite."""
    monkeypatch.setattr(DatabaseThreads, "in_order", True)


async def test_the_next_event_is_taken_while_the_work_of_one_is_queued(in_order: None) -> None:
    socket = Socket()
    consumer = Queueing(socket)

    for number in range(3):
        await consumer.send(number)

    assert len(consumer.jobs) == 3
    assert socket.sent.empty()
    consumer.jobs[0].set_result(DONE)
    consumer.jobs[1].set_exception(errors.NotFound("There is no such room."))
    consumer.jobs[2].set_result(DONE)
    first, second, third = await answers(socket, 3)
    assert [frame["request_id"] for frame in (first, second, third)] == [0, 1, 2]
    assert second["error"]["code"] == 4004


async def test_what_is_wrong_with_an_event_is_said_after_the_answers_before_it(
    in_order: None,
) -> None:
    socket = Socket()
    consumer = Queueing(socket)
    await consumer.send(0)

    wrong = asyncio.create_task(consumer.receive("no JSON"))
    await asyncio.sleep(0)
    assert not wrong.done()
    consumer.jobs[0].set_result(DONE)
    await wrong

    first, second = await answers(socket, 2)
    assert first["request_id"] == 0
    assert "error" in second


async def test_an_account_that_is_gone_closes_the_socket(in_order: None) -> None:
    socket = Socket()
    consumer = Queueing(socket)
    await consumer.send(0)
    await consumer.send(1)

    for job in consumer.jobs:
        job.set_exception(errors.NotAuthenticated("Your account is not active."))

    closed = await asyncio.wait_for(socket.sent.get(), PATIENCE)
    assert closed == {"type": "websocket.close", "code": 4001}
    await consumer.intake.finish()
    assert socket.sent.empty()


async def test_a_handle_of_the_projects_own_is_over_when_its_event_is_answered(
    in_order: None,
) -> None:
    socket = Socket()
    consumer = Wrapping(socket)

    sending = asyncio.create_task(consumer.send(0))
    await eventually(lambda: bool(consumer.jobs), "the work is queued")
    assert not sending.done()
    assert consumer.noted == []
    consumer.jobs[0].set_result(DONE)
    await sending
    sending = asyncio.create_task(consumer.send(1))
    await eventually(lambda: len(consumer.jobs) == 2, "the work is queued")
    consumer.jobs[1].set_exception(errors.NotFound("There is no such room."))
    await sending

    assert consumer.noted == [0, errors.NotFound]
    first, second = await answers(socket, 2)
    assert first["request_id"] == 0
    assert second["error"]["code"] == 4004

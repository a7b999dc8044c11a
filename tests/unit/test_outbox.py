"""The outbox of a socket: at once while the client keeps up, in order and bounded when it lags."""

import asyncio
from typing import Any

import pytest

from event_bridge.outbox import Outbox


class Client:
    """The server's side of a socket: `send` waits while the client is `slow`."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.begun = 0
        self.error: Exception | None = None
        #: Whether it is slow again after each frame.
        self.takes_one = False
        self._fast = asyncio.Event()
        self._fast.set()

    def slow(self) -> None:
        self._fast.clear()

    def fast(self) -> None:
        self._fast.set()

    async def send(self, message: dict[str, Any]) -> None:
        self.begun += 1
        if not self._fast.is_set():
            await self._fast.wait()
            await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        assert message["type"] == "websocket.send"
        self.got.append(message["text"])
        if self.takes_one:
            self.slow()


class Overflow:
    """Counts how often an outbox overflowed."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


async def turn(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def tasks() -> set[Any]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_a_client_that_keeps_up_gets_a_frame_at_once_and_without_a_task() -> None:
    client = Client()
    outbox = Outbox(client.send, Overflow())

    outbox.write("one")
    outbox.write("two")

    assert client.got == ["one", "two"]
    assert tasks() == set()


async def test_frames_for_a_slow_client_wait_and_keep_their_order() -> None:
    client = Client()
    outbox = Outbox(client.send, Overflow())
    outbox.write("one")
    client.slow()
    for text in ("two", "three", "four"):
        outbox.write(text)
    assert (client.got, client.begun) == (["one"], 2)

    client.fast()
    await outbox.drain()

    assert client.got == ["one", "two", "three", "four"]


async def test_a_client_that_has_caught_up_is_healthy_again() -> None:
    client = Client()
    outbox = Outbox(client.send, Overflow())
    client.slow()
    outbox.write("one")
    client.fast()
    await outbox.drain()

    outbox.write("two")

    assert client.got == ["one", "two"]
    assert tasks() == set()


async def test_a_client_that_takes_one_frame_at_a_time_loses_nothing() -> None:
    client = Client()
    client.takes_one = True
    outbox = Outbox(client.send, Overflow())
    client.slow()
    outbox.write("one")
    for number, text in enumerate(("two", "three", "four"), 1):
        outbox.write(text)
        client.fast()
        await turn()
        assert len(client.got) == number
    client.fast()
    await outbox.drain()

    assert client.got == ["one", "two", "three", "four"]


async def test_more_waiting_frames_than_the_limit_close_the_outbox_once() -> None:
    client, overflow = Client(), Overflow()
    outbox = Outbox(client.send, overflow, limit=2)
    client.slow()
    for text in ("sending", "one", "two"):
        outbox.write(text)
    assert overflow.count == 0

    outbox.write("three")
    outbox.write("four")
    client.fast()
    await turn()

    assert overflow.count == 1
    assert client.got == []
    assert tasks() == set()


async def test_a_send_that_fails_at_once_closes_the_outbox_quietly() -> None:
    client, overflow = Client(), Overflow()
    client.error = ConnectionError("gone")
    outbox = Outbox(client.send, overflow)

    outbox.write("one")
    outbox.write("two")

    assert (client.begun, overflow.count) == (1, 0)


@pytest.mark.parametrize("waiting", [0, 3])
async def test_a_send_that_fails_after_a_wait_closes_the_outbox_quietly(waiting: int) -> None:
    client, overflow = Client(), Overflow()
    outbox = Outbox(client.send, overflow)
    client.slow()
    for _ in range(1 + waiting):
        outbox.write("text")
    client.error = ConnectionError("gone")
    client.fast()
    await outbox.drain()

    outbox.write("more")
    await turn()

    assert client.got == []
    assert client.begun == 1
    assert overflow.count == 0


async def test_closing_while_a_send_blocks_drops_what_waits() -> None:
    client = Client()
    outbox = Outbox(client.send, Overflow())
    client.slow()
    outbox.write("one")
    outbox.write("two")

    outbox.close()
    client.fast()
    await turn()

    assert client.got == []
    assert tasks() == set()


async def test_a_closed_outbox_sends_nothing() -> None:
    client = Client()
    outbox = Outbox(client.send, Overflow())
    outbox.close()

    outbox.write("one")
    await outbox.drain()

    assert client.begun == 0


async def test_draining_waits_for_nothing_where_nothing_waits() -> None:
    client = Client()
    outbox = Outbox(client.send, Overflow())
    outbox.write("one")

    await outbox.drain()

    assert client.got == ["one"]


async def test_a_send_that_waits_for_another_task_goes_on_where_it_stopped() -> None:
    """What `send` awaits may be a future, an event or a bare yield, several times in a row."""
    steps: list[str] = []
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def send(message: dict[str, Any]) -> None:
        steps.append("begun")
        steps.append(await future)
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0)
        except TimeoutError:
            steps.append("timeout")

    outbox = Outbox(send, Overflow())
    outbox.write("text")
    assert steps == ["begun"]

    future.set_result("resumed")
    await outbox.drain()

    assert steps == ["begun", "resumed", "timeout"]

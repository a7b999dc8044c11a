"""The outbox of a socket: at once while the client keeps up, in order and bounded when it lags."""

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from event_bridge import outbox as outbox_module
from event_bridge.outbox import Outbox
from tests.timing import PATIENCE

language: ContextVar[str] = ContextVar("language", default="none")


@pytest.fixture(params=["at once", "in a task"], autouse=True)
def begins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the server is one whose `send` may begin in any task, or another."""
    begins: str = request.param
    if begins == "at once":
        monkeypatch.setattr(outbox_module, "PLAIN", (__name__,))
    return begins


at_once = pytest.mark.parametrize("begins", ["at once"], indirect=True)
in_a_task = pytest.mark.parametrize("begins", ["in a task"], indirect=True)


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
    """Counts how often an outbox overflowed, and keeps how it failed."""

    def __init__(self) -> None:
        self.count = 0
        self.failures: list[BaseException] = []

    def __call__(self) -> None:
        self.count += 1


def make(client: Any, told: Overflow, **options: Any) -> Outbox:
    """An outbox that writes to a client, and tells what becomes of it."""
    send = client if callable(client) else client.send
    return Outbox(send, told, told.failures.append, **options)


async def turn(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def tasks() -> set[Any]:
    return asyncio.all_tasks() - {asyncio.current_task()}


@at_once
async def test_a_client_that_keeps_up_gets_a_frame_at_once_and_without_a_task() -> None:
    client = Client()
    outbox = make(client, Overflow())

    outbox.write("one")
    outbox.write("two")

    assert client.got == ["one", "two"]
    assert tasks() == set()


@at_once
async def test_frames_for_a_slow_client_wait_and_keep_their_order() -> None:
    client = Client()
    outbox = make(client, Overflow())
    outbox.write("one")
    client.slow()
    for text in ("two", "three", "four"):
        outbox.write(text)
    assert (client.got, client.begun) == (["one"], 2)

    client.fast()
    await outbox.drain()

    assert client.got == ["one", "two", "three", "four"]


@at_once
async def test_a_client_that_has_caught_up_is_healthy_again() -> None:
    client = Client()
    outbox = make(client, Overflow())
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
    outbox = make(client, Overflow())
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
    outbox = make(client, overflow, limit=2)
    client.slow()
    outbox.write("sending")
    await turn()
    outbox.write("one")
    outbox.write("two")
    assert overflow.count == 0

    outbox.write("three")
    outbox.write("four")
    client.fast()
    await turn()

    assert (overflow.count, overflow.failures) == (1, [])
    assert client.got == []
    assert tasks() == set()


@in_a_task
async def test_a_client_that_had_no_chance_to_take_a_burst_is_not_slow() -> None:
    client, overflow = Client(), Overflow()
    outbox = make(client, overflow, limit=2, size_limit=5)

    for number in range(100):
        outbox.write(str(number))
    await outbox.drain()

    assert (overflow.count, client.got) == (0, [str(number) for number in range(100)])


async def test_more_characters_than_the_limit_close_the_outbox_once() -> None:
    client, overflow = Client(), Overflow()
    outbox = make(client, overflow, size_limit=10)
    client.slow()
    outbox.write("sending")
    await turn()
    outbox.write("x" * 10)
    assert (outbox.size, overflow.count) == (10, 0)

    outbox.write("y")
    client.fast()
    await turn()

    assert (outbox.size, overflow.count, client.got) == (0, 1, [])


@pytest.mark.parametrize("error", [ConnectionError("gone"), TimeoutError(), RuntimeError("bug")])
async def test_a_send_that_fails_at_once_closes_the_outbox_and_says_why(error: Exception) -> None:
    client, told = Client(), Overflow()
    client.error = error
    outbox = make(client, told)

    outbox.write("one")
    outbox.write("two")
    await turn()
    outbox.write("three")
    await turn()

    assert (client.begun, told.count, told.failures) == (1, 0, [error])
    assert tasks() == set()


@pytest.mark.parametrize("waiting", [0, 3])
async def test_a_send_that_fails_after_a_wait_closes_the_outbox_and_says_why(waiting: int) -> None:
    client, told = Client(), Overflow()
    outbox = make(client, told)
    client.slow()
    for _ in range(1 + waiting):
        outbox.write("text")
    await turn()
    client.error = ConnectionError("gone")
    client.fast()
    await outbox.drain()

    outbox.write("more")
    await turn()

    assert (client.got, client.begun) == ([], 1)
    assert (told.count, told.failures) == (0, [client.error])


@pytest.mark.parametrize("turns", range(4))
async def test_a_send_that_is_cancelled_from_elsewhere_leaves_no_outbox_open_and_deaf(
    turns: int,
) -> None:
    client, told = Client(), Overflow()
    outbox = make(client, told)
    client.slow()
    outbox.write("one")
    outbox.write("two")
    await turn(turns)

    (task,) = tasks()
    task.cancel()
    await turn()
    client.fast()
    outbox.write("three")
    await turn()

    assert client.got == []
    assert [type(error) for error in told.failures] == [asyncio.CancelledError]
    assert tasks() == set()


async def test_whoever_writes_gets_no_error_of_a_send_that_is_no_coroutine() -> None:
    class Broken(Client):
        def send(self, message: dict[str, Any]) -> Any:  # type: ignore[override]
            raise LookupError("no such thing")

    told = Overflow()

    make(Broken(), told).write("one")
    await turn()

    assert [type(error) for error in told.failures] == [LookupError]


async def test_a_send_that_returns_another_awaitable_is_awaited() -> None:
    class Other(Client):
        def send(self, message: dict[str, Any]) -> Any:  # type: ignore[override]
            return asyncio.ensure_future(super().send(message))

    client, told = Other(), Overflow()
    outbox = make(client, told)
    for text in ("one", "two", "three"):
        outbox.write(text)
    await outbox.drain()

    assert (client.got, told.failures) == (["one", "two", "three"], [])


@in_a_task
async def test_a_middleware_may_set_a_time_for_each_send() -> None:
    """Whoever writes is another socket's task: the time is not theirs."""
    client, told = Client(), Overflow()
    client.slow()

    async def send(message: dict[str, Any]) -> None:
        async with asyncio.timeout(0.01):
            await client.send(message)

    outbox = make(send, told)

    async def write() -> str:
        outbox.write("one")
        await asyncio.sleep(0.1)
        return "not disturbed"

    assert await asyncio.create_task(write()) == "not disturbed"
    assert [type(error) for error in told.failures] == [TimeoutError]


@in_a_task
async def test_frames_are_sent_in_the_context_of_their_own_socket() -> None:
    seen: list[str] = []

    async def send(message: dict[str, Any]) -> None:
        seen.append(language.get())

    async def open_socket(name: str) -> Outbox:
        language.set(name)
        return make(send, Overflow())

    german, french = [await asyncio.create_task(open_socket(name)) for name in ("german", "french")]
    language.set("the writer's")
    german.write("one")
    french.write("one")
    await turn()
    german.write("two")
    await turn()

    assert seen == ["german", "french", "german"]


async def test_no_two_sends_of_a_socket_are_under_way() -> None:
    """Not all servers can do with that."""
    running = most = 0
    got: list[str] = []

    class Strict(Client):
        async def send(self, message: dict[str, Any]) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                for _ in range(len(got) % 3):
                    await asyncio.sleep(0)
                got.append(message["text"])
            finally:
                running -= 1

    outbox = make(Strict(), Overflow())
    for number in range(200):
        outbox.write(str(number))
        await turn(number % 5)
    await outbox.finish(1)

    assert (got, most) == ([str(number) for number in range(200)], 1)


async def test_what_waits_leaves_before_an_outbox_is_finished() -> None:
    client = Client()
    client.takes_one = True
    outbox = make(client, Overflow())
    client.slow()
    for text in ("one", "two", "three"):
        outbox.write(text)
    finishing = asyncio.create_task(outbox.finish(10))
    await turn(1)
    while not finishing.done():
        outbox.write("too late")
        client.fast()
        await turn(1)

    assert client.got == ["one", "two", "three"]


async def test_a_client_that_takes_nothing_is_not_waited_for_for_ever() -> None:
    client, told = Client(), Overflow()
    outbox = make(client, told)
    client.slow()
    for text in ("one", "two", "three"):
        outbox.write(text)

    await outbox.finish(0.01)

    assert tasks() == set()
    client.fast()
    await turn()
    assert (client.got, told.failures) == ([], [])


async def test_closing_while_a_send_blocks_drops_what_waits() -> None:
    client = Client()
    outbox = make(client, Overflow())
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
    outbox = make(client, Overflow())
    outbox.close()

    outbox.write("one")
    await outbox.drain()

    assert client.begun == 0


async def test_draining_waits_for_nothing_where_nothing_waits() -> None:
    client = Client()
    outbox = make(client, Overflow())
    outbox.write("one")

    await outbox.drain()

    assert client.got == ["one"]


@at_once
async def test_a_send_that_waits_for_another_task_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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

    client = Client()
    monkeypatch.setattr(Client, "send", lambda self, message: send(message))
    outbox = make(client, Overflow())
    outbox.write("text")
    assert steps == ["begun"]

    future.set_result("resumed")
    await outbox.drain()

    assert steps == ["begun", "resumed", "timeout"]


async def test_requests_wait_until_little_waits_for_the_client() -> None:
    client = Client()
    outbox = make(client, Overflow())
    await asyncio.wait_for(outbox.relieve(0), PATIENCE)
    client.slow()
    for _ in range(5):
        outbox.write("1234")
        await turn()
    assert outbox.size == 16

    relieved = [asyncio.ensure_future(outbox.relieve(8))]
    await turn()
    assert not relieved[0].done()
    client.takes_one = True
    for waiting in (12, 8):
        client.fast()
        await turn()
        assert (outbox.size, relieved[0].done()) == (waiting, waiting == 8)
    client.takes_one = False
    client.fast()
    await outbox.drain()


@pytest.mark.parametrize("end", ["close", "fail", "finish"])
async def test_nobody_waits_for_an_outbox_that_sends_nothing_more(end: str) -> None:
    client = Client()
    outbox = make(client, Overflow())
    client.slow()
    for _ in range(5):
        outbox.write("1234")
    await turn()
    relieved = asyncio.ensure_future(outbox.relieve(0))
    await turn()
    assert not relieved.done()

    if end == "close":
        outbox.close()
    elif end == "finish":
        await outbox.finish(0.01)
    else:
        client.error = OSError("gone")
        client.fast()

    await asyncio.wait_for(relieved, PATIENCE)

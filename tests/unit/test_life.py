"""The life of a socket: whatever ends it, and wherever it is by then, it leaves nothing behind."""

import asyncio
import contextlib
import gc
import json
import random
import weakref
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from autobahn.exception import Disconnected

from event_bridge import closing
from event_bridge.consumers import ChatConsumer, State
from event_bridge.delivery import Delivered
from event_bridge.hub import Hub, get_hub
from event_bridge.session import Session
from gql_chat.models import GroupChat, get_model
from gql_chat.streams import Envelope, user_stream
from tests.conftest import Orm, Users
from tests.timing import PATIENCE, eventually

Message = dict[str, Any]


class Server:
    """The server's side of a socket.

    Attributes:
        sent: what was sent, in order.
        coming: what the client sends.
        error: what `send` raises for a message, by its type.
    """

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.coming: asyncio.Queue[Message] = asyncio.Queue()
        self.coming.put_nowait({"type": "websocket.connect"})
        self.error: dict[str, BaseException] = {}
        self.refuses: set[int] = set()

    async def receive(self) -> Message:
        return await self.coming.get()

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0)
        if error := self.error.get(message["type"]):
            raise error
        if message["type"] == "websocket.close":
            if message["code"] in self.refuses:
                raise ValueError("no such code")
            self.coming.put_nowait({"type": "websocket.disconnect", "code": message["code"]})
        self.sent.append(message)

    @property
    def codes(self) -> list[int]:
        return [message["code"] for message in self.sent if message["type"] == "websocket.close"]

    def is_open(self) -> bool:
        return any('"chat.notifications"' in message.get("text", "") for message in self.sent)

    def go(self) -> None:
        self.coming.put_nowait({"type": "websocket.disconnect", "code": 1006})


def message(room: Any, content: str) -> Message:
    data = {"room_id": str(room.pk), "content": content}
    text = json.dumps({"event_type": "message.send", "data": data})
    return {"type": "websocket.receive", "text": text}


class Sockets:
    """Sockets of users who are in a room, on one hub."""

    def __init__(self, user: Any, orm: Orm) -> None:
        self.user = user
        self.orm = orm
        self.hub: Hub = get_hub()

    def open(self, server: Server, kind: type[ChatConsumer] = ChatConsumer) -> asyncio.Task[None]:
        consumer = kind({"user": self.user}, server.receive, server.send)
        return asyncio.create_task(consumer.run())

    def sessions(self) -> int:
        return self.orm(get_model("Session").objects.filter(user=self.user).count)

    async def check_nothing_is_left(self) -> None:
        hub = self.hub
        readings = hub.readings
        # The hub reads by itself every two seconds: what that keeps goes with its answer.
        await eventually(
            lambda: not (len(readings) or readings.kept_frames or readings.kept_departures),
            "no reading is kept",
        )
        assert not hub.registry.subscribers
        assert not hub.registry.streams
        assert not hub.registry.streams_of
        assert not hub._running
        assert not any(turn.locked() for turn in hub._turns.values())
        await eventually(lambda: self.sessions() == 0, "no session is left")


@pytest.fixture
async def sockets(users: Users, orm: Orm) -> AsyncIterator[Sockets]:
    alice = users("alice")
    orm(lambda: GroupChat.objects.create(name="group", creator=alice))
    sockets = Sockets(alice, orm)
    yield sockets
    sockets.hub.threads.close()


@pytest.mark.parametrize("seed", range(4))
async def test_a_socket_that_is_cancelled_wherever_it_is_leaves_nothing_behind(
    seed: int, sockets: Sockets
) -> None:
    chance = random.Random(seed)
    # Turns of the loop are where it may be cancelled; some threads' work comes between.
    for attempt in range(60):
        servers = [Server() for _ in range(3)]
        tasks = [sockets.open(server) for server in servers]
        for _ in range(attempt % 20):
            await asyncio.sleep(0)
        for _ in range(chance.choice((0, 0, 1, 3, 8))):
            await asyncio.sleep(0.001)
        for task, server in zip(tasks, servers, strict=True):
            match chance.randrange(4):
                case 0:
                    server.go()
                case 1:
                    task.cancel()
                    await asyncio.sleep(0)
                    task.cancel()  # a server that is in a hurry
                case _:
                    task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE)
        assert len(sockets.hub.readings) == 0
        assert not sockets.hub.registry.subscribers
        assert not sockets.hub.readings.kept_frames
    await sockets.check_nothing_is_left()

    # And the hub serves whoever comes next.
    server = Server()
    task = sockets.open(server)
    await eventually(server.is_open, "it is open")
    server.go()
    await asyncio.wait_for(task, PATIENCE)
    await sockets.check_nothing_is_left()


@pytest.mark.parametrize("place", ["turn", "thread", "layer"])
async def test_a_socket_that_is_cancelled_where_it_waits_leaves_nothing_behind(
    place: str, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = sockets.hub
    go_on = asyncio.Event()
    if place == "layer":
        monkeypatch.setattr(hub, "subscribed", go_on.wait)
    if place == "thread":
        commit = hub.threads.commit

        async def later(*args: Any, **options: Any) -> Any:
            await go_on.wait()
            return await commit(*args, **options)

        monkeypatch.setattr(
            hub.threads, "commit", lambda *args, **opts: asyncio.ensure_future(later(*args, **opts))
        )
    turn = hub.turn(str(sockets.user.pk))
    if place == "turn":
        await turn.acquire()
    tasks = [sockets.open(Server()) for _ in range(10)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert hub.registry.subscribers

    for task in tasks:
        task.cancel()
    go_on_soon = asyncio.get_running_loop().call_later(0.05, go_on.set)
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE)
    go_on_soon.cancel()
    go_on.set()

    assert (len(hub.readings), hub.readings.kept_frames) == (0, 0)
    assert not hub.registry.subscribers
    if place == "turn":
        turn.release()
    del turn
    await sockets.check_nothing_is_left()


async def test_an_open_socket_keeps_nothing_of_what_was_read_for_it(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred notifications take more than all the rest of an idle socket."""

    class Notifications(list[Any]):
        pass

    kept: list[weakref.ref[Any]] = []
    read = Session._open

    def open_session(session: Session) -> tuple[Any, Any]:
        positions, notifications = read(session)
        found = Notifications(notifications)
        kept.append(weakref.ref(found))
        return positions, found

    monkeypatch.setattr(Session, "_open", open_session)
    servers = [Server() for _ in range(3)]
    tasks = [sockets.open(server) for server in servers]
    await eventually(lambda: all(server.is_open() for server in servers), "all are open")

    def is_let_go() -> bool:
        gc.collect()
        return not any(reference() is not None for reference in kept)

    assert len(kept) == 3
    await eventually(is_let_go, "nothing is kept")
    for server in servers:
        server.go()
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
    await sockets.check_nothing_is_left()


# A server's `send` that fails


async def opened(sockets: Sockets, server: Server) -> asyncio.Task[None]:
    task = sockets.open(server)
    await eventually(server.is_open, "it is open")
    return task


@pytest.mark.parametrize("error", [TimeoutError(), RuntimeError("bug"), ValueError("bug")])
async def test_a_socket_whose_frames_cannot_be_sent_is_closed_so_that_it_resumes(
    error: Exception, sockets: Sockets
) -> None:
    server = Server()
    task = await opened(sockets, server)

    server.error["websocket.send"] = error
    server.coming.put_nowait({"type": "websocket.receive", "text": "no JSON"})
    await asyncio.wait_for(task, PATIENCE)

    assert server.codes == [1011]
    await sockets.check_nothing_is_left()


async def test_a_socket_that_cannot_even_be_closed_ends_all_the_same(sockets: Sockets) -> None:
    server = Server()
    task = await opened(sockets, server)

    server.error["websocket.send"] = server.error["websocket.close"] = TimeoutError()
    server.coming.put_nowait({"type": "websocket.receive", "text": "no JSON"})

    await asyncio.wait_for(task, PATIENCE)
    await sockets.check_nothing_is_left()


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), Disconnected("gone")])
async def test_what_a_client_sent_before_it_went_is_still_done(
    error: Exception, sockets: Sockets
) -> None:
    server = Server()
    task = await opened(sockets, server)
    server.error["websocket.send"] = error
    room = await asyncio.to_thread(sockets.orm, GroupChat.objects.filter(creator=sockets.user).get)

    # More than may be under way at once: some are taken when the first answer could not be sent.
    for number in range(30):
        server.coming.put_nowait(message(room, str(number)))
    server.go()
    await asyncio.wait_for(task, PATIENCE)

    count = sockets.orm(get_model("Message").objects.filter(room=room.pk).count)
    assert (count, server.codes) == (30, [])
    await sockets.check_nothing_is_left()


async def test_a_client_that_is_said_to_be_gone_and_is_not_is_closed(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "GONE_SECONDS", 0.01)
    server = Server()
    task = await opened(sockets, server)

    server.error["websocket.send"] = ConnectionError("a cache of the middleware's is away")
    server.coming.put_nowait({"type": "websocket.receive", "text": "no JSON"})
    await asyncio.wait_for(task, PATIENCE)

    assert server.codes == [1011]
    await sockets.check_nothing_is_left()


async def test_a_server_that_never_says_that_it_closed_keeps_nothing_alive(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.05)

    class Silent(Server):
        async def send(self, message: Message) -> None:
            if message["type"] == "websocket.close":
                self.sent.append(message)
                return
            await super().send(message)

    server = Silent()
    task = await opened(sockets, server)
    for subscriber in tuple(sockets.hub.registry.subscribers[str(sockets.user.pk)]):
        subscriber.interrupt()

    await asyncio.wait_for(task, PATIENCE)
    assert server.codes == [1012]
    await sockets.check_nothing_is_left()


@pytest.mark.parametrize(
    ("code", "substitute", "error"), [(1009, 4009, 4003), (1011, 4011, 4503), (1012, 4012, 4503)]
)
async def test_where_a_server_cannot_send_a_code_the_client_is_told_another_way(
    code: int, substitute: int, error: int, sockets: Sockets
) -> None:
    server = Server()
    server.refuses = {1009, 1011, 1012}
    task = await opened(sockets, server)
    (subscriber,) = sockets.hub.registry.subscribers[str(sockets.user.pk)]
    consumer: Any = subscriber

    await consumer.close(code)
    await asyncio.wait_for(task, PATIENCE)

    assert server.codes == [substitute]
    assert f'"code":{error}' in server.sent[-2]["text"]
    await sockets.check_nothing_is_left()


async def test_a_hub_that_stops_lets_a_socket_be_closed_to_the_end(sockets: Sockets) -> None:
    """The last socket's own closing is no task that ends with the hub."""
    server = Server()
    task = await opened(sockets, server)
    (subscriber,) = sockets.hub.registry.subscribers[str(sockets.user.pk)]
    subscriber.dismiss()
    subscriber.interrupt()
    server.go()
    await asyncio.wait_for(task, PATIENCE)

    assert server.codes in ([4001], [])
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.sleep(0), 1)
    await sockets.check_nothing_is_left()


# Projects' code that fails


@pytest.mark.parametrize("when", ["opening", "resuming"])
async def test_a_frame_that_was_held_back_and_cannot_be_taken_closes_the_socket(
    when: str, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise those behind it would be lost, and the socket stay open."""

    class Picky(ChatConsumer):
        offered: ClassVar[list[str]] = []

        def deliver(self, frame: Delivered) -> None:
            if self.state is State.OPEN and self.resumption is None:
                self.offered.append(frame.name)
                raise RuntimeError("bug")
            super().deliver(frame)

    server, hub = Server(), sockets.hub
    go_on = asyncio.Event()
    envelopes = [Envelope(user_stream(sockets.user.pk), 0, "Typing", "{}") for _ in range(3)]
    if when == "opening":
        monkeypatch.setattr(hub, "subscribed", go_on.wait)
        task = sockets.open(server, Picky)
        await eventually(
            lambda: hub.registry.hears(str(sockets.user.pk), envelopes[0].stream), "it has"
        )
    else:
        task = sockets.open(server, Picky)
        await eventually(server.is_open, "it is open")
        run = hub.threads.run

        async def later(*args: Any) -> Any:
            await go_on.wait()
            return await run(*args)

        monkeypatch.setattr(hub.threads, "run", lambda *args: asyncio.ensure_future(later(*args)))
        text = '{"event_type": "session.resume", "data": {"streams": {}}}'
        server.coming.put_nowait({"type": "websocket.receive", "text": text})
        for _ in range(20):
            await asyncio.sleep(0)
    Picky.offered.clear()
    hub.take(envelopes)
    go_on.set()

    await asyncio.wait_for(task, PATIENCE)
    assert Picky.offered == ["messagetyping.dispatch"]
    assert server.codes == [1012]
    assert not any('"code":4006' in sent.get("text", "") for sent in server.sent)
    await sockets.check_nothing_is_left()


async def test_a_hook_that_hangs_when_a_socket_has_closed_keeps_nothing_alive(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.05)

    class Hanging(ChatConsumer):
        async def disconnected(self) -> None:
            await asyncio.Event().wait()

    server = Server()
    task = sockets.open(server, Hanging)
    await eventually(server.is_open, "it is open")

    server.go()
    await asyncio.wait_for(task, PATIENCE)
    await sockets.check_nothing_is_left()

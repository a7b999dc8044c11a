"""One locked room stalls no other: not on eight threads, and whatever a project's view holds."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from gql_chat.models import Message, StreamEvent, get_model
from tests.client import Client, Frame
from tests.conftest import Connect, Orm, Users
from tests.timing import PATIENCE, eventually
from tests.wire.rooms import group, people

pytestmark = pytest.mark.skipif(
    "connection.vendor == 'sqlite'", reason="SQLite locks no rows: its one writer waits for nobody"
)

#: More than there are threads.
SENDERS = 20


class Held:
    """The row of a room, held by a transaction of the project's."""

    def __init__(self, room_id: str) -> None:
        self._room_id = room_id
        self._held, self._free = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, daemon=True)

    def _hold(self) -> None:
        try:
            with transaction.atomic():
                list(get_model("Room").objects.select_for_update().filter(pk=self._room_id))
                self._held.set()
                self._free.wait(PATIENCE * 5)
        finally:
            connection.close()

    @property
    def free(self) -> bool:
        return self._free.is_set()

    def release(self) -> None:
        self._free.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @contextmanager
    def during(self) -> Iterator["Held"]:
        self._thread.start()
        assert self._held.wait(PATIENCE)
        try:
            yield self
        finally:
            self.release()


def waiting() -> int:
    """How many transactions wait for a row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        found: int = cursor.fetchone()[0]
        return found


async def answer_to(client: Client, request_id: str) -> Frame:
    """The next frame that answers this request; others are passed over."""
    while True:
        frame = await client.next()
        if frame.get("request_id") == request_id:
            return frame


class World:
    """A room that gets locked, with many sockets of its members, and people elsewhere.

    Attributes:
        senders: the sockets that send into the locked room.
    """

    def __init__(self, orm: Orm, connect: Connect) -> None:
        self.orm = orm
        self.connect = connect
        self.senders: list[Client] = []

    async def build(self, users: Users) -> "World":
        self.alice, self.bob, self.carol, self.dave = await people(
            self.connect, users, "alice", "bob", "carol", "dave"
        )
        self.locked = await group(self.alice, self.bob)
        self.elsewhere = await group(self.carol, self.dave)
        self.senders = [await self.connect(self.alice.user) for _ in range(SENDERS)]
        return self

    async def send(self, number: int, request_id: str) -> None:
        data = {
            "room_id": self.locked["id"],
            "content": f"message {number}",
            "client_id": f"{self.locked['id']}-{number}",
        }
        await self.senders[number].send("message.send", data, request_id=request_id)

    async def everything_else_works(self, held: Held) -> None:
        """What has nothing to do with the locked room is answered while it is locked."""
        for round_ in range(3):
            await self.carol.send(
                "message.send", {"room_id": self.elsewhere["id"], "content": f"{round_}"}
            )
            for person in (self.carol, self.dave):
                assert (await person.expect("message.dispatch"))["content"] == f"{round_}"
            await self.dave.heartbeat()
            assert (await self.dave.ask("room.list"))[0]["id"] == self.elsewhere["id"]
            # Also those of the locked room itself that only read.
            assert (await self.bob.ask("room.list"))[0]["id"] == self.locked["id"]
            await self.bob.ask("room.messages", {"room_id": self.locked["id"]})
            await self.bob.heartbeat()
            for person in (self.carol, self.bob):
                late = await self.connect(person.user)
                await late.send("session.resume", {"streams": {}})
                await late.expect("session.resumed")
                await late.close()
            assert not held.free

    def stored(self) -> Counter[str]:
        def read() -> Counter[str]:
            rows = Message.objects.filter(room_id=self.locked["id"])
            return Counter(rows.values_list("content", flat=True))

        return self.orm(read)

    def places(self) -> list[int]:
        def read() -> list[int]:
            stream = f"room:{self.locked['id']}"
            log = StreamEvent.objects.filter(stream=stream).order_by("seq")
            return list(log.values_list("seq", flat=True))

        return self.orm(read)


@pytest.fixture
async def world(orm: Orm, connect: Connect, users: Users) -> World:
    return await World(orm, connect).build(users)


async def test_a_locked_room_stalls_nobody_else_and_its_events_wait_their_turn(
    world: World, orm: Orm, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": PATIENCE * 5}

    with Held(world.locked["id"]).during() as held:
        for number in range(SENDERS):
            await world.send(number, f"r{number}")
        await eventually(lambda: orm(waiting) > 0, "the room is waited for")
        await world.everything_else_works(held)
        # Of all that wait, two do with a thread and a transaction.
        assert 1 <= orm(waiting) <= 2

    answers = await asyncio.gather(
        *(answer_to(client, f"r{number}") for number, client in enumerate(world.senders))
    )
    assert {frame["status"] for frame in answers} == {"success"}
    assert world.stored() == Counter(f"message {number}" for number in range(SENDERS))
    assert world.places() == list(range(1, SENDERS + 2))
    got = [await world.bob.expect("message.dispatch") for _ in range(SENDERS)]
    assert {message["content"] for message in got} == set(world.stored())


async def test_who_waits_for_too_long_is_told_when_to_try_again(
    world: World, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": 0.3}

    with Held(world.locked["id"]).during() as held:
        for number in range(SENDERS):
            await world.send(number, f"r{number}")
        answers = await asyncio.gather(
            *(answer_to(client, f"r{number}") for number, client in enumerate(world.senders))
        )
        await world.everything_else_works(held)

    for frame in answers:
        assert frame["error"]["code"] == 4503
        assert frame["error"]["detail"]["retry_after"] > 0
        assert isinstance(frame["error"]["detail"]["message"], str)
    assert world.stored() == Counter()
    assert not [record for record in caplog.records if "database" in record.getMessage()]

    # Twice, as whoever is in doubt does: it is stored once.
    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": PATIENCE * 5}
    for attempt in ("a", "b"):
        for number in range(SENDERS):
            await world.send(number, f"{attempt}{number}")
    for attempt in ("a", "b"):
        again = await asyncio.gather(
            *(answer_to(client, f"{attempt}{n}") for n, client in enumerate(world.senders))
        )
        assert not [frame for frame in again if "error" in frame]
    assert world.stored() == Counter(f"message {number}" for number in range(SENDERS))
    assert world.places() == list(range(1, SENDERS + 2))


async def test_two_locked_rooms_leave_threads_for_a_third(
    world: World, orm: Orm, connect: Connect, users: Users, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"LOCK_TIMEOUT": PATIENCE * 5}
    erin, frank = await people(connect, users, "erin", "frank")
    other = await group(erin, frank)
    more = [await connect(erin.user) for _ in range(SENDERS)]

    with Held(world.locked["id"]).during() as held, Held(other["id"]).during():
        for number in range(SENDERS):
            await world.send(number, f"r{number}")
            data: dict[str, Any] = {"room_id": other["id"], "content": "hello"}
            await more[number].send("message.send", data, request_id=f"r{number}")
        await eventually(lambda: orm(waiting) == 4, "both rooms are waited for")
        await world.everything_else_works(held)

    for clients in (world.senders, more):
        for number, client in enumerate(clients):
            assert "error" not in await answer_to(client, f"r{number}")

"""The link to the channel layer: it says that the layer is away when it is, once, and never else.

The layers are real, on a Redis of these tests.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from event_bridge.hub import layer as layers
from event_bridge.hub.layer import LayerLink
from event_bridge.metrics import Recorder
from gql_chat import streams
from gql_chat.streams import Envelope, group_name, outages, publishing
from gql_chat.streams.outages import Outages
from tests.configuration import cannot_run
from tests.servers import RedisServer, ServerMissingError
from tests.timing import PATIENCE, eventually

ROOM = "room:a"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis to be stopped and started."""
    try:
        server = RedisServer()
    except ServerMissingError as missing:
        cannot_run(str(missing))
    with server:
        yield server


class CoreLayer(RedisChannelLayer):
    """The layer, which counts what `receive` raises."""

    raised = 0

    async def receive(self, channel: str) -> Any:
        try:
            return await super().receive(channel)
        except Exception:
            self.raised += 1
            raise


@pytest.fixture(params=[CoreLayer, RedisPubSubChannelLayer], ids=["core", "pubsub"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


class Place:
    """A link, with what it was given and what it was to catch up."""

    def __init__(self, layer: Any, recorder: Recorder | None = None) -> None:
        self.layer = layer
        self.taken: list[Envelope] = []
        self.caught_up = 0
        self.database_is_away = False
        loop = asyncio.get_running_loop()
        self.link = LayerLink(
            "a-hub", loop, self.taken.extend, self._catch_up, recorder or Recorder()
        )

    async def _catch_up(self) -> None:
        self.caught_up += 1
        if self.database_is_away:
            raise ConnectionError("the database")

    async def notify(self, seq: int) -> None:
        """Do what another process does: notify of an event."""
        message = {**Envelope(ROOM, seq, "MessageSent", "{}").to_message(), "process": "another"}
        await self.layer.group_send(group_name(ROOM), message)

    async def hears(self, first: int) -> None:
        """Wait until notifications arrive: one that is sent before all is joined may be lost."""
        async with asyncio.timeout(PATIENCE):
            while not any(envelope.seq >= first for envelope in self.taken):
                try:
                    await self.notify(first + len(self.taken))
                except Exception:  # it is not back yet
                    await asyncio.sleep(0.05)
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        """End the tasks of the link, as a loop does that is closed."""
        for task in self.link._tasks:
            task.cancel()
        await asyncio.wait(self.link._tasks)


@pytest.fixture(autouse=True)
def layer_outages(monkeypatch: pytest.MonkeyPatch) -> Outages:
    """The outages of a layer that has never failed, which nobody else tells of."""
    fresh = Outages()
    for module in (layers, publishing):
        monkeypatch.setattr(module, "layer_outages", fresh)
    monkeypatch.setattr(streams, "reaches_other_processes", lambda: True)
    return fresh


@asynccontextmanager
async def linked(
    layer: Any, monkeypatch: pytest.MonkeyPatch, recorder: Recorder | None = None
) -> AsyncIterator[Place]:
    monkeypatch.setattr(layers, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(publishing, "get_channel_layer", lambda: layer)
    place = Place(layer, recorder)
    place.link.start()
    place.link.want(ROOM)
    yield place
    await place.end()
    if not isinstance(layer, InMemoryChannelLayer):
        await (layer.flush() if isinstance(layer, RedisPubSubChannelLayer) else layer.close_pools())


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the package says, and not `channels_redis`."""
    return [
        getattr(record, "layer", record.getMessage())
        for record in caplog.records
        if record.name in {"gql_chat", "event_bridge"} and record.levelno >= logging.WARNING
    ]


async def test_a_redis_that_is_stopped_and_started_is_told_of_once_each_time(
    kind: Any,
    server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    layer_outages: Outages,
) -> None:
    monkeypatch.setattr(layers, "PROBE_SECONDS", 0.1)
    async with linked(kind(hosts=[server.url]), monkeypatch) as place:
        await place.hears(1)
        for outage in range(1, 3):
            await asyncio.to_thread(server.stop)
            try:
                await eventually(lambda: layer_outages.is_away, "it is noticed")
                failed = layer_outages.failures
                # All who use it go on failing.
                await eventually(lambda: layer_outages.failures > failed + 10, "it goes on")  # noqa: B023
            finally:
                await asyncio.to_thread(server.start)
            await eventually(lambda: not layer_outages.is_away, "it is back")
            assert lines(caplog) == ["away", "back"] * outage
        await place.hears(1000)
    assert lines(caplog) == ["away", "back"] * 2


async def test_a_layer_that_is_quiet_is_not_away(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: Any, layer_outages: Outages
) -> None:
    # redis-py gives up reading after five seconds by itself; here it is sooner.
    layer = CoreLayer(hosts=[{"address": server.url, "socket_timeout": 1.0}])
    monkeypatch.setattr(layers, "PROBE_SECONDS", 3600)
    async with linked(layer, monkeypatch) as place:
        await eventually(lambda: layer.raised >= 2, "waiting has ended twice")
        await place.hears(1)

    assert layer_outages.failures == 0
    assert lines(caplog) == []


async def test_a_loop_that_is_late_is_no_outage(
    kind: Any,
    server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    layer_outages: Outages,
) -> None:
    async def load() -> None:
        while True:
            time.sleep(0.4)  # noqa: ASYNC251 (it is the load)
            await asyncio.sleep(0)

    monkeypatch.setattr(layers, "PROBE_SECONDS", 3600)
    async with linked(kind(hosts=[server.url]), monkeypatch) as place:
        await place.hears(1)
        # Each message takes several turns of the loop, so longer than this.
        monkeypatch.setattr(publishing, "LAYER_SECONDS", 0.8)
        at_work = asyncio.create_task(load())
        try:
            for seq in range(2):
                assert await streams.send_to_layer([Envelope(ROOM, seq, "MessageSent", "{}")])
        finally:
            at_work.cancel()

    assert layer_outages.failures == 0
    assert lines(caplog) == []


async def test_a_link_that_ends_says_nothing_of_the_layer(
    kind: Any,
    server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    layer_outages: Outages,
) -> None:
    monkeypatch.setattr(layers, "PROBE_SECONDS", 0.0)
    async with linked(kind(hosts=[server.url]), monkeypatch) as place:
        await place.hears(1)
        for seq in range(50):
            place.link.notify([Envelope(ROOM, seq, "MessageSent", "{}")])
            place.link.want(f"room:{seq}")
        await asyncio.sleep(0)  # all of that has begun

    assert layer_outages.failures == 0
    assert lines(caplog) == []


async def test_a_socket_waits_for_no_groups_that_others_want_after_it(
    monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(layers, "SUBSCRIBE_SECONDS", PATIENCE)
    async with linked(InMemoryChannelLayer(), monkeypatch) as place:

        async def come_and_go() -> None:
            number = 0
            while True:
                number += 1
                place.link.want(f"room:{number}")
                await asyncio.sleep(0)

        others = asyncio.create_task(come_and_go())
        try:
            async with asyncio.timeout(PATIENCE / 2):
                for number in range(3):
                    place.link.want(f"user:{number}")
                    await place.link.settled()
                    assert group_name(f"user:{number}") in place.layer.groups
        finally:
            others.cancel()
    assert lines(caplog) == []


async def test_a_socket_that_waits_long_for_its_groups_opens_and_accuses_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: Any, layer_outages: Outages
) -> None:
    monkeypatch.setattr(layers, "SUBSCRIBE_SECONDS", 0.01)
    layer, slow = InMemoryChannelLayer(), asyncio.Event()
    add = layer.group_add

    async def group_add(group: str, channel: str) -> None:
        await slow.wait()
        await add(group, channel)

    layer.group_add = group_add
    async with linked(layer, monkeypatch) as place:
        await place.link.settled()
        assert place.link._waiters == {}
        slow.set()
        monkeypatch.setattr(layers, "SUBSCRIBE_SECONDS", PATIENCE)
        await place.link.settled()
        assert group_name(ROOM) in layer.groups

    assert layer_outages.failures == 0
    assert lines(caplog) == []


async def test_a_database_that_does_not_answer_is_no_failure_of_the_layer(
    monkeypatch: pytest.MonkeyPatch, caplog: Any, layer_outages: Outages
) -> None:
    async with linked(InMemoryChannelLayer(), monkeypatch) as place:
        place.database_is_away = True
        place.link.want("room:b")
        await place.link.settled()
        assert place.caught_up > 0

    assert layer_outages.failures == 0
    assert lines(caplog)[0].startswith("The hub could not catch up")


async def test_wake_ups_that_nobody_takes_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "WAITING", 3)
    async with linked(InMemoryChannelLayer(), monkeypatch) as place:
        for seq in range(10):
            place.link.notify([Envelope(ROOM, seq, "MessageSent", "{}")])

        assert place.link.waiting == 3


class Lag(Recorder):
    """Keeps how late wake-ups were."""

    active = True

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def woken(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def test_how_late_a_wake_up_is_is_recorded_where_its_sender_says_when_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder, layer = Lag(), InMemoryChannelLayer()
    async with linked(layer, monkeypatch, recorder) as place:
        await place.hears(1)  # of a sender that does not say so
        assert recorder.seconds == []
        # It is this process that sends, by another name.
        monkeypatch.setattr("gql_chat.streams.envelopes.process_name", lambda: "another")
        place.link.notify([Envelope(ROOM, 2000, "MessageSent", "{}")])
        await eventually(lambda: bool(recorder.seconds), "it has come")

    (seconds,) = recorder.seconds
    assert 0 <= seconds < PATIENCE


def test_what_ends_waiting_for_a_message() -> None:
    assert outages.is_silence(TimeoutError())
    assert outages.is_silence(outages.RedisTimeoutError("Timeout reading from a socket"))
    assert not outages.is_silence(ConnectionError())

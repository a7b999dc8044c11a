"""Subscribers of the endpoint: the channel layer notifies them, whatever state it is in."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from channels.layers import InMemoryChannelLayer

from gql_chat import streams
from gql_chat.endpoint import subscribers
from gql_chat.endpoint.access import Caller
from gql_chat.endpoint.subscribers import Notifier, Subscriber
from gql_chat.sql.threads import DatabaseThreads
from gql_chat.streams import Envelope
from tests.timing import PATIENCE, eventually


class Setting:
    """A notifier on a layer that seems to reach other processes, and a subscriber."""

    def __init__(self) -> None:
        self.layer: Any = InMemoryChannelLayer()
        self.threads = DatabaseThreads(1)
        self.notifier = Notifier(asyncio.get_running_loop(), self.threads)
        self.subscriber = Subscriber(Caller(1), self.threads)
        self.stream = f"room:{uuid4()}"
        self.group = streams.group_name(self.stream)

    async def send(self) -> None:
        """Send what another process would."""
        message = {**Envelope(self.stream, 1, "MessageSent", "{}").to_message(), "process": "x"}
        await self.layer.group_send(self.group, message)

    async def end(self) -> None:
        """Stop receiving from the layer."""
        receiving = self.notifier._receiving
        if receiving is not None:
            receiving.cancel()
            await asyncio.wait({receiving})
        self.threads.close()


@pytest.fixture
async def setting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A notifier and a subscriber."""
    monkeypatch.setattr(streams, "reaches_other_processes", lambda: True)
    # What the database would be asked for is none of this.
    monkeypatch.setattr(subscribers, "CATCH_UP_SECONDS", 0.05)
    monkeypatch.setattr(subscribers, "_find_news", lambda names, callers: ({}, set()))
    setting = Setting()
    monkeypatch.setattr(subscribers, "get_channel_layer", lambda: setting.layer)
    yield setting
    await setting.end()


async def test_the_layer_notifies_as_long_as_somebody_subscribes(setting: Setting) -> None:
    await setting.notifier.add(setting.stream, setting.subscriber)
    await setting.send()
    async with asyncio.timeout(PATIENCE):
        await setting.subscriber.wake_up.wait()

    setting.subscriber.wake_up.clear()
    await setting.notifier.remove(setting.stream, setting.subscriber)
    assert setting.group not in setting.layer.groups


async def test_groups_that_the_layer_forgot_are_joined_again(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "REJOIN_CHECKS", 1)
    await setting.notifier.add(setting.stream, setting.subscriber)
    del setting.layer.groups[setting.group]

    await eventually(lambda: setting.group in setting.layer.groups, "the group is joined again")

    await setting.notifier.remove(setting.stream, setting.subscriber)


class Broken:
    """A layer that is away, as often as it is asked."""

    def __getattr__(self, name: str) -> Any:
        async def fail(*args: Any, **kwargs: Any) -> Any:
            raise ConnectionError(name)

        return fail


async def test_a_layer_that_is_away_is_joined_when_it_is_back(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "REJOIN_CHECKS", 1)
    failures = streams.layer_outages.failures
    with monkeypatch.context() as away:
        away.setattr(subscribers, "get_channel_layer", Broken)
        await setting.notifier.add(setting.stream, setting.subscriber)
    assert streams.layer_outages.failures > failures

    await eventually(lambda: setting.group in setting.layer.groups, "it is joined")
    await setting.send()
    async with asyncio.timeout(PATIENCE):
        await setting.subscriber.wake_up.wait()

    monkeypatch.setattr(setting.notifier, "_layer", Broken())
    await setting.notifier.remove(setting.stream, setting.subscriber)


async def test_receiving_goes_on_after_the_layer_has_failed(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await setting.notifier.add(setting.stream, setting.subscriber)
    layer = setting.notifier._layer
    await setting.end()
    monkeypatch.setattr(setting.notifier, "_layer", Broken())
    receiving = asyncio.get_running_loop().create_task(setting.notifier._receive())
    setting.notifier._receiving = receiving
    await asyncio.sleep(0)
    monkeypatch.setattr(setting.notifier, "_layer", layer)

    await setting.send()
    async with asyncio.timeout(PATIENCE):
        await setting.subscriber.wake_up.wait()
    await setting.notifier.remove(setting.stream, setting.subscriber)


async def test_streams_that_cannot_be_checked_now_are_checked_later(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([RuntimeError("away"), ({setting.stream: 5}, set())])

    def ask(names: list[str], callers: set[Caller]) -> Any:
        answer = next(answers, ({}, set()))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(subscribers, "_find_news", ask)
    await setting.notifier.add(setting.stream, setting.subscriber)

    async with asyncio.timeout(PATIENCE):
        await setting.subscriber.wake_up.wait()
    assert "Streams could not be checked" in caplog.text
    await setting.notifier.remove(setting.stream, setting.subscriber)

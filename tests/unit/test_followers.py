"""The bells of followers: rung by the channel layer, whatever state it is in."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from channels.layers import InMemoryChannelLayer

from gql_chat import streams
from gql_chat.endpoint import followers
from gql_chat.endpoint.access import Caller
from gql_chat.endpoint.followers import Bells, Follower
from gql_chat.sql.threads import DatabaseThreads
from gql_chat.streams import Envelope
from tests.timing import PATIENCE, eventually


class Setting:
    """Bells that listen to a layer as if it reached other processes, and a follower."""

    def __init__(self) -> None:
        self.layer: Any = InMemoryChannelLayer()
        self.threads = DatabaseThreads(1)
        self.bells = Bells(asyncio.get_running_loop(), self.threads)
        self.follower = Follower(Caller(1), self.threads)
        self.stream = f"room:{uuid4()}"
        self.group = streams.group_name(self.stream)

    async def send(self) -> None:
        """Send what another process would."""
        message = {**Envelope(self.stream, 1, "MessageSent", "{}").to_message(), "process": "x"}
        await self.layer.group_send(self.group, message)

    async def end(self) -> None:
        """Let nobody listen any more."""
        listening = self.bells._listening
        if listening is not None:
            listening.cancel()
            await asyncio.wait({listening})
        self.threads.close()


@pytest.fixture
async def setting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Bells and a follower."""
    monkeypatch.setattr(streams, "reaches_other_processes", lambda: True)
    # What the database would be asked for is none of this.
    monkeypatch.setattr(followers, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(followers, "_ask", lambda names, callers: ({}, set()))
    setting = Setting()
    monkeypatch.setattr(followers, "get_channel_layer", lambda: setting.layer)
    yield setting
    await setting.end()


async def test_the_layer_rings_as_long_as_somebody_follows(setting: Setting) -> None:
    await setting.bells.add(setting.stream, setting.follower)
    await setting.send()
    async with asyncio.timeout(PATIENCE):
        await setting.follower.bell.wait()

    setting.follower.bell.clear()
    await setting.bells.remove(setting.stream, setting.follower)
    assert setting.group not in setting.layer.groups


async def test_groups_that_the_layer_forgot_are_joined_again(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "RENEW_LOOKS", 1)
    await setting.bells.add(setting.stream, setting.follower)
    del setting.layer.groups[setting.group]

    await eventually(lambda: setting.group in setting.layer.groups, "the group is joined again")

    await setting.bells.remove(setting.stream, setting.follower)


class Broken:
    """A layer that is away, as often as it is asked."""

    def __getattr__(self, name: str) -> Any:
        async def fail(*args: Any, **kwargs: Any) -> Any:
            raise ConnectionError(name)

        return fail


async def test_a_layer_that_is_away_is_joined_when_it_is_back(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(followers, "RENEW_LOOKS", 1)
    with monkeypatch.context() as away:
        away.setattr(followers, "get_channel_layer", Broken)
        await setting.bells.add(setting.stream, setting.follower)
    assert "The channel layer is away" in caplog.text

    await eventually(lambda: setting.group in setting.layer.groups, "it is joined")
    await setting.send()
    async with asyncio.timeout(PATIENCE):
        await setting.follower.bell.wait()

    monkeypatch.setattr(setting.bells, "_layer", Broken())
    await setting.bells.remove(setting.stream, setting.follower)


async def test_listening_goes_on_after_the_layer_has_failed(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await setting.bells.add(setting.stream, setting.follower)
    layer = setting.bells._layer
    await setting.end()
    monkeypatch.setattr(setting.bells, "_layer", Broken())
    listening = asyncio.get_running_loop().create_task(setting.bells._listen())
    setting.bells._listening = listening
    await asyncio.sleep(0)
    monkeypatch.setattr(setting.bells, "_layer", layer)

    await setting.send()
    async with asyncio.timeout(PATIENCE):
        await setting.follower.bell.wait()
    await setting.bells.remove(setting.stream, setting.follower)


async def test_what_cannot_be_looked_at_now_is_looked_at_later(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([RuntimeError("away"), ({setting.stream: 5}, set())])

    def ask(names: list[str], callers: set[Caller]) -> Any:
        answer = next(answers, ({}, set()))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(followers, "_ask", ask)
    await setting.bells.add(setting.stream, setting.follower)

    async with asyncio.timeout(PATIENCE):
        await setting.follower.bell.wait()
    assert "Streams could not be looked at" in caplog.text
    await setting.bells.remove(setting.stream, setting.follower)

"""Neighbours: a process whose layer ends at it says so when it sees another's sessions."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import override_settings
from django.utils import timezone

from event_bridge.hub.neighbours import Neighbours
from gql_chat.models import get_model

HERE, BESIDE, ELSEWHERE = "0" * 32, "1" * 32, "2" * 32
MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
REDIS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer"}}


class Inline:
    """Runs the work of database threads on the test's own connection."""

    async def run(self, work: Any, *args: Any) -> Any:
        return await sync_to_async(work)(*args)


@pytest.fixture
def neighbours() -> Neighbours:
    threads: Any = Inline()
    found = Neighbours(threads, lambda: [HERE, BESIDE])
    found.since = timezone.now() - timedelta(hours=1)
    return found


def open_session(user: Any, hub: str, **ago: float) -> None:
    get_model("Session").objects.create(
        user=user, channel_name=f"{hub}.1", alive_at=timezone.now() - timedelta(**ago)
    )


def look(neighbours: Neighbours, layers: Any = MEMORY) -> None:
    with override_settings(CHANNEL_LAYERS=layers):
        async_to_sync(neighbours.look)()


@pytest.mark.parametrize("layers", [MEMORY, {}])
def test_another_process_is_named_once(
    layers: Any, neighbours: Neighbours, alice: Any, caplog: pytest.LogCaptureFixture
) -> None:
    open_session(alice, ELSEWHERE)

    look(neighbours, layers)
    look(neighbours, layers)

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "CHANNEL_LAYERS" in record.getMessage()


def test_hubs_of_this_process_and_those_that_came_before_are_none(
    neighbours: Neighbours, alice: Any, caplog: pytest.LogCaptureFixture
) -> None:
    open_session(alice, HERE)
    open_session(alice, BESIDE)
    open_session(alice, ELSEWHERE, hours=2)
    open_session(alice, "graphql")

    look(neighbours)

    assert caplog.records == []


def test_a_layer_between_processes_hears_of_all(
    neighbours: Neighbours, alice: Any, caplog: pytest.LogCaptureFixture
) -> None:
    open_session(alice, ELSEWHERE)

    look(neighbours, REDIS)

    assert caplog.records == []


def test_a_process_that_has_just_begun_does_not_look(
    neighbours: Neighbours, alice: Any, caplog: pytest.LogCaptureFixture
) -> None:
    open_session(alice, ELSEWHERE, hours=-1)
    neighbours.since = timezone.now() + timedelta(minutes=1)

    look(neighbours)

    assert caplog.records == []

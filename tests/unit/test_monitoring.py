"""Monitoring: what its views and its application answer, for what a real server cannot show."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import AsyncClient, AsyncRequestFactory, override_settings
from django.urls import resolve

from event_bridge import monitoring
from event_bridge.health import Report
from event_bridge.monitoring import Monitoring
from event_bridge.questions import Question
from tests.timing import PATIENCE

METRICS = override_settings(REALTIME_CHAT_MESSAGING={"METRICS": True})


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log has a size that the test knows."""
    monkeypatch.setattr(monitoring, "_log", Question(lambda: (1234, 5.5), 0.0))
    with METRICS:
        yield


def test_the_urls_have_names_and_lead_to_the_views() -> None:
    assert resolve("/monitoring/metrics").view_name == "chat:metrics"
    assert resolve("/monitoring/health/live").view_name == "chat:live"
    assert resolve("/monitoring/health/ready").view_name == "chat:ready"


async def test_the_size_of_the_log_is_shown(measured: None) -> None:
    answer = await AsyncClient().get("/monitoring/metrics")

    assert answer.status_code == 200
    assert "chat_event_log_rows 1234.0" in answer.content.decode()
    assert "chat_event_log_age_seconds 5.5" in answer.content.decode()


async def test_a_database_that_hangs_or_fails_keeps_no_metrics_back(
    measured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "LOG_PATIENCE", 0.01)
    before = await AsyncClient().get("/monitoring/metrics")

    def fail() -> Any:
        raise ConnectionError

    for question in (Question(fail, 0.0), Never()):
        monkeypatch.setattr(monitoring, "_log", question)
        async with asyncio.timeout(PATIENCE):
            answer = await AsyncClient().get("/monitoring/metrics")
        assert answer.status_code == 200
        assert b"chat_event_log_rows 1234.0" in answer.content
    assert before.status_code == 200


class Never(Question[Any]):
    """A question to what hangs."""

    def __init__(self) -> None:
        super().__init__(lambda: None, 0.0)

    async def answer(self, seconds: float) -> Any:
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


async def test_metrics_that_are_off_are_not_there() -> None:
    assert (await AsyncClient().get("/monitoring/metrics")).status_code == 404
    assert (await asked("/metrics")).status == 404


@pytest.mark.parametrize("view", [monitoring.metrics, monitoring.live, monitoring.ready])
async def test_nobody_posts(view: Any) -> None:
    answer = await view(AsyncRequestFactory().post("/"))

    assert answer.status_code == 405


class Asked:
    """What an ASGI application was asked, and has answered."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.handed_on: list[dict[str, Any]] = []

    async def other(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.handed_on.append(scope)

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


async def asked(path: str, kind: str = "http", **options: Any) -> Asked:
    asked = Asked()
    application = Monitoring(asked.other, **options)
    await application({"type": kind, "path": path, "method": "GET"}, None, asked.send)
    return asked


async def test_what_is_not_of_monitoring_is_handed_on() -> None:
    for path, kind in [("/", "http"), ("/metrics/", "http"), ("/metrics", "websocket")]:
        assert len((await asked(path, kind)).handed_on) == 1
    lifespan = Asked()
    await Monitoring(lifespan.other)({"type": "lifespan"}, None, lifespan.send)
    assert len(lifespan.handed_on) == 1


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The channel layer is away; gives what was needed each time."""
    asked: list[Any] = []

    async def report(checks: Any, needed: Any) -> Report:
        asked.append(tuple(needed))
        return Report({**dict.fromkeys(checks, "ok"), "layer": "down"}, needed)

    monkeypatch.setattr(monitoring.health, "report", report)
    return asked


async def test_without_the_layer_a_process_is_ready_unless_a_project_needs_it(
    away: list[Any],
) -> None:
    request = AsyncRequestFactory().get("/")

    assert (await monitoring.ready(request)).status_code == 200
    assert (await monitoring.ready(request, needed=["layer"])).status_code == 503
    assert (await asked("/health/ready")).status == 200
    assert (await asked("/health/ready", needed=["layer"])).status == 503
    assert away[1] == ("layer",)

"""Health: what is down is named, once in the log, and what that means is told apart."""

import threading
from typing import Any

import pytest

from event_bridge import health as module
from event_bridge.health import LIVE, NEEDED, READY, Health, Report
from event_bridge.questions import Question


@pytest.fixture
def health() -> Health:
    """Checks that all succeed, and are asked anew each time."""
    health = Health()
    for name in health._questions:
        health._questions[name] = Question(lambda: None, 0.0)
    return health


def fail() -> None:
    raise ConnectionError("password=geheim host=db.internal")


@pytest.mark.parametrize(
    ("down", "status", "code"),
    [
        ([], "ok", 200),
        (["database"], "down", 503),
        (["migrations"], "down", 503),
        (["layer"], "degraded", 200),
        (["layer", "database"], "down", 503),
    ],
)
async def test_what_is_down_is_named(
    down: list[str], status: str, code: int, health: Health
) -> None:
    for name in down:
        health._questions[name] = Question(fail, 0.0)

    report = await health.report(READY, NEEDED)

    states = {name: "down" if name in down else "ok" for name in READY}
    assert report.as_json() == {"status": status, "checks": states}
    assert report.http_status == code
    assert "geheim" not in str(report.as_json())


async def test_a_project_may_need_the_layer(health: Health) -> None:
    health._questions["layer"] = Question(fail, 0.0)

    report = await health.report(READY, READY)

    assert (report.status, report.http_status) == ("down", 503)


async def test_the_reason_is_logged_once_each_time(health: Health, caplog: Any) -> None:
    good = health._questions["database"]
    for _ in range(2):
        health._questions["database"] = Question(fail, 0.0)
        for _ in range(3):
            await health.report(READY, NEEDED)
        health._questions["database"] = good
        for _ in range(3):
            await health.report(READY, NEEDED)

    assert [record.check for record in caplog.records] == ["database"] * 4
    assert "database is down" in caplog.messages[0]
    assert "database is ok again" in caplog.messages[1]


async def test_what_does_not_answer_in_time_is_down(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.01)
    ends = threading.Event()
    health._questions["database"] = Question(lambda: (ends.wait(), None)[1], 0.0)
    try:
        report = await health.report(READY, NEEDED)
    finally:
        ends.set()

    assert report.states["database"] == "down"
    assert report.states["migrations"] == "ok"


class Hub:
    """A hub that is sound or not."""

    def __init__(self, is_sound: bool) -> None:
        self.is_sound = is_sound


@pytest.mark.parametrize(("hub", "status"), [(None, "ok"), (Hub(True), "ok"), (Hub(False), "down")])
async def test_a_process_lives_while_its_hub_works_or_rests(
    hub: Any, status: str, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_hub", lambda: hub)
    for name in health._questions:  # none of them matters
        health._questions[name] = Question(fail, 0.0)

    report = await health.report(LIVE, LIVE)

    assert report.as_json() == {"status": status, "checks": {"hub": status}}


async def test_migrations_that_were_all_there_are_not_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    monkeypatch.setattr(module.readiness, "check_migrations", lambda: asked.append(1))
    health = Health()

    for _ in range(3):
        health._check_migrations()

    assert asked == [1]


def test_a_report_without_checks_is_fine() -> None:
    assert Report({}, NEEDED).status == "ok"

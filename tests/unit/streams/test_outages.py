"""Outages of the channel layer: what counts as one, and what is said of it."""

import pytest

from gql_chat.streams.outages import AWAY_SECONDS, MEMORY_SECONDS, Outages


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outages(clock: Clock) -> Outages:
    return Outages(clock)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.layer for record in caplog.records if hasattr(record, "layer")]


def test_one_failure_or_many_at_once_are_no_outage(
    outages: Outages, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        outages.note_failure(ConnectionError())

    assert not outages.is_away
    assert outages.failures == 10
    assert said(caplog) == []


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_ends(
    outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        for _ in range(10):
            outages.note_failure(ConnectionError("refused"))
            clock.now += AWAY_SECONDS
        assert outages.is_away
        for _ in range(3):
            outages.note_success()
        assert not outages.is_away

    assert said(caplog) == ["away", "back"] * 2
    assert "ConnectionError" in caplog.text
    assert "refused" not in caplog.text
    assert f"after {10 * AWAY_SECONDS:.1f} seconds" in caplog.text


def test_failures_with_a_success_between_them_are_no_outage(
    outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        outages.note_failure(TimeoutError())
        clock.now += AWAY_SECONDS
        outages.note_success()

    assert not outages.is_away
    assert said(caplog) == []


def test_failures_long_apart_are_no_outage_though_nobody_used_the_layer_meanwhile(
    outages: Outages, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        outages.note_failure(ConnectionError())
        clock.now += MEMORY_SECONDS + 1

    assert not outages.is_away
    assert said(caplog) == []

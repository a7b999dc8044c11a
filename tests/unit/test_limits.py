"""Sizes and rates."""

from typing import Any

import pytest
from django.test import override_settings

from event_bridge import limits
from event_bridge.limits import Ignored, Rate, is_too_large
from gql_chat.errors import RateLimited


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def rate(clock: Clock) -> Rate:
    """The rate of a new socket."""
    return Rate(clock)


def refused(rate: Rate) -> Any:
    """After how many seconds a refused event may come again, or None where it is let through."""
    try:
        rate.check()
    except RateLimited as problem:
        return problem.extensions["detail"]["retry_after"]
    return None


@pytest.mark.parametrize(
    ("text", "data", "too_large"),
    [
        ("x" * 8, None, False),
        ("x" * 9, None, True),
        ("é" * 4, None, False),
        ("é" * 5, None, True),
        ("😀" * 2, None, False),
        ("😀" * 2 + "x", None, True),
        ("", None, False),
        (None, b"x" * 8, False),
        (None, b"x" * 9, True),
        (None, None, False),
    ],
)
def test_a_frame_is_measured_in_bytes(
    text: str | None, data: bytes | None, too_large: bool
) -> None:
    with chat(MAX_FRAME_BYTES=8):
        assert is_too_large(text, data) is too_large


def test_without_a_limit_no_frame_is_too_large() -> None:
    with chat(MAX_FRAME_BYTES=None):
        assert not is_too_large("x" * 2_000_000, None)
        assert not is_too_large(None, b"x" * 2_000_000)


def test_a_lone_surrogate_is_measured_too() -> None:
    with chat(MAX_FRAME_BYTES=8):
        assert not is_too_large("\ud800" * 2, None)
        assert is_too_large("\ud800" * 8, None)


def test_by_default_there_is_no_rate(rate: Rate) -> None:
    assert [refused(rate) for _ in range(10_000)] == [None] * 10_000


def test_a_full_bucket_lets_as_many_events_through_as_it_holds(rate: Rate) -> None:
    with chat(RATE_LIMIT={"events": 3, "seconds": 6}):
        assert [refused(rate) for _ in range(5)] == [None, None, None, 2.0, 2.0]


def test_the_bucket_fills_up_with_time(rate: Rate, clock: Clock) -> None:
    with chat(RATE_LIMIT={"events": 3, "seconds": 6}):
        for _ in range(3):
            rate.check()
        clock.now += 1.5
        assert refused(rate) == 0.5
        clock.now += 0.5
        assert refused(rate) is None
        assert refused(rate) == 2.0


def test_waiting_as_long_as_told_is_enough(rate: Rate, clock: Clock) -> None:
    with chat(RATE_LIMIT={"events": 7, "seconds": 3}):
        for _ in range(7):
            rate.check()
        for _ in range(20):
            wait = refused(rate)
            assert wait is not None
            clock.now += wait
            assert refused(rate) is None


def test_the_bucket_never_holds_more_than_it_does(rate: Rate, clock: Clock) -> None:
    with chat(RATE_LIMIT={"events": 2, "seconds": 1}):
        rate.check()
        clock.now += 3600
        assert [refused(rate) is None for _ in range(3)] == [True, True, False]


def test_a_client_that_ignores_its_limit_is_given_up(rate: Rate) -> None:
    with chat(RATE_LIMIT={"events": 1, "seconds": 1000}):
        rate.check()
        for _ in range(limits.PATIENCE):
            assert refused(rate) is not None
        with pytest.raises(Ignored):
            rate.check()


def test_a_client_that_slows_down_is_forgiven(rate: Rate, clock: Clock) -> None:
    with chat(RATE_LIMIT={"events": 1, "seconds": 1}):
        for _ in range(3):
            rate.check()
            for _ in range(limits.PATIENCE):
                assert refused(rate) is not None
            clock.now += 1


def test_a_rate_of_a_projects_own_holds_whatever_the_setting(clock: Clock) -> None:
    rate = Rate(clock, {"events": 2, "seconds": 4})

    assert [refused(rate) for _ in range(3)] == [None, None, 2.0]
    with chat(RATE_LIMIT={"events": 100, "seconds": 1}):
        assert refused(rate) == 2.0

"""The soak: the load does what it says, and the trend is that of what was measured."""

import pytest

from benchmarks import soak
from benchmarks.results import Result
from tests.configuration import Configuration


def result(parts: list[dict[str, float]]) -> Result:
    return Result(
        1,
        {"cores": 2, "memory_gib": 8, "system": "x", "python": "3"},
        {},
        {"soak": {"parts": parts}},
    )


def test_a_trend_compares_the_last_third_with_the_first() -> None:
    parts = [{"tasks": float(count)} for count in (99, 1, 2, 3, 7, 7, 7, 4, 6, 8)]

    assert soak.trend(parts, "tasks") == 3.0


def test_what_was_not_measured_or_was_nothing_has_no_trend() -> None:
    assert soak.trend([{}, {}], "p50_ms") is None
    assert soak.trend([{"resumes_per_s": 0.0}] * 4, "resumes_per_s") is None


def test_the_table_shows_each_part_and_the_trend() -> None:
    table = soak.soak_table(result([{"tasks": 5.0}, {"tasks": 4.0}, {"tasks": 8.0}]))

    assert "| tasks | 5 | 4 | 8 | **2.00** |" in table


def test_a_page_shows_that_nothing_was_measured_yet() -> None:
    assert "make soak" in soak.sections(None)["soak"]
    assert (
        "**2.00**"
        in soak.sections(result([{"files": 1.0}, {"files": 2.0}, {"files": 4.0}]))["soak"]
    )


@pytest.mark.parametrize("metric", ["messages_per_s", "operations_per_s", "resumes_per_s"])
def test_everybody_does_what_they_do(metric: str, short_soak: list[dict[str, float]]) -> None:
    assert sum(part[metric] for part in short_soak) > 0


def test_every_part_is_looked_at(short_soak: list[dict[str, float]]) -> None:
    assert len(short_soak) == soak.PARTS
    latencies = {"p50_ms", "p99_ms"}
    assert all(part.keys() >= set(soak.SHOWN) - latencies for part in short_soak)
    assert all(part["tasks"] > 0 and part["connections"] > 0 for part in short_soak)


@pytest.fixture(scope="module")
def short_soak(configuration: Configuration) -> list[dict[str, float]]:
    if configuration.database != "sqlite":
        pytest.skip("chooses its databases itself: once is enough")
    return soak.measure(soak.STAY + 2 * soak.AWAY)

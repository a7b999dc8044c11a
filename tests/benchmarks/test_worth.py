"""What each lever buys: the ratio of two servers of one round, and the table of them."""

from benchmarks import worth
from benchmarks.levers import LEVERS, POSTGRES, SQLITE
from benchmarks.results import Result

METRICS = [f"{load}{suffix}" for load in worth.LOADS for suffix in ("_us", "_cpu_us")]


def result(lever: str, **ratios: list[float]) -> Result:
    """A result of one lever, that has these ratios in each round on each database."""
    benches = {}
    for database, found in ratios.items():
        having = [dict.fromkeys(METRICS, 100.0 * (place + 1)) for place in range(len(found))]
        benches[worth.bench_name(lever, database)] = {
            worth.WITH: having,
            worth.WITHOUT: [
                {metric: value * ratio for metric, value in run.items()}
                for run, ratio in zip(having, found, strict=True)
            ],
        }
    return Result(3, {"cores": 2, "memory_gib": 8, "system": "x", "python": "3"}, {}, benches)


def test_a_ratio_is_that_of_each_round() -> None:
    measured = result("plans", postgres=[1.5, 1.2, 2.0])

    assert worth.ratios(measured, "plans", POSTGRES, "page_us") == [1.5, 1.2, 2.0]
    assert worth.ratios(measured, "plans", SQLITE, "page_us") == []


def test_the_table_shows_the_levers_that_were_measured() -> None:
    table = worth.worth_table(result("plans", postgres=[1.5, 1.25, 2.0]))

    assert f"| `plans`: {LEVERS['plans'].does}. | time | **1.50** (1.25 to 2.00) |" in table
    assert "`threads`" not in table
    assert worth.VERDICT not in table


def test_the_table_says_what_buys_less_than_a_tenth_of_anything() -> None:
    little = worth.worth_table(result("threads", postgres=[1.02], sqlite=[1.09]))
    much = worth.worth_table(result("threads", postgres=[1.02], sqlite=[1.11]))

    assert worth.VERDICT in little
    assert worth.VERDICT not in much


def test_what_is_not_gained_in_every_round_may_be_chance() -> None:
    by_chance = worth.worth_table(result("threads", postgres=[0.9, 1.3, 1.2]))

    assert worth.VERDICT in by_chance


def test_a_page_shows_that_nothing_was_measured_yet() -> None:
    assert "make worth" in worth.sections(None)["worth"]
    assert "| `plans`" in worth.sections(result("plans", sqlite=[2.0]))["worth"]

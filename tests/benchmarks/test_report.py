"""What is made of the runs: medians, ratios, tables, comparisons, the pages of the docs."""

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import flame, model, plot, report, soak, suite, worth
from benchmarks.figures import FIGURES, Figure
from benchmarks.results import COMMITTED, ROOT, Result, Runs
from benchmarks.servers import Target, Workshop

FANOUT = "fanout, 100 sockets: package to floor"
REACTION = "a reaction: its cost in messages"
MEMORY = "memory per idle socket, user in 1 room: package above floor"


def figure(name: str) -> Figure:
    (found,) = (figure for figure in FIGURES if figure.name == name)
    return found


def runs(**contenders: list[float]) -> Runs:
    """Runs that have one metric."""
    return {
        name: [{"deliveries_per_s": value} for value in values]
        for name, values in contenders.items()
    }


def result(*ratios: float) -> Result:
    """A result with so many rounds of one bench, in which the package had these ratios."""
    floor = [1000.0 * (place + 1) for place in range(len(ratios))]
    ours = [floor * ratio for floor, ratio in zip(floor, ratios, strict=True)]
    return Result(len(ratios), {}, {}, {"fanout-100": runs(floor=floor, ours=ours)})


# Figures


def test_a_ratio_is_the_median_of_those_of_each_round() -> None:
    # The floor is faster each time: the ratio of the medians would be another.
    assert figure(FANOUT).median(result(0.2, 0.9, 0.6).benches) == pytest.approx(0.6)


def test_a_difference_is_that_of_each_round() -> None:
    benches = {
        "connect": {
            "floor": [{"kib_per_socket": value} for value in (10, 11)],
            "ours, 1 room": [{"kib_per_socket": value} for value in (15, 30)],
        }
    }
    assert figure(MEMORY).values(benches) == [5, 19]


def test_what_was_not_measured_has_no_median() -> None:
    assert figure(FANOUT).median({}) is None
    # An earlier result may have the bench, and not yet the metric.
    assert figure(FANOUT).median({"fanout-100": {"floor": [{}], "ours": [{}]}}) is None


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [(FANOUT, 0.4, True), (FANOUT, 0.39, False), (REACTION, 1.5, True), (REACTION, 1.51, False)],
)
def test_a_promise_is_a_bound_from_below_or_from_above(name: str, value: float, kept: bool) -> None:
    assert figure(name).holds(value) is kept


def test_every_figure_is_of_something_that_is_measured(tmp_path: Path) -> None:
    assert {figure.bench for figure in FIGURES} <= suite.benches(suite.TINY).keys()
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


# The comparison


def test_a_comparison_warns_of_what_became_worse_and_of_nothing_else() -> None:
    _, worse = report.compare(result(0.60), result(0.80))
    _, little = report.compare(result(0.70), result(0.80))
    changes, better = report.compare(result(0.90), result(0.80))

    assert worse == [f"{FANOUT}: 0.8 became 0.6 (-25%)"]
    assert little == better == []
    assert f"| {FANOUT} | 0.8 | 0.9 | +12% |" in changes


def test_a_comparison_warns_of_a_broken_promise() -> None:
    _, warnings = report.compare(result(0.35), result(0.35))

    assert warnings == [f"{FANOUT}: 0.35, at least 0.4 is wanted"]


def test_less_of_what_is_better_in_small_numbers_is_better() -> None:
    assert figure(REACTION).change(now=1.0, before=2.0) == pytest.approx(0.5)


# Tables, the plot, the file


def test_the_table_says_what_is_kept_and_what_is_not() -> None:
    assert f"| {FANOUT} | **0.6** | 0.5 to 0.7 | at least 0.4 | yes |" in report.figures_table(
        result(0.5, 0.6, 0.7)
    )
    assert f"| {FANOUT} | **0.3** | 0.3 to 0.3 | at least 0.4 | **no** |" in report.figures_table(
        result(0.3)
    )


def test_the_table_says_what_is_aimed_at() -> None:
    ratio = "fanout, 100 sockets on PostgreSQL and Pub/Sub, 1 worker: package to floor"
    rounds = {"floor, 1 worker": [1000.0], "ours, 1 worker": [500.0]}
    measured = Result(1, {}, {}, {"postgres-fanout-100": runs(**rounds)})

    table = report.figures_table(measured)

    assert f"| {ratio} | **0.5** | 0.5 to 0.5 | at least 0.4 (aim 0.6) | yes |" in table


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = Result.begin(3)
    written.benches = result(0.5).benches
    path = tmp_path / "some" / "result.json"

    written.write(path)

    assert Result.parse(path.read_text()) == written


def test_the_plot_shows_every_figure_that_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"

    plot.draw(result(0.5, 0.6), path)

    drawn = "".join(ElementTree.parse(path).getroot().itertext())
    assert FANOUT in drawn
    assert REACTION not in drawn


def test_the_same_results_are_drawn_as_the_same_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one.svg", tmp_path / "other.svg"

    plot.draw(result(0.5), one)
    plot.draw(result(0.5), other)

    assert one.read_text() == other.read_text()


# The documentation


def test_only_marked_sections_of_a_page_are_filled_in() -> None:
    page = "before\n<!-- begin figures -->\nold\n<!-- end -->\n<!-- begin plans -->\n<!-- end -->"

    filled = report.fill_in(page, {"figures": "new"})

    assert filled == page.replace("old", "new")


def test_the_pages_show_the_committed_result() -> None:
    committed = Result.parse((ROOT / COMMITTED).read_text())
    shown = {
        **report.sections(committed),
        **model.sections(committed),
        **worth.sections(worth.read_committed()),
        **soak.sections(soak.read_committed()),
    }

    for page in report.PAGES:
        text = (ROOT / page).read_text()
        assert report.fill_in(text, shown) == text, f"`python -m benchmarks --render` mends {page}"
    marked = "".join((ROOT / page).read_text() for page in report.PAGES)
    assert set(re.findall(r"<!-- begin (\w+) -->", marked)) == shown.keys()


# Rounds


def test_every_other_round_goes_backwards_and_the_first_run_does_not_count() -> None:
    log: list[str] = []

    def enter(workshop: Workshop) -> Any:
        for name in ("one", "other"):
            yield contender(name, log)

    found = suite.run_bench(suite.Bench("bench", enter), workshop(), 2, lambda line: None)

    assert log == [
        *("start one", "start other", "run one 0", "run other 0"),
        *("run one 1", "run other 1", "run other 2", "run one 2"),
    ]
    assert found == {"one": [{"number": 1}, {"number": 2}], "other": [{"number": 1}, {"number": 2}]}


def test_a_target_that_is_started_anew_serves_one_run() -> None:
    log: list[str] = []
    bench = suite.Bench("bench", lambda shop: iter([contender("one", log)]), anew=True, warm=False)

    suite.run_bench(bench, workshop(), 2, lambda line: None)

    assert log == ["start one", "run one 0", "start one", "run one 1"]


def workshop() -> Workshop:
    """A workshop that is not asked for anything."""
    return Workshop(Path(), users=0)


def contender(name: str, log: list[str]) -> suite.Contender:
    """A contender that notes what is done with it."""

    @contextmanager
    def start() -> Any:
        log.append(f"start {name}")
        yield Target(name, [])

    def run(target: Target, number: int) -> dict[str, float]:
        log.append(f"run {target.name} {number}")
        return {"number": number}

    return suite.Contender(name, start, run)


# What a message is made of


def test_a_sample_counts_for_the_innermost_part_that_is_known() -> None:
    stacks = (
        "run (asyncio/runners.py:1);send (event_bridge/outbox.py:9);write (uvicorn/x.py:2) 30\n"
        "_work (gql_chat/threads.py:1);save (django/db/models/base.py:1);"
        "execute (django/db/backends/sqlite3/base.py:5) 50\n"
        "main (somewhere.py:1) 20\n"
    )

    assert flame.share_out(stacks) == {
        "database: statements and commits": 0.5,
        "writing to sockets": 0.3,
        flame.OTHER: 0.2,
    }


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("run (gql_chat/streams.py:7) (2 samples)", "run (gql_chat/streams.py:7) (2 samples)"),
        ("/a/b/lib/site-packages/django/x.py (x:1) (2%)", "django/x.py (x:1) (2%)"),
        ("run (/a/b/x.py:7) (2 samples)", "run (x.py:7) (2 samples)"),
        ("/a/b/lib/si..", ""),
    ],
)
def test_a_flame_graph_does_not_say_where_its_machine_keeps_files(label: str, shown: str) -> None:
    graph = "<svg><title>{0}</title><text x='1'>{0}</text><script>a = /b/g;</script></svg>"

    assert flame.shorten(graph.format(label)) == graph.format(shown)


def test_the_committed_flame_graph_names_no_path_of_a_machine() -> None:
    committed = (ROOT / "docs" / "images" / "message.svg").read_text()

    assert flame.shorten(committed) == committed


def test_frames_that_nobody_could_see_are_left_out_of_a_flame_graph() -> None:
    frame = (
        "<g><title>f{0} (x.py:1)</title>"
        '<rect x="0%" y="4" width="{0}%" height="15" fill="red"/><text x="1%" y="9">f</text></g>'
    )

    pruned = flame.prune(f"<svg>{frame.format(50)}{frame.format(0.1)}</svg>")

    assert pruned == f"<svg>{frame.format(50)}</svg>"


# The model


def measured() -> Result:
    """A result of a server whose messages cost 400 µs, and 5 for each delivery."""

    def of(**metrics: float) -> list[dict[str, float]]:
        return [metrics]

    return Result(
        1,
        benches={
            "fanout-100": {"ours": of(sockets=100, worker_us=400 + 100 * 5)},
            "fanout-1000": {"ours": of(sockets=1000, worker_us=400 + 1000 * 5)},
            "workers": {
                "1 worker, Pub/Sub": of(
                    worker_us=500 + 10 * 5,
                    postgres_us=200,
                    redis_us=80,
                    heartbeat_worker_us=300,
                    heartbeat_postgres_us=100,
                ),
                "2 workers, Pub/Sub": of(worker_us=700 + 10 * 5, redis_us=120),
            },
            "connect": {"ours, 100 rooms": of(worker_us=2000, kib_per_socket=40)},
            "reacts": {"ours": of(messages_per_s=300, receipts_per_s=200)},
        },
        standing={"look_us": 10, "bytes_per_message": 3000},
    )


def test_the_model_finds_the_costs_of_which_runs_are_made_up() -> None:
    costs = model.fit(measured())

    assert (costs.message, costs.delivery, costs.hearing) == pytest.approx((500, 5, 200))
    assert (costs.redis_message, costs.receipts) == pytest.approx((60, 1.5))


def test_the_model_needs_more_of_everything_for_more_sockets() -> None:
    costs = model.fit(measured())

    small, large = model.needs(costs, 10_000), model.needs(costs, 1_000_000)

    assert large.messages == pytest.approx(100 * small.messages)
    assert large.postgres_cores == pytest.approx(100 * small.postgres_cores)
    assert large.workers >= 100 * small.workers
    # More workers, each of which has to be told: more than a hundred times of it.
    assert large.redis_cores > 100 * small.redis_cores


def test_members_are_spread_over_as_many_workers_as_there_are_at_most() -> None:
    assert model.expected_spread(1, 10) == 1
    assert 1.9 < model.expected_spread(2, 10) < 2
    assert 9.9 < model.expected_spread(10_000, 10) < 10

"""What each lever buys (`benchmarks.levers`): `python -m benchmarks worth`, or `make worth`.

Each is measured with two servers of one run: one that has it, one that runs without it, in turn,
for a message in a group of ten, a message to 100 sockets, and a page of 50 messages, on PostgreSQL
and on SQLite.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import uvloop

from benchmarks import report, scenarios
from benchmarks.environments import WORK
from benchmarks.levers import LEVERS, POSTGRES, SQLITE, without
from benchmarks.results import ROOT, Metrics, Result
from benchmarks.servers import Target, Workshop
from benchmarks.sites.frames import FIRST_USER
from benchmarks.suite import FULL, QUICK, TINY, Bench, Contender, Scale, run_bench

COMMITTED = Path("benchmarks/results/worth.json")

#: Fewer rounds give no result that others may rely on.
PAIRS = 5

#: What is less than this is not worth its code.
WORTH = 1.1

VERDICT = "Buys less than a tenth of everything, or not in every round."

#: The contenders of each bench.
WITH, WITHOUT = "with", "without"

DATABASES = {POSTGRES: "PostgreSQL", SQLITE: "SQLite"}

#: The loads, by the first part of their metrics' names.
LOADS = {"message": "message", "fanout": "message to 100", "page": "page"}


def main(arguments: Sequence[str]) -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmarks worth", description=__doc__)
    parser.add_argument("--pairs", type=int, help=f"rounds, {PAIRS} by default")
    parser.add_argument("--levers", default="", help="names with commas between, or all")
    parser.add_argument("--quick", action="store_true", help="one round with smaller loads")
    parser.add_argument("--tiny", action="store_true", help="hardly anything, to try the code")
    chosen = parser.parse_args(arguments)
    scale = TINY if chosen.tiny else QUICK if chosen.quick else FULL
    pairs = chosen.pairs or (PAIRS if scale is FULL else 1)
    names = [name for name in chosen.levers.replace(",", " ").split() if name] or list(LEVERS)
    if unknown := sorted(set(names) - set(LEVERS)):
        parser.error(f"no lever {', '.join(unknown)}; there are {', '.join(LEVERS)}")
    # A result that is to be committed is whole.
    whole = scale is FULL and pairs >= PAIRS and names == list(LEVERS)

    began = time.monotonic()
    path = ROOT / COMMITTED if whole else WORK / "worth.json"
    measure(names, scale, pairs).write(path)
    result = Result.parse(path.read_text())
    if whole:
        report.fill_in_pages(sections(result))
    _tell(worth_table(result))
    _tell(f"{time.monotonic() - began:.0f} s. Results: {path}.")
    return 0


def measure(names: Sequence[str], scale: Scale, pairs: int) -> Result:
    """Measure what the named levers buy."""
    result = Result.begin(pairs)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        # PostgreSQL may run as another user, who has to reach what is in it.
        Path(directory).chmod(0o755)
        # The run that does not count takes users, too.
        with Workshop(Path(directory), (pairs + 1) * _USERS) as shop:
            for name in names:
                for database in LEVERS[name].databases:
                    bench = Bench(bench_name(name, database), partial(_pair, name, database, scale))
                    result.benches[bench.name] = run_bench(bench, shop, pairs, _tell)
    return result


def bench_name(lever: str, database: str) -> str:
    """Return under which name results have a lever on a database."""
    return f"{lever} on {DATABASES[database]}"


def _pair(lever: str, database: str, scale: Scale, shop: Workshop) -> Iterator[Contender]:
    """Give the package with a lever, and without it."""
    run = partial(_measure, scale)
    yield Contender(WITH, _starter(shop, database, WITH, {}), run)
    yield Contender(WITHOUT, _starter(shop, database, WITHOUT, without(lever)), run)


def _starter(
    shop: Workshop, database: str, name: str, environment: dict[str, str]
) -> Callable[[], AbstractContextManager[Target]]:
    if database == SQLITE:
        return lambda: shop.ours({**shop.sqlite(name), **environment}, name=name)
    found = {**shop.postgres_database("worth"), **environment}
    return partial(shop.workers, 1, found, "pubsub", name=name)


#: How many users a run takes: those of `chatter`, of `fanout`, and of `page`.
_USERS = 100 + 100 + scenarios.GROUP


def _measure(scale: Scale, target: Target, number: int) -> Metrics:
    """Return what messages and pages cost: time as clients see it, and processor time."""
    first = FIRST_USER + number * _USERS
    talked = uvloop.run(
        scenarios.chatter(target, first, sockets=100, messages=scale.of(50)),
    )
    told = uvloop.run(
        scenarios.fanout(target, first + 100, sockets=100, messages=scale.of(150)),
    )
    paged = uvloop.run(
        scenarios.page(target, first + 200, messages=scale.of(50), repeats=scale.of(200)),
    )
    return {
        "message_us": 1e6 / talked["messages_per_s"],
        "message_cpu_us": _cpu(talked),
        "fanout_us": 1e6 / told["messages_per_s"],
        "fanout_cpu_us": _cpu(told),
        "page_us": 1e3 * paged["page_ms"],
        "page_cpu_us": _cpu(paged),
    }


def _cpu(metrics: Metrics) -> float:
    """Return the processor time of the worker and of the database."""
    return metrics["worker_us"] + metrics.get("postgres_us", 0.0)


def ratios(result: Result, lever: str, database: str, metric: str) -> list[float]:
    """Return, for each round, how many times as much it takes without a lever.

    A round in which nothing was counted, since the load was tiny, has no ratio.
    """
    runs = result.benches.get(bench_name(lever, database), {})
    rounds = zip(runs.get(WITHOUT, ()), runs.get(WITH, ()), strict=False)
    return [off[metric] / on[metric] for off, on in rounds if on[metric]]


def buys_a_tenth(found: Sequence[float]) -> bool:
    """Tell whether a lever buys a tenth of something, and something in every round.

    The greatest of a dozen medians is a tenth now and then by chance alone.
    """
    return bool(found) and statistics.median(found) >= WORTH and min(found) > 1


def worth_table(result: Result) -> str:
    """Return what each lever buys."""
    columns = [(load, database) for load in LOADS for database in DATABASES]
    header = ["lever", "", *(f"{LOADS[load]}, {DATABASES[database]}" for load, database in columns)]
    rows = []
    for name, lever in LEVERS.items():
        is_worth, was_measured = False, False
        lines = []
        for measured, suffix in (("time", "_us"), ("processor time", "_cpu_us")):
            cells = []
            for load, database in columns:
                found = ratios(result, name, database, f"{load}{suffix}")
                cells.append(_cell(found))
                was_measured = was_measured or bool(found)
                is_worth = is_worth or buys_a_tenth(found)
            lines.append([measured, *cells])
        if was_measured:
            verdict = "" if is_worth else f" **{VERDICT}**"
            rows.append([f"`{name}`: {lever.does}.{verdict}", *lines[0]])
            rows.append(["", *lines[1]])
    return report.table(header, rows)


def _cell(found: Sequence[float]) -> str:
    if not found:
        return ""
    return f"**{statistics.median(found):.2f}** ({min(found):.2f} to {max(found):.2f})"


def sections(result: Result | None) -> dict[str, str]:
    """Return what `docs/benchmarks.md` shows of a result."""
    if result is None:
        return {"worth": "Not measured yet: `make worth` fills it in."}
    return {"worth": f"{worth_table(result)}\n\n{report.machine_line(result)}"}


def read_committed() -> Result | None:
    """Return the result in this directory, or None where there is none."""
    path = ROOT / COMMITTED
    return Result.parse(path.read_text()) if path.exists() else None


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()

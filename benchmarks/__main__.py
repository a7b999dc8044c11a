"""The benchmark's command line: `python -m benchmarks`, which `make bench` runs.

`python -m benchmarks worth` and `python -m benchmarks soak` are others (`benchmarks.worth`,
`benchmarks.soak`).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from benchmarks import flame, model, plot, report, soak, worth
from benchmarks.environments import WORK
from benchmarks.results import COMMITTED, ROOT, Result, read_committed
from benchmarks.servers import Workshop
from benchmarks.suite import FULL, MUCH, QUICK, TINY, Scale, benches, run_bench

#: Fewer rounds give no result that others may rely on.
PAIRS = 5

#: More would need more users than there are.
MOST_PAIRS = 15

SCALES = {"full": FULL, "quick": QUICK, "tiny": TINY}


def main(arguments: list[str]) -> int:
    """Run; returns the exit status."""
    for other in (worth, soak):
        if arguments[:1] == [other.__name__.rpartition(".")[2]]:
            _allow_many_files()
            return other.main(arguments[1:])
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--pairs", type=int, help=f"rounds, {PAIRS} by default")
    parser.add_argument("--scenarios", default="", help="names with commas between, or all")
    parser.add_argument("--quick", action="store_true", help="one round with smaller loads")
    parser.add_argument("--tiny", action="store_true", help="hardly anything, to try the code")
    parser.add_argument("--render", action="store_true", help="only bring docs/ up to date")
    chosen = parser.parse_args(arguments)
    if chosen.render:
        _render(Result.parse((ROOT / COMMITTED).read_text()))
        return 0

    scale = "tiny" if chosen.tiny else "quick" if chosen.quick else "full"
    pairs = chosen.pairs or (PAIRS if scale == "full" else 1)
    if pairs > MOST_PAIRS:
        parser.error(f"at most {MOST_PAIRS} rounds: each takes users of its own")
    known = [*benches(FULL), "plans", "flame"]
    names = [name for name in chosen.scenarios.replace(",", " ").split() if name] or known
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(known)}")
    # A result that is to be committed is whole.
    whole = scale == "full" and pairs >= PAIRS and names == known
    _allow_many_files()

    began = time.monotonic()
    before = read_committed()
    pictures = ROOT / "docs" / "images" if whole else WORK
    result = measure(names, SCALES[scale], pairs, pictures)
    path = ROOT / COMMITTED if whole else WORK / "results.json"
    drawing = pictures / "benchmarks.svg"
    result.write(path)
    # What is shown is what is kept, with the digits that are kept.
    result = Result.parse(path.read_text())
    plot.draw(result, drawing)
    if whole:
        _render(result)
    _tell(report.figures_table(result))
    _tell(report.measurements_table(result))
    warnings = report.whole_reads(result.plans)
    if before is not None:
        comparison, worse = report.compare(result, before)
        _tell("Compared with the last committed result:\n" + comparison)
        warnings += worse
    for warning in warnings:
        _tell(f"WARNING: {warning}")
    _tell(f"{time.monotonic() - began:.0f} s. Results: {path}. Plot: {drawing}.")
    if whole:
        _tell("docs/benchmarks.md, docs/query-plans.md and docs/scale.md show them now.")
    return 0


def measure(names: list[str], scale: Scale, pairs: int, pictures: Path) -> Result:
    """Run the named benches.

    Args:
        names: of benches, and `plans` and `flame`.
        scale: how large everything is.
        pairs: how many rounds.
        pictures: where the flame graph goes.
    """
    result = Result.begin(pairs)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        # PostgreSQL may run as another user, who has to reach what is in it.
        Path(directory).chmod(0o755)
        with Workshop(Path(directory), scale.users) as workshop:
            for name, bench in benches(scale).items():
                if name in names:
                    result.benches[name] = run_bench(bench, workshop, pairs, _tell)
            if "plans" in names:
                _tell("plans: explaining")
                result.plans = _ask_history("benchmarks.plans", workshop, scale)
                result.standing = _ask_history("benchmarks.standing", workshop, scale)
            if "flame" in names:
                _tell("flame: recording")
                result.costs = _record(workshop, pictures)
    return result


def _ask_history(module: str, workshop: Workshop, scale: Scale) -> Any:
    """Return what a module says of the database with the long history."""
    population = scale.population()
    member = next(population.member_ids())[0]
    asked = subprocess.run(
        [sys.executable, "-m", module, str(member), str(population.room_id(0))],
        cwd=ROOT,
        env={**os.environ, **workshop.loaded_postgres(MUCH, population)},
        check=True,
        stdout=subprocess.PIPE,
    )
    return orjson.loads(asked.stdout)


def _record(workshop: Workshop, pictures: Path) -> dict[str, float]:
    try:
        return flame.record(workshop, 8, pictures / "message.svg")
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        _tell(f"flame: not recorded, py-spy says: {said.decode().strip()}")
        return {}


def _render(result: Result) -> None:
    report.fill_in_pages(
        {
            **report.sections(result),
            **model.sections(result),
            **worth.sections(worth.read_committed()),
            **soak.sections(soak.read_committed()),
        }
    )


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _allow_many_files() -> None:
    """Let this process and its servers have as many sockets open as the system permits."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

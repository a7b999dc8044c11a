"""Results as a file: what a run writes, and what the next one compares itself with."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

#: What one run of a load gave, by the names of its metrics.
Metrics = dict[str, float]

#: For each contender of a bench its runs, in order; those of one place belong together.
Runs = dict[str, list[Metrics]]

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = Path("benchmarks/results/latest.json")

#: By what part a figure may become worse between two runs before somebody is warned.
TOLERANCE = 0.15

_VERSIONS = ("Django", "channels", "strawberry-graphql", "uvicorn", "uvloop", "websockets")


@dataclass
class Result:
    """One run of the suite.

    Attributes:
        pairs: how often each target ran.
        machine: what it ran on.
        versions: of the packages that matter.
        benches: for each bench, for each contender, the metrics of its runs.
        costs: for each part of the code, its share of the time of a message.
        plans: for each hot path, its statements with how they read and their milliseconds.
        standing: what costs though nobody says anything (`benchmarks.standing`).
    """

    pairs: int
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    benches: dict[str, Runs] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    plans: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    standing: dict[str, float] = field(default_factory=dict)

    @classmethod
    def begin(cls, pairs: int) -> Result:
        """Return an empty result that says where it is made."""
        machine = {
            "cores": psutil.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
        }
        return cls(pairs, machine, {name: version(name) for name in _VERSIONS})

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_rounded(asdict(self)), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def parse(cls, text: str) -> Result:
        """Read it from JSON."""
        return cls(**json.loads(text))


def _rounded(value: Any) -> Any:
    """Return a result with four digits of each number: more is noise, and noise in every diff."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value


def read_committed() -> Result | None:
    """Return the last committed result, or None where there is none."""
    shown = subprocess.run(
        ["git", "show", f"HEAD:./{COMMITTED}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if shown.returncode == 0:
        return Result.parse(shown.stdout)
    # A copy of the sources without their history.
    path = ROOT / COMMITTED
    return Result.parse(path.read_text()) if path.exists() else None

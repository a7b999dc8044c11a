"""All checks, step by step, ending at the first that fails: what ``make test`` runs.

``python -m tests.run [step …]`` runs only some.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

PYTHON = sys.executable
#: Tests that a channel layer or several processes can make a difference to.
WIRE = ("tests/wire", "tests/processes")


@dataclass(frozen=True)
class Step:
    """Commands that are run one after the other."""

    commands: tuple[tuple[str, ...], ...]
    environment: dict[str, str] = field(default_factory=dict)


def _module(*arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", *arguments)


def _suite(database: str, layer: str, *paths: str) -> Step:
    return Step(
        (_module("coverage", "run", "-m", "pytest", *paths),),
        {"CHAT_TEST_DATABASE": database, "CHAT_TEST_LAYER": layer},
    )


STEPS: dict[str, Step] = {
    "lint": Step((_module("ruff", "check", "."), _module("ruff", "format", "--check", "."))),
    "types": Step((_module("mypy"),)),
    "migrations": Step(
        (_module("django", "makemigrations", "--check", "--dry-run", "gql_chat", "event_bridge"),),
        {"DJANGO_SETTINGS_MODULE": "tests.site.settings"},
    ),
    # What an earlier run left would count as covered.
    "coverage-erase": Step((_module("coverage", "erase"),)),
    "sqlite-memory": _suite("sqlite", "memory"),
    "postgres-redis": _suite("postgres", "redis"),
    "postgres-pubsub": _suite("postgres", "pubsub", *WIRE),
    "coverage": Step(
        (_module("coverage", "combine", "--quiet", "--keep"), _module("coverage", "report"))
    ),
}


@dataclass
class Count:
    """How many tests ended how, over all runs."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, report: Path) -> None:
        """Add what a JUnit report says; a run that wrote none adds nothing."""
        if not report.exists():
            return
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            self.failed += failed
            self.skipped += skipped
            self.passed += int(suite.get("tests", 0)) - failed - skipped


def main(names: list[str]) -> int:
    """Run the named steps, or all; returns the exit status."""
    began = time.monotonic()
    count = Count()
    broken: str | None = None
    for name in names or STEPS:
        if name not in STEPS:
            print(f"no step {name}; there are {', '.join(STEPS)}", file=sys.stderr)
            return 2
        print(f"\n=== {name}", flush=True)
        if not _run(STEPS[name], count):
            broken = name
            break
    if broken is not None:
        print(f"\nStopped at the step {broken}. Again, alone: {PYTHON} -m tests.run {broken}")
        # A step without tests is one thing that failed.
        count.failed = count.failed or 1
    print(
        f"\n{count.passed} passed, {count.failed} failed, {count.skipped} skipped "
        f"in {time.monotonic() - began:.0f}s"
    )
    return 1 if broken is not None else 0


def _run(step: Step, count: Count) -> bool:
    environment = {**os.environ, **step.environment}
    for command in step.commands:
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory) / "report.xml"
            if "pytest" in command:
                command = (*command, f"--junitxml={report}")
            status = subprocess.run(command, env=environment, check=False).returncode
            count.add(report)
        if status:
            return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""All checks, step by step, ending at the first that fails: what ``make test`` runs.

The suites run at the same time, each with servers and a database of its own.

``python -m tests.run [step …]`` runs only some; ``python -m tests.run fast`` those for daily work.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO
from xml.etree import ElementTree

PYTHON = sys.executable
#: Tests that a channel layer or several processes can make a difference to.
WIRE = ("tests/wire", "tests/processes")
GENERATED = "tests/wire/generated"
#: The clients of the documentation against servers that follow a script: no chat runs there.
CLIENTS = "tests/wire/clients"
#: What a Chromium shows of what people send. Has a step of its own.
BROWSER = "tests/browser"
#: Tests that neither a database nor a channel layer can make a difference to: npm's tools, the
#: browser, texts, figures, parsing, the settings and their checks, the tests' own tools, and
#: processes that choose both by themselves.
INDEPENDENT = (
    CLIENTS,
    BROWSER,
    "tests/benchmarks/test_levers.py",
    "tests/benchmarks/test_network.py",
    "tests/benchmarks/test_quota.py",
    "tests/benchmarks/test_report.py",
    "tests/benchmarks/test_scenarios.py",
    "tests/benchmarks/test_soak.py",
    "tests/benchmarks/test_startup.py",
    "tests/benchmarks/test_worth.py",
    "tests/docs",
    "tests/endpoint/test_documentation.py",
    "tests/harness",
    "tests/node",
    "tests/projects/test_wrong_settings.py",
    "tests/rights/test_page.py",
    "tests/rights/test_table.py",
    "tests/unit/hub/test_layer.py",
    "tests/unit/metrics",
    "tests/unit/prepared",
    "tests/unit/test_addresses.py",
    "tests/unit/test_attributes.py",
    "tests/unit/test_checks.py",
    "tests/unit/test_declarations.py",
    "tests/unit/test_example_site.py",
    "tests/unit/test_exports.py",
    "tests/unit/test_failures.py",
    "tests/unit/test_json_values.py",
    "tests/unit/test_needs.py",
    "tests/unit/test_nouns.py",
    "tests/unit/test_origins.py",
    "tests/unit/test_protocol.py",
    "tests/unit/test_sanitize.py",
    "tests/unit/test_schema.py",
    "tests/unit/test_setting.py",
    "tests/unit/test_settings.py",
    "tests/unit/test_shown_users.py",
    "tests/unit/test_startup.py",
    "tests/unit/test_validation.py",
)
#: Tests of the socket to which it matters how a layer brings frames, or that it fails. The other
#: ones run on PostgreSQL with the Pub/Sub layer; with the other layer of Redis they would say the
#: same.
ON_LAYERS = (
    "tests/wire/test_connection.py",
    "tests/wire/test_joining.py",
    "tests/wire/test_locked_rooms.py",
    "tests/wire/test_messages.py",
    "tests/wire/test_neighbours.py",
    "tests/wire/test_order.py",
    "tests/wire/test_presence.py",
    "tests/wire/test_reauthorisation.py",
    "tests/wire/test_reference_clients.py",
    "tests/wire/test_resume.py",
    "tests/wire/test_resume_live.py",
    "tests/wire/test_sessions.py",
)
#: Tests of the socket to which the project's models make no difference: servers, frames, limits,
#: clients.
OF_ANY_PROJECT = (
    "tests/wire/test_cleaning.py",
    "tests/wire/test_compression.py",
    "tests/wire/test_contents.py",
    "tests/wire/test_large_answers.py",
    "tests/wire/test_limits.py",
    "tests/wire/test_logins.py",
    "tests/wire/test_logs.py",
    "tests/wire/test_monitoring.py",
    "tests/wire/test_neighbours.py",
    "tests/wire/test_order.py",
    "tests/wire/test_origins.py",
    "tests/wire/test_reference_clients.py",
    "tests/wire/test_resume_live.py",
    "tests/wire/test_servers.py",
    "tests/wire/test_sizes.py",
    "tests/wire/test_slow_clients.py",
)
#: Has steps of its own, and takes as long as it is told to.
STRESS = "tests/stress"
#: Random stories, each step of which is compared with a model of the protocol.
MODEL = "tests/model"
#: Tests that reach hardly a line that the measured ones do not reach. Measuring nearly doubles the
#: time that a test takes.
UNMEASURED = (
    CLIENTS,
    "tests/benchmarks",
    "tests/node",
    GENERATED,
    # They reach what `tests/wire` reaches, thousands of times.
    MODEL,
    "tests/rights",
    "tests/docs",
    "tests/harness",
    # Many rounds of what other tests reach once.
    "tests/unit/accounts/test_deletion_races.py",
    "tests/unit/accounts/test_erasure_races.py",
    "tests/unit/streams/test_erasure_random.py",
    "tests/unit/test_mention_histories.py",
    "tests/unit/test_races.py",
    "tests/unit/test_shown_users.py",
    "tests/unit/test_visibility_random.py",
    "tests/wire/test_history.py",
    "tests/wire/test_error_order.py",
    "tests/wire/test_former_members.py",
    "tests/wire/test_leaks.py",
    "tests/wire/test_reference_clients.py",
    "tests/wire/test_slow_clients.py",
    "tests/wire/test_snapshots.py",
)


#: What `sqlite-fast` leaves out, with the reason that it prints. It runs the rest on SQLite and
#: in memory: most of what breaks in a day's work breaks there as well.
NOT_FAST = {
    "tests/projects": "every set of swapped models migrates in a project of its own",
    "tests/processes": "needs PostgreSQL and Redis",
    STRESS: "takes as long as it is told to",
    "tests/benchmarks": "runs each load of the benchmark once",
    "tests/node/test_frontend.py": "builds front ends with npm's tools",
    GENERATED: "generated input for every event",
    MODEL: "thousands of random steps",
}
#: The steps of `make test FAST=1`.
FAST = ("lint", "types", "migrations", "sqlite-fast")
#: Tests wait now and then, so one worker more than cores keeps these busy.
WORKERS = min(os.cpu_count() or 2, 7) + 1


@dataclass(frozen=True)
class Step:
    """Commands that are run one after the other."""

    commands: tuple[tuple[str, ...], ...]
    environment: dict[str, str] = field(default_factory=dict)


def _module(*arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", *arguments)


def _suite(
    database: str,
    layer: str,
    *paths: str,
    measured: bool = False,
    project: str = "plain",
    workers: int = 0,
) -> Step:
    """Run tests; with workers, each of them takes a file at a time and has servers of its own."""
    measure = ("coverage", "run", "-m") if measured else ()
    spread = (f"--numprocesses={workers}", "--dist=loadfile")
    return Step(
        (_module(*measure, "pytest", *paths, *(spread if workers else ())),),
        {
            "CHAT_TEST_DATABASE": database,
            "CHAT_TEST_LAYER": layer,
            "CHAT_TEST_PROJECT": project,
        },
    )


#: What is tried on each ASGI server; no test of these reaches into the server's process.
ON_SERVERS = (
    "tests/wire/test_servers.py",
    "tests/wire/test_compression.py",
    "tests/wire/test_origins.py",
    "tests/wire/test_connection.py",
    "tests/wire/test_order.py",
    "tests/wire/test_resume.py",
    "tests/wire/test_sessions.py",
)
#: The servers besides the one that all other steps run on.
SERVERS = ("uvicorn-websockets", "uvicorn-wsproto", "daphne", "hypercorn", "granian")


def _server(name: str) -> Step:
    suite = _suite("sqlite", "memory", *ON_SERVERS)
    return Step(suite.commands, {**suite.environment, "CHAT_TEST_SERVER": name})


def _fuzz(database: str, layer: str) -> Step:
    """Let random people do random things; `CHAT_FUZZ_STEPS` says how many."""
    suite = _suite(database, layer, f"{MODEL}/test_model.py", "-k", "arrives")
    chosen = os.environ.get("CHAT_FUZZ_STEPS") or "20000"
    return Step(suite.commands, {**suite.environment, "CHAT_FUZZ_STEPS": chosen})


def _without(*paths: str) -> tuple[str, ...]:
    return tuple(f"--ignore={path}" for path in paths)


def _besides(files: tuple[str, ...]) -> list[str]:
    """Return the other files and directories of tests of the socket."""
    there = Path(__file__).with_name("wire").iterdir()
    tests = [f"tests/wire/{path.name}" for path in there if not path.name.startswith("_")]
    return sorted({*tests} - {*files} - {"tests/wire/conftest.py"})


def _subsets(layout: str) -> Step:
    """Let every project of a layout live, which the other steps do with a part of them."""
    test = "test_a_project_migrates_and_chats_there_and_back"
    suite = _suite("sqlite", "memory", f"tests/projects/test_swapped_models.py::{test}")
    return Step(suite.commands, {**suite.environment, "CHAT_TEST_SUBSETS": layout})


def _stress(database: str, layer: str, seconds: int, test: str = "test_stress.py") -> Step:
    """Let people do everything at once; `CHAT_STRESS_SECONDS` says for how long."""
    suite = _suite(database, layer, f"{STRESS}/{test}")
    chosen = os.environ.get("CHAT_STRESS_SECONDS") or str(seconds)
    return Step(suite.commands, {**suite.environment, "CHAT_STRESS_SECONDS": chosen})


STEPS: dict[str, Step] = {
    "lint": Step(
        (
            _module("ruff", "check", "."),
            _module("ruff", "format", "--check", "."),
            _module("tests.walls", "--check"),
            _module("tests.settings_table", "--check"),
            _module("tests.rights.page", "--check"),
        )
    ),
    "types": Step((_module("mypy"),)),
    "migrations": Step(
        (_module("django", "makemigrations", "--check", "--dry-run"),),
        # With the examples of the docs among its apps.
        {"DJANGO_SETTINGS_MODULE": "tests.site.settings", "CHAT_TEST_PROJECT": "custom"},
    ),
    "exports": Step((_module("tests.exports", "--check"),)),
    "sqlite-fast": _suite("sqlite", "memory", "tests", *_without(*NOT_FAST), workers=WORKERS),
    # Before the suites, which would wait for each other's.
    "packages": Step((_module("tests.node.packages"),)),
    # What an earlier run left would count as covered.
    "coverage-erase": Step((_module("coverage", "erase"),)),
    "sqlite-memory": _suite(
        "sqlite",
        "memory",
        "tests",
        *_without("tests/projects", "tests/processes", STRESS, BROWSER, *UNMEASURED),
        measured=True,
    ),
    "sqlite-unmeasured": _suite("sqlite", "memory", *UNMEASURED),
    "browser": _suite("sqlite", "memory", BROWSER),
    # Rights are the same, whatever the database.
    "postgres-redis": _suite(
        "postgres",
        "redis",
        "tests",
        *_without(*_besides(ON_LAYERS), STRESS, "tests/rights", *INDEPENDENT),
    ),
    # What is generated is the same for all databases.
    "postgres-pubsub": _suite("postgres", "pubsub", *WIRE, *_without(CLIENTS, GENERATED)),
    # A project unlike the plain one: other users, swapped models, one more room type. Generated
    # input looks into no model.
    "custom": _suite(
        "sqlite",
        "memory",
        "tests/custom",
        "tests/wire",
        *_without(CLIENTS, GENERATED, *OF_ANY_PROJECT),
        project="custom",
    ),
    "projects": _suite("sqlite", "memory", "tests/projects"),
    "stress-sqlite": _stress("sqlite", "memory", 20),
    "stress-postgres": _stress("postgres", "pubsub", 40),
    # Each race a few dozen times; `make stress` takes hundreds.
    "races-postgres": _suite("postgres", "pubsub", f"{STRESS}/test_races.py"),
    "races-sqlite": _suite("sqlite", "memory", f"{STRESS}/test_races.py"),
    # Each fault is brought back once, and found.
    "stress-faults": _stress("postgres", "pubsub", 20, "test_faults.py"),
    "fuzz-sqlite": _fuzz("sqlite", "memory"),
    "fuzz-postgres": _fuzz("postgres", "pubsub"),
    "coverage": Step(
        (_module("coverage", "combine", "--quiet", "--keep"), _module("coverage", "report"))
    ),
    "subsets-one-app": _subsets("one-app"),
    "subsets-two-apps": _subsets("two-apps"),
    **{f"servers-{name}": _server(name) for name in SERVERS},
}

#: Steps of one stage run at the same time, a stage after the one before; the longest come first.
STAGES = (
    ("lint",),
    ("sqlite-fast", "packages", "types", "migrations", "exports", "coverage-erase"),
    (
        "postgres-redis",
        "sqlite-memory",
        "postgres-pubsub",
        "projects",
        "sqlite-unmeasured",
        "custom",
        "browser",
    ),
    # By themselves, so that what they find is their own.
    ("stress-postgres", "stress-sqlite"),
    ("races-postgres", "races-sqlite"),
    ("coverage",),
    ("stress-faults",),
    ("fuzz-postgres", "fuzz-sqlite"),
    ("subsets-one-app", "subsets-two-apps"),
    tuple(f"servers-{name}" for name in SERVERS),
)

#: What runs only when it is named: the others have it in them, or it takes long.
ON_DEMAND = (
    "sqlite-fast",
    "stress-faults",
    "fuzz-sqlite",
    "fuzz-postgres",
    "subsets-one-app",
    "subsets-two-apps",
    *(f"servers-{name}" for name in SERVERS),
)

#: Each suite waits now and then, so three keep two cores busy.
AT_ONCE = 3


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
    if names == ["fast"]:
        names = list(FAST)
        for path, reason in NOT_FAST.items():
            print(f"left out: {path} ({reason})")
        print("left out: other databases, layers and projects; coverage; exports")
    for name in names:
        if name not in STEPS:
            print(f"no step {name}; there are {', '.join(STEPS)}", file=sys.stderr)
            return 2
    chosen = names or [name for name in STEPS if name not in ON_DEMAND]
    for stage in STAGES:
        broken = _run_stage([name for name in stage if name in chosen], count)
        if broken is not None:
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


def _run_stage(names: list[str], count: Count) -> str | None:
    """Run steps at the same time; returns the name of the first that failed, or None.

    After a failure no further step begins.
    """
    broken: list[str] = []
    with ExitStack() as files:
        # The output of one of several is shown when it has ended, or the lines would mix.
        outputs = {
            name: files.enter_context(tempfile.TemporaryFile("w+")) if len(names) > 1 else None
            for name in names
        }

        def run(name: str) -> str | None:
            if broken:
                return None
            if not _run(name, count, outputs[name]):
                broken.append(name)
            return name

        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            for step in as_completed([pool.submit(run, name) for name in names]):
                ended = step.result()
                output = outputs[ended] if ended else None
                if output is not None:
                    output.seek(0)
                    print(f"\n=== What {ended} wrote\n{output.read()}", flush=True)
    return broken[0] if broken else None


def _run(name: str, count: Count, output: TextIO | None) -> bool:
    """Run the commands of a step; returns whether all succeeded."""
    began = time.monotonic()
    print(f"\n=== {name}", flush=True)
    step = STEPS[name]
    environment = {**os.environ, **step.environment}
    for command in step.commands:
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory) / "report.xml"
            if "pytest" in command:
                command = (*command, f"--junitxml={report}")
            status = subprocess.run(
                command, env=environment, check=False, stdout=output, stderr=output
            ).returncode
            count.add(report)
        if status:
            return False
    print(f"\n=== {name}, after {time.monotonic() - began:.0f}s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

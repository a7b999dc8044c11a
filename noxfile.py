"""Runs the tests with every Python and Django that the package supports: `make matrix`.

docs/compatibility.md says what runs with which, and shows what passed.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv"
# What needs a Python that is not there is skipped, by name; with CI=true it fails.
nox.options.download_python = "never"

#: Which Python a Django runs with, as Django documents it.
PAIRS = {
    "4.2": ("3.11", "3.12"),
    "5.2": ("3.11", "3.12", "3.13"),
    "6.0": ("3.12", "3.13"),
    "6.1": ("3.12", "3.13"),
}

#: What npm's tools and the benchmark's own code do depends on no version in the table; whether
#: that is complete is not to be asked while it is written.
LEFT_OUT = ("node", "benchmarks", "projects", "docs/test_compatibility.py")
SUITE = ("tests", *(f"--ignore=tests/{path}" for path in LEFT_OUT))
#: Takes long; what it finds depends on the libraries, so one Python for each Django is enough.
GENERATED = "--ignore=tests/wire/generated"
#: What depends on Django rather than on Python.
MORE = (
    ("custom", "sqlite", "memory", ("tests/custom",)),
    ("plain", "postgres", "redis", ("tests/wire", "tests/projects", GENERATED)),
    ("plain", "postgres", "pubsub", ("tests/processes",)),
)


def _install(session: nox.Session, *arguments: str) -> None:
    session.install("--editable", ".[test]", *arguments)


def _run_suite(session: nox.Session, suite: tuple[str, ...]) -> None:
    """Run a suite on SQLite; arguments after `--` are pytest's instead, and note nothing."""
    if session.posargs:
        session.run("python", "-m", "pytest", *session.posargs)
    else:
        _run(session, ("plain", "sqlite", "memory", suite))


def _run(session: nox.Session, *suites: tuple[str, str, str, tuple[str, ...]]) -> None:
    """Run suites, and note in the documentation that they passed."""
    reports = []
    for project, database, layer, arguments in suites:
        report = Path(session.create_tmp()) / f"{project}-{layer}.xml"
        reports.append(str(report))
        session.run(
            *("python", "-m", "pytest", "--quiet", f"--junitxml={report}", *arguments),
            env={
                "CHAT_TEST_PROJECT": project,
                "CHAT_TEST_DATABASE": database,
                "CHAT_TEST_LAYER": layer,
            },
        )
    session.run("python", "-m", "tests.matrix", session.name, *reports)


def _find(version: str) -> str:
    """Return the path of a Python that pyenv has, or the version, for nox to look for.

    By itself nox finds of pyenv's only those that are switched on.
    """
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{version}.*/bin/python"))
    return str(found[-1]) if found else version


def _add(name: str, python: str, *requirements: str, first: bool) -> None:
    """Add the session of a pair; for the first of a Django also what depends on that alone."""

    @nox.session(python=_find(python), name=name)
    def run_suite(session: nox.Session) -> None:
        _install(session, *requirements)
        _run_suite(session, SUITE if first else (*SUITE, GENERATED))

    if first:

        @nox.session(python=_find(python), name=f"{name}-more")
        def run_more(session: nox.Session) -> None:
            _install(session, *requirements)
            _run(session, *MORE)


for django, pythons in PAIRS.items():
    for each in pythons:
        _add(f"{each}-{django}", each, f"Django=={django}.*", first=each == pythons[0])
# The lowest versions that pyproject.toml allows.
_add("lowest", "3.11", "--resolution", "lowest-direct", first=True)

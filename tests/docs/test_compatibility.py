"""The page on compatibility, the noxfile and pyproject.toml say the same."""

import ast
import json
import re
import tomllib
from itertools import chain
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.matrix import PACKAGES, PAGE, RECORD, with_tables
from tests.servers import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECORDED: dict[str, Any] = json.loads(RECORD.read_text())
CLASSIFIER = re.compile(r"(Framework :: Django|Programming Language :: Python) :: (\d\.\d+)$")


def _pairs() -> dict[str, tuple[str, ...]]:
    """Return `PAIRS` of the noxfile: nox itself is in no environment of the tests."""
    for statement in ast.parse((ROOT / "noxfile.py").read_text()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="PAIRS")], value=value):
                pairs: dict[str, tuple[str, ...]] = ast.literal_eval(value)
                return pairs
    raise AssertionError("noxfile.py has no PAIRS")


PAIRS = _pairs()


def _bounds() -> dict[str, Version]:
    extras = (PROJECT["optional-dependencies"][name] for name in ("postgres", "nh3", "metrics"))
    wanted = [*PROJECT["dependencies"], *chain(*extras)]
    bounds = {}
    for requirement in map(Requirement, wanted):
        (bound,) = (each for each in requirement.specifier if each.operator == ">=")
        bounds[requirement.name] = Version(bound.version)
    return bounds


def test_the_page_shows_what_is_recorded() -> None:
    assert with_tables(PAGE.read_text(), RECORDED) == PAGE.read_text()


def test_every_pair_and_the_lower_bounds_passed() -> None:
    pairs = {f"{python}-{django}" for django, pythons in PAIRS.items() for python in pythons}

    assert RECORDED.keys() >= pairs | {"lowest"}


def test_what_is_recorded_is_what_its_session_is_called() -> None:
    pairs = {f"{python}-{django}" for django, pythons in PAIRS.items() for python in pythons}
    more = {f"{pythons[0]}-{django}-more" for django, pythons in PAIRS.items()}

    assert RECORDED.keys() <= pairs | more | {"lowest", "lowest-more"}
    for session, entry in RECORDED.items():
        assert entry["passed"] > 0
        if not session.startswith("lowest"):
            python, django = session.removesuffix("-more").split("-")
            assert entry["python"].startswith(f"{python}.")
            assert entry["packages"]["Django"].startswith(f"{django}.")


@pytest.mark.parametrize("session", sorted(RECORDED.keys() & {"lowest", "lowest-more"}))
def test_lower_bounds_are_what_passed(session: str) -> None:
    packages = RECORDED[session]["packages"]

    # What the package did not need yet when the session ran is not noted.
    noted = {name: bound for name, bound in _bounds().items() if name in packages}
    assert noted.keys() >= {Requirement(each).name for each in PROJECT["dependencies"]}
    assert {name: Version(packages[name]) for name in noted} == noted


def test_what_is_noted_is_what_is_needed() -> None:
    assert _bounds().keys() <= set(PACKAGES)


def test_the_classifiers_name_what_passed() -> None:
    named: dict[str, set[str]] = {}
    for classifier in PROJECT["classifiers"]:
        found = CLASSIFIER.match(classifier)
        if found is not None:
            named.setdefault(found[1].split()[0], set()).add(found[2])

    assert named["Framework"] == PAIRS.keys()
    assert named["Programming"] == {python for pythons in PAIRS.values() for python in pythons}
    assert PROJECT["requires-python"] == ">=3.11"

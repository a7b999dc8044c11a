"""The page on security: each defence names tests that there are, and each link leads somewhere."""

import re

import pytest

from tests.servers import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+)`", PAGE)))


def test_every_defence_names_a_test() -> None:
    table = PAGE.split("## What is defended")[1].split("## What is the project's")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]

    assert len(rows) > 10
    assert all("`tests/" in row for row in rows)


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_is_there(name: str) -> None:
    path = ROOT / name

    found = list(path.rglob("test_*.py")) if path.is_dir() else [path]
    assert found
    assert all("def test_" in each.read_text() for each in found)


@pytest.mark.parametrize("target", re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", PAGE))
def test_a_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()

"""The page for contributors: its answers name files that exist, and that a newcomer has read of."""

import re

import pytest

from tests.servers import ROOT

PAGE = (ROOT / "docs" / "contributing.md").read_text()
READ_FIRST = "\n".join((ROOT / name).read_text() for name in ("README.md", "docs/architecture.md"))
QUESTIONS = dict(re.findall(r"^\| ([^|]+\?) \| (.+) \|$", PAGE, re.M))
FILE = r"`((?:gql_chat|event_bridge)/[\w/]+\.py)`"


def test_there_are_ten_questions_and_more() -> None:
    assert len(QUESTIONS) >= 10


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_names_files_that_exist(question: str) -> None:
    files = re.findall(FILE, QUESTIONS[question])

    assert files
    assert [name for name in files if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_names_in_an_answer_are_defined_in_its_files(question: str) -> None:
    named = re.findall(FILE + r" \(((?:`\w+`(?:, )?)+)\)", QUESTIONS[question])

    assert named
    for file, name in ((file, name) for file, some in named for name in re.findall(r"\w+", some)):
        defined = re.search(rf"^\s*(?:(?:async )?def|class) {name}\b|^{name}\b", read(file), re.M)
        assert defined, f"{file} has no {name}"


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_newcomer_has_read_of_the_files(question: str) -> None:
    files = re.findall(FILE, QUESTIONS[question])

    assert [name for name in files if f"`{name}`" not in READ_FIRST] == []


def test_every_file_that_the_two_pages_name_exists() -> None:
    files = set(re.findall(FILE, PAGE + READ_FIRST))

    assert sorted(name for name in files if not (ROOT / name).is_file()) == []


def read(file: str) -> str:
    return (ROOT / file).read_text()

"""The pages of the documentation: they show the examples as the tests run them."""

import re
from pathlib import Path

import pytest

from tests.servers import ROOT

DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
PAGES = sorted(DOCS.glob("*.md"))
FILES = [
    path
    for path in sorted(EXAMPLES.rglob("*.py"))
    if path.name != "__init__.py" and path.parent.name != "migrations"
]
BLOCKS = [
    (page.name, block)
    for page in PAGES
    for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S)
]


def name_of(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


def test_there_are_examples_and_blocks() -> None:
    assert FILES
    assert BLOCKS


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_page_shows_or_names_every_example(path: Path) -> None:
    shown = any(block == path.read_text() for _, block in BLOCKS)
    named = any(f"examples/{name_of(path)}" in page.read_text() for page in PAGES)

    assert shown or named


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=lambda value: str(value)[:30])
def test_a_block_that_names_an_example_is_that_file(page: str, block: str) -> None:
    named = re.match(r"# (\w+/\w+\.py)\b", block)
    if named is not None and (EXAMPLES / named[1]).exists():
        assert block == (EXAMPLES / named[1]).read_text()


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text()):
        path = (page.parent / target) if target else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor and path.suffix == ".md":
            assert anchor in _anchors(path), f"{page.name}: {target}#{anchor}"

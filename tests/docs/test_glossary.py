"""The glossary: each word once, and no page with a second word for the same thing."""

import re
from pathlib import Path

import pytest

from tests import walls
from tests.servers import ROOT

DOCS = ROOT / "docs"
GLOSSARY = DOCS / "glossary.md"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), DOCS / "clients" / "README.md"]
SAYS = {
    r"(?:door)?bells?": "wake-up",
    r"rings?|rang|rung": "notify",
    r"heal(?:s|ed|ing)?": "catch up",
    r"vouch(?:es|ed|ing)?": "lease, keep-alive",
    r"followers?": "subscriber",
    r"(?:takes?|has|have|carry|carries|carried) (?:a|no|its|their) places?": "sequence number",
}


def words() -> list[str]:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", GLOSSARY.read_text(), re.M)
    return [word for row in rows if row != "word" for word in row.split(", ")]


def prose(page: Path) -> str:
    """Return a page without its code, and without what is made from docstrings."""
    text = page.read_text()
    before, _, rest = text.partition(walls.BEGIN)
    _, _, after = rest.partition(walls.END)
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", before + after, flags=re.M | re.S)


def test_each_word_is_defined_once() -> None:
    assert words()
    assert sorted(words()) == sorted(set(words()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.parametrize("word", SAYS, ids=SAYS.get)
def test_a_page_has_no_second_word_for_it(page: Path, word: str) -> None:
    found = re.findall(rf"\b(?:{word})\b", prose(page), re.I)

    assert found == [], f"{page.name}: the glossary says {SAYS[word]}"


@pytest.mark.parametrize("name", ["README.md", "docs/index.md", "docs/architecture.md"])
def test_the_first_pages_lead_to_the_glossary(name: str) -> None:
    assert re.search(r"\((?:docs/)?glossary\.md\)", (ROOT / name).read_text())

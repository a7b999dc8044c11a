"""The page that shows the table."""

from tests.rights.page import PAGE, tables, written
from tests.rights.table import FILE


def test_the_page_shows_the_table_as_it_is() -> None:
    assert written(PAGE.read_text(), FILE.read_text()) == PAGE.read_text()


def test_every_row_is_on_the_page() -> None:
    text = FILE.read_text()
    rows = [line for line in text.splitlines() if "|" in line and not line.startswith("#")]

    shown = tables(text).splitlines()

    heads = shown.count("| event | what | room | who | outcome |")
    assert heads > 1
    # Each table repeats the head, and has a rule below it.
    assert sum(line.startswith("|") for line in shown) == len(rows) - 1 + 2 * heads

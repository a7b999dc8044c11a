"""The table of rights in ``docs/permissions.md``: ``python -m tests.rights.page`` writes it.

It is made of ``tests/rights/table.txt``. With ``--check`` it fails instead where the page says
something else.
"""

import sys

from tests.rights.table import FILE
from tests.servers import ROOT

PAGE = ROOT / "docs" / "permissions.md"
BEGIN = "<!-- Made from tests/rights/table.txt by `python -m tests.rights.page`. -->\n"
END = "<!-- End of what is made. -->\n"


def tables(text: str) -> str:
    """Return the table in Markdown: the words of its head as they are, then a table per section."""
    head, columns, *sections = text.strip().split("\n\n")
    words = "\n".join(line.removeprefix("#").removeprefix(" ") for line in head.splitlines()[3:])
    parts = [f"```text\n{words}\n```"]
    for section in sections:
        lines = section.splitlines()
        titles = [line.removeprefix("# ") for line in lines if line.startswith("#")]
        rows = [_row(line) for line in lines if not line.startswith("#")]
        parts += [f"**{title}**" for title in titles]
        parts.append("\n".join([_row(columns), "|---" * (columns.count("|") + 1) + "|", *rows]))
    return "\n\n".join(parts)


def _row(line: str) -> str:
    cells = (cell.strip() for cell in line.split("|"))
    return f"| {' | '.join('any' if cell == '*' else cell for cell in cells)} |"


def written(page: str, text: str) -> str:
    """Return the page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(text)}\n\n{END}{after}"


def main(check: bool) -> int:
    """Write or check the table; returns the exit status."""
    page, text = PAGE.read_text(), FILE.read_text()
    if written(page, text) == page:
        return 0
    if check:
        print(f"{PAGE.relative_to(ROOT)} is out of date: run python -m tests.rights.page")
        return 1
    PAGE.write_text(written(page, text))
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))

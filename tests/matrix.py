"""What `make matrix` passed with: the record beside the page docs/compatibility.md, and its tables.

``python -m tests.matrix <session> <JUnit report> …`` notes that a session of the noxfile passed in
this environment.
"""

import fcntl
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import Version

from tests.run import Count
from tests.servers import ROOT

PAGE = ROOT / "docs" / "compatibility.md"
RECORD = ROOT / "docs" / "compatibility.json"
#: The table of this page is between two lines of this kind.
MARK = "<!-- {} of {} -->"

#: What projects run with: those of `pyproject.toml`, with its extras, and what executes the schema.
PACKAGES = (
    "Django",
    "strawberry-graphql",
    "strawberry-graphql-django",
    "graphql-core",
    "channels",
    "channels-redis",
    "redis",
    "django-guardian",
    "bleach",
    "orjson",
    "psycopg",
    "nh3",
    "prometheus-client",
)
#: Those whose version is not the same with every Django.
SHOWN = PACKAGES[:5]

Record = dict[str, Any]


def note(session: str, reports: list[str]) -> None:
    """Note that a session passed here, and write the tables anew."""
    count = Count()
    for report in reports:
        count.add(Path(report))
    # Two sessions may end at the same time.
    with RECORD.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        record = json.load(file)
        record[session] = {
            "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES},
            "passed": count.passed,
            "skipped": count.skipped,
        }
        file.seek(0)
        file.truncate()
        json.dump(dict(sorted(record.items(), key=lambda item: _place(item[0]))), file, indent=2)
        file.write("\n")
        file.flush()
        PAGE.write_text(with_tables(PAGE.read_text(), record))


def with_tables(page: str, record: Record) -> str:
    """Return the page with the tables that the record says."""
    for name, lines in (("pairs", _pairs(record)), ("ranges", _ranges(record))):
        begin, end = MARK.format("table", name), MARK.format("end", name)
        head, _, rest = page.partition(begin)
        _, _, tail = rest.partition(end)
        page = "\n".join([head + begin, *lines, end + tail])
    return page


def _place(session: str) -> tuple[bool, str, str]:
    """Return what sessions are sorted by: Django, then Python; the lowest versions come last."""
    python, _, django = session.removesuffix("-more").partition("-")
    return not django, django, python


def _row(*cells: Any) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _pairs(record: Record) -> list[str]:
    """Return the table of what passed with which versions."""
    lines = [
        _row("Python", *SHOWN, "passed", "skipped", "passed, more"),
        _row(*["---"] * (len(SHOWN) + 4)),
    ]
    for session in sorted(record, key=_place):
        if session.endswith("-more"):
            continue
        entry = record[session]
        more = record.get(f"{session}-more")
        lines.append(
            _row(
                entry["python"],
                *(entry["packages"][name] for name in SHOWN),
                entry["passed"],
                entry["skipped"],
                more["passed"] if more else "",
            )
        )
    return lines


def _ranges(record: Record) -> list[str]:
    """Return the table of the lowest and the highest version of each package that passed."""
    lines = [_row("package", "from", "to"), _row("---", "---", "---")]
    for name in PACKAGES:
        # What a session ran with before the package needed it, it has not noted.
        packages = (entry["packages"] for entry in record.values())
        passed = sorted({each[name] for each in packages if name in each}, key=Version)
        if passed:
            lines.append(_row(name, passed[0], passed[-1]))
    return lines


if __name__ == "__main__":
    note(sys.argv[1], sys.argv[2:])

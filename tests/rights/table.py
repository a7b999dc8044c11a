"""The table of `table.txt`, which says who may send which event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("table.txt")

#: Every kind of room, and every role that somebody may have for it.
ROOMS = ("pair", "group", "locked", "channel", "public", "none")
MEMBERS = ("creator", "leader", "adder", "remover", "sender", "superuser", "member")
OUTSIDERS = ("former", "holder", "stranger", "root")
ROLES = (*MEMBERS, *OUTSIDERS, "deactivated", "anonymous")
GROUPS = {"leaders": ("creator", "leader"), "members": MEMBERS, "outsiders": OUTSIDERS}
OUTCOMES = ("ok", "nothing", "shown", "absent", "gone", "4001", "4002", "4003", "4004", "4005")
ANY = "*"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        event, what, room, who: what the row is about; each a set of names, or `*` alone.
        outcome: what comes of it.
    """

    event: frozenset[str]
    what: frozenset[str]
    room: frozenset[str]
    who: frozenset[str]
    outcome: str

    def fits(self, event: str, what: str, room: str, role: str) -> bool:
        """Whether the row is about this cell."""
        mine = (self.event, self.what, self.room, self.who)
        pairs = zip(mine, (event, what, room, role), strict=True)
        return all(ANY in names or name in names for names, name in pairs)


def read(text: str) -> list[Row]:
    """Read a table: the lines with bars but for the first, which names the columns."""
    lines = [line for line in text.splitlines() if "|" in line and not line.startswith("#")]
    return [_read_row(line) for line in lines[1:]]


def _read_row(line: str) -> Row:
    event, what, room, who, outcome = (cell.strip() for cell in line.split("|"))
    roles = [role for name in _names(who) for role in GROUPS.get(name, (name,))]
    for name, known in ((_names(room), ROOMS), (roles, ROLES), ([outcome], OUTCOMES)):
        unknown = set(name) - {ANY, *known}
        if unknown:
            raise ValueError(f"{line!r} has unknown names: {', '.join(sorted(unknown))}")
    return Row(
        frozenset({event}),
        frozenset(_names(what)),
        frozenset(_names(room)),
        frozenset(roles),
        outcome,
    )


def _names(cell: str) -> list[str]:
    return [name.strip() for name in cell.split(",")]


TABLE = read(FILE.read_text())


def find(event: str, what: str, room: str, role: str) -> Row | None:
    """The first row that fits, if there is one."""
    return next((row for row in TABLE if row.fits(event, what, room, role)), None)


def expected(event: str, what: str, room: str, role: str) -> str:
    """The outcome that the table has for a cell; fails where it has none."""
    row = find(event, what, room, role)
    assert row is not None, f"tests/rights/table.txt has no row for {event}, {what}: {room}, {role}"
    return row.outcome


def names_of(rows: Iterable[Row]) -> set[str]:
    """The events that rows name."""
    return {name for row in rows for name in row.event} - {ANY}

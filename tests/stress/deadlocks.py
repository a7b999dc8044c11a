"""Deadlocks, as PostgreSQL tells them: also those that the server tries again, unseen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.db import connection

from tests.servers import PostgresServer
from tests.stress.journal import Journal

PROJECT = "stress-project"
"""What the connections of the project's own process are called."""

_DEADLOCK = re.compile(
    r"ERROR: +deadlock detected.*?(?=\n\d{4}-\d\d-\d\d [^\n]*(?:HINT|STATEMENT):)", re.S
)
_WAITS = re.compile(r"Process (\d+) waits for")


@dataclass
class Deadlocks:
    """Watches the log of a server for as long as a scenario runs.

    Args:
        server: the server, if it is one of our own: another's log is not ours to read.

    Attributes:
        project: the server's processes that served the project's own code, which takes locks in
            whatever order it likes.
    """

    server: PostgresServer | None
    project: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._began = len(self.server.log) if self.server is not None else 0

    def note_project(self) -> None:
        """Note which of the server's processes serve the project's code, while they do."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = %s", [PROJECT]
                )
                self.project |= {str(pid) for (pid,) in cursor.fetchall()}

    def check(self, journal: Journal) -> None:
        """Operations never wait for each other: a deadlock needs code of the project's."""
        log = self.server.log[self._began :] if self.server is not None else ""
        for found in _DEADLOCK.finditer(log):
            journal.done["deadlock with project code"] += 1
            if not self.project.intersection(_WAITS.findall(found[0])):
                journal.done["deadlock with project code"] -= 1
                journal.violate("deadlock", found[0])

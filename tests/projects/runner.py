"""Tries projects, each in a process of its own, forked from one that has its imports.

Reads one project per line, ``{"apps": …, "database": …}``, and answers each with a line: null, or
the traceback. Without a database it is planned (`scenario.plan`), with one it lives.

Importing takes several times as long as what is tried, so it is done once. Nothing may be
imported here that reads the settings or declares a model.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

# What every project imports.
import bleach  # noqa: F401
import channels.layers  # noqa: F401
import django.core.management.commands.makemigrations
import django.core.management.commands.migrate
import django.db.backends.sqlite3.base
import django.db.migrations.autodetector
import django.db.models  # noqa: F401
import orjson  # noqa: F401
import strawberry_django.optimizer  # noqa: F401

from tests.projects import scenario
from tests.projects.project import Project


def main() -> None:
    """Serve until the input ends."""
    with tempfile.TemporaryDirectory(prefix="chat-") as compiled:
        # Whatever the environment says: what the first project compiles serves the others.
        sys.dont_write_bytecode, sys.pycache_prefix = False, compiled
        for line in sys.stdin:
            sys.stdout.write(json.dumps(_try(json.loads(line))) + "\n")
            sys.stdout.flush()


def _try(asked: dict[str, Any]) -> str | None:
    """Try a project in a child; returns what went wrong."""
    project = Project({app: tuple(names) for app, names in asked["apps"].items()})
    with tempfile.TemporaryDirectory(prefix="chat-") as name:
        directory, report = Path(name) / "project", Path(name) / "report"
        directory.mkdir()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if asked["database"] is None:
                    scenario.plan(project, directory)
                else:
                    scenario.live(project, directory, asked["database"])
                status = 0
            except BaseException:
                report.write_text(traceback.format_exc())
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return None
        return report.read_text() if report.exists() else f"It ended with {status}."


if __name__ == "__main__":
    main()

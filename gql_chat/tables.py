"""Tables: whether a database lacks one that a model has, since migrations have not run."""

from __future__ import annotations

import logging
import re
from functools import cache

from django.apps import apps
from django.db import OperationalError, ProgrammingError

logger = logging.getLogger("gql_chat")

# PostgreSQL's codes, and SQLite's texts.
_NO_TABLE, _NO_COLUMN = "42P01", "42703"
_TEXTS = {
    _NO_TABLE: re.compile(r"no such table"),
    _NO_COLUMN: re.compile(r"no such column|has no column named"),
}

_told: list[str] = []


def report_missing(error: BaseException) -> bool:
    """Return whether an error says that migrations are missing, and log that once per process.

    It does where the database has no table, or no column, of a name that some model's has. Then a
    traceback would not help: `migrate` does.
    """
    missing = find_missing(error)
    if missing is None:
        return False
    if not _told:
        _told.append(missing)
        logger.error(
            "The database has no %s: migrations have not run. Run `python manage.py migrate`.",
            missing,
        )
    return True


def find_missing(error: BaseException) -> str | None:
    """Return the table or column of a model that the database lacks, as `table x`; else None."""
    if not isinstance(error, OperationalError | ProgrammingError):
        return None
    # The lines after the first show the statement.
    text = next(iter(str(error).splitlines()), "")
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    words = set(re.findall(r"\w+", text))
    tables, columns = _names()
    for kind, noun, known in ((_NO_TABLE, "table", tables), (_NO_COLUMN, "column", columns)):
        found = words & known
        if found and (code == kind or (code is None and _TEXTS[kind].search(text))):
            return f"{noun} {min(found)}"
    return None


@cache
def _names() -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of all models' tables, and those of their columns."""
    models = [
        model._meta for model in apps.get_models(include_auto_created=True) if model._meta.managed
    ]
    return (
        frozenset(meta.db_table for meta in models),
        frozenset(str(field.column) for meta in models for field in meta.concrete_fields),
    )

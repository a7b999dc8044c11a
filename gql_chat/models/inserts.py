"""Rows that most events insert, by SQL that is put together once.

`Model.save` sends its signals and does all that it does elsewhere; only the statement itself, which
Django compiles anew for every row, is kept.
"""

from __future__ import annotations

from typing import Any

from django.db import connections, models


class KeptInsert(models.Model):
    """Base of models whose rows are inserted all the time."""

    class Meta:
        abstract = True

    def _do_insert(
        self, manager: Any, using: str, fields: list[Any], returning_fields: Any, raw: bool
    ) -> Any:
        """Insert the row; Django's own way where it has to return or to compute something."""
        kept = None if raw or returning_fields else statements.find(type(self), using, fields)
        values = None if kept is None else self._find_values(fields, connections[using])
        if kept is None or values is None:
            insert: Any = super()._do_insert  # type: ignore[misc]
            return insert(manager, using, fields, returning_fields, raw)
        with connections[using].cursor() as cursor:
            cursor.execute(kept, values)
        return []

    def _find_values(self, fields: list[Any], connection: Any) -> list[Any] | None:
        """Return what is inserted, as the database takes it; None where it has to compute some."""
        values = [field.pre_save(self, add=True) for field in fields]
        if any(hasattr(value, "resolve_expression") for value in values):
            return None
        prepared = [
            field.get_db_prep_save(value, connection)
            for field, value in zip(fields, values, strict=True)
        ]
        return None if any(hasattr(value, "as_sql") for value in prepared) else prepared


class Statements:
    """The statements, by model and database."""

    def __init__(self) -> None:
        self._kept: dict[tuple[type[models.Model], str], tuple[list[Any], str | None]] = {}

    def find(self, model: type[models.Model], using: str, fields: list[Any]) -> str | None:
        """Return what inserts these fields; None where one is written by more than its value."""
        kept, sql = self._kept.get((model, using), (None, None))
        if kept != fields:
            sql = _compile(model, using, fields)
            self._kept[model, using] = (fields, sql)
        return sql


def _compile(model: type[models.Model], using: str, fields: list[Any]) -> str | None:
    # Such a field writes its value by a function of the database.
    if any(hasattr(field, name) for field in fields for name in _PLACEHOLDERS):
        return None
    quote = connections[using].ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"


# Its second name is that of Django 6.1.
_PLACEHOLDERS = ("get_placeholder", "get_placeholder_sql")
statements = Statements()

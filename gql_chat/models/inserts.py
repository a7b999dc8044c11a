"""Rows that most events insert, by SQL that is put together once.

`Model.save` sends its signals and does all that it does elsewhere; only the statement itself, which
Django compiles anew for every row, is kept. `insert` does no more of `save` than a new row needs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connections, models, router, transaction
from django.db.models.signals import post_save, pre_save

from ..sql.managers import is_plain
from . import driver
from .rows import is_generated

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class KeptInsert(models.Model):
    """Base of models whose rows are inserted all the time."""

    class Meta:
        abstract = True

    def _do_insert(
        self, manager: Any, using: str, fields: list[Any], returning_fields: Any, raw: bool
    ) -> Any:
        """Insert the row; Django's own way where it has to return or to compute something."""
        connection = connections[using]
        # A base manager of a project's may write in a way of its own.
        is_kept = not raw and not returning_fields and is_plain(manager)
        kept = inserts.find(type(self), connection, fields) if is_kept else None
        values = None if kept is None else kept.find_values(self, connection)
        if kept is None or values is None:
            insert: Any = super()._do_insert  # type: ignore[misc]
            return insert(manager, using, fields, returning_fields, raw)
        driver.run(connection, kept.sql, values)
        return []


def insert(row: KeptInsert) -> None:
    """Save a new row whose related objects are saved: what `row.save(force_insert=True)` does.

    It is what is done where a model saves its rows in a way of its own.
    """
    if not insert_plainly(row):
        row.save(force_insert=True)


def insert_plainly(row: models.Model) -> bool:
    """Save a new row as `insert` does, if that is its signals and one statement; tell whether."""
    model = type(row)
    if not isinstance(row, KeptInsert) or row.pk is None or not _saves_plainly(type(row)):
        return False
    using = router.db_for_write(model, instance=row)
    told: dict[str, Any] = {"sender": model, "instance": row, "using": using}
    pre_save.send(**told, raw=False, update_fields=None)
    with transaction.mark_for_rollback_on_error(using):
        fields: Any = model._meta.local_concrete_fields
        row._do_insert(model._base_manager, using, fields, [], False)
    row._state.db = using
    row._state.adding = False
    post_save.send(**told, raw=False, update_fields=None, created=True)
    return True


@lru_cache(None)
def _saves_plainly(model: type[KeptInsert]) -> bool:
    """Tell whether saving a new row of a model is its signals and one statement."""
    meta: Any = model._meta
    return (
        model.save is models.Model.save
        and model.save_base is models.Model.save_base
        and model._do_insert is KeptInsert._do_insert
        and not meta.proxy
        and not meta.parents
        and not meta.order_with_respect_to
        and not meta.db_returning_fields
        and not any(map(is_generated, meta.local_concrete_fields))
    )


class _Insert:
    """What inserts a row of a model.

    Args:
        model: the model.
        fields: the fields that have values.
        connection: tells which database it is for.
    """

    def __init__(
        self, model: type[models.Model], fields: list[Any], connection: BaseDatabaseWrapper
    ) -> None:
        quote = connection.ops.quote_name
        columns = ", ".join(quote(field.column) for field in fields)
        places = ", ".join(["%s"] * len(fields))
        table = quote(model._meta.db_table)
        self.sql = driver.SQL(f"INSERT INTO {table} ({columns}) VALUES ({places})")
        self._columns = [_Column(field, connection) for field in fields]

    def find_values(self, row: models.Model, connection: BaseDatabaseWrapper) -> list[Any] | None:
        """Return what is inserted, as the database takes it; None where it has to compute some."""
        found = []
        for column in self._columns:
            value = column.read(row)
            if type(value) is not column.plain:
                value = column.prepare(value, connection)
            elif column.write is not None:
                value = column.write(value)
            if value is _COMPUTED:
                return None
            found.append(value)
        return found


class _Column:
    """How the values of a field become what the database takes.

    Args:
        field: the field.
        connection: tells which database it is for.

    Attributes:
        field: the same.
        read: what returns the value that a row shall have.
        plain: the type of values that need no more than `write`, if any do.
        write: what makes such a value what the database takes; None where it is that.
    """

    def __init__(self, field: Any, connection: BaseDatabaseWrapper) -> None:
        self.field = field
        own: Any = attrgetter(field.attname)
        self.read = own if _keeps(field) else partial(field.pre_save, add=True)
        while type(field) in (models.ForeignKey, models.OneToOneField):
            field = field.target_field
        plain = _PLAIN.get(type(field))
        if plain is None and connection.vendor == "sqlite":
            plain = _PLAIN_TO_SQLITE.get(type(field))
        is_text = plain is UUID and not connection.features.has_native_uuid_field
        self.plain = plain
        self.write = attrgetter("hex") if is_text else None

    def prepare(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """Return any other value as the database takes it, or `_COMPUTED`."""
        field = self.field
        if value is None and field.remote_field is not None:
            return None
        if hasattr(value, "resolve_expression"):
            return _COMPUTED
        if type(field) is models.DateTimeField and type(value) is datetime and value.tzinfo is UTC:
            return driver.write_time(connection, value)
        prepared = field.get_db_prep_save(value, connection)
        return _COMPUTED if hasattr(prepared, "as_sql") else prepared


def _keeps(field: Any) -> bool:
    """Tell whether a field stores what its attribute has."""
    pre_save = type(field).pre_save
    if pre_save is models.DateTimeField.pre_save:
        return not (field.auto_now or field.auto_now_add)
    return pre_save is models.Field.pre_save


_PLAIN: dict[Any, type] = {
    models.BooleanField: bool,
    models.CharField: str,
    models.TextField: str,
    models.UUIDField: UUID,
}
"""The types of what a field's values are, by what stores them."""

_PLAIN_TO_SQLITE: dict[Any, type] = {models.AutoField: int, models.BigAutoField: int}
"""The same for what PostgreSQL's driver is told more of."""

_COMPUTED = object()


class _Inserts:
    """The inserts that are kept, by model and database."""

    def __init__(self) -> None:
        self._kept: dict[tuple[type[models.Model], str], tuple[list[Any], _Insert | None]] = {}

    def find(
        self, model: type[models.Model], connection: BaseDatabaseWrapper, fields: list[Any]
    ) -> _Insert | None:
        """Return what inserts these fields; None where one is written by more than its value."""
        key = (model, connection.alias)
        kept, insert = self._kept.get(key, (None, None))
        if kept != fields:
            computed = any(hasattr(field, name) for field in fields for name in _PLACEHOLDERS)
            insert = None if computed else _Insert(model, fields, connection)
            self._kept[key] = (fields, insert)
        return insert


# What a field has that writes its value by a function of the database; the second name is that of
# Django 6.1.
_PLACEHOLDERS = ("get_placeholder", "get_placeholder_sql")
inserts = _Inserts()

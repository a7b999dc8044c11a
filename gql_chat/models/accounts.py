"""Accounts: which users are active, what is read of them, and who stands for nobody."""

from __future__ import annotations

import uuid
from functools import cache
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import models, router

from ..conf import chat_settings, per_settings

RowsT = TypeVar("RowsT", bound="models.QuerySet[Any]")


def active(prefix: str = "") -> dict[str, bool]:
    """Return the filter for active accounts; no filter if the user model has no `is_active`.

    Args:
        prefix: the lookup that leads to the user, as `"user__"`.
    """
    return {f"{prefix}is_active": True} if can_deactivate() else {}


def can_deactivate() -> bool:
    """Return whether the user model has a column `is_active`."""
    return "is_active" in {field.name for field in get_user_model()._meta.fields}


def accounts() -> models.QuerySet[Any]:
    """Return all accounts, from the primary database, whatever a manager hides."""
    model = get_user_model()
    return model._base_manager.using(router.db_for_write(model))


@cache
def nobody_key() -> Any:
    """Return the primary key that stands for nobody: 0, the UUID of zeros, or an empty text.

    No database gives it to an account by itself.
    """
    field: Any = get_user_model()._meta.pk
    while field.remote_field is not None:
        field = field.target_field
    if isinstance(field, models.IntegerField):
        return 0
    return uuid.UUID(int=0) if isinstance(field, models.UUIDField) else ""


def nobody() -> Any:
    """Return who frames show as the sender of a message whose sender was erased.

    It is an instance of the user model with `nobody_key`, without a name, that is never stored. So
    a project's own type of users can show it as it shows others.
    """
    model: Any = get_user_model()
    stand_in = model(pk=nobody_key())
    setattr(stand_in, model.USERNAME_FIELD, "")
    if can_deactivate():
        stand_in.is_active = False
    return stand_in


def shown_version() -> int:
    """Return the version of what frames show of users, for statements that read them."""
    return chat_settings.version


def as_shown(rows: RowsT, *paths: str) -> RowsT:
    """Return a queryset that does not read what frames do not show of users.

    Code of a project's that asks a user for such a column gets it by a query of its own.

    Args:
        rows: the queryset: of users, or of rows that it loads with users.
        paths: the names of the relations that lead to the users, as `"sender"`; none for users.
    """
    names = hidden_columns()
    if not names:
        return rows
    return rows.defer(
        *(f"{path}__{name}" if path else name for path in paths or ("",) for name in names)
    )


@per_settings
def hidden_columns() -> tuple[str, ...]:
    """Return the columns of the user model that frames do not show, so that nothing reads them.

    They are those of `USER_FIELDS` that the setting leaves out, or the type in use does not have. A
    type of a project's own may read any column for a field of its own. So there are none until the
    type names these columns in its `reads`; a type does not inherit that.
    """
    shown: Any = chat_settings.load_serializer("User")
    reads = vars(shown).get("reads")
    if reads is None:
        return ()
    model: Any = get_user_model()
    columns = {
        "email": model.get_email_field_name(),
        "first_name": "first_name",
        "last_name": "last_name",
    }
    needed = {*reads, model.USERNAME_FIELD, model._meta.pk.name}
    there = {field.name for field in model._meta.concrete_fields}
    return tuple(
        column
        for name, column in columns.items()
        if column in there - needed and not _shows(shown, name)
    )


def shows(name: str) -> bool:
    """Tell whether frames show a field of users, one of `USER_FIELDS`."""
    return _shows(chat_settings.load_serializer("User"), name)


def _shows(shown: Any, name: str) -> bool:
    """Tell whether frames show a field: a type's own always, the package's as the settings say."""
    field = shown.__dataclass_fields__.get(name)
    if field is None:
        return False
    return OF_USERS not in field.metadata or chat_settings.shows_of_users(name)


OF_USERS = "gql_chat.user_field"
"""The mark, in the metadata of a schema's field, of a field that `USER_FIELDS` may leave out."""


def active_column() -> str:
    """Return the SQL for whether an account is active: its column, or a constant if it has none."""
    if not can_deactivate():
        return "1"
    return f'"{get_user_model()._meta.get_field("is_active").column}"'

"""Accounts: which of the project's users are active, and who stands where an erased user was."""

from __future__ import annotations

import uuid
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models, router


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
    """Return all accounts, as the database has them that is written, whatever a manager hides."""
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

"""Accounts: which of the project's users are active. The chat asks no more of the user model."""

from __future__ import annotations

from django.contrib.auth import get_user_model


def active(prefix: str = "") -> dict[str, bool]:
    """Return the filter for active accounts; no filter if the user model has no `is_active`.

    Args:
        prefix: the lookup that leads to the user, as `"user__"`.
    """
    fields = {field.name for field in get_user_model()._meta.fields}
    return {f"{prefix}is_active": True} if "is_active" in fields else {}

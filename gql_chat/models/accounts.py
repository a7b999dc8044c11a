"""Accounts: which of the project's users are active. The chat asks no more of the user model."""

from __future__ import annotations

from django.contrib.auth import get_user_model


def active(prefix: str = "") -> dict[str, bool]:
    """Return the filter for active accounts; no filter if the user model has no `is_active`.

    Args:
        prefix: the lookup that leads to the user, as `"user__"`.
    """
    return {f"{prefix}is_active": True} if _has_column() else {}


def active_column() -> str:
    """Return the SQL of what says whether an account is active; of a constant without a column."""
    if not _has_column():
        return "1"
    return f'"{get_user_model()._meta.get_field("is_active").column}"'


def _has_column() -> bool:
    return any(field.name == "is_active" for field in get_user_model()._meta.fields)

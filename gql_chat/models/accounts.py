"""Accounts: the project's users, of whom a chat asks no more than whether they may come in."""

from __future__ import annotations

from django.contrib.auth import get_user_model


def active(prefix: str = "") -> dict[str, bool]:
    """Return the filter for accounts that are active, as far as the user model knows that.

    Args:
        prefix: the way to the user in the filter, as `"user__"`.
    """
    fields = {field.name for field in get_user_model()._meta.fields}
    return {f"{prefix}is_active": True} if "is_active" in fields else {}

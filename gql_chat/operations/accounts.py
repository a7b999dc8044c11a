"""Accounts: a user whom an operation brings into a room is still active when it commits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections, router

from ..errors import Again
from ..models.accounts import can_deactivate
from .base import Operations


class AccountOperations(Operations):
    """What operations do about the accounts of those whom they bring into a room."""

    @staticmethod
    def hold_accounts(users: Iterable[Any]) -> None:
        """Let none of these users be erased before the running transaction has committed.

        An erasure deactivates the account first, and waits for this (`accounts.erasure`). So the
        membership that the transaction writes is seen there, or the account is found deactivated
        here. The lock is that which a foreign key takes: only erasing and deleting wait for it.

        Args:
            users: the users, as the transaction has read them. Deactivated ones are left alone.

        Raises:
            Again: one of them was deactivated meanwhile.
        """
        connection = connections[router.db_for_write(get_user_model())]
        # SQLite has one writer.
        if connection.vendor != "postgresql" or not can_deactivate():
            return
        # Both may be columns of a parent of the user model.
        active = get_user_model()._meta.get_field("is_active")
        key: Any = active.model._meta.pk
        keys = [key.get_db_prep_value(user.pk, connection) for user in users if user.is_active]
        if not keys:
            return
        quote, marks = connection.ops.quote_name, ", ".join(["%s"] * len(keys))
        column, place = quote(str(active.column)), quote(key.column)
        with connection.cursor() as cursor:
            # Django's ORM cannot take this lock.
            cursor.execute(
                f"SELECT {column} FROM {quote(active.model._meta.db_table)} "
                f"WHERE {place} IN ({marks}) ORDER BY {place} FOR KEY SHARE",
                keys,
            )
            if not all(is_active for (is_active,) in cursor.fetchall()):
                raise Again("An account was deactivated while it was being brought in.")

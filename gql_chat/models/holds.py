"""Holds: what the deletion of accounts locks, in the order of all operations.

Django sends its signals only after it has collected the rows to delete. Operations of these users,
and operations on them, may run until then. They are over when all of this is locked, and none
begins later: an operation that brings a user into a room locks the account (`operations.accounts`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router, transaction
from django.db.models import Model, QuerySet

from . import locks
from .accounts import accounts
from .allowances import Allowance
from .deletions import Deletion
from .memberships import Membership
from .registry import get_model
from .streams import StreamEvent

_ATTEMPTS = 5
"""How often the rooms of users are read, if they are brought into others meanwhile."""


class _Missed(Exception):
    """A user came into a room that is not locked."""


def accounts_of(origin: Any) -> list[Any]:
    """Return the ids of the accounts that a deletion begins with.

    Args:
        origin: the `origin` of its signals. There are none if it is another object, from which the
            deletion comes to accounts by a foreign key.
    """
    model = get_user_model()
    if isinstance(origin, Model):
        return [origin.pk] if isinstance(origin, model) else []
    if isinstance(origin, QuerySet) and issubclass(origin.model, model):
        return list(origin.order_by().values_list("pk", flat=True))
    return []


def hold_accounts(deletion: Deletion, user_ids: Collection[Any]) -> None:
    """Lock the rooms of users, then their allowances, then their accounts, unless that was done.

    Their rooms are those that they are in, have created, or have written in.

    Args:
        deletion: the deletion.
        user_ids: the users that it deletes.
    """
    new = set(user_ids) - deletion.held
    if not new:
        return
    deletion.held |= new
    using = router.db_for_write(StreamEvent)
    rooms: set[Any] = set()
    # Inside an operation the locks are the operation's, which cannot give one back.
    attempts = 1 if locks.running() is not None else _ATTEMPTS
    for attempt in range(attempts):
        rooms |= _rooms_of(new)
        try:
            # A savepoint: undoing it gives the locks back, so that all are taken in order again.
            with transaction.atomic(using=using):
                for room_id in sorted(rooms - deletion.locked, key=str):
                    locks.lock(room_id)
                _lock(Allowance.objects.using(using).filter(user_id__in=new))
                _lock(accounts().filter(pk__in=new))
                if attempt + 1 < attempts and not _rooms_of(new) <= rooms:
                    raise _Missed
        except _Missed:
            continue
        break
    deletion.locked |= rooms


def _rooms_of(user_ids: Collection[Any]) -> set[Any]:
    model = get_model("Room")
    using = router.db_for_write(model)
    room_ids = (
        Membership.objects.using(using).filter(user_id__in=user_ids).values_list("room_id"),
        model.objects.using(using).filter(creator_id__in=user_ids).values_list("pk"),
        get_model("Message")
        .objects.using(using)
        .filter(sender_id__in=user_ids)
        .values_list("room_id"),
    )
    found, *others = (each.order_by() for each in room_ids)
    return {room_id for (room_id,) in found.union(*others)}


def _lock(rows: QuerySet[Any]) -> None:
    """Lock rows, in the order of their keys."""
    list(rows.order_by("pk").select_for_update())

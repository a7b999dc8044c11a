"""Quotations: a deletion locks the rooms that quote a message with the message's own, in order."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.db.models import Q

from ..errors import NotFound
from ..models.quotations import find_quoting_rooms
from ..streams import erases
from .base import Operations


def lock_with_quoting(operations: Operations, quoted: Q, room_ids: Iterable[Any] = ()) -> None:
    """Lock rooms together with those that quote them, if there are any; else lock nothing.

    Replies that come after this are few: the erasure of their quotes locks their rooms late.

    Args:
        operations: those of the acting user, in a transaction that has locked nothing yet.
        quoted: which messages are quoted (`find_quoting_rooms`).
        room_ids: the rooms of these messages.
    """
    elsewhere = find_quoting_rooms(quoted) if erases() else []
    if elsewhere:
        with suppress(NotFound):  # one of them has gone meanwhile; the operation will see
            operations.lock_rooms([*room_ids, *elsewhere])

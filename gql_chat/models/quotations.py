"""Quotations: a message may be quoted in another room than its own, by a reply there."""

from __future__ import annotations

from typing import Any

from django.db import connections, router
from django.db.models import F, Q

from .locks import lock
from .registry import get_model


def find_quoting_rooms(quoted: Q) -> list[Any]:
    """Return the keys of other rooms in which messages are quoted, in their order.

    On a database without locks of rows nobody needs them: there is one writer at a time.

    Args:
        quoted: which messages, as a condition on their columns by `parent_message__…`.
    """
    model = get_model("Message")
    connection = connections[router.db_for_write(model)]
    if not connection.features.has_select_for_update:
        return []
    replies = model.objects.using(connection.alias).filter(quoted, parent_message__isnull=False)
    elsewhere = replies.exclude(room_id=F("parent_message__room_id")).order_by()
    return sorted(elsewhere.values_list("room_id", flat=True).distinct(), key=str)


def lock_quoting_rooms(quoted: Q) -> None:
    """Lock the other rooms in which messages of locked rooms are quoted.

    Frames about a reply there show the quote. Nobody else can quote these messages meanwhile: that
    takes the locks of both rooms.

    An operation has locked them in the order of all rooms before. Plain code has not, nor does
    an operation know of a reply that came right before its lock. Of two that wait for each other
    the database breaks one off, and an operation runs again.

    Args:
        quoted: as for `find_quoting_rooms`.
    """
    for room_id in find_quoting_rooms(quoted):
        lock(room_id)


def quoted_in(room_id: Any) -> Q:
    """Return the condition that a reply quotes a message of a room."""
    return Q(parent_message__room_id=room_id)

"""Sight: a message that the user names is one that the user sees, or the event is refused."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..models import Membership
from ..models.visibility import is_visible
from .base import Operations, check_active, own_memberships


def check_sees(
    operations: Operations, messages: Collection[Any], at_hand: Membership | None = None
) -> None:
    """Refuse a user who may not see messages that an event names.

    Args:
        operations: those of the acting user.
        messages: the messages, of any rooms.
        at_hand: the user's membership of one of these rooms, if it is known.

    Raises:
        PermissionDenied: one of them stands in a room that the user is not in, or is hidden from
            the user. (With `HIDE_FORBIDDEN`: NotFound.)
        NotAuthenticated: the account is gone or was deactivated.
    """
    if operations.as_system:
        return
    known = {} if at_hand is None else {at_hand.room_id: at_hand}
    elsewhere = {message.room_id for message in messages} - known.keys()
    if elsewhere:
        found = own_memberships.all(operations.user_id, elsewhere)
        known |= {membership.room_id: membership for membership in found}
        if found:
            operations.user = check_active(found[0].user)
    for message in messages:
        membership = known.get(message.room_id)
        if membership is None or not is_visible(membership, message):
            operations.refuse("message")

"""Uses: what a user does for themselves alone, which a project may refuse by the event's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import PermissionDenied
from .base import check_active

if TYPE_CHECKING:
    from ..models import AbstractRoom
    from .base import Operations


def check_use(operations: Operations, event: str, room: AbstractRoom | None = None) -> Any:
    """Return the acting user, or refuse an event that `PermissionHandler.can_use` does not allow.

    Args:
        operations: whose user acts.
        event: the event type, such as `mention.list`.
        room: the room that it is about, if it is about one; the user is in it.

    Raises:
        NotAuthenticated: the account is gone or was deactivated.
        PermissionDenied: the user may not.
    """
    user = check_active(operations.user)
    if not operations.permissions.can_use(user, event, room):
        raise PermissionDenied(f"You may not use {event}.")
    return user

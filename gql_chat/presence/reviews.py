"""Reviews: whom those who watch may still see. Rights may end while somebody watches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import QuerySet

from ..conf import chat_settings
from ..models import Membership
from ..models.accounts import accounts
from ..permissions import PermissionHandler


@dataclass(frozen=True, slots=True)
class Request:
    """Whom a socket watches.

    Attributes:
        user: the id of the socket's user, as a string.
        users: those whom it has named, by their ids as strings.
        rooms: the ids of the rooms that it has named, as strings.
    """

    user: str
    users: Collection[str] = ()
    rooms: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """Whom a socket may see of those whom it watches.

    Attributes:
        users: those of the named users.
        rooms: those whom it sees of each room, the user not in which is left out.
    """

    users: set[str]
    rooms: dict[str, set[str]]


def asks_by_default() -> bool:
    """Tell whether the project decides by the package's rule: who shares a room."""
    handler: Any = chat_settings.load("PERMISSION_HANDLER_CLASS")
    is_ours: bool = handler.can_see_presence is PermissionHandler.can_see_presence
    return is_ours


def review(requests: Sequence[Request]) -> list[Seen]:
    """Return whom each may see now.

    Two statements for all, by the package's rule; two more for each where a project has its own.
    """
    members = _find_members({room for request in requests for room in request.rooms})
    pairs = _find_pairs(requests) if asks_by_default() else None
    found = []
    for request in requests:
        rooms = {room: members[room] for room in request.rooms if request.user in members[room]}
        users = set(request.users)
        if pairs is not None:
            users &= pairs.get(request.user, set()) | {request.user}
        else:
            allowed = _ask(request.user, users.union(*rooms.values()))
            users &= allowed
            rooms = {room: everybody & allowed for room, everybody in rooms.items()}
        found.append(Seen(users, rooms))
    return found


def _memberships() -> QuerySet[Membership]:
    return Membership.objects.using(router.db_for_write(Membership))


def _find_members(rooms: set[str]) -> dict[str, set[str]]:
    """Return the members of rooms, by id as a string."""
    members: dict[str, set[str]] = {room: set() for room in rooms}
    if rooms:
        rows = _memberships().filter(room_id__in=list(rooms)).values_list("room_id", "user_id")
        for room_id, user_id in rows.order_by():
            members[str(room_id)].add(str(user_id))
    return members


def _find_pairs(requests: Sequence[Request]) -> dict[str, set[str]]:
    """Return for each user who watches those named by anybody with whom they share a room."""
    watching = {request.user for request in requests if request.users}
    named = {user for request in requests for user in request.users}
    found: dict[str, set[str]] = {}
    if watching:
        rows = _memberships().filter(
            user_id__in=list(watching), room__memberships__user_id__in=list(named)
        )
        pairs = rows.order_by().values_list("user_id", "room__memberships__user_id").distinct()
        for user_id, other in pairs:
            found.setdefault(str(user_id), set()).add(str(other))
    return found


def _ask(user_id: str, others: set[str]) -> set[str]:
    """Return those whom a user may see by the project's own rule."""
    user = accounts().filter(pk=user_id).first()
    if user is None or not others:
        return set()
    handler: Any = chat_settings.load("PERMISSION_HANDLER_CLASS")()
    model: Any = get_user_model()
    users = model._default_manager.using(router.db_for_write(model)).filter(pk__in=list(others))
    return {str(key) for key in handler.can_see_presence(user, users).values_list("pk", flat=True)}

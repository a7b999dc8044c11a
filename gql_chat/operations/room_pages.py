"""Pages of a user's rooms, the most recently active first, and the filters of that list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import router
from django.db.models import Exists, OuterRef, Q

from ..errors import Invalid
from ..models import AbstractRoom, Membership, RoomPreferences
from ..models.cuts import FEATURE
from ..models.people import check_query, named_like
from ..models.preferences import has_preferences, pinned_rooms
from ..models.read_markers import ReadMarker
from ..models.rules import room_types
from ..models.unread import select_unread_mentions
from ..models.weights import ROOM
from ..nouns import has_part
from .base import check_active
from .cursors import find_size, part
from .rooms import RoomOperations, select_listed_rooms


@dataclass(slots=True)
class RoomPage:
    """A page of a user's rooms, the most recently active first.

    Attributes:
        rooms: the rooms, with what the list shows of them.
        has_next: whether there are more.
        has_previous: whether it is not the first page.
        size: how many a page holds at most.
    """

    rooms: list[AbstractRoom]
    has_next: bool
    has_previous: bool
    size: int


class RoomPageOperations(RoomOperations):
    """What a user does to look at some rooms of many."""

    def list_room_page(
        self,
        *,
        before: Any = None,
        size: int | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> RoomPage:
        """Return rooms of the user, the most recently active first; see `list_rooms`.

        Args:
            before: the id of a room: those less recently active follow. At one cost, however deep.
            size: how many at most; capped at `MAX_PAGE_SIZE`. Left out, as many as an answer has
                room for.
            filters: which rooms: the values of some of `FILTERS`.

        Raises:
            NotFound: there is no such room.
            PermissionDenied: the user is not in it.
            Invalid: the size or a filter is none.
        """
        limit = self.budget.find_limit()
        paged = size is not None
        size = find_size(size, limit, ROOM) if paged else _most(limit)
        check_active(self.user)
        if not (filters or paged or before is not None):
            found, more = part(self.find_listed(limit), size)  # by a statement that is kept
            shown = self.show_rooms(found, limit)
            return RoomPage(shown, more or len(shown) < len(found), False, size)
        # Nothing is known of rooms whose type is no longer declared.
        declared = [model.rules.name for model in room_types()]
        rooms = select_listed_rooms(self.user_id).filter(type__in=declared)
        for name, value in (filters or {}).items():
            rooms = _find_filter(name)(rooms, value, self.user_id)
        if before is not None:
            rooms = rooms.filter(self._is_behind(self.enter(before).room))
        # In the order of the whole list: those that the user has pinned come first.
        ordered = rooms.using(router.db_for_write(rooms.model))
        found, more = part(list(ordered[: size + 1]), size)
        shown = self.show_rooms(found, limit)
        return RoomPage(shown, more or len(shown) < len(found), before is not None, size)

    def _is_behind(self, room: AbstractRoom) -> Q:
        """Return the condition on rooms that they come after one in the list."""
        at, made = room.last_activity, room.created_at
        behind = Q(last_activity__lt=at) | Q(last_activity=at) & (
            Q(created_at__lt=made) | Q(created_at=made, pk__lt=room.pk)
        )
        if not has_preferences():
            return behind
        pinned = _preferences_of(self.user_id).filter(pinned=True)
        is_pinned = pinned_rooms(self.user_id).filter(room_id=room.pk).exists()
        return Q(~Exists(pinned)) | behind if is_pinned else Q(~Exists(pinned)) & behind


def _most(limit: int | None) -> int:
    """Return how many rooms a list has at most for which no size is asked."""
    return 2**31 - 2 if limit is None else limit // ROOM


Filter = Callable[[Any, Any, Any], Any]
"""Takes the rooms of a user's list, the filter's value and the user's id; returns fewer rooms."""


def _of_type(rooms: Any, value: str, user_id: Any) -> Any:
    known = [model.rules.name for model in room_types()]
    if value not in known:
        raise Invalid({"filter": {"type": f"One of {', '.join(known)} is needed."}})
    return rooms.filter(type=value)


def _unread(rooms: Any, value: bool, user_id: Any) -> Any:
    """Find rooms in which something is unread, or which the user has marked as unread."""
    waits = Q(unread_count__gt=0)
    if has_part("read_markers"):
        mine = ReadMarker.objects.filter(membership__room_id=OuterRef("pk"), marked=True)
        waits |= Q(Exists(mine.filter(membership__user_id=user_id)))
    return rooms.filter(waits if value else ~waits)


def _named(rooms: Any, value: str, user_id: Any) -> Any:
    """Find rooms by a part of their name, and one-to-one chats by the name of the other one."""
    query = check_query("filter.query", value)
    paired = [model.rules.name for model in room_types() if model.rules.paired]
    peers = Membership.objects.filter(named_like(query, "user__"), room_id=OuterRef("pk"))
    peers = peers.exclude(user_id=user_id)
    return rooms.filter(Q(name__icontains=query) | Q(Exists(peers), type__in=paired))


def _mentioned(rooms: Any, value: bool, user_id: Any) -> Any:
    mentions = Exists(select_unread_mentions("mine__"))
    return rooms.filter(mentions if value else ~mentions)


def _pinned(rooms: Any, value: bool, user_id: Any) -> Any:
    pinned = Exists(_preferences_of(user_id).filter(pinned=True))
    return rooms.filter(pinned if value else ~pinned)


def _archived(rooms: Any, value: bool, user_id: Any) -> Any:
    put_away = _preferences_of(user_id).filter(archived_at__gte=OuterRef("last_activity"))
    return rooms.filter(Exists(put_away) if value else ~Exists(put_away))


def _preferences_of(user_id: Any) -> Any:
    return RoomPreferences.objects.filter(room_id=OuterRef("pk"), user_id=user_id)


FILTERS: dict[str, Filter] = {
    "type": _of_type,
    "unread": _unread,
    "mentioned": _mentioned,
    "pinned": _pinned,
    "archived": _archived,
    "query": _named,
}
"""The filters of the list of rooms."""

BROUGHT_BY = {"mentioned": "mentions", "pinned": "room_preferences", "archived": "room_preferences"}
"""The features that bring some of them."""


def _find_filter(name: str) -> Filter:
    """Return a filter.

    Raises:
        Invalid: there is none of this name.
    """
    if name not in FILTERS or not has_part(BROUGHT_BY.get(name, FEATURE)):
        raise Invalid({"filter": {name: "There is no such filter."}})
    return FILTERS[name]

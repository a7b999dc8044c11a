"""Pages of a room's members, leaders first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from ..errors import Invalid, NotFound
from ..models import Membership
from ..models.accounts import as_shown
from ..models.cuts import follows_leaders
from ..models.people import check_query, named_like
from ..models.rules import Role
from .base import Operations
from .cursors import PERSON, find_size, part, read_user
from .uses import check_use

ROLES = tuple(role for role, _ in Role.CHOICES)
"""The roles that members are asked for by."""

_NO_MEMBER = "There is no such member in this room."


@dataclass(slots=True)
class MemberPage:
    """A page of a room's members, leaders first, the others in the order of joining.

    Attributes:
        room_id: the room.
        member_count: how many members the room has, whatever was asked for.
        members: memberships, with their users.
        has_next: whether there are more.
        has_previous: whether it is not the first page.
        size: how many a page holds at most.
    """

    room_id: Any
    member_count: int
    members: list[Membership]
    has_next: bool
    has_previous: bool
    size: int


class MemberPageOperations(Operations):
    """What a user does to see who is in a room."""

    def room_members(
        self,
        room_id: Any,
        *,
        after: Any = None,
        size: int | None = None,
        query: str | None = None,
        role: str | None = None,
    ) -> MemberPage:
        """Return members of a room: leaders first, the others in the order of joining.

        A page reads memberships of this room alone, by the index over room and user.

        Args:
            room_id: the room.
            after: the id of a member: those who come after them follow.
            size: how many at most; capped at `MAX_PAGE_SIZE`.
            query: only members of whose names each of its words begins one.
            role: only members with this role: `member`, `admin` or `moderator`.

        Raises:
            NotFound: there is no such room, or no such member in it.
            PermissionDenied: the user is not in it.
            Invalid: the size, the query or the role is none.
        """
        limit = self.budget.find_limit()
        size = find_size(size, limit, PERSON)
        wanted = Q()
        if query is not None:
            wanted &= named_like(check_query("query", query), "user__")
        if role is not None:
            if role not in ROLES:
                raise Invalid({"role": f"One of {', '.join(ROLES)} is needed."})
            wanted &= Q(role=role)
        key = None if after is None else read_user(after, _NO_MEMBER)
        room = self.enter(room_id).room
        check_use(self, "room.members", room)
        members = Membership.objects.primary(room_id=room.pk)
        if key is not None:
            wanted &= _follow(members, key)
        order = (follows_leaders(), "pk")
        # No user is read but those of the page.
        keys = members.filter(wanted).order_by(*order).values("pk")[: size + 1]
        rows = Membership.objects.primary(pk__in=keys).select_related("user")
        shown, more = part(list(as_shown(rows, "user").order_by(*order)), size)
        self.budget.spend(PERSON * len(shown))
        return MemberPage(room.pk, members.count(), shown, more, after is not None, size)


def _follow(members: Any, user_id: Any) -> Q:
    """Return the condition on members that they come after one, in the order of a page."""
    placed = members.annotate(follows=follows_leaders())
    cursor = placed.filter(user_id=user_id).values_list("follows", "pk").first()
    if cursor is None:
        raise NotFound(_NO_MEMBER)
    follows, key = cursor
    later = Q(pk__gt=key)
    return later & Q(role=Role.MEMBER) if follows else later | Q(role=Role.MEMBER)

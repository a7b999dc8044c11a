"""Rooms, from server code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from asgiref.sync import sync_to_async

from ..models import AbstractRoom
from ..operations.member_pages import MemberPage
from ..operations.room_pages import RoomPage
from .acting import acting_as, room_key, user_key


def create_room(
    room_type: str | type[AbstractRoom],
    *,
    creator: Any,
    name: str | None = None,
    description: str | None = None,
    members: Iterable[Any] = (),
    fields: Mapping[str, Any] | None = None,
    preferences: Mapping[str, Any] | None = None,
    as_system: bool = False,
) -> AbstractRoom:
    """Create a room, and tell its members.

    Args:
        room_type: `OneToOneChat`, `GroupChat`, `Channel`, or a type of the project's own: its
            name or its model.
        creator: the user who creates the room, and leads it from then on.
        name: 1 to 64 characters; needed for all types but one-to-one chats.
        description: a description of the room.
        members: the first members, besides the creator.
        fields: the values that a client may give in `extra_fields`: `max_participants`, and so on.
        preferences: the preferences in the room's property.
        as_system: whether the server itself acts; then any column of the project's may be set.

    Returns:
        The room, of its type's class.

    Raises:
        Conflict: the two users have a one-to-one chat; `detail["room_id"]` is its id.
    """
    type_name = room_type if isinstance(room_type, str) else room_type.rules.name
    return acting_as(creator, as_system=as_system).create_room(
        type_name,
        name=name,
        description=description,
        members=[user_key(member) for member in members],
        fields=fields,
        preferences=preferences,
    )


def add_members(
    room: Any,
    members: Iterable[Any],
    *,
    by: Any,
    history: str | None = None,
    as_system: bool = False,
) -> AbstractRoom:
    """Bring users into a room, and tell its members, the new ones included.

    Args:
        room: the room.
        members: the users; members of the room are skipped.
        by: the user who adds them; the frame has this user's name.
        history: what they see of what was written before: `"all"`, as far as `by` sees it, or
            `"none"`. Left out, the room says so (`Room.history`).
        as_system: whether the server itself acts.

    Returns:
        The room.
    """
    users = [user_key(member) for member in members]
    handler = acting_as(by, as_system=as_system)
    return handler.add_members(room_key(room), users, history=history)


def remove_members(room: Any, members: Iterable[Any], *, by: Any, as_system: bool = False) -> None:
    """Put users out of a room, and tell them and the remaining members.

    Args:
        room: the room.
        members: the users; non-members and the room's creator are skipped.
        by: the user who removes them; the frame has this user's name.
        as_system: whether the server itself acts.
    """
    users = [user_key(member) for member in members]
    acting_as(by, as_system=as_system).remove_members(room_key(room), users)


def list_rooms(
    user: Any,
    *,
    before: Any = None,
    size: int | None = None,
    filters: Mapping[str, Any] | None = None,
) -> RoomPage:
    """Return rooms of a user, the most recently active first, with what `room.list` shows of them.

    Args:
        user: the user, whose rooms they are.
        before: a room: those less recently active follow.
        size: how many at most; capped at `MAX_PAGE_SIZE`.
        filters: which rooms: values for some of `type`, `unread` and `query`.

    Returns:
        The page: its `rooms`, and whether it `has_next`.
    """
    wanted = None if before is None else room_key(before)
    return acting_as(user).list_room_page(before=wanted, size=size, filters=filters)


def list_members(
    room: Any,
    *,
    by: Any,
    after: Any = None,
    size: int | None = None,
    query: str | None = None,
    role: str | None = None,
    as_system: bool = False,
) -> MemberPage:
    """Return members of a room: leaders first, the others in the order of joining.

    Args:
        room: the room.
        by: the user who asks: a member, unless the server itself does.
        after: a user in the room: those who come after them follow.
        size: how many at most; capped at `MAX_PAGE_SIZE`.
        query: only members of whose names each of its words begins one.
        role: only members with this role: `member`, `admin` or `moderator`.
        as_system: whether the server itself acts.

    Returns:
        The page: its `members`, which are memberships with their `user`, the `member_count` of the
        room, and whether it `has_next`.
    """
    wanted = None if after is None else user_key(after)
    handler = acting_as(by, as_system=as_system)
    return handler.room_members(room_key(room), after=wanted, size=size, query=query, role=role)


acreate_room = sync_to_async(create_room)
aadd_members = sync_to_async(add_members)
aremove_members = sync_to_async(remove_members)
alist_rooms = sync_to_async(list_rooms)
alist_members = sync_to_async(list_members)

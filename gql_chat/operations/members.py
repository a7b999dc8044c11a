"""Members: who comes into a room and goes out of it, who leads it, and who may do what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import streams
from ..conf import chat_settings
from ..departures import keep_property
from ..errors import (
    Invalid,
    NotFound,
    PermissionDenied,
    quote,
)
from ..events import (
    MembersAdded,
    MembersRemoved,
    RoomDeleted,
    RoomExited,
    RoomUpdated,
)
from ..models import AbstractRoom, Membership
from ..models.relations import load_rooms, members_of
from ..models.rules import (
    Role,
)
from ..models.visibility import HISTORIES
from ..nouns import has_feature
from ..permissions import grant, revoke
from .accounts import AccountOperations
from .base import operation
from .quotas import QuotaOperations


class MemberOperations(AccountOperations, QuotaOperations):
    """Members of rooms."""

    @operation
    def join_room(self, room_id: Any) -> AbstractRoom:
        """Come into a room by oneself, and tell its members.

        Raises:
            NotFound: there is no such room.
            Invalid: nobody comes in by themselves, or the user is in, or the room is full.
        """
        with streams.transaction() as outbox:
            room = self.find_room(room_id, lock=True)
            user = self.user
            self._check_join(room)
            self.check_quotas("room_id", own="room_id")
            self.hold_accounts([user])
            if not Membership.objects.add(room, [user.pk]):
                raise Invalid("You are in this room already.")
            load_rooms([room])
            event = MembersAdded(room, [user.get_username()], "self")
            outbox.broadcast(room, event, joined=[user.pk])
        return room

    @operation
    def leave_room(self, room_id: Any) -> None:
        """Go out of a room, and tell those who remain; the last one out deletes it.

        Raises:
            NotFound: there is no such room.
            PermissionDenied: the user is not in it.
            Invalid: it is a room that cannot be left.
        """
        with streams.transaction():
            membership = self.enter(room_id, lock=True)
            room = membership.room
            room.rules.check_leave(room)
            goodbye = f"You left {room.rules.title(room)}"
            self._part(room, [membership.user_id], goodbye, "self")

    @operation
    def add_members(
        self, room_id: Any, user_ids: Iterable[Any], *, history: str | None = None
    ) -> AbstractRoom:
        """Bring users into a room, and tell its members, the new ones included.

        Users who are in already are skipped.

        Args:
            room_id: the room.
            user_ids: the users.
            history: what of the room's history they see: `all`, as far as who adds them sees it, or
                `none`; None for what the room says. With the feature `history` alone.

        Raises:
            NotFound: there is no such room or user.
            PermissionDenied: the user may not add others, or not these.
            Invalid: the room would be too full, or its members are fixed; or there is no such
                `history`.
        """
        _check_history(history)
        with streams.transaction() as outbox:
            users = self.find_users("members", user_ids, room_id=room_id, contact=True)
            room = self.find_room(room_id, lock=True)
            membership = self.enter_found(room)
            if not self.permissions.can_add_members(membership):
                raise PermissionDenied("You may not add members to this room.")
            self.check_contact(users, room_id)
            self.hold_accounts(users.values())
            added = Membership.objects.add(room, users, history=history, giver=membership)
            self.check_quotas("members", [new.user_id for new in added], entered=True)
            load_rooms([room])
            if added:
                names = [users[new.user_id].get_username() for new in added]
                event = MembersAdded(room, names, self.user.get_username())
                outbox.broadcast(room, event, joined=[new.user_id for new in added])
        return room

    @operation
    def remove_members(self, room_id: Any, user_ids: Iterable[Any]) -> None:
        """Put users out of a room, and tell them and those who remain.

        Users who are not in, and the room's creator, are skipped. Members whose accounts were
        deactivated are put out like others.

        Raises:
            NotFound: there is no such room or user.
            PermissionDenied: the user may not remove others.
            Invalid: the room's members are fixed.
        """
        with streams.transaction():
            users = self.find_users("members", user_ids, room_id=room_id, inactive=True)
            room = self.find_room(room_id, lock=True)
            membership = self.enter_found(room)
            if not self.permissions.can_remove_members(membership):
                raise PermissionDenied("You may not remove members from this room.")
            room.rules.check_changeable_members(room)
            username = self.user.get_username()
            removable = [user_id for user_id in users if user_id != room.creator_id]
            self._part(room, removable, f"You have been removed by {username}", username)

    def _check_join(self, room: AbstractRoom) -> None:
        """Refuse a user who may not come in by themselves.

        Raises:
            Invalid: nobody may.
            NotFound: the same, with `HIDE_FORBIDDEN`, for users who are not in the room.
        """
        try:
            room.rules.check_join(room)
        except Invalid:
            if chat_settings.HIDE_FORBIDDEN and not self.as_system:
                mine = Membership.objects.primary(room_id=room.pk, user_id=self.user_id)
                if not mine.exists():
                    raise NotFound("There is no such room.") from None
            raise

    def _part(self, room: Any, user_ids: list[Any], goodbye: str, removed_by: str) -> None:
        """End memberships of a locked room and tell everybody what that means for them."""
        outbox = streams.current()
        load_rooms([room], user_ids)
        parting = {m.user_id: m for m in room.members if m.user_id in set(user_ids)}
        if not parting:
            return
        room.members = [m for m in room.members if m.user_id not in parting]
        keep_property(room)  # which is gone once the last member is
        outbox.will_tell(room.pk, parting)
        Membership.objects.remove(room, list(parting))
        exited = RoomExited(room, goodbye)
        outbox.target(dict.fromkeys(parting, exited))
        if room.members:
            names = [membership.user.get_username() for membership in parting.values()]
            event = MembersRemoved(room, names, removed_by)
            outbox.broadcast(room, event, left=list(parting))
        else:
            outbox.target(dict.fromkeys(parting, RoomDeleted(room.pk)))

    # Changing

    @operation
    def set_leaders(
        self, room_id: Any, leaders: str, user_ids: Iterable[Any], *, lead: bool
    ) -> AbstractRoom:
        """Make members leaders of a room, or plain members again, and tell its members.

        Args:
            room_id: the room.
            leaders: what the leaders are called: `admins` or `moderators`.
            user_ids: users who are no members are skipped, and so is the creator.
            lead: whether they lead from now on. A deactivated account cannot.

        Raises:
            NotFound: there is no such room or user.
            PermissionDenied: the user does not lead it.
            Invalid: the room's type has no such leaders.
        """
        with streams.transaction() as outbox:
            users = self.find_users("users", user_ids, room_id=room_id, inactive=not lead)
            room = self.find_room(room_id, lock=True)
            self.check_modify(room)
            if room.rules.leaders != leaders:
                raise Invalid({"action": f"This room has no {leaders}."})
            role = room.rules.leader_role if lead else Role.MEMBER
            Membership.objects.set_role(room, users, role)
            load_rooms([room])
            outbox.broadcast(room, RoomUpdated(room))
        return room

    @operation
    def set_permissions(
        self, room_id: Any, user_ids: Iterable[Any], codenames: Iterable[str], *, hold: bool
    ) -> AbstractRoom:
        """Give object permissions on a room to members, or take them, and tell its members.

        Args:
            room_id: the room.
            user_ids: users who are no members are skipped, and so is the creator.
            codenames: permissions that the room's type knows.
            hold: whether they hold them from now on. A deactivated account cannot.

        Raises:
            NotFound: there is no such room or user.
            PermissionDenied: the user does not lead it.
            Invalid: the type has no such permission.
        """
        with streams.transaction() as outbox:
            users = self.find_users("users", user_ids, room_id=room_id, inactive=not hold)
            room = self.find_room(room_id, lock=True)
            self.check_modify(room)
            codenames = list(codenames)
            if not codenames:
                raise Invalid({"permission": "Name at least one permission."})
            for codename in codenames:
                if codename not in room.rules.grantable:
                    problem = f"{quote(codename)} is no permission of this room."
                    raise Invalid({"permission": problem})
            load_rooms([room], users)
            members = [
                membership.user_id
                for membership in members_of(room)
                if membership.user_id in users and membership.user_id != room.creator_id
            ]
            if hold:
                grant(room, members, codenames)
            else:
                revoke(room, members, codenames)
            outbox.broadcast(room, RoomUpdated(room))
        return room


def _check_history(history: str | None) -> None:
    if history is None:
        return
    if not has_feature("history"):
        raise Invalid({"history": "This chat has no such field."})
    if history not in HISTORIES:
        raise Invalid({"history": f"One of {', '.join(HISTORIES)} is needed."})

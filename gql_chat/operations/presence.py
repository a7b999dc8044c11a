"""Presence: who is there of those with whom the user shares a room, and what the user shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.utils import timezone

from .. import presence, streams
from ..conf import chat_settings
from ..errors import Invalid, NotFound, PermissionDenied, quote
from ..models import IdleSocket, Membership, Presence, get_model
from ..permissions import PermissionHandler
from .base import Operations, check_active, operation, own_memberships, primary
from .uses import check_use

INVISIBLE, AUTO = SHOWN = ("invisible", "auto")
"""What a user may show: that they are offline, or what is so."""


@dataclass(slots=True)
class Watched:
    """Whose presence was asked for.

    Attributes:
        statuses: the status of each, in the order in which they were named.
        rooms: the members of each room that was named, by its id.
    """

    statuses: list[presence.Status]
    rooms: dict[Any, list[Any]] = field(default_factory=dict)


class PresenceOperations(Operations):
    """Who is there, and what the user shows of it."""

    def find_presence(
        self, *, users: Sequence[Any] | None = None, rooms: Sequence[Any] | None = None
    ) -> Watched:
        """Return the presence of users, or of all members of rooms. Nothing is written.

        A constant number of statements.

        Args:
            users: primary keys of users, as numbers or strings. The other one is left out.
            rooms: ids of rooms.

        Raises:
            Invalid: both are given, or none; they are empty, or have more than
                `MAX_WATCHED_USERS` members.
            NotFound: there is no such user or room.
            PermissionDenied: the user shares no room with one of them, or is not in a room.
                (With `HIDE_FORBIDDEN`: NotFound.)
            NotAuthenticated: the account is gone or was deactivated.
        """
        check_active(self.user)
        if (users is None) == (rooms is None):
            raise Invalid({"users": "Name users, or rooms."})
        if users is not None:
            if not users:
                raise Invalid({"users": "Name at least one user."})
            named = self.find_users("users", users, inactive=True)
            self._check_seen(named)
            return Watched(self._read(named))
        if not rooms:
            raise Invalid({"rooms": "Name at least one room."})
        members = self._find_members(list(dict.fromkeys(rooms)))
        everybody = dict.fromkeys(user_id for found in members.values() for user_id in found)
        most = chat_settings.MAX_WATCHED_USERS
        if most is not None and len(everybody) > most:
            raise Invalid({"rooms": f"They have more than {most} members together."})
        return Watched(self._read(everybody), members)

    def leave_presence(self) -> None:
        """Stop to watch somebody. Whoever does is known to the socket alone, so nothing is written.

        Raises:
            NotAuthenticated: the account is gone or was deactivated.
        """
        check_active(self.user)

    @staticmethod
    def _read(user_ids: Iterable[Any]) -> list[presence.Status]:
        wanted = list(user_ids)
        found = presence.read_statuses(wanted)
        return [found[str(user_id)] for user_id in wanted]

    def _check_seen(self, user_ids: Iterable[Any]) -> None:
        wanted = set(user_ids)
        if wanted - self._find_seen(wanted):
            if chat_settings.HIDE_FORBIDDEN:
                raise NotFound("There is no such user.")
            raise PermissionDenied("You share no room with this user.")

    def _find_seen(self, user_ids: set[Any]) -> set[Any]:
        model: Any = get_user_model()
        users = model._base_manager.using(router.db_for_write(model)).filter(pk__in=list(user_ids))
        allowed = self.permissions.can_see_presence(self.user, users)
        return set(allowed.values_list("pk", flat=True))

    def _find_members(self, room_ids: list[Any]) -> dict[Any, list[Any]]:
        """Return the members of rooms of the user's whom the user may see."""
        if not self.as_system:
            own = own_memberships.all(self.user_id, room_ids)
            if len(own) < len(room_ids):
                self._check_known_rooms(room_ids)
                self.refuse("room")
        else:
            self._check_known_rooms(room_ids)
        rows = primary(Membership.objects).filter(room_id__in=room_ids).order_by("room_id", "pk")
        members: dict[Any, list[Any]] = {room_id: [] for room_id in room_ids}
        # A project without limit may have rooms of any size.
        for room_id, user_id in rows.values_list("room_id", "user_id"):
            members[room_id].append(user_id)
        if type(self.permissions).can_see_presence is not PermissionHandler.can_see_presence:
            seen = self._find_seen({user_id for found in members.values() for user_id in found})
            members = {
                room_id: [user_id for user_id in found if user_id in seen]
                for room_id, found in members.items()
            }
        return members

    @staticmethod
    def _check_known_rooms(room_ids: list[Any]) -> None:
        found = primary(get_model("Room").objects).filter(pk__in=room_ids)
        if found.count() < len(room_ids):
            raise NotFound("There is no such room.")

    @operation
    def set_presence(self, status: str) -> None:
        """Say what the user shows to others: `invisible` looks offline everywhere; `auto` does not.

        Raises:
            Invalid: the status is neither.
            NotAuthenticated: the account is gone or was deactivated.
        """
        if status not in SHOWN:
            raise Invalid({"status": f"{quote(status)} is not one of {', '.join(SHOWN)}."})
        with streams.transaction():
            user, rows = check_use(self, "presence.set"), primary(Presence.objects)
            own = rows.filter(user_id=self.user_id)
            if status == AUTO:
                changed = own.filter(invisible_since__isnull=False).update(invisible_since=None)
            else:
                now = timezone.now()
                changed = own.filter(invisible_since__isnull=True).update(invisible_since=now)
                if not changed and not own.exists():
                    rows.bulk_create(
                        [Presence(user=user, invisible_since=now)],
                        update_conflicts=True,
                        unique_fields=["user"],
                        update_fields=["invisible_since"],
                    )
                    changed = 1
            if changed:
                streams.announce(presence.changed([str(self.user_id)]))

    def find_shown_presence(self) -> str:
        """Return what the user shows to others: `invisible` or `auto`.

        Raises:
            NotAuthenticated: the account is gone or was deactivated.
        """
        check_active(self.user)
        own = primary(Presence.objects).filter(user_id=self.user_id)
        return INVISIBLE if own.filter(invisible_since__isnull=False).exists() else AUTO

    @operation
    def set_activity(self, channel_name: str, active: bool) -> None:
        """Say whether somebody sits at a socket of the user's.

        Args:
            channel_name: the name of the socket's session.
            active: whether somebody does.

        Raises:
            NotFound: the user has no such socket.
            NotAuthenticated: the account is gone or was deactivated.
        """
        with streams.transaction():
            user, rows = self.user, primary(IdleSocket.objects)
            if active:
                own = rows.filter(channel_name=channel_name, user_id=self.user_id)
                changed = own.delete()[0]
            else:
                sessions = primary(get_model("Session").objects)
                if not sessions.filter(channel_name=channel_name, user_id=self.user_id).exists():
                    raise NotFound("There is no such socket.")
                rows.bulk_create(
                    [IdleSocket(channel_name=channel_name, user=user)], ignore_conflicts=True
                )
                changed = 1
            if changed:
                streams.announce(presence.changed([str(self.user_id)]))

"""Who is in which room, as what, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models, router
from django.dispatch import Signal
from django.utils import timezone

from ..sql import bulk
from .locks import hold, writing
from .positions import MarkField, PositionField
from .rules import Role
from .visibility import BEGINNING, begin

if TYPE_CHECKING:
    from .rooms import AbstractRoom


members_changed = Signal()
"""Sent once for memberships written together: `room`, and `added`, `removed` or `roles`."""


class MembershipManager(models.Manager["Membership"]):
    """Changes the members of a room, many at once in a constant number of queries.

    Django's save and delete signals are sent for every membership, as for single rows. The
    room's permissions follow in one step for all (`gql_chat.signals`).
    """

    def primary(self, **conditions: Any) -> models.QuerySet[Membership]:
        """Return memberships from the primary database, whatever a replica says."""
        return self.using(router.db_for_write(self.model)).filter(**conditions)

    def add(
        self,
        room: AbstractRoom,
        user_ids: Iterable[Any],
        *,
        history: str | None = None,
        giver: Membership | None = None,
    ) -> list[Membership]:
        """Make users members of `room`, skipping those who are; return the new memberships.

        The creator of the room enters as its leader.

        Args:
            room: the room.
            user_ids: the users.
            history: what they see of what was written before (`models.visibility.begin`).
            giver: the membership of who brings them in, if somebody does.

        Raises:
            Invalid: the room's members are fixed, or would be more than its cap.
        """
        room.rules.check_changeable_members(room)
        field = self.model._meta.get_field("user").target_field
        wanted = dict.fromkeys(field.to_python(user_id) for user_id in user_ids)
        with locked(room):
            present = set(self.primary(room_id=room.pk).values_list("user_id", flat=True))
            absent = [user_id for user_id in wanted if user_id not in present]
            if not absent:
                return []
            room.rules.check_room_for(room, len(present) + len(absent))
            return self.enter(room, absent, history=history, giver=giver)

    def enter(
        self,
        room: AbstractRoom,
        user_ids: Iterable[Any],
        *,
        history: str | None = None,
        giver: Membership | None = None,
    ) -> list[Membership]:
        """Write the memberships of users who are known not to be members; no rule is asked."""
        now = timezone.now()
        since = begin(room, history, giver)
        memberships = [
            self.model(
                room_id=room.pk,
                user_id=user_id,
                role=room.rules.role_of(room, user_id),
                joined_at=now,
                pending_from=now,
                unread_from=now,
                visible_from=since,
                joined_seq=room.seq + 1,
            )
            for user_id in user_ids
        ]
        _as_one(room, memberships)
        bulk.insert(memberships)
        members_changed.send(sender=self.model, room=room, added=memberships)
        return memberships

    def remove(self, room: AbstractRoom, user_ids: Iterable[Any]) -> list[Membership]:
        """End the memberships of users, skipping those who have none; return what was ended.

        A room that is left empty is deleted.

        Raises:
            Invalid: the room's members are fixed.
        """
        room.rules.check_changeable_members(room)
        with locked(room):
            memberships = list(self.primary(room_id=room.pk, user_id__in=list(user_ids)))
            if memberships:
                _as_one(room, memberships)
                bulk.delete(memberships)
                members_changed.send(sender=self.model, room=room, removed=memberships)
        return memberships

    def set_role(self, room: AbstractRoom, user_ids: Iterable[Any], role: str) -> list[Membership]:
        """Give members of `room` a role; return the memberships that changed.

        Users who are no members are skipped, and so is the creator, who always leads.
        """
        with locked(room):
            others = self.primary(room_id=room.pk, user_id__in=list(user_ids)).exclude(role=role)
            changed = [
                membership
                for membership in others
                if membership.user_id != room.creator_id
                or role == room.rules.role_of(room, membership.user_id)
            ]
            if changed:
                _as_one(room, changed)
                bulk.update(changed, role=role)
                members_changed.send(sender=self.model, room=room, roles=changed)
        return changed


def _as_one(room: AbstractRoom, memberships: list[Membership]) -> None:
    for membership in memberships:
        membership.room = room
        membership.in_bulk = True


@contextmanager
def locked(room: AbstractRoom) -> Iterator[None]:
    """Lock a room's row and read its position, so that caps hold and memberships begin there.

    Inside an operation, which is a transaction, the room is locked and its position is known.
    """
    with hold(room):
        yield


class Membership(models.Model):
    """One user in one room.

    Attributes:
        role: a `Role`.
        joined_seq: the first frame of the room's stream that the member is entitled to.
        pending_from: nothing written before it waits for the member, which keeps the search
            for their pending notifications short.
        unread_from: nothing written before it is unread by the member, for the same reason.
        visible_from: the member sees what was written from then on, and nothing before
            (`models.visibility`).
        in_bulk: set while the manager writes many at once, and the room's permissions follow
            in one step for all of them.
        keeps_role: set while it is saved by itself with the role that it has already, which
            leaves the member's permissions alone.
        held: what an operation has been told of the member's object permissions on the room, by
            codename. Each operation reads the membership anew.
    """

    room: models.ForeignKey[AbstractRoom, AbstractRoom] = models.ForeignKey(
        settings.GQL_CHAT_ROOM_MODEL,
        on_delete=models.CASCADE,
        related_name="memberships",
        db_index=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="chat_memberships",
        db_index=False,  # the index below serves it
    )
    role = models.CharField(max_length=16, choices=Role.CHOICES, default=Role.MEMBER)
    joined_at = models.DateTimeField(default=timezone.now, db_index=True)
    joined_seq = PositionField(default=1, editable=False)
    pending_from = MarkField(default=timezone.now, editable=False)
    unread_from = MarkField(default=timezone.now, editable=False)
    visible_from = models.DateTimeField(default=BEGINNING, editable=False)

    objects: ClassVar[MembershipManager] = MembershipManager()
    in_bulk = False
    keeps_role = False

    class Meta:
        # The index holds all that a socket reads of its user's memberships when it opens.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "room", "joined_seq", "pending_from", "visible_from"]),
        ]
        permissions = (("act_as", "Can act as another user at the GraphQL endpoint"),)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["room", "user"], name="%(app_label)s_%(class)s_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.room_id} ({self.role})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the membership.

        The rules of the room hold until it is written: its row stays locked. A membership that
        has ended meanwhile stays ended.

        Raises:
            Invalid: the room is full, or its members are fixed; or a saved membership was given
                another user or room.
            DatabaseError: the membership has ended.
        """
        if not self._state.adding and not args and not kwargs.get("force_insert"):
            kwargs["force_update"] = True
        with writing(kwargs.get("using") or router.db_for_write(type(self))):
            super().save(*args, **kwargs)

    @cached_property
    def held(self) -> dict[str, bool]:
        """What is known of the member's object permissions."""
        return {}

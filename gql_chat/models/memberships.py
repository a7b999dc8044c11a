"""Who is in which room, as what, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models, router
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.dispatch import Signal
from django.utils import timezone

from ..rooms import Role

if TYPE_CHECKING:
    from .rooms import AbstractRoom


members_changed = Signal()
"""Sent once for memberships written together: `room`, and `added`, `removed` or `roles`."""


class MembershipManager(models.Manager["Membership"]):
    """Changes the members of a room, many at once in a constant number of queries.

    Django's save and delete signals are sent for every membership, as for single rows. The
    room's permissions follow in one step for all (`gql_chat.signals`).
    """

    def add(self, room: AbstractRoom, user_ids: Iterable[Any]) -> list[Membership]:
        """Make users members of `room`, skipping those who are; return the new memberships.

        The creator of the room enters as its leader. Where the caps have to hold against
        others, the caller has locked the room's row.

        Raises:
            Invalid: the room's members are fixed, or would be more than its cap.
        """
        room.rules.check_changeable_members(room)
        present = set(self.filter(room_id=room.pk).values_list("user_id", flat=True))
        field = self.model._meta.get_field("user").target_field
        wanted = dict.fromkeys(field.to_python(user_id) for user_id in user_ids)
        absent = [user_id for user_id in wanted if user_id not in present]
        if not absent:
            return []
        room.rules.check_room_for(room, len(present) + len(absent))
        return self.enter(room, absent)

    def enter(self, room: AbstractRoom, user_ids: Iterable[Any]) -> list[Membership]:
        """Write the memberships of users who are known to be none yet, asking no rule."""
        now = timezone.now()
        memberships = [
            self.model(
                room_id=room.pk,
                user_id=user_id,
                role=room.rules.role_of(room, user_id),
                joined_at=now,
                pending_from=now,
                unread_from=now,
                joined_seq=room.seq + 1,
            )
            for user_id in user_ids
        ]
        using = router.db_for_write(self.model)
        for membership in memberships:
            membership.room = room
            membership.in_bulk = True
            pre_save.send(
                sender=self.model,
                instance=membership,
                raw=False,
                using=using,
                update_fields=None,
            )
        self.bulk_create(memberships)
        for membership in memberships:
            post_save.send(
                sender=self.model,
                instance=membership,
                created=True,
                raw=False,
                using=using,
                update_fields=None,
            )
        members_changed.send(sender=self.model, room=room, added=memberships)
        return memberships

    def remove(self, room: AbstractRoom, user_ids: Iterable[Any]) -> list[Membership]:
        """End the memberships of users, skipping those who have none; return what was ended.

        A room that is left empty is deleted.

        Raises:
            Invalid: the room's members are fixed.
        """
        room.rules.check_changeable_members(room)
        memberships = list(self.filter(room_id=room.pk, user_id__in=list(user_ids)))
        if not memberships:
            return []
        using = router.db_for_write(self.model)
        queryset = self.filter(pk__in=[membership.pk for membership in memberships])
        for membership in memberships:
            membership.room = room
            membership.in_bulk = True
            pre_delete.send(sender=self.model, instance=membership, using=using, origin=queryset)
        queryset._raw_delete(using)
        for membership in memberships:
            post_delete.send(sender=self.model, instance=membership, using=using, origin=queryset)
        members_changed.send(sender=self.model, room=room, removed=memberships)
        return memberships

    def set_role(self, room: AbstractRoom, user_ids: Iterable[Any], role: str) -> list[Membership]:
        """Give members of `room` a role; return the memberships that changed.

        Users who are no members are skipped, and so is the creator, who always leads.
        """
        memberships = list(
            self.filter(room_id=room.pk, user_id__in=list(user_ids)).exclude(role=role)
        )
        changed = [
            m
            for m in memberships
            if role == room.rules.role_of(room, m.user_id) or m.user_id != room.creator_id
        ]
        if not changed:
            return []
        using = router.db_for_write(self.model)
        for membership in changed:
            membership.room = room
            membership.in_bulk = True
            membership.role = role
            pre_save.send(
                sender=self.model,
                instance=membership,
                raw=False,
                using=using,
                update_fields=frozenset(["role"]),
            )
        self.filter(pk__in=[membership.pk for membership in changed]).update(role=role)
        for membership in changed:
            post_save.send(
                sender=self.model,
                instance=membership,
                created=False,
                raw=False,
                using=using,
                update_fields=frozenset(["role"]),
            )
        members_changed.send(sender=self.model, room=room, roles=changed)
        return changed


class Membership(models.Model):
    """One user in one room.

    Attributes:
        role: a `Role`.
        joined_seq: the first frame of the room's stream that the member is entitled to.
        pending_from: nothing written before it waits for the member, which keeps the search
            for their pending notifications short.
        unread_from: nothing written before it is unread by the member, for the same reason.
        in_bulk: set while the manager writes many at once, and the room's permissions follow
            in one step for all of them.
        keeps_role: set while it is saved by itself with the role that it has already, which
            leaves the member's permissions alone.
    """

    room: models.ForeignKey[AbstractRoom, AbstractRoom] = models.ForeignKey(
        settings.GQL_CHAT_ROOM_MODEL,
        on_delete=models.CASCADE,
        related_name="memberships",
        db_index=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="chat_memberships"
    )
    role = models.CharField(max_length=16, choices=Role.CHOICES, default=Role.MEMBER)
    joined_at = models.DateTimeField(default=timezone.now, db_index=True)
    joined_seq = models.BigIntegerField(default=1, editable=False)
    pending_from = models.DateTimeField(default=timezone.now, editable=False)
    unread_from = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[MembershipManager] = MembershipManager()
    in_bulk = False
    keeps_role = False

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["room", "user"], name="%(app_label)s_%(class)s_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.room_id} ({self.role})"

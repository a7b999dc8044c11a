"""Permissions of members in a room: by membership, role and django-guardian's permissions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import AbstractBaseUser, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import router
from django.db.models import Exists, OuterRef, Q, QuerySet
from guardian.models import GroupObjectPermission, UserObjectPermission

from .conf import chat_settings
from .models import Membership, get_model
from .models.people import active_users
from .nouns import has_feature

if TYPE_CHECKING:
    from .models import AbstractMessage, AbstractRoom

Users = QuerySet[Any]
"""A queryset of the project's users."""


VIEWED = ("Room", "Message")
"""The models whose `view` permission lets staff read what others write."""


def may_view(user: Any) -> bool:
    """Return whether a user may read rooms and messages of others, as in Django's admin.

    Staff may if they hold the model permission `view` of the models in use for rooms and for
    messages: `gql_chat.view_room` and `gql_chat.view_message`. Superusers may. Being staff is not
    enough.
    """
    if getattr(user, "is_superuser", False):
        return bool(user.is_active)
    if not getattr(user, "is_staff", False):
        return False
    viewed: list[Any] = [get_model(name)._meta for name in VIEWED]
    wanted = [f"{meta.app_label}.{get_permission_codename('view', meta)}" for meta in viewed]
    return bool(user.has_perms(wanted))


class PermissionHandler:
    """Answers whether a member may do something. Projects subclass it (`PERMISSION_HANDLER_CLASS`).

    Each method takes a membership with its `room` and its `user`. The operation has just read
    them, so a right that is granted or revoked takes effect with the next event. The caller has
    checked before that the user is a member.
    """

    def holds(self, membership: Membership, permission: str) -> bool:
        """Return whether the member holds an object permission on the room, by groups too.

        The answer is that of guardian's checker, but from the primary database: a replica may not
        know yet of a permission that was revoked. The membership keeps it: an operation that asks
        about many messages of a room asks the database once.
        """
        held = membership.held
        if permission not in held:
            held[permission] = self._ask(membership, permission)
        return held[permission]

    @staticmethod
    def _ask(membership: Membership, permission: str) -> bool:
        user: Any = membership.user
        if getattr(user, "is_superuser", False):
            return True
        named = {**_on(membership.room), "permission__codename": permission}
        own = UserObjectPermission.objects.using(router.db_for_write(UserObjectPermission))
        if own.filter(**named, user_id=user.pk).exists():
            return True
        groups = GroupObjectPermission.objects.using(router.db_for_write(GroupObjectPermission))
        return (
            hasattr(user, "groups") and groups.filter(**named, group__in=user.groups.all()).exists()
        )

    def can_send(self, membership: Membership) -> bool:
        """Return whether the member may write messages in the room, or type in it."""
        return membership.room.rules.may_send(membership, self.holds)

    def can_send_as_outsider(self, user: Any, room: AbstractRoom) -> bool:
        """Return whether a user who is no member may write messages in the room all the same.

        By default nobody may. If this returns True, `can_send` is called with the membership that
        a plain member would have.
        """
        return False

    def can_add_members(self, membership: Membership) -> bool:
        """Return whether the member may bring others in."""
        return membership.room.rules.may_add(membership, self.holds)

    def can_remove_members(self, membership: Membership) -> bool:
        """Return whether the member may put others out."""
        return membership.room.rules.may_remove(membership, self.holds)

    def can_modify(self, membership: Membership) -> bool:
        """Return whether the member may change the room, its roles and permissions."""
        return membership.room.rules.may_modify(membership)

    def can_delete(self, membership: Membership) -> bool:
        """Return whether the member may delete the room for everybody."""
        return membership.room.rules.may_delete(membership)

    def can_change_message(self, membership: Membership, message: AbstractMessage) -> bool:
        """Return whether the member may edit a message of the room, or delete it as its author."""
        return message.sender_id == membership.user_id

    def can_contact(self, user: AbstractBaseUser, others: Users) -> Users:
        """Return those of `others` whom a user may add to a room, or write to first.

        By default that is everybody: `others` are active accounts. An operation asks once, however
        many users are named, and makes one query of the answer. Members of the room, and the user,
        are no new contacts: the answer does not matter for them.

        Args:
            user: who acts.
            others: a queryset of users, which is narrowed and not evaluated here.
        """
        return others

    def can_see_presence(self, user: AbstractBaseUser, others: Users) -> Users:
        """Return those of `others` whose presence a user may watch: online, away or offline.

        By default that is who shares a room with the user, and the user. Whoever hides is offline
        for everybody. It is asked when somebody begins to watch, and again while they do.

        Args:
            user: who watches.
            others: a queryset of users, which is narrowed and not evaluated here.
        """
        memberships = Membership.objects.using(router.db_for_write(Membership))
        own = memberships.filter(user_id=user.pk).values("room_id")
        shared = memberships.filter(user_id=OuterRef("pk"), room_id__in=own)
        return others.filter(Q(pk=user.pk) | Q(Exists(shared)))

    def may_find(self, user: AbstractBaseUser) -> Users:
        """Return those whom a user may find by name (`user.find`), to start a chat with them.

        By default they are the active accounts that share a room with the user, or all, with
        `FIND_ALL_USERS`. What `can_contact` leaves out is not found either. One query is made of
        the answer, which is narrowed to the names that are looked for.

        Args:
            user: who looks for somebody.
        """
        if chat_settings.FIND_ALL_USERS:
            return active_users()
        rooms = Membership.objects.primary(user_id=user.pk).values("room_id")
        members = Membership.objects.primary(room_id__in=rooms)
        return active_users().filter(pk__in=members.values("user_id"))

    def can_mark_read(self, membership: Membership) -> bool:
        """Return whether the member may note how far they have read the room: every member may.

        It is asked for reading up to a message (`room.read`) and for marking as unread.
        """
        return True

    def can_use(self, user: AbstractBaseUser, event: str, room: AbstractRoom | None) -> bool:
        """Return whether the user may do what concerns nobody else: everybody may.

        Args:
            user: who acts.
            event: the event type: `message.save`, `message.unsave`, `saved.list`,
                `room.preferences`, `user.preferences`, `unread.list`, `mention.list`,
                `presence.set`, `room.members` or `room.pins`.
            room: the room that it is about, in which the user is; None where it is about none.
        """
        return True

    def can_delete_message(self, membership: Membership, message: AbstractMessage) -> bool:
        """Return whether the member may delete a message of the room.

        Members who may change it may. With the feature `erasure`, so may those who lead the room,
        and those who hold `can_delete_messages` on it.
        """
        if self.can_change_message(membership, message):
            return True
        return has_feature("erasure") and membership.room.rules.may_delete_messages(
            membership, self.holds
        )

    def can_pin(self, membership: Membership) -> bool:
        """Return whether the member may pin messages in the room, and take pins off.

        Both users of a one-to-one chat may, the members of a group, of a locked one only those who
        lead it, and those who lead a channel; and who holds `can_pin_messages` on the room.
        """
        return membership.room.rules.may_pin(membership, self.holds)

    def can_mention_all(self, membership: Membership) -> bool:
        """Return whether the member may mention everybody in the room, or all who are there.

        In a room of few (`MENTION_ALL_FREELY`) every member may, and whoever leads a larger one, or
        holds `can_mention_all` on it.
        """
        most = chat_settings.MENTION_ALL_FREELY
        if most is None or membership.room.rules.may_mention_all(membership, self.holds):
            return True
        members = Membership.objects.primary(room_id=membership.room_id)
        return len(members.order_by().values_list("pk")[: most + 1]) <= most

    def can_inspect(self, user: Any) -> bool:
        """Return whether a user may read rooms that they are not in: records and streams.

        By default that is `may_view`.
        """
        return may_view(user)


class _Unrestricted(PermissionHandler):
    """The permissions of the system: it may do everything."""

    def holds(self, membership: Membership, permission: str) -> bool:
        return True

    def can_send(self, membership: Membership) -> bool:
        return True

    def can_add_members(self, membership: Membership) -> bool:
        return True

    def can_remove_members(self, membership: Membership) -> bool:
        return True

    def can_modify(self, membership: Membership) -> bool:
        return True

    def can_delete(self, membership: Membership) -> bool:
        return True

    def can_change_message(self, membership: Membership, message: AbstractMessage) -> bool:
        return True

    def can_mark_read(self, membership: Membership) -> bool:
        return True

    def can_use(self, user: AbstractBaseUser, event: str, room: AbstractRoom | None) -> bool:
        return True

    def can_contact(self, user: AbstractBaseUser, others: Users) -> Users:
        return others

    def can_see_presence(self, user: AbstractBaseUser, others: Users) -> Users:
        return others

    def may_find(self, user: AbstractBaseUser) -> Users:
        return active_users()

    def can_delete_message(self, membership: Membership, message: AbstractMessage) -> bool:
        return True

    def can_pin(self, membership: Membership) -> bool:
        return True

    def can_mention_all(self, membership: Membership) -> bool:
        return True

    def can_inspect(self, user: Any) -> bool:
        return True


@cache
def unrestricted(handler: type[PermissionHandler]) -> type[PermissionHandler]:
    """Return a permission handler that allows everything, with all other methods of `handler`."""
    allowing: type[PermissionHandler] = type("Unrestricted", (_Unrestricted, handler), {})
    return allowing


def grant(room: AbstractRoom, user_ids: Iterable[Any], codenames: Iterable[str]) -> None:
    """Give users object permissions on a room; permissions that they hold already stay."""
    content_type = ContentType.objects.get_for_model(room)
    permissions = Permission.objects.filter(content_type=content_type, codename__in=list(codenames))
    user_ids = list(user_ids)
    stored = UserObjectPermission.objects.using(router.db_for_write(UserObjectPermission))
    stored.bulk_create(
        [
            UserObjectPermission(
                permission=permission,
                user_id=user_id,
                content_type=content_type,
                object_pk=str(room.pk),
            )
            for permission in permissions
            for user_id in user_ids
        ],
        ignore_conflicts=True,
    )


def revoke(
    room: AbstractRoom, user_ids: Iterable[Any], codenames: Iterable[str] | None = None
) -> None:
    """Take object permissions on a room from users: those in `codenames`, or all."""
    held = UserObjectPermission.objects.filter(**_on(room), user_id__in=list(user_ids))
    if codenames is not None:
        held = held.filter(permission__codename__in=list(codenames))
    held.delete()


def revoke_all(room: AbstractRoom) -> None:
    """Drop every object permission on a room, of users and of groups."""
    UserObjectPermission.objects.filter(**_on(room)).delete()
    GroupObjectPermission.objects.filter(**_on(room)).delete()


def _on(room: AbstractRoom) -> dict[str, Any]:
    return {
        "content_type": ContentType.objects.get_for_model(room),
        "object_pk": str(room.pk),
    }

"""Rooms: one table, three typed proxies, and the properties of each room."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Self, TypeVar, cast

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, models, router, transaction
from django.db.models.functions import Greatest, Least
from django.utils import timezone

from ..compatibility import CheckConstraint
from ..conf import is_swapped, model_setting
from ..errors import Invalid
from .constraints import partial_index
from .deletions import told_by_operation
from .links import LINK_LENGTH, check_link
from .locks import lock, writing
from .memberships import Membership
from .positions import MarkField, PositionField
from .quotations import lock_quoting_rooms, quoted_in
from .registry import get_model
from .rules import (
    DELETE_MESSAGES,
    MENTION_ALL,
    NAME_LENGTH,
    PIN_MESSAGES,
    ChannelRules,
    GroupRules,
    OneToOneRules,
    Role,
    RoomRules,
    room_model,
    room_types,
)
from .visibility import BEGINNING, History

PERMISSIONS = (
    ("can_add_new_participants", "Can add new participants"),
    ("can_remove_participants", "Can remove participants"),
    ("can_add_new_subscribers", "Can add new subscribers"),
    ("can_remove_subscribers", "Can remove subscribers"),
    ("can_send_messages", "Can send messages"),
    (DELETE_MESSAGES, "Can delete messages of others"),
    (PIN_MESSAGES, "Can pin messages"),
    (MENTION_ALL, "Can mention everybody in a room"),
)


_MESSAGES_AT_ONCE = 1000
"""How many messages of a room that goes are held in memory at most."""


class RoomMembers:
    """The users of a room who hold one of some roles, as `room.participants` gives them.

    Args:
        room: the room, saved.
        role: the role that `add` gives.
        roles: the roles that are counted in; empty for all.
    """

    def __init__(self, room: AbstractRoom, role: str, roles: tuple[str, ...]) -> None:
        self.room = room
        self.role = role
        self.roles = roles

    def _memberships(self) -> models.QuerySet[Membership]:
        memberships = Membership.objects.filter(room_id=self.room.pk)
        return memberships.filter(role__in=self.roles) if self.roles else memberships

    def all(self) -> models.QuerySet[AbstractBaseUser]:
        """Return the users, in the order in which they joined."""
        users = get_user_model()._default_manager.filter(chat_memberships__in=self._memberships())
        return cast("models.QuerySet[AbstractBaseUser]", users.order_by("chat_memberships__id"))

    def filter(self, *args: Any, **kwargs: Any) -> models.QuerySet[AbstractBaseUser]:
        """Return those of the users that match."""
        return self.all().filter(*args, **kwargs)

    def count(self) -> int:
        """Return how many they are."""
        return self._memberships().count()

    def __iter__(self) -> Iterator[AbstractBaseUser]:
        return iter(self.all())

    def __contains__(self, user: Any) -> bool:
        return self._memberships().filter(user_id=getattr(user, "pk", user)).exists()

    def add(self, *users: Any) -> None:
        """Make users (or their ids) members with this role; those who are already change role.

        Raises:
            Invalid: the room would hold more members than its cap, or its members are fixed.
        """
        ids = [getattr(user, "pk", user) for user in users]
        Membership.objects.add(self.room, ids)
        if self.role != Role.MEMBER:
            Membership.objects.set_role(self.room, ids, self.role)

    def remove(self, *users: Any) -> None:
        """Take this role from users: for plain members that ends their membership."""
        ids = [getattr(user, "pk", user) for user in users]
        if self.role == Role.MEMBER:
            Membership.objects.remove(self.room, ids)
        else:
            Membership.objects.set_role(self.room, ids, Role.MEMBER)


class Members:
    """Descriptor behind `room.participants`, `room.admins`, `room.subscribers`, and so on.

    Args:
        role: the role that `add` gives.
        roles: the roles that are counted in; none for all members.
    """

    def __init__(self, role: str = Role.MEMBER, *roles: str) -> None:
        self.role = role
        self.roles = roles

    def __get__(self, room: AbstractRoom | None, owner: type) -> Any:
        return self if room is None else RoomMembers(room, self.role, self.roles)


RoomT = TypeVar("RoomT", bound="AbstractRoom")


class RoomManager(models.Manager[RoomT]):
    """Rooms of every type, or of one type on a proxy; each comes as an instance of its type."""

    def get_queryset(self) -> models.QuerySet[RoomT]:
        rooms = super().get_queryset()
        name = self.model.rules.name
        return rooms.filter(type=name) if name else rooms


class PairManager(RoomManager[RoomT]):
    """One-to-one chats, which are found and made by their two users."""

    def between(self, first: Any, second: Any) -> RoomT | None:
        """Return the chat of two users (or their ids), or None."""
        one, other = _different(first, second)
        either_way = models.Q(pair_first=one, pair_second=other) | models.Q(
            pair_first=other, pair_second=one
        )
        return self.using(router.db_for_write(self.model)).filter(either_way).first()

    def start(self, first: Any, second: Any) -> RoomT:
        """Return the chat of two users (or their ids); make it where there is none yet.

        Two calls at the same time end with one chat: the pair is unique in the database.

        Raises:
            Invalid: both are the same user.
        """
        found = self.between(first, second)
        if found is not None:
            return found
        try:
            with transaction.atomic():
                return self.pair_up(first, second)
        except IntegrityError:
            found = self.between(first, second)
            if found is None:
                raise
            return found

    def pair_up(self, first: Any, second: Any) -> RoomT:
        """Make the chat of two users (or their ids).

        Raises:
            Invalid: both are the same user.
            IntegrityError: the two have a chat already.
        """
        with transaction.atomic():
            ids = _different(first, second)
            chat = self.create(pair_first_id=ids[0], pair_second_id=ids[1])
            Membership.objects.enter(chat, ids)
        return chat


def _different(first: Any, second: Any) -> tuple[Any, Any]:
    """Return the keys of two users (or their ids).

    Raises:
        Invalid: both are the same user.
    """
    field: Any = get_user_model()._meta.pk
    one, other = (field.to_python(getattr(user, "pk", user)) for user in (first, second))
    if one == other:
        raise Invalid("A one-to-one chat needs two different users.")
    return one, other


class AbstractRoom(models.Model):
    """A place where members exchange messages. `type` says which `RoomRules` hold in it.

    A room that is made by its type (`Room(type="GroupChat", …)`), or read from the database,
    is an instance of the type's proxy. Rooms of a type that nobody declares can be read and
    deleted, but not made.

    Attributes:
        seq: position of the newest frame in the room's stream. The database counts it up:
            saving an instance never writes it.
        last_activity: when the newest message was written, or the room was created; likewise.
        history: what members see who come later of what was written before (`models.visibility`).
        visible_to_all_from: every member sees what was written from then on; likewise.
        more_members: how many members there are besides those that were loaded to be shown
            (`gql_chat.models.relations.load_rooms`).
        pair_first, pair_second: the two users of a one-to-one chat. Two users have one chat, in
            whichever order they are named.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    type = models.CharField(max_length=64, editable=False)
    name = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    description = models.TextField(null=True, blank=True)
    avatar = models.CharField(
        max_length=LINK_LENGTH, validators=[check_link], null=True, blank=True
    )
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    max_participants = models.PositiveIntegerField(null=True, blank=True)
    join_approval_required = models.BooleanField(null=True, blank=True)
    group_locked = models.BooleanField(null=True, blank=True)
    max_subscribers = models.PositiveIntegerField(null=True, blank=True)
    is_public = models.BooleanField(null=True, blank=True)
    pair_first = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,  # a partial index serves it
    )
    pair_second = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,  # a partial index serves it
    )
    history = models.CharField(max_length=8, choices=History.choices, default=History.SHARED.value)
    visible_to_all_from = MarkField(default=BEGINNING, editable=False)
    seq = PositionField(default=0, editable=False)
    last_activity = MarkField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[RoomManager[Self]] = RoomManager()

    property: AbstractRoomProperty
    more_members = 0
    rules: ClassVar[RoomRules] = RoomRules()
    defaults: ClassVar[dict[str, Any]] = {}
    """What the columns of one type start as; those of other types stay NULL."""

    class Meta:
        abstract = True
        permissions = PERMISSIONS
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # In either order: users' keys may differ from one database to another, and with them
            # their order.
            models.UniqueConstraint(
                Least("pair_first", "pair_second"),
                Greatest("pair_first", "pair_second"),
                name="%(app_label)s_%(class)s_pair",
            ),
            partial_index("pair_first", "pair_first"),
            partial_index("pair_second", "pair_second"),
            CheckConstraint(
                condition=models.Q(
                    type=OneToOneRules.name, pair_first__isnull=False, pair_second__isnull=False
                )
                | models.Q(
                    ~models.Q(type=OneToOneRules.name),
                    pair_first__isnull=True,
                    pair_second__isnull=True,
                ),
                name="%(app_label)s_%(class)s_pair_type",
            ),
            CheckConstraint(
                condition=~models.Q(type=GroupRules.name)
                | models.Q(
                    max_participants__isnull=False,
                    join_approval_required__isnull=False,
                    group_locked__isnull=False,
                    max_subscribers__isnull=True,
                    is_public__isnull=True,
                ),
                name="%(app_label)s_%(class)s_group",
            ),
            CheckConstraint(
                condition=~models.Q(type=ChannelRules.name)
                | models.Q(
                    max_subscribers__isnull=False,
                    is_public__isnull=False,
                    max_participants__isnull=True,
                    join_approval_required__isnull=True,
                    group_locked__isnull=True,
                ),
                name="%(app_label)s_%(class)s_channel",
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.pk)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if args:
            return
        typed = room_model(self.type)
        if typed is not None and not self.rules.name:
            # A proxy has no state of its own: this is what `from_db` makes of such a row, too.
            self.__class__ = typed
        self.type = self.type or self.rules.name
        for field, value in self.defaults.items():
            if field not in kwargs:
                setattr(self, field, value)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the room. One that was deleted meanwhile stays deleted.

        Raises:
            Invalid: a new room's `type` is none of those that there are.
            DatabaseError: the room was deleted.
        """
        if self._state.adding and room_model(self.type) is None:
            known = ", ".join(known.rules.name for known in room_types())
            raise Invalid({"type": f"One of {known} is needed."})
        if not self._state.adding and not args and not kwargs.get("force_insert"):
            kwargs["force_update"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Delete the room with all that is in it: messages by the thousand, not all at once."""
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with writing(using):
            lock(self.pk)
            messages = get_model("Message").objects.using(using).filter(room_id=self.pk)
            while ids := list(messages.values_list("pk", flat=True)[:_MESSAGES_AT_ONCE]):
                if len(ids) < _MESSAGES_AT_ONCE:
                    break  # few enough to go with the room
                lock_quoting_rooms(quoted_in(self.pk))
                some = messages.filter(pk__in=ids)
                told_by_operation(some)
                some.delete()
            return super().delete(*args, **kwargs)

    def newest_activity(self) -> Any:
        """Return when the newest message that is shown was written, or the room was created."""
        model = get_model("Message")
        messages = model.objects.using(router.db_for_write(model))
        shown = messages.filter(room_id=self.pk, is_deleted=False)
        return shown.aggregate(newest=models.Max("created_at"))["newest"] or self.created_at

    @classmethod
    def from_db(
        cls,
        db: str | None,
        field_names: Collection[str],
        values: Collection[Any],
        **kwargs: Any,
    ) -> Self:
        """Make the instance that the `type` column asks for.

        Django 6.1 passes a `fetch_mode` besides.
        """
        names = list(field_names)
        room_class: type[Any] = cls
        if "type" in names:
            room_class = room_model(cast("Sequence[Any]", values)[names.index("type")]) or cls
        build: Any = super(AbstractRoom, room_class).from_db
        typed: Self = build(db, field_names, values, **kwargs)
        return typed

    def get_member(self, user: Any) -> Any:
        """Return the membership of a user (or their id) in this room, or None."""
        return Membership.objects.filter(room_id=self.pk, user_id=getattr(user, "pk", user)).first()


class Room(AbstractRoom):
    """The default room table."""

    class Meta(AbstractRoom.Meta):
        swappable = model_setting("Room")


class OneToOneChatMixin(models.Model):
    """What a proxy for one-to-one chats needs, whatever the room model."""

    rules: ClassVar[RoomRules] = OneToOneRules()
    participants = Members(Role.MEMBER)

    class Meta:
        abstract = True


class GroupChatMixin(models.Model):
    """What a proxy for groups needs, whatever the room model."""

    rules: ClassVar[RoomRules] = GroupRules()
    defaults: ClassVar[dict[str, Any]] = {
        "max_participants": 100,
        "join_approval_required": False,
        "group_locked": False,
    }
    participants = Members(Role.MEMBER)
    admins = Members(Role.ADMIN, Role.ADMIN)

    class Meta:
        abstract = True


class ChannelMixin(models.Model):
    """What a proxy for broadcast channels needs, whatever the room model."""

    rules: ClassVar[RoomRules] = ChannelRules()
    defaults: ClassVar[dict[str, Any]] = {"max_subscribers": 300, "is_public": False}
    subscribers = Members(Role.MEMBER)
    moderators = Members(Role.MODERATOR, Role.MODERATOR)

    class Meta:
        abstract = True


class AbstractRoomProperty(models.Model):
    """What the members of a room agreed on for it; every room gets one by signal."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    room = models.OneToOneField(
        settings.GQL_CHAT_ROOM_MODEL, on_delete=models.CASCADE, related_name="property"
    )
    preferences = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True
        verbose_name_plural = "room properties"

    def __str__(self) -> str:
        return f"properties of {self.room_id}"


class RoomProperty(AbstractRoomProperty):
    """The default properties of a room."""

    class Meta(AbstractRoomProperty.Meta):
        swappable = model_setting("RoomProperty")


if not is_swapped("Room"):
    # A proxy of a swapped-out model is an error in Django, so these exist only while the
    # room model is ours; a project that swaps it declares its own proxies from the mixins.

    class OneToOneChat(OneToOneChatMixin, Room):
        """A chat of exactly two users."""

        objects: ClassVar[PairManager[Self]] = PairManager()

        class Meta:
            proxy = True

    class GroupChat(GroupChatMixin, Room):
        """A group whose participants talk with each other."""

        class Meta:
            proxy = True

    class Channel(ChannelMixin, Room):
        """A channel whose moderators write and whose subscribers read."""

        class Meta:
            proxy = True

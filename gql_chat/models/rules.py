"""The room types: three small classes that hold every rule in which rooms differ.

Nothing else in the package asks which type a room has. To change the rules of a type, a project
points `MODELS` at a proxy of its own whose `rules` is a subclass of one of these. To add a type, it
passes `register` a proxy with a new name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.dispatch import Signal

from ..conf import ROOM_TYPES, chat_settings
from ..errors import Invalid
from ..nouns import has_feature
from .registry import get_model

if TYPE_CHECKING:
    from . import AbstractRoom, Membership

HoldsPermission = Callable[["Membership", str], bool]
"""Asks whether the member holds an object permission on the room."""

registered = Signal()
"""Sent when a project has added a room type; the sender is its model."""

NAME_LENGTH = 64

MEMBERS = ("participants", "subscribers")
"""The names that the protocol has for the members of a room."""

LEADERS = ("admins", "moderators")
"""The names that it has for the leaders of a room."""

DELETE_MESSAGES = "can_delete_messages"
"""The object permission to delete what others wrote in the room. The feature `erasure` has it."""

PIN_MESSAGES = "can_pin_messages"
"""The object permission to pin messages in the room. The feature `pins` has it."""

MENTION_ALL = "can_mention_all"
"""The object permission to mention everybody in the room. The feature `mentions` has it."""

_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Role:
    """The roles that a member can have in a room."""

    MEMBER = "member"
    ADMIN = "admin"
    MODERATOR = "moderator"
    CHOICES = ((MEMBER, "member"), (ADMIN, "admin"), (MODERATOR, "moderator"))


class RoomRules:
    """The rules of a room type; the defaults suit a room that members cannot change.

    Attributes:
        name: the type's name on the wire, in the database and in the schema; empty for rules
            that no declared type has.
        members: what its members are called, and the name of the accessor on the room.
        leaders: the same for its leaders; empty if the type has none.
        leader_role: the leaders' `Role`.
        cap: the column that limits the number of members; empty for no limit.
        cap_exceeded: the text for a client that passes that limit.
        permissions: codenames of the object permissions that leaders hold.
        add_permission, remove_permission: which of them adding and removing members needs.
        creatable: the fields a client may set in `extra_fields` when it creates the room.
        updatable: the fields a client may change later.
        named: whether the room has a name of its own.
        paired: whether the room is the one chat of two users.
    """

    name: ClassVar[str] = ""
    members: ClassVar[str] = "participants"
    leaders: ClassVar[str] = ""
    leader_role: ClassVar[str] = Role.MEMBER
    cap: ClassVar[str] = ""
    cap_exceeded: ClassVar[str] = ""
    permissions: ClassVar[tuple[str, ...]] = ()
    add_permission: ClassVar[str] = ""
    remove_permission: ClassVar[str] = ""
    creatable: ClassVar[tuple[str, ...]] = ()
    updatable: ClassVar[tuple[str, ...]] = ("property",)
    named: ClassVar[bool] = True
    paired: ClassVar[bool] = False

    @property
    def grantable(self) -> tuple[str, ...]:
        """The codenames of the object permissions that a leader may give to a member."""
        brought = (
            ("erasure", DELETE_MESSAGES),
            ("mentions", MENTION_ALL),
            ("pins", PIN_MESSAGES),
        )
        added = [codename for feature, codename in brought if has_feature(feature)]
        return self.permissions if self.paired else (*self.permissions, *added)

    def role_of(self, room: AbstractRoom, user_id: Any) -> str:
        """Return the role with which a user enters the room: its creator always leads it."""
        return self.leader_role if user_id == room.creator_id else Role.MEMBER

    def title(self, room: AbstractRoom) -> str:
        """Return what the room is called in sentences shown to people."""
        return room.name or "the chat"

    def leads(self, membership: Membership) -> bool:
        """Return whether the member runs the room: its creator, or one with the leaders' role."""
        room = membership.room
        return membership.user_id == room.creator_id or (
            bool(self.leaders) and membership.role == self.leader_role
        )

    def may_send(self, membership: Membership, holds: HoldsPermission) -> bool:
        """Return whether the member may write messages here."""
        return True

    def may_modify(self, membership: Membership) -> bool:
        """Return whether the member may change the room."""
        return self.leads(membership)

    def may_delete(self, membership: Membership) -> bool:
        """Return whether the member may delete the room for everybody."""
        return membership.user_id == membership.room.creator_id

    def may_add(self, membership: Membership, holds: HoldsPermission) -> bool:
        """Return whether the member may bring others in."""
        return self._is_creator_or_holds(membership, self.add_permission, holds)

    def may_remove(self, membership: Membership, holds: HoldsPermission) -> bool:
        """Return whether the member may put others out."""
        return self._is_creator_or_holds(membership, self.remove_permission, holds)

    def may_delete_messages(self, membership: Membership, holds: HoldsPermission) -> bool:
        """Return whether the member may delete what others wrote here."""
        return self.leads(membership) or holds(membership, DELETE_MESSAGES)

    def may_pin(self, membership: Membership, holds: HoldsPermission) -> bool:
        """Return whether the member may pin messages here."""
        return self.leads(membership) or holds(membership, PIN_MESSAGES)

    def may_mention_all(self, membership: Membership, holds: HoldsPermission) -> bool:
        """Return whether the member may mention everybody here, however many they are."""
        return self.leads(membership) or holds(membership, MENTION_ALL)

    def check_join(self, room: AbstractRoom) -> None:
        """Raise `Invalid` if users may not join by themselves."""
        raise Invalid(f"Ask to be added to {self.title(room)}.")

    def check_leave(self, room: AbstractRoom) -> None:
        """Raise `Invalid` if members cannot leave."""

    def check_changeable_members(self, room: AbstractRoom) -> None:
        """Raise `Invalid` if the set of members is fixed."""

    def check_room_for(self, room: AbstractRoom, count: int) -> None:
        """Raise `Invalid` if `count` members are more than the room may have.

        That is the lower one of the room's own cap, which its creator chose, and `MAX_MEMBERS`.
        """
        most = chat_settings.MAX_MEMBERS
        if self.cap and count > getattr(room, self.cap):
            raise Invalid(self.cap_exceeded)
        if most is not None and count > most:
            raise Invalid(self.cap_exceeded or f"At most {most} members are allowed.")

    @staticmethod
    def _is_creator_or_holds(
        membership: Membership, permission: str, holds: HoldsPermission
    ) -> bool:
        # The creator always may: nobody can take the creator's permissions.
        return membership.user_id == membership.room.creator_id or (
            bool(permission) and holds(membership, permission)
        )


class OneToOneRules(RoomRules):
    """Exactly two users, for as long as the chat lives; either of them may delete it."""

    name = "OneToOneChat"
    named = False
    paired = True

    def title(self, room: AbstractRoom) -> str:
        return "the chat"

    def leads(self, membership: Membership) -> bool:
        return True

    def may_delete(self, membership: Membership) -> bool:
        return True

    def may_add(self, membership: Membership, holds: HoldsPermission) -> bool:
        return True

    def may_remove(self, membership: Membership, holds: HoldsPermission) -> bool:
        return True

    def may_delete_messages(self, membership: Membership, holds: HoldsPermission) -> bool:
        return False  # of two, neither leads the other

    def check_join(self, room: AbstractRoom) -> None:
        raise Invalid("A one-to-one chat cannot be joined.")

    def check_leave(self, room: AbstractRoom) -> None:
        raise Invalid("A one-to-one chat cannot be left.")

    def check_changeable_members(self, room: AbstractRoom) -> None:
        raise Invalid("The participants of a one-to-one chat cannot change.")


class GroupRules(RoomRules):
    """Participants who talk with each other, and admins who manage the participants."""

    name = "GroupChat"
    leaders = "admins"
    leader_role = Role.ADMIN
    cap = "max_participants"
    cap_exceeded = "Maximum number of group participants exceeded"
    permissions = ("can_add_new_participants", "can_remove_participants")
    add_permission = "can_add_new_participants"
    remove_permission = "can_remove_participants"
    creatable = ("avatar", "max_participants", "join_approval_required", "group_locked")
    updatable = (
        "name",
        "description",
        "avatar",
        "group_locked",
        "join_approval_required",
        "property",
    )

    def may_send(self, membership: Membership, holds: HoldsPermission) -> bool:
        return not membership.room.group_locked or self.leads(membership)

    def may_pin(self, membership: Membership, holds: HoldsPermission) -> bool:
        return not membership.room.group_locked or super().may_pin(membership, holds)

    def check_join(self, room: AbstractRoom) -> None:
        raise Invalid("Ask an admin to add you to the group")


class ChannelRules(RoomRules):
    """Subscribers who read, and moderators who write."""

    name = "Channel"
    members = "subscribers"
    leaders = "moderators"
    leader_role = Role.MODERATOR
    cap = "max_subscribers"
    cap_exceeded = "Maximum number of channel subscribers exceeded"
    permissions = ("can_add_new_subscribers", "can_remove_subscribers", "can_send_messages")
    add_permission = "can_add_new_subscribers"
    remove_permission = "can_remove_subscribers"
    creatable = ("avatar", "max_subscribers", "is_public")
    updatable = ("name", "description", "avatar", "is_public", "property")

    def may_send(self, membership: Membership, holds: HoldsPermission) -> bool:
        return self.leads(membership) or holds(membership, "can_send_messages")

    def check_join(self, room: AbstractRoom) -> None:
        if not room.is_public:
            raise Invalid("This channel is private: ask a moderator to add you.")


@dataclass(frozen=True, slots=True)
class Registration:
    """A room type that a project added.

    Attributes:
        model: the proxy of the room model.
        detail, summary: the Strawberry types of such a room, with its members and in the list
            of rooms, or their dotted paths; None for types made from the rules.
    """

    model: type[AbstractRoom]
    detail: Any
    summary: Any


_registered: dict[str, Registration] = {}

RoomModelT = TypeVar("RoomModelT", bound="type[AbstractRoom]")


@overload
def register(model: RoomModelT) -> RoomModelT: ...


@overload
def register(*, detail: Any = None, summary: Any = None) -> Callable[[RoomModelT], RoomModelT]: ...


def register(model: Any = None, *, detail: Any = None, summary: Any = None) -> Any:
    """Add a room type. A decorator for a proxy of the room model, in an app's `models`.

    Args:
        model: the proxy; its `rules` name the type.
        detail: the Strawberry type of such a room with its members, or its dotted path; None for
            one that is made from the rules.
        summary: the same for the list of rooms.

    Raises:
        ImproperlyConfigured: the rules cannot be those of a new type.
        RuntimeError: the project has started, and its schema with it.
    """
    if model is None:
        return partial(register, detail=detail, summary=summary)
    _check_new(model)
    _registered[model.rules.name] = Registration(model, detail, summary)
    registered.send(sender=model)
    return model


def _check_new(model: type[AbstractRoom]) -> None:
    if apps.ready:
        raise RuntimeError(
            f"{model._meta.label} is registered too late: register it where it is declared, in "
            "the models of an installed app."
        )
    rules = model.rules
    known = _registered.get(rules.name)
    problem = None
    if _TYPE_NAME.fullmatch(rules.name) is None:
        problem = f"name {rules.name!r}; use a word of letters, digits and underscores."
    elif rules.name in ROOM_TYPES:
        problem = f"name {rules.name!r}; name the proxy in MODELS[{rules.name!r}] instead."
    elif known is not None and known.model._meta.label != model._meta.label:
        problem = f"name {rules.name!r}, which {known.model._meta.label} has; choose another."
    elif rules.paired:
        problem = f"paired; only a {OneToOneRules.name} is the chat of two."
    elif rules.members not in MEMBERS:
        problem = f"members {rules.members!r}; use one of {', '.join(MEMBERS)}."
    elif rules.leaders and rules.leaders not in LEADERS:
        problem = f"leaders {rules.leaders!r}; use one of {', '.join(LEADERS)}, or none."
    if problem is not None:
        raise ImproperlyConfigured(f"The rules of {model._meta.label} say {problem}")


def registrations() -> list[Registration]:
    """Return the room types that the project added."""
    return list(_registered.values())


def room_model(name: str) -> type[AbstractRoom] | None:
    """Return the proxy model of the room type `name`, or None if there is no such type."""
    if name in ROOM_TYPES:
        model: type[AbstractRoom] = get_model(name)
        return model
    registration = _registered.get(name)
    return None if registration is None else registration.model


def room_types() -> list[type[AbstractRoom]]:
    """Return the proxy models of all room types, the package's three first."""
    added = [registration.model for registration in registrations()]
    return [*(get_model(name) for name in ROOM_TYPES), *added]

"""Rooms in the schema: each type of them in detail and in the list, and what changes about them."""

from typing import Any, Optional
from uuid import UUID

import strawberry

from .. import events
from ..errors import ECHO_LENGTH, Invalid, shorten
from ..models.cuts import FEATURE
from ..models.rules import MEMBERS, ChannelRules, GroupRules, OneToOneRules, room_model, room_types
from ..models.visibility import History
from ..prepared.fields import derived
from .context import Info
from .descriptions import JSON, TEXT, URL
from .inputs import (
    CAP,
    COUNTED,
    FLAG,
    FROM_ZERO,
    LINK,
    NAME,
    RoomChangesRef,
    RoomFieldsRef,
    RoomInput,
    given,
    unset,
)
from .json_schema import keywords
from .parts import brought_by
from .payloads import tells
from .preferences import RoomPreferences
from .read_markers import ReadMarker, read_markers
from .references import MessageRef, RoomPropertyRef, UserRef
from .scalars import JSONObject, Timestamp, UserID
from .users import count_members, leaders, members

HISTORY = {**keywords(type="string", enum=History.values), **brought_by("history")}


def history() -> Any:
    """Return the field that says what of a room's history newcomers see."""
    return strawberry.field(
        description="What newcomers see of what was written before: all (`shared`), or nothing.",
        metadata={**keywords(enum=History.values), **brought_by("history")},
    )


@strawberry.type
class RoomProperty:
    """What the members of a room agreed on for it."""

    preferences: JSONObject = strawberry.field(description=JSON)


def is_of(name: str) -> Any:
    """Return the `is_type_of` of the types that show rooms of the type `name`."""

    def is_type_of(cls: type, obj: Any, info: Any) -> bool:
        return bool(obj.type == name)

    return classmethod(is_type_of)


def named(name: str) -> Any:
    """Return the `type` of the types that show rooms of the type `name`, for the exports."""
    return strawberry.field(metadata=keywords(const=name))


@strawberry.interface
class Room:
    """A room with its members."""

    type: str
    id: UUID
    created_at: Timestamp
    updated_at: Timestamp
    property: RoomPropertyRef
    member_count: int = derived(count_members, metadata={**brought_by(FEATURE), **FROM_ZERO})
    read_markers: list[ReadMarker] = derived(
        read_markers,
        "How far members have read; who told nobody is not among them.",
        brought_by("read_markers"),
    )


@strawberry.type
class OneToOneChat(Room):
    """A chat of exactly two users."""

    is_type_of = is_of(OneToOneRules.name)
    type: str = named(OneToOneRules.name)
    participants: list[UserRef] = derived(members)


@strawberry.type
class GroupChat(Room):
    """A group whose participants talk with each other."""

    is_type_of = is_of(GroupRules.name)
    type: str = named(GroupRules.name)
    name: str = strawberry.field(description=TEXT)
    description: str | None = strawberry.field(description=TEXT)
    avatar: str | None = strawberry.field(description=URL)
    creator: Optional[UserRef]
    participants: list[UserRef] = derived(members)
    admins: list[UserRef] = derived(leaders)
    max_participants: int
    join_approval_required: bool
    group_locked: bool
    history: str = history()


@strawberry.type
class Channel(Room):
    """A channel whose moderators write and whose subscribers read."""

    is_type_of = is_of(ChannelRules.name)
    type: str = named(ChannelRules.name)
    name: str = strawberry.field(description=TEXT)
    description: str | None = strawberry.field(description=TEXT)
    avatar: str | None = strawberry.field(description=URL)
    creator: Optional[UserRef]
    subscribers: list[UserRef] = derived(members)
    moderators: list[UserRef] = derived(leaders)
    max_subscribers: int
    is_public: bool
    history: str = history()


@strawberry.interface
class RoomSummary:
    """A room in the list of a user's rooms."""

    type: str
    id: UUID
    created_at: Timestamp
    updated_at: Timestamp
    last_message: Optional[MessageRef]
    unread_count: int
    preferences: RoomPreferences = strawberry.field(metadata=brought_by("room_preferences"))


@strawberry.type
class OneToOneChatSummary(RoomSummary):
    """A one-to-one chat in the list: who the other one is."""

    is_type_of = is_of(OneToOneRules.name)
    type: str = named(OneToOneRules.name)
    peer: UserRef


@strawberry.type
class GroupChatSummary(RoomSummary):
    """A group in the list."""

    is_type_of = is_of(GroupRules.name)
    type: str = named(GroupRules.name)
    name: str = strawberry.field(description=TEXT)
    description: str | None = strawberry.field(description=TEXT)
    avatar: str | None = strawberry.field(description=URL)
    creator: Optional[UserRef]
    max_participants: int
    join_approval_required: bool
    group_locked: bool


@strawberry.type
class ChannelSummary(RoomSummary):
    """A channel in the list."""

    is_type_of = is_of(ChannelRules.name)
    type: str = named(ChannelRules.name)
    name: str = strawberry.field(description=TEXT)
    description: str | None = strawberry.field(description=TEXT)
    avatar: str | None = strawberry.field(description=URL)
    creator: Optional[UserRef]
    max_subscribers: int
    is_public: bool


# Inputs


@strawberry.input
class PropertyInput:
    """What the members of a room agree on for it."""

    preferences: JSONObject


@strawberry.input
class RoomFieldsInput:
    """What a new room may have besides its name and members."""

    avatar: str | None = unset(LINK)
    max_participants: int | None = unset(CAP)
    max_subscribers: int | None = unset(CAP)
    join_approval_required: bool | None = unset(FLAG)
    group_locked: bool | None = unset(FLAG)
    is_public: bool | None = unset(FLAG)
    history: str | None = unset(HISTORY)
    property: PropertyInput | None = strawberry.UNSET


def type_names() -> list[str]:
    """Return the names of the room types."""
    return [model.rules.name for model in room_types()]


@strawberry.input
class CreateRoomInput:
    """A room to create."""

    type: str = strawberry.field(metadata=keywords(enum=type_names))
    name: str | None = None
    description: str | None = None
    participants: list[UserID] | None = strawberry.field(default=None, metadata=COUNTED)
    subscribers: list[UserID] | None = strawberry.field(default=None, metadata=COUNTED)
    extra_fields: Optional[RoomFieldsRef] = None


@strawberry.input
class RoomChangesInput:
    """What may change about a room."""

    name: str | None = unset(NAME)
    description: str | None = strawberry.UNSET
    avatar: str | None = unset(LINK)
    group_locked: bool | None = unset(FLAG)
    join_approval_required: bool | None = unset(FLAG)
    is_public: bool | None = unset(FLAG)
    history: str | None = unset(HISTORY)
    property: PropertyInput | None = strawberry.UNSET


@strawberry.input
class UpdateRoomInput:
    """A room to change."""

    room_id: UUID
    data: RoomChangesRef


# Operations


@strawberry.type
class RoomQueries:
    """What a user may look at."""

    @strawberry.field
    def rooms(self, info: Info) -> list[RoomSummary]:
        """The user's rooms, the most recently active first."""
        return info.context.handler.list_rooms()

    @strawberry.field
    def room(self, info: Info, input: RoomInput) -> Room:
        """One of the user's rooms, with its members."""
        return info.context.handler.room_info(input.room_id)  # type: ignore[return-value]


@strawberry.type
class RoomMutations:
    """What a user may do."""

    @strawberry.mutation
    def create_room(self, info: Info, input: CreateRoomInput) -> Room:
        """Create a room."""
        fields = given(input.extra_fields)
        property = fields.pop("property", None)
        model = room_model(input.type)
        members = model.rules.members if model is not None else "participants"
        for other in set(MEMBERS) - {members}:
            if getattr(input, other):
                raise Invalid({other: f"A {shorten(input.type, ECHO_LENGTH)} has {members}."})
        room: Any = info.context.handler.create_room(
            input.type,
            name=input.name,
            description=input.description,
            members=getattr(input, members, None) or (),
            fields=fields,
            preferences=property.preferences if property is not None else None,
        )
        return room  # type: ignore[no-any-return]

    @strawberry.mutation
    def update_room(self, info: Info, input: UpdateRoomInput) -> bool:
        """Change what a room is called and how it works."""
        fields = given(input.data)
        property = fields.pop("property", None)
        if not fields and property is None:
            raise Invalid({"data": "Name at least one field."})
        preferences = property.preferences if property is not None else None
        info.context.handler.update_room(input.room_id, fields, preferences)
        return True

    @strawberry.mutation
    def delete_room(self, info: Info, input: RoomInput) -> bool:
        """Delete a room for everybody."""
        info.context.handler.delete_room(input.room_id)
        return True


# Events


@strawberry.type
class RoomCreated:
    """A room came into being, and the user is in it."""

    is_type_of = tells(events.RoomCreated)
    room: Room


@strawberry.type
class RoomUpdated:
    """A room, its roles or its permissions changed."""

    is_type_of = tells(events.RoomUpdated)
    room: Room


@strawberry.type
class RoomDeleted:
    """A room is gone."""

    is_type_of = tells(events.RoomDeleted)
    room_id: UUID


@strawberry.type
class RoomExited:
    """The user is no longer in the room."""

    is_type_of = tells(events.RoomExited)
    room: Room
    message: str = strawberry.field(description=TEXT)


QUERIES: tuple[type, ...] = (RoomQueries,)
MUTATIONS: tuple[type, ...] = (RoomMutations,)
EVENTS: tuple[type, ...] = (
    RoomCreated,
    RoomUpdated,
    RoomDeleted,
    RoomExited,
)

"""Members in the schema: who comes and goes, who leads, and who may do what."""

from uuid import UUID

import strawberry

from .. import events
from ..errors import Invalid
from ..models.visibility import HISTORIES
from .context import Info
from .descriptions import TEXT, TEXTS
from .inputs import COUNTED, RoomInput, given, unset
from .json_schema import keywords
from .parts import brought_by
from .payloads import tells
from .rooms import Room
from .scalars import UserID

# Inputs


@strawberry.input
class MembersInput:
    """Users to put out of a room."""

    room_id: UUID
    members: list[UserID] = strawberry.field(metadata=COUNTED)


@strawberry.input
class NewMembersInput:
    """Users to bring into a room, and what they see there of what was written before."""

    room_id: UUID
    members: list[UserID] = strawberry.field(metadata=COUNTED)
    history: str | None = unset(
        {**keywords(type="string", enum=list(HISTORIES)), **brought_by("history")}
    )


@strawberry.input
class UsersInput:
    """Which members."""

    users: list[UserID] = strawberry.field(metadata=COUNTED)


@strawberry.input
class LeadersInput:
    """Members who shall lead a room, or not any more."""

    room_id: UUID
    data: UsersInput


@strawberry.input
class PermissionsDataInput:
    """Which members, and which permissions."""

    users: list[UserID] = strawberry.field(metadata=COUNTED)
    permission: list[str] = strawberry.field(metadata=COUNTED)


@strawberry.input
class PermissionsInput:
    """Permissions on a room for members, given or taken."""

    room_id: UUID
    data: PermissionsDataInput


# Operations


@strawberry.type
class MemberMutations:
    """What a user may do."""

    @strawberry.mutation
    def join_room(self, info: Info, input: RoomInput) -> bool:
        """Come into a room by oneself."""
        info.context.handler.join_room(input.room_id)
        return True

    @strawberry.mutation
    def leave_room(self, info: Info, input: RoomInput) -> bool:
        """Go out of a room."""
        info.context.handler.leave_room(input.room_id)
        return True

    @strawberry.mutation
    def add_members(self, info: Info, input: NewMembersInput) -> bool:
        """Bring users into a room."""
        fields = given(input)
        if fields.get("history", "") is None:
            raise Invalid({"history": "This field must not be null."})
        info.context.handler.add_members(fields.pop("room_id"), fields.pop("members"), **fields)
        return True

    @strawberry.mutation
    def remove_members(self, info: Info, input: MembersInput) -> bool:
        """Put users out of a room."""
        info.context.handler.remove_members(input.room_id, input.members)
        return True

    @strawberry.mutation
    def add_leaders(self, info: Info, input: LeadersInput, leaders: str) -> bool:
        """Make members `admins` or `moderators` of a room."""
        info.context.handler.set_leaders(input.room_id, leaders, input.data.users, lead=True)
        return True

    @strawberry.mutation
    def remove_leaders(self, info: Info, input: LeadersInput, leaders: str) -> bool:
        """Make `admins` or `moderators` of a room plain members again."""
        info.context.handler.set_leaders(input.room_id, leaders, input.data.users, lead=False)
        return True

    @strawberry.mutation
    def add_permissions(self, info: Info, input: PermissionsInput) -> bool:
        """Give members object permissions on a room."""
        info.context.handler.set_permissions(
            input.room_id, input.data.users, input.data.permission, hold=True
        )
        return True

    @strawberry.mutation
    def remove_permissions(self, info: Info, input: PermissionsInput) -> bool:
        """Take object permissions on a room from members."""
        info.context.handler.set_permissions(
            input.room_id, input.data.users, input.data.permission, hold=False
        )
        return True


# Events


@strawberry.type
class MembersAdded:
    """Users came into the room."""

    is_type_of = tells(events.MembersAdded)
    room: Room
    new_members: list[str] = strawberry.field(description=TEXTS)
    added_by: str = strawberry.field(description=TEXT)


@strawberry.type
class MembersRemoved:
    """Users went out of the room."""

    is_type_of = tells(events.MembersRemoved)
    room: Room
    removed_members: list[str] = strawberry.field(description=TEXTS)
    removed_by: str = strawberry.field(description=TEXT)


QUERIES: tuple[type, ...] = ()
MUTATIONS: tuple[type, ...] = (MemberMutations,)
EVENTS: tuple[type, ...] = (
    MembersAdded,
    MembersRemoved,
)

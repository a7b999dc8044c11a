"""What a user may do."""

from typing import Any, Optional
from uuid import UUID

import strawberry

from ..errors import ECHO_LENGTH, Invalid, shorten
from ..models.rules import MEMBERS, room_model
from .context import Info
from .inputs import (
    AcknowledgeInput,
    AddReactionInput,
    CreateRoomInput,
    DeleteMessagesInput,
    EditMessageInput,
    LeadersInput,
    MembersInput,
    PermissionsInput,
    ReadInput,
    RemoveReactionInput,
    RoomInput,
    SendMessageInput,
    SessionInput,
    TypingInput,
    UpdateRoomInput,
    given,
)
from .queries import list_notifications
from .types import MessageRef, Room, RoomNotifications


@strawberry.type
class SentMessage:
    """What became of a send: its place, and for a repeat of a `client_id` the message."""

    message_id: UUID
    stream: str
    seq: int
    original: Optional[MessageRef]


@strawberry.type
class OpenedSession:
    """A socket that is registered, and what waits for its user."""

    id: UUID
    notifications: list[RoomNotifications] = strawberry.field(resolver=list_notifications)


@strawberry.type
class Mutation:
    """What a user may do."""

    @strawberry.mutation
    def send_message(self, info: Info, input: SendMessageInput) -> SentMessage:
        """Write a message into a room."""
        extra = given(input.extra_fields)
        media = [given(item) for item in extra.pop("media", None) or ()]
        sent: Any = info.context.handler.send_message(
            input.room_id,
            input.content,
            client_id=input.client_id,
            media=media,
            parent_message_id=extra.pop("parent_message_id", None),
            forwarded_from_id=extra.pop("forwarded_from_id", None),
            fields=extra,
        )
        return sent  # type: ignore[no-any-return]

    @strawberry.mutation
    def edit_message(self, info: Info, input: EditMessageInput) -> MessageRef:
        """Change a message of the user's own."""
        if len(input.message_id) != 1:
            raise Invalid({"message_id": "One message can be edited at a time."})
        fields = given(input.extra_fields)
        if not fields:
            raise Invalid({"extra_fields": "Name at least one field."})
        if fields.get("content", "") is None:
            raise Invalid({"extra_fields.content": "This field must not be null."})
        content = fields.pop("content", None)
        message: Any = info.context.handler.edit_message(input.message_id[0], content, fields)
        return message  # type: ignore[no-any-return]

    @strawberry.mutation
    def delete_messages(self, info: Info, input: DeleteMessagesInput) -> list[UUID]:
        """Delete messages of the user's own, all of one room."""
        return info.context.handler.delete_messages(input.message_id)

    @strawberry.mutation
    def acknowledge_messages(self, info: Info, input: AcknowledgeInput) -> bool:
        """Note that messages have arrived at the user."""
        info.context.handler.acknowledge_messages(input.message_id)
        return True

    @strawberry.mutation
    def read_messages(self, info: Info, input: ReadInput) -> bool:
        """Note that the user has read messages."""
        info.context.handler.read_messages(input.message_id, once=input.once)
        return True

    @strawberry.mutation
    def add_reaction(self, info: Info, input: AddReactionInput) -> bool:
        """React to a message, in place of an earlier reaction."""
        info.context.handler.add_reaction(input.message_id, input.reaction_content)
        return True

    @strawberry.mutation
    def remove_reaction(self, info: Info, input: RemoveReactionInput) -> bool:
        """Take a reaction back."""
        info.context.handler.remove_reaction(input.message_id, input.reaction_content)
        return True

    @strawberry.mutation
    def type_in(self, info: Info, input: TypingInput) -> bool:
        """Tell a room that the user types, or has stopped."""
        info.context.handler.type_in(input.room_id, is_typing=input.is_typing)
        return True

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
    def add_members(self, info: Info, input: MembersInput) -> bool:
        """Bring users into a room."""
        info.context.handler.add_members(input.room_id, input.members)
        return True

    @strawberry.mutation
    def remove_members(self, info: Info, input: MembersInput) -> bool:
        """Put users out of a room."""
        info.context.handler.remove_members(input.room_id, input.members)
        return True

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

    @strawberry.mutation
    def open_session(self, info: Info, input: SessionInput) -> OpenedSession:
        """Register a socket."""
        session: Any = info.context.handler.open_session(input.channel_name)
        return session  # type: ignore[no-any-return]

    @strawberry.mutation
    def heartbeat(self, info: Info, input: SessionInput) -> bool:
        """Note that a socket's client is there."""
        info.context.handler.heartbeat(input.channel_name)
        return True

    @strawberry.mutation
    def close_session(self, info: Info, input: SessionInput) -> bool:
        """Forget a socket."""
        info.context.handler.close_session(input.channel_name)
        return True

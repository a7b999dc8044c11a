"""What clients send: one input per operation, in the shape of the protocol's events."""

from typing import Annotated, Any, Optional
from uuid import UUID

import strawberry

from .scalars import Bytes, JSONObject, UserID

# Inputs that a project's types may add fields to (`gql_chat.schema.writable`), by reference.
_MODULE = "gql_chat.schema.serializers"
_Media = Annotated["MediaInput", strawberry.lazy(_MODULE)]
_MessageFields = Annotated["MessageFieldsInput", strawberry.lazy(_MODULE)]
_MessageEdit = Annotated["MessageEditInput", strawberry.lazy(_MODULE)]
_RoomFields = Annotated["RoomFieldsInput", strawberry.lazy(_MODULE)]
_RoomChanges = Annotated["RoomChangesInput", strawberry.lazy(_MODULE)]


@strawberry.input
class MediaInput:
    """A link to hang on a message."""

    media_url: str
    media_type: str
    mime_type: str
    file_size: Bytes = 0  # type: ignore[assignment]
    caption: str | None = None
    metadata: JSONObject = strawberry.field(default_factory=dict)


@strawberry.input
class MessageFieldsInput:
    """What a message may have besides its text."""

    parent_message_id: UUID | None = None
    forwarded_from_id: UUID | None = None
    media: Optional[list[_Media]] = None  # noqa: UP045


@strawberry.input
class SendMessageInput:
    """A message to write."""

    room_id: UUID
    content: str = ""
    client_id: str | None = None
    extra_fields: Optional[_MessageFields] = None  # noqa: UP045


@strawberry.input
class MessageEditInput:
    """What may change about a message."""

    content: str


@strawberry.input(name="MessageEditInput")
class MessageChangesInput:
    """What may change about a message where there is more to it than its text."""

    content: str | None = strawberry.UNSET


@strawberry.input
class EditMessageInput:
    """A message to change."""

    message_id: list[UUID]
    extra_fields: _MessageEdit


@strawberry.input
class DeleteMessagesInput:
    """Messages to delete, all of one room."""

    message_id: list[UUID]


@strawberry.input
class AcknowledgeInput:
    """Messages that have arrived."""

    message_id: list[UUID]


@strawberry.input
class ReadInput:
    """Messages that have been read."""

    message_id: list[UUID]
    once: bool = strawberry.field(
        default=False, description="Whether having read one before is an error."
    )


@strawberry.input
class AddReactionInput:
    """A reaction to add."""

    message_id: UUID
    reaction_content: str


@strawberry.input
class RemoveReactionInput:
    """A reaction to take back."""

    message_id: UUID
    reaction_content: str | None = None


@strawberry.input
class TypingInput:
    """Where the user types, or has stopped."""

    room_id: UUID
    is_typing: bool = True


@strawberry.input
class PropertyInput:
    """What the members of a room agree on for it."""

    preferences: JSONObject


@strawberry.input
class RoomFieldsInput:
    """What a new room may have besides its name and members."""

    avatar: str | None = strawberry.UNSET
    max_participants: int | None = strawberry.UNSET
    max_subscribers: int | None = strawberry.UNSET
    join_approval_required: bool | None = strawberry.UNSET
    group_locked: bool | None = strawberry.UNSET
    is_public: bool | None = strawberry.UNSET
    property: PropertyInput | None = strawberry.UNSET


@strawberry.input
class CreateRoomInput:
    """A room to create."""

    type: str
    name: str | None = None
    description: str | None = None
    participants: list[UserID] | None = None
    subscribers: list[UserID] | None = None
    extra_fields: Optional[_RoomFields] = None  # noqa: UP045


@strawberry.input
class RoomInput:
    """Which room."""

    room_id: UUID


@strawberry.input
class PaginateInput:
    """Which page: by its number, or from a message on."""

    size: int
    page: int | None = None
    before: UUID | None = None
    after: UUID | None = None


@strawberry.input
class RoomMessagesInput:
    """Which messages of a room."""

    room_id: UUID
    paginate: PaginateInput | None = None


@strawberry.input
class MembersInput:
    """Users to bring into a room, or to put out of it."""

    room_id: UUID
    members: list[UserID]


@strawberry.input
class RoomChangesInput:
    """What may change about a room."""

    name: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET
    avatar: str | None = strawberry.UNSET
    group_locked: bool | None = strawberry.UNSET
    join_approval_required: bool | None = strawberry.UNSET
    is_public: bool | None = strawberry.UNSET
    property: PropertyInput | None = strawberry.UNSET


@strawberry.input
class UpdateRoomInput:
    """A room to change."""

    room_id: UUID
    data: _RoomChanges


@strawberry.input
class UsersInput:
    """Which members."""

    users: list[UserID]


@strawberry.input
class LeadersInput:
    """Members who shall lead a room, or not any more."""

    room_id: UUID
    data: UsersInput


@strawberry.input
class PermissionsDataInput:
    """Which members, and which permissions."""

    users: list[UserID]
    permission: list[str]


@strawberry.input
class PermissionsInput:
    """Permissions on a room for members, given or taken."""

    room_id: UUID
    data: PermissionsDataInput


@strawberry.input
class SessionInput:
    """A socket."""

    channel_name: str


def given(fields: Any) -> dict[str, Any]:
    """Return what a client gave of an input, by name, without what it left out."""
    if not fields:
        return {}
    return {name: value for name, value in vars(fields).items() if value is not strawberry.UNSET}

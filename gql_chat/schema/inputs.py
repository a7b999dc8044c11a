"""What clients send: one input per operation, in the shape of the protocol's events."""

from typing import Annotated, Any, Optional
from uuid import UUID

import strawberry

from ..conf import chat_settings
from ..models import MEDIA_TYPES, MIME_TYPES
from ..models.links import LINK_LENGTH
from ..models.messages import CAPTION_LENGTH, CLIENT_ID_LENGTH
from ..models.receipts import REACTION_LENGTH
from ..models.rules import NAME_LENGTH, room_types
from ..prepared.counts import counted
from .json_schema import keywords
from .scalars import Bytes, JSONObject, UserID

# Inputs that a project's types may add fields to (`gql_chat.schema.writable`), by reference.
_MODULE = "gql_chat.schema.serializers"
_Media = Annotated["MediaInput", strawberry.lazy(_MODULE)]
_MessageFields = Annotated["MessageFieldsInput", strawberry.lazy(_MODULE)]
_MessageEdit = Annotated["MessageEditInput", strawberry.lazy(_MODULE)]
_RoomFields = Annotated["RoomFieldsInput", strawberry.lazy(_MODULE)]
_RoomChanges = Annotated["RoomChangesInput", strawberry.lazy(_MODULE)]

_LINK = keywords(maxLength=LINK_LENGTH, pattern="^[Hh][Tt][Tt][Pp][Ss]?://")
# These may be left out, so GraphQL takes null for them; the operations do not.
_NAME = keywords(type="string", pattern=r"\S", maxLength=NAME_LENGTH)
_CAP = keywords(type="integer", minimum=1, maximum=2**31 - 1)
_FLAG = keywords(type="boolean")
_FROM_ONE = keywords(minimum=1)


def _max_ids() -> int | None:
    return chat_settings.MAX_IDS


def _max_media() -> int | None:
    return chat_settings.MAX_MEDIA_ITEMS


_COUNTED = {**keywords(maxItems=_max_ids), **counted(_max_ids)}


def _unset(metadata: dict[str, Any]) -> Any:
    """Return a field that may be left out, which is not the same as null."""
    return strawberry.field(default=strawberry.UNSET, metadata=metadata)


@strawberry.input
class MediaInput:
    """A link to hang on a message."""

    media_url: str = strawberry.field(metadata=_LINK)
    media_type: str = strawberry.field(metadata=keywords(enum=list(MEDIA_TYPES)))
    mime_type: str = strawberry.field(metadata=keywords(enum=list(MIME_TYPES)))
    file_size: Bytes = 0  # type: ignore[assignment]
    caption: str | None = strawberry.field(
        default=None, metadata=keywords(maxLength=CAPTION_LENGTH)
    )
    # No default of {}: graphql-core cannot write it as the answer to an introspection query.
    metadata: JSONObject | None = _unset(keywords(type="object"))


@strawberry.input
class MessageFieldsInput:
    """What a message may have besides its text."""

    parent_message_id: UUID | None = None
    forwarded_from_id: UUID | None = None
    media: Optional[list[_Media]] = strawberry.field(default=None, metadata=counted(_max_media))


@strawberry.input
class SendMessageInput:
    """A message to write."""

    room_id: UUID
    content: str = ""
    client_id: str | None = strawberry.field(
        default=None, metadata=keywords(minLength=1, maxLength=CLIENT_ID_LENGTH)
    )
    extra_fields: Optional[_MessageFields] = None


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

    message_id: list[UUID] = strawberry.field(metadata=_COUNTED)
    extra_fields: _MessageEdit


@strawberry.input
class DeleteMessagesInput:
    """Messages to delete, all of one room."""

    message_id: list[UUID] = strawberry.field(metadata=_COUNTED)


@strawberry.input
class AcknowledgeInput:
    """Messages that have arrived."""

    message_id: list[UUID] = strawberry.field(metadata=_COUNTED)


@strawberry.input
class ReadInput:
    """Messages that have been read."""

    message_id: list[UUID] = strawberry.field(metadata=_COUNTED)
    once: bool = strawberry.field(
        default=False, description="Whether having read one before is an error."
    )


@strawberry.input
class AddReactionInput:
    """A reaction to add."""

    message_id: UUID
    reaction_content: str = strawberry.field(
        metadata=keywords(minLength=1, maxLength=REACTION_LENGTH)
    )


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

    avatar: str | None = _unset(_LINK)
    max_participants: int | None = _unset(_CAP)
    max_subscribers: int | None = _unset(_CAP)
    join_approval_required: bool | None = _unset(_FLAG)
    group_locked: bool | None = _unset(_FLAG)
    is_public: bool | None = _unset(_FLAG)
    property: PropertyInput | None = strawberry.UNSET


def _room_types() -> list[str]:
    return [model.rules.name for model in room_types()]


@strawberry.input
class CreateRoomInput:
    """A room to create."""

    type: str = strawberry.field(metadata=keywords(enum=_room_types))
    name: str | None = None
    description: str | None = None
    participants: list[UserID] | None = strawberry.field(default=None, metadata=_COUNTED)
    subscribers: list[UserID] | None = strawberry.field(default=None, metadata=_COUNTED)
    extra_fields: Optional[_RoomFields] = None


@strawberry.input
class RoomInput:
    """Which room."""

    room_id: UUID


@strawberry.input
class PaginateInput:
    """Which page: by its number, or from a message on."""

    size: int = strawberry.field(metadata=_FROM_ONE)
    page: int | None = strawberry.field(default=None, metadata=_FROM_ONE)
    before: UUID | None = None
    after: UUID | None = None


@strawberry.input
class RoomMessagesInput:
    """Which messages of a room."""

    room_id: UUID
    paginate: PaginateInput | None = None


@strawberry.input
class NotificationPaginateInput:
    """Which page: the newest, or from a notification on."""

    size: int = strawberry.field(metadata=_FROM_ONE)
    before: UUID | None = None


@strawberry.input
class NotificationsInput:
    """Which of the notifications that wait."""

    paginate: NotificationPaginateInput | None = None


@strawberry.input
class MembersInput:
    """Users to bring into a room, or to put out of it."""

    room_id: UUID
    members: list[UserID] = strawberry.field(metadata=_COUNTED)


@strawberry.input
class RoomChangesInput:
    """What may change about a room."""

    name: str | None = _unset(_NAME)
    description: str | None = strawberry.UNSET
    avatar: str | None = _unset(_LINK)
    group_locked: bool | None = _unset(_FLAG)
    join_approval_required: bool | None = _unset(_FLAG)
    is_public: bool | None = _unset(_FLAG)
    property: PropertyInput | None = strawberry.UNSET


@strawberry.input
class UpdateRoomInput:
    """A room to change."""

    room_id: UUID
    data: _RoomChanges


@strawberry.input
class UsersInput:
    """Which members."""

    users: list[UserID] = strawberry.field(metadata=_COUNTED)


@strawberry.input
class LeadersInput:
    """Members who shall lead a room, or not any more."""

    room_id: UUID
    data: UsersInput


@strawberry.input
class PermissionsDataInput:
    """Which members, and which permissions."""

    users: list[UserID] = strawberry.field(metadata=_COUNTED)
    permission: list[str] = strawberry.field(metadata=_COUNTED)


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

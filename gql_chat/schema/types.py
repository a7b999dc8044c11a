"""The objects of the schema, plain Strawberry types over model instances.

A field without a resolver reads the attribute of the model. To change what an object shows,
a project subclasses its type here and names the subclass in `SERIALIZERS`.
"""

from typing import Annotated, Any, Optional
from uuid import UUID

import strawberry

from ..models import (
    MEDIA_TYPES,
    MIME_TYPES,
    AbstractMessage,
    AbstractRoom,
    Membership,
)
from ..models.notifications import NotificationType
from ..models.relations import members_of, relations_of
from ..models.rules import ChannelRules, GroupRules, OneToOneRules
from ..prepared.fields import derived
from .json_schema import keywords
from .scalars import (
    Bytes,
    JSONObject,
    Timestamp,
    UserID,
)

_MODULE = "gql_chat.schema.serializers"

UserRef = Annotated["User", strawberry.lazy(_MODULE)]
MessageRef = Annotated["Message", strawberry.lazy(_MODULE)]
QuotedMessageRef = Annotated["QuotedMessage", strawberry.lazy(_MODULE)]
AttachmentRef = Annotated["Attachment", strawberry.lazy(_MODULE)]
ReadReceiptRef = Annotated["ReadReceipt", strawberry.lazy(_MODULE)]
ReactionRef = Annotated["Reaction", strawberry.lazy(_MODULE)]
RoomPropertyRef = Annotated["RoomProperty", strawberry.lazy(_MODULE)]


TEXT = "Plain text, as it was written: a page shows it by `textContent`, never as HTML."
HTML = "HTML, cleaned: a page shows it by `innerHTML`."


def _username(root: Any) -> str:
    name: str = root.get_username()
    return name


def _email(root: Any) -> str:
    return getattr(root, root.get_email_field_name(), None) or ""


def _text(name: str) -> Any:
    """Return a field for an attribute that a project's user model may not have."""
    return derived(lambda root: getattr(root, name, None) or "", TEXT)


@strawberry.type
class User:
    """A user, as members of their rooms see them.

    `username` is what the user model's `USERNAME_FIELD` holds. A text that the model does not
    have is empty, so frames have one shape whatever the model.
    """

    id: UserID = derived(lambda root: root.pk)
    username: str = derived(_username, TEXT)
    email: str = derived(_email)
    first_name: str = _text("first_name")
    last_name: str = _text("last_name")


@strawberry.type
class RoomReference:
    """Which room an object stands in."""

    id: UUID


class _RoomOf:
    """A message's room, of which only the id is shown: no need to read it."""

    __slots__ = ("id",)

    def __init__(self, room_id: Any) -> None:
        self.id = room_id


@strawberry.type
class Attachment:
    """A link to a file that hangs on a message."""

    id: UUID
    media_url: str
    media_type: str = strawberry.field(metadata=keywords(enum=list(MEDIA_TYPES)))
    file_size: Bytes
    mime_type: str = strawberry.field(metadata=keywords(enum=list(MIME_TYPES)))
    caption: str | None = strawberry.field(description=TEXT)
    metadata: JSONObject


@strawberry.type
class ReadReceipt:
    """That a member has read a message."""

    reader: UserRef
    read_at: Timestamp


@strawberry.type
class Reaction:
    """What a member thinks of a message."""

    id: UUID
    user: UserRef
    reaction_content: str = strawberry.field(description=TEXT)
    created_at: Timestamp


def _room_of(root: AbstractMessage) -> RoomReference:
    return _RoomOf(root.room_id)  # type: ignore[return-value]


def _content(root: AbstractMessage) -> str:
    return "" if root.is_deleted else root.content


def _delivered_to(root: AbstractMessage) -> list[str]:
    return relations_of(root).delivered_to


def _read_receipts(root: AbstractMessage) -> list[ReadReceiptRef]:
    return relations_of(root).read_receipts


def _reactions(root: AbstractMessage) -> list[ReactionRef]:
    return relations_of(root).reactions


def _attachments(root: AbstractMessage) -> list[AttachmentRef]:
    return [] if root.is_deleted else relations_of(root).attachments


def _parent_message(root: AbstractMessage) -> Optional[QuotedMessageRef]:
    return relations_of(root).parent_message  # type: ignore[return-value]


def _forwarded_from(root: AbstractMessage) -> Optional[QuotedMessageRef]:
    return relations_of(root).forwarded_from  # type: ignore[return-value]


def _nothing(root: Any) -> Optional[QuotedMessageRef]:
    return None


@strawberry.type
class QuotedMessage:
    """A message inside another: the one that is answered, or passed on."""

    id: UUID
    room: RoomReference = derived(_room_of)
    sender: UserRef
    content: str = derived(_content, HTML)
    is_deleted: bool
    is_edited: bool
    is_forwarded: bool
    forwarded_from: Optional[QuotedMessageRef] = derived(
        _nothing, "Always null: quotes nest one level.", keywords(type="null")
    )
    parent_message: Optional[QuotedMessageRef] = derived(
        _nothing, "Always null: quotes nest one level.", keywords(type="null")
    )
    delivered_to: list[str] = derived(_delivered_to)
    read_receipts: list[ReadReceiptRef] = derived(_read_receipts)
    reactions: list[ReactionRef] = derived(_reactions)
    attachments: list[AttachmentRef] = derived(_attachments)
    created_at: Timestamp
    updated_at: Timestamp


@strawberry.type
class Message:
    """What a member wrote in a room, and what others did with it."""

    id: UUID
    room: RoomReference = derived(_room_of)
    sender: UserRef
    content: str = derived(_content, HTML)
    is_deleted: bool
    is_edited: bool
    is_forwarded: bool
    forwarded_from: Optional[QuotedMessageRef] = derived(_forwarded_from)
    parent_message: Optional[QuotedMessageRef] = derived(_parent_message)
    delivered_to: list[str] = derived(_delivered_to)
    read_receipts: list[ReadReceiptRef] = derived(_read_receipts)
    reactions: list[ReactionRef] = derived(_reactions)
    attachments: list[AttachmentRef] = derived(_attachments)
    created_at: Timestamp
    updated_at: Timestamp


@strawberry.type
class Notification:
    """A message or a reaction that waits for the user."""

    id: UUID
    notification_type: str = strawberry.field(metadata=keywords(enum=NotificationType.values))
    message: MessageRef


@strawberry.type
class RoomNotifications:
    """What waits for the user in one room."""

    room_id: UUID
    notifications: list[Annotated["Notification", strawberry.lazy(_MODULE)]]


@strawberry.type
class RoomProperty:
    """What the members of a room agreed on for it."""

    preferences: JSONObject


def _users(memberships: list[Membership]) -> list[UserRef]:
    return [membership.user for membership in memberships]  # type: ignore[misc]


def members(root: AbstractRoom) -> list[UserRef]:
    """Return the members of a room: the resolver of its `participants` or `subscribers`."""
    return _users(members_of(root))


def leaders(root: AbstractRoom) -> list[UserRef]:
    """Return those who lead a room: the resolver of its `admins` or `moderators`."""
    role = root.rules.leader_role
    return _users([membership for membership in members_of(root) if membership.role == role])


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
    avatar: str | None
    creator: Optional[UserRef]
    participants: list[UserRef] = derived(members)
    admins: list[UserRef] = derived(leaders)
    max_participants: int
    join_approval_required: bool
    group_locked: bool


@strawberry.type
class Channel(Room):
    """A channel whose moderators write and whose subscribers read."""

    is_type_of = is_of(ChannelRules.name)
    type: str = named(ChannelRules.name)
    name: str = strawberry.field(description=TEXT)
    description: str | None = strawberry.field(description=TEXT)
    avatar: str | None
    creator: Optional[UserRef]
    subscribers: list[UserRef] = derived(members)
    moderators: list[UserRef] = derived(leaders)
    max_subscribers: int
    is_public: bool


@strawberry.interface
class RoomSummary:
    """A room in the list of a user's rooms."""

    type: str
    id: UUID
    created_at: Timestamp
    updated_at: Timestamp
    last_message: Optional[MessageRef]
    unread_count: int


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
    avatar: str | None
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
    avatar: str | None
    creator: Optional[UserRef]
    max_subscribers: int
    is_public: bool


@strawberry.type
class MessageList:
    """Messages of one room."""

    room_id: UUID
    messages: list[MessageRef]


def _page_data(root: Any) -> Any:
    return root


@strawberry.type
class MessagePage:
    """A page of a room's messages, the newest first."""

    has_next: bool
    has_previous: bool
    next_page_number: int | None
    prev_page_number: int | None
    page: int | None
    size: int
    data: MessageList = derived(_page_data)


@strawberry.type
class NotificationList:
    """Notifications, whatever their rooms."""

    notifications: list[Annotated["Notification", strawberry.lazy(_MODULE)]]


@strawberry.type
class NotificationPage:
    """A page of what waits for the user, the newest first."""

    has_next: bool
    has_previous: bool
    size: int
    data: NotificationList = derived(_page_data)


@strawberry.type
class Position:
    """Where a stream stands for the user."""

    stream: str
    seq: int
    joined_seq: int

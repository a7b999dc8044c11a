"""Messages in the schema: what they show, what clients send of them, and what is told of them."""

from typing import Any, Optional
from uuid import UUID

import strawberry

from .. import events
from ..errors import Invalid
from ..models import MEDIA_TYPES, MIME_TYPES, AbstractMessage
from ..models.cuts import FEATURE, shown_receipts
from ..models.messages import CAPTION_LENGTH, CLIENT_ID_LENGTH
from ..models.relations import relations_of
from ..prepared.counts import counted
from ..prepared.fields import derived
from .context import Info
from .descriptions import HTML, JSON, TEXT, TEXTS, URL
from .inputs import (
    COUNTED,
    FROM_ONE,
    FROM_ZERO,
    LINK,
    MediaRef,
    MessageEditRef,
    MessageFieldsRef,
    given,
    max_media,
    unset,
)
from .json_schema import keywords
from .mentions import Mentions, MentionsInput, mentions_of, said_of
from .parts import brought_by
from .payloads import always, tells
from .references import (
    AttachmentRef,
    MessageRef,
    QuotedMessageRef,
    ReactionRef,
    ReadReceiptRef,
    UserRef,
)
from .scalars import Bytes, JSONObject, Timestamp, UserID
from .users import sender


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
    media_url: str = strawberry.field(description=URL)
    media_type: str = strawberry.field(metadata=keywords(enum=list(MEDIA_TYPES)))
    file_size: Bytes
    mime_type: str = strawberry.field(metadata=keywords(enum=list(MIME_TYPES)))
    caption: str | None = strawberry.field(description=TEXT)
    metadata: JSONObject = strawberry.field(description=JSON)


def _room_of(root: AbstractMessage) -> RoomReference:
    return _RoomOf(root.room_id)  # type: ignore[return-value]


def _content(root: AbstractMessage) -> str:
    return "" if root.is_deleted else root.content


def _delivered_to(root: AbstractMessage) -> list[str]:
    return shown_receipts(relations_of(root).delivered_to)


def _read_receipts(root: AbstractMessage) -> list[ReadReceiptRef]:
    return shown_receipts(relations_of(root).read_receipts)


def _reactions(root: AbstractMessage) -> list[ReactionRef]:
    return shown_receipts(relations_of(root).reactions)


def _count_deliveries(root: AbstractMessage) -> int:
    relations = relations_of(root)
    return relations.more_deliveries + len(relations.delivered_to)


def _count_receipts(root: AbstractMessage) -> int:
    relations = relations_of(root)
    return relations.more_receipts + len(relations.read_receipts)


def _count_reactions(root: AbstractMessage) -> int:
    relations = relations_of(root)
    return relations.more_reactions + len(relations.reactions)


def _count(read: Any, noun: str) -> Any:
    """Return a field for how many there are of what a list shows the newest of."""
    return derived(read, metadata={**brought_by(noun, FEATURE), **FROM_ZERO})


def _attachments(root: AbstractMessage) -> list[AttachmentRef]:
    return [] if root.is_deleted else relations_of(root).attachments


def _parent_message(root: AbstractMessage) -> Optional[QuotedMessageRef]:
    return None if root.is_deleted else relations_of(root).parent_message  # type: ignore[return-value]


def _forwarded_from(root: AbstractMessage) -> Optional[QuotedMessageRef]:
    return None if root.is_deleted else relations_of(root).forwarded_from  # type: ignore[return-value]


def _nothing(root: Any) -> Optional[QuotedMessageRef]:
    return None


@strawberry.type
class QuotedRoom:
    """Which room a quoted message stands in; null for a forward's source from another room."""

    id: UUID | None


def _quoted_room(root: AbstractMessage) -> QuotedRoom:
    return _RoomOf(root.room_id)  # type: ignore[return-value]


@strawberry.type
class QuotedMessage:
    """A message inside another: the one that is answered, or passed on."""

    id: UUID
    room: QuotedRoom = derived(_quoted_room)
    sender: UserRef = derived(sender)
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
    delivered_to: list[str] = derived(_delivered_to, TEXTS, metadata=brought_by("receipts"))
    read_receipts: list[ReadReceiptRef] = derived(_read_receipts, metadata=brought_by("receipts"))
    reactions: list[ReactionRef] = derived(_reactions, metadata=brought_by("reactions"))
    delivered_to_count: int = _count(_count_deliveries, "receipts")
    read_receipts_count: int = _count(_count_receipts, "receipts")
    reactions_count: int = _count(_count_reactions, "reactions")
    attachments: list[AttachmentRef] = derived(_attachments)
    mentions: Mentions = derived(mentions_of, metadata=brought_by("mentions"))
    created_at: Timestamp
    updated_at: Timestamp


@strawberry.type
class Message:
    """What a member wrote in a room, and what others did with it."""

    id: UUID
    room: RoomReference = derived(_room_of)
    sender: UserRef = derived(sender)
    content: str = derived(_content, HTML)
    is_deleted: bool
    is_edited: bool
    is_forwarded: bool
    forwarded_from: Optional[QuotedMessageRef] = derived(_forwarded_from)
    parent_message: Optional[QuotedMessageRef] = derived(_parent_message)
    delivered_to: list[str] = derived(_delivered_to, TEXTS, metadata=brought_by("receipts"))
    read_receipts: list[ReadReceiptRef] = derived(_read_receipts, metadata=brought_by("receipts"))
    reactions: list[ReactionRef] = derived(_reactions, metadata=brought_by("reactions"))
    delivered_to_count: int = _count(_count_deliveries, "receipts")
    read_receipts_count: int = _count(_count_receipts, "receipts")
    reactions_count: int = _count(_count_reactions, "reactions")
    attachments: list[AttachmentRef] = derived(_attachments)
    mentions: Mentions = derived(mentions_of, metadata=brought_by("mentions"))
    created_at: Timestamp
    updated_at: Timestamp


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
class SentMessage:
    """The result of a send: its sequence number, and for a repeat of a `client_id` the message."""

    message_id: UUID
    stream: str
    seq: int
    original: Optional[MessageRef]


# Inputs


@strawberry.input
class MediaInput:
    """A link to hang on a message."""

    media_url: str = strawberry.field(metadata=LINK)
    media_type: str = strawberry.field(metadata=keywords(enum=list(MEDIA_TYPES)))
    mime_type: str = strawberry.field(metadata=keywords(enum=list(MIME_TYPES)))
    file_size: Bytes = 0  # type: ignore[assignment]
    caption: str | None = strawberry.field(
        default=None, metadata=keywords(maxLength=CAPTION_LENGTH)
    )
    # No default of {}: graphql-core cannot write it as the answer to an introspection query.
    metadata: JSONObject | None = unset(keywords(type="object"))


@strawberry.input
class MessageFieldsInput:
    """What a message may have besides its text."""

    parent_message_id: UUID | None = None
    forwarded_from_id: UUID | None = None
    media: Optional[list[MediaRef]] = strawberry.field(default=None, metadata=counted(max_media))
    mentions: MentionsInput | None = strawberry.field(default=None, metadata=brought_by("mentions"))


@strawberry.input
class SendMessageInput:
    """A message to write."""

    room_id: UUID
    content: str = ""
    client_id: str | None = strawberry.field(
        default=None, metadata=keywords(minLength=1, maxLength=CLIENT_ID_LENGTH)
    )
    extra_fields: Optional[MessageFieldsRef] = None


@strawberry.input
class MessageEditInput:
    """What may change about a message."""

    content: str


@strawberry.input(name="MessageEditInput")
class MessageChangesInput:
    """What may change about a message where there is more to it than its text."""

    content: str | None = strawberry.UNSET
    mentions: MentionsInput | None = unset(brought_by("mentions"))


@strawberry.input
class EditMessageInput:
    """A message to change."""

    message_id: list[UUID] = strawberry.field(metadata=COUNTED)
    extra_fields: MessageEditRef


@strawberry.input
class DeleteMessagesInput:
    """Messages to delete, all of one room."""

    message_id: list[UUID] = strawberry.field(metadata=COUNTED)


@strawberry.input
class TypingInput:
    """Where the user types, or has stopped."""

    room_id: UUID
    is_typing: bool = True


@strawberry.input
class PaginateInput:
    """Which page: by its number, or from a message on."""

    size: int = strawberry.field(metadata=FROM_ONE)
    page: int | None = strawberry.field(default=None, metadata=FROM_ONE)
    before: UUID | None = None
    after: UUID | None = None


@strawberry.input
class RoomMessagesInput:
    """Which messages of a room."""

    room_id: UUID
    paginate: PaginateInput | None = None


# Operations


@strawberry.type
class MessageQueries:
    """What a user may look at."""

    @strawberry.field
    def room_messages(self, info: Info, input: RoomMessagesInput) -> MessagePage:
        """Messages of one of the user's rooms, the newest first."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        page: Any = info.context.handler.room_messages(input.room_id, **paginate)
        return page  # type: ignore[no-any-return]


@strawberry.type
class MessageMutations:
    """What a user may do."""

    @strawberry.mutation
    def send_message(self, info: Info, input: SendMessageInput) -> SentMessage:
        """Write a message into a room."""
        extra = given(input.extra_fields)
        media = [given(item) for item in extra.pop("media", None) or ()]
        mentions = said_of(extra)
        sent: Any = info.context.handler.send_message(
            input.room_id,
            input.content,
            client_id=input.client_id,
            media=media,
            parent_message_id=extra.pop("parent_message_id", None),
            forwarded_from_id=extra.pop("forwarded_from_id", None),
            fields=extra,
            **mentions,
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
        for name in ("content", "mentions"):
            if fields.get(name, "") is None:
                raise Invalid({f"extra_fields.{name}": "This field must not be null."})
        mentions = said_of(fields)
        content = fields.pop("content", None)
        message: Any = info.context.handler.edit_message(
            input.message_id[0], content, fields, **mentions
        )
        return message  # type: ignore[no-any-return]

    @strawberry.mutation
    def delete_messages(self, info: Info, input: DeleteMessagesInput) -> list[UUID]:
        """Delete messages of one room: the user's own, or what the user may delete of others."""
        return info.context.handler.delete_messages(input.message_id)

    @strawberry.mutation
    def type_in(self, info: Info, input: TypingInput) -> bool:
        """Tell a room that the user types, or has stopped."""
        info.context.handler.type_in(input.room_id, is_typing=input.is_typing)
        return True


# Events


@strawberry.type
class MessageSent:
    """A member wrote a message."""

    is_type_of = tells(events.MessageSent)
    message: MessageRef


@strawberry.type
class MessageEdited:
    """A sender changed a message."""

    is_type_of = tells(events.MessageEdited)
    status: str = always("successful")
    action: str = always("update")
    message: MessageRef


@strawberry.type
class MessagesDeleted:
    """Messages of the room are deleted."""

    is_type_of = tells(events.MessagesDeleted)
    status: str = always("successful")
    action: str = always("delete")
    message_ids: list[UUID]
    deleted_by: str = strawberry.field(
        description="The name of the user who deleted them; `system` if no member did.",
        metadata=brought_by("erasure"),
    )


@strawberry.type
class Typing:
    """A member types, or has stopped."""

    is_type_of = tells(events.Typing)
    username: str = strawberry.field(description=TEXT)
    user_id: UserID
    room_id: UUID
    is_typing: bool


QUERIES: tuple[type, ...] = (MessageQueries,)
MUTATIONS: tuple[type, ...] = (MessageMutations,)
EVENTS: tuple[type, ...] = (
    MessageSent,
    MessageEdited,
    MessagesDeleted,
    Typing,
)

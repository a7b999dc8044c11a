"""What subscribers receive: one type for each event of `gql_chat.events`, of the same name."""

from typing import TYPE_CHECKING, Annotated, Any, Union
from uuid import UUID

import strawberry
from django.core.exceptions import ImproperlyConfigured
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import get_object_definition

from .. import events
from ..conf import SETTING, chat_settings
from .json_schema import keywords
from .scalars import UserID
from .stored import Stored
from .types import MessageRef, Room


def _is(event: type[events.Event]) -> Any:
    """Return the test by which an event finds its type in the schema."""

    def is_type_of(cls: type, obj: Any, info: Any) -> bool:
        return isinstance(obj, event) or (isinstance(obj, Stored) and obj.kind == event.__name__)

    return classmethod(is_type_of)


def _always(value: str) -> Any:
    """Return a field that has this value in every event of its type."""
    return strawberry.field(metadata=keywords(const=value))


@strawberry.type
class MessageSent:
    """A member wrote a message."""

    is_type_of = _is(events.MessageSent)
    message: MessageRef


@strawberry.type
class MessagesDelivered:
    """Messages of the user's arrived at a member."""

    is_type_of = _is(events.MessagesDelivered)
    messages: list[MessageRef]


@strawberry.type
class MessagesRead:
    """A member read messages of the room."""

    is_type_of = _is(events.MessagesRead)
    messages: list[MessageRef]


@strawberry.type
class MessageReacted:
    """A member reacted to a message (`add`), or took a reaction back (`remove`)."""

    is_type_of = _is(events.MessageReacted)
    status: str = _always("successful")
    type: str = strawberry.field(metadata=keywords(enum=["add", "remove"]))
    message: MessageRef


@strawberry.type
class MessageEdited:
    """A sender changed a message."""

    is_type_of = _is(events.MessageEdited)
    status: str = _always("successful")
    action: str = _always("update")
    message: MessageRef


@strawberry.type
class MessagesDeleted:
    """A sender deleted messages of the room."""

    is_type_of = _is(events.MessagesDeleted)
    status: str = _always("successful")
    action: str = _always("delete")
    message_ids: list[UUID]


@strawberry.type
class Typing:
    """A member types, or has stopped."""

    is_type_of = _is(events.Typing)
    username: str
    user_id: UserID
    room_id: UUID
    is_typing: bool


@strawberry.type
class RoomCreated:
    """A room came into being, and the user is in it."""

    is_type_of = _is(events.RoomCreated)
    room: Room


@strawberry.type
class RoomUpdated:
    """A room, its roles or its permissions changed."""

    is_type_of = _is(events.RoomUpdated)
    room: Room


@strawberry.type
class RoomDeleted:
    """A room is gone."""

    is_type_of = _is(events.RoomDeleted)
    room_id: UUID


@strawberry.type
class RoomExited:
    """The user is no longer in the room."""

    is_type_of = _is(events.RoomExited)
    room: Room
    message: str


@strawberry.type
class MembersAdded:
    """Users came into the room."""

    is_type_of = _is(events.MembersAdded)
    room: Room
    new_members: list[str]
    added_by: str


@strawberry.type
class MembersRemoved:
    """Users went out of the room."""

    is_type_of = _is(events.MembersRemoved)
    room: Room
    removed_members: list[str]
    removed_by: str


EVENTS: tuple[type, ...] = (
    MessageSent,
    MessagesDelivered,
    MessagesRead,
    MessageReacted,
    MessageEdited,
    MessagesDeleted,
    Typing,
    RoomCreated,
    RoomUpdated,
    RoomDeleted,
    RoomExited,
    MembersAdded,
    MembersRemoved,
)
"""The events of the package."""

if TYPE_CHECKING:
    ChatEvent = events.Event
else:
    # The union of all events, the project's own among them (`build_union`), by reference.
    ChatEvent = Annotated["ChatEvent", strawberry.lazy("gql_chat.schema.serializers")]


def own_events() -> tuple[type[events.Event], ...]:
    """Return the events of the project's own: `events` of its `EVENT_HANDLER_CLASS`.

    Raises:
        ImproperlyConfigured: one is no Strawberry type, no `Event`, or has a name that is taken.
    """
    own: tuple[type[events.Event], ...] = tuple(chat_settings.load("EVENT_HANDLER_CLASS").events)
    names = [event.__name__ for event in EVENTS]
    for event in own:
        definition = get_object_definition(event)
        problem = None
        if definition is None or not issubclass(event, events.Event):
            problem = "derive it from gql_chat.events.Event and decorate it with @strawberry.type"
        elif definition.name != event.__name__:
            problem = "give the type in the schema the name of the class"
        elif event.__name__ in names:
            problem = "there is an event of that name: choose another"
        if problem is not None:
            raise ImproperlyConfigured(
                f"{event!r} in `events` of {SETTING}['EVENT_HANDLER_CLASS'] cannot be used: "
                f"{problem}."
            )
        names.append(event.__name__)
    return own


def build_union() -> Any:
    """Return the union of all events."""
    own = own_events()
    for event in own:
        # By what an event of the package finds its type, one of the project's does.
        get_object_definition(event, strict=True).is_type_of = _is(event).__get__(None, event)
    members: Any = Union[(*EVENTS, *own)]
    named = strawberry.union("ChatEvent", description="Anything that happens.")
    return StrawberryAnnotation(Annotated[members, named]).resolve()

"""Every chat operation: check, write, make the typed event; one transaction each."""

from typing import ClassVar

from ..events import Event
from .base import Operations
from .broadcasts import BroadcastOperations
from .member_pages import MemberPageOperations
from .members import MemberOperations
from .mentions import MentionOperations
from .messages import MessageOperations, Sent
from .notifications import NotificationOperations
from .pages import Page, PageOperations
from .people import PeopleOperations
from .pins import PinOperations
from .preferences import PreferenceOperations
from .presence import PresenceOperations
from .reactions import ReactionOperations
from .read_markers import ReadMarkerOperations
from .receipts import ReceiptOperations
from .room_pages import RoomPageOperations
from .rooms import RoomOperations
from .saves import SaveOperations
from .sessions import SessionOperations


class EventHandler(
    MessageOperations,
    ReactionOperations,
    ReceiptOperations,
    PinOperations,
    SaveOperations,
    RoomPageOperations,
    ReadMarkerOperations,
    RoomOperations,
    MemberOperations,
    PageOperations,
    NotificationOperations,
    MemberPageOperations,
    PeopleOperations,
    SessionOperations,
    PresenceOperations,
    MentionOperations,
    PreferenceOperations,
    BroadcastOperations,
):
    """All operations on behalf of one user. A project subclasses it (`EVENT_HANDLER_CLASS`).

    Attributes:
        events: types of events of the project's own: Strawberry types that derive from
            `gql_chat.events.Event`. They are in the schema, so `send_to_room` and
            `send_to_users` can send them.
        mutations, queries: Strawberry types whose fields the schema has besides its own. Their
            resolvers find this handler in `info.context.handler`.
    """

    events: ClassVar[tuple[type[Event], ...]] = ()
    mutations: ClassVar[tuple[type, ...]] = ()
    queries: ClassVar[tuple[type, ...]] = ()


__all__ = ["EventHandler", "Operations", "Page", "Sent"]

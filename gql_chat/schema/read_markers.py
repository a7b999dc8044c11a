"""Read markers in the schema: how far members have read, and what a user has not read."""

from typing import Any
from uuid import UUID

import strawberry

from .. import events
from ..models import AbstractRoom
from ..models.cuts import shown_members
from ..models.read_markers import marker_of
from ..models.relations import members_of
from ..prepared.fields import derived
from .context import Info
from .descriptions import TEXT
from .json_schema import keywords
from .payloads import tells
from .scalars import Timestamp, UserID
from .users import username

COUNT = keywords(minimum=0)


def _user_id(root: Any) -> UserID:
    return root.membership.user_id  # type: ignore[no-any-return]


@strawberry.type
class ReadMarker:
    """How far a member has read, as the members are told."""

    user_id: UserID = derived(_user_id)
    up_to: UUID
    read_at: Timestamp


def read_markers(root: AbstractRoom) -> list[ReadMarker]:
    """Return how far the members of a room have read: the resolver of its `read_markers`."""
    found = map(marker_of, shown_members(members_of(root)))
    return [marker for marker in found if marker is not None]  # type: ignore[misc]


@strawberry.type
class Reader:
    """A user who has read."""

    id: UserID = derived(lambda root: root.pk)
    username: str = derived(username, TEXT)


@strawberry.type
class UnreadTotals:
    """What the user has not read in all rooms."""

    rooms: int = strawberry.field(
        description="Rooms in which something waits, muted ones aside.", metadata=COUNT
    )
    messages: int = strawberry.field(
        description="Unread messages, those of muted rooms aside.", metadata=COUNT
    )
    mentions: int = strawberry.field(
        description="Unread messages that mention the user.", metadata=COUNT
    )
    muted: int = strawberry.field(description="Unread messages of muted rooms.", metadata=COUNT)


@strawberry.type
class RoomUnread:
    """What the user has not read in a room."""

    room_id: UUID
    unread_count: int = strawberry.field(metadata=COUNT)
    mention_count: int = strawberry.field(metadata=COUNT)
    more: bool = strawberry.field(description="Whether more are unread than were counted.")
    first_unread: UUID | None
    marked: bool = strawberry.field(
        description="Whether the user has marked the room as unread, whatever receipts say."
    )
    as_of: int = strawberry.field(
        description="The sequence number of the room's stream under which this was counted.",
        metadata=COUNT,
    )


@strawberry.type
class UnreadList:
    """Rooms in which something waits for the user."""

    rooms: list[RoomUnread]
    totals: UnreadTotals


# Inputs


@strawberry.input
class ReadRoomInput:
    """Up to where a room has been read."""

    room_id: UUID
    up_to: UUID | None = strawberry.field(
        default=None, description="A message; the newest if it is left out."
    )
    private: bool = strawberry.field(default=False, description="Whether nobody else is told.")


@strawberry.input
class MarkUnreadInput:
    """From where on a room shall be unread."""

    room_id: UUID
    from_: UUID = strawberry.field(name="from", description="A message of the room.")


@strawberry.input
class UnreadInput:
    """Whether one room alone is wanted, even if nothing waits there."""

    room_id: UUID | None = None


# Operations


@strawberry.type
class ReadMarkerQueries:
    """What a user may look at."""

    @strawberry.field
    def unread_list(self, info: Info, input: UnreadInput) -> UnreadList:
        """Rooms in which something waits for the user, the most recently active first."""
        unread: Any = info.context.handler.list_unread(input.room_id)
        return unread  # type: ignore[no-any-return]


@strawberry.type
class ReadMarkerMutations:
    """What a user may do."""

    @strawberry.mutation
    def read_room(self, info: Info, input: ReadRoomInput) -> bool:
        """Note that the user has read a room up to a message."""
        info.context.handler.read_room(input.room_id, up_to=input.up_to, private=input.private)
        return True

    @strawberry.mutation
    def mark_unread(self, info: Info, input: MarkUnreadInput) -> bool:
        """Mark a room as unread from a message on."""
        info.context.handler.mark_unread(input.room_id, input.from_)
        return True


# Events


@strawberry.type
class RoomRead:
    """A member has read the room up to a message."""

    is_type_of = tells(events.RoomRead)
    room_id: UUID
    user: Reader
    up_to: UUID
    read_at: Timestamp


@strawberry.type
class UnreadChanged(RoomUnread):
    """The user has read a room, or marked it as unread, on one of their devices."""

    is_type_of = tells(events.UnreadChanged)
    totals: UnreadTotals


QUERIES: tuple[type, ...] = (ReadMarkerQueries,)
MUTATIONS: tuple[type, ...] = (ReadMarkerMutations,)
EVENTS: tuple[type, ...] = (RoomRead, UnreadChanged)

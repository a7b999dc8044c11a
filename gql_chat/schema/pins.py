"""Pins in the schema."""

from typing import Any
from uuid import UUID

import strawberry

from .. import events
from ..prepared.fields import derived
from .context import Info
from .descriptions import TEXT
from .inputs import FROM_ONE
from .json_schema import keywords
from .payloads import always, tells
from .references import MessageRef
from .scalars import Timestamp

_UNTIL = "When the pin ends; null for never."


@strawberry.type
class Pin:
    """A message that is pinned in its room."""

    message: MessageRef
    pinned_by: str = strawberry.field(description=TEXT)
    pinned_at: Timestamp
    until: Timestamp | None = strawberry.field(description=_UNTIL)


def _rows(root: Any) -> list[Pin]:
    rows: list[Pin] = root.rows
    return rows


@strawberry.type
class PinList:
    """Pins of one room."""

    room_id: UUID
    pins: list[Pin] = derived(_rows)


def _page_data(root: Any) -> Any:
    return root


@strawberry.type
class PinPage:
    """A page of the pins of a room, those that were pinned last first."""

    has_next: bool
    has_previous: bool
    size: int
    data: PinList = derived(_page_data)


# Inputs


@strawberry.input
class PinMessageInput:
    """A message to pin."""

    message_id: UUID
    until: Timestamp | None = None


@strawberry.input
class UnpinMessageInput:
    """A message to take the pin off."""

    message_id: UUID


@strawberry.input
class PinPaginateInput:
    """Which page: the newest pins, or those before that of a message."""

    size: int = strawberry.field(metadata=FROM_ONE)
    before: UUID | None = None


@strawberry.input
class RoomPinsInput:
    """Which pins of a room."""

    room_id: UUID
    paginate: PinPaginateInput | None = None


# Operations


@strawberry.type
class PinQueries:
    """What a user may look at."""

    @strawberry.field
    def room_pins(self, info: Info, input: RoomPinsInput) -> PinPage:
        """The pinned messages of one of the user's rooms."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        page: Any = info.context.handler.room_pins(input.room_id, **paginate)
        return page  # type: ignore[no-any-return]


@strawberry.type
class PinMutations:
    """What a user may do."""

    @strawberry.mutation
    def pin_message(self, info: Info, input: PinMessageInput) -> bool:
        """Pin a message in its room."""
        info.context.handler.pin_message(input.message_id, input.until)
        return True

    @strawberry.mutation
    def unpin_message(self, info: Info, input: UnpinMessageInput) -> bool:
        """Take a pin off."""
        info.context.handler.unpin_message(input.message_id)
        return True


# Events


@strawberry.type
class MessagePinned:
    """A member pinned a message (`pin`), or took a pin off (`unpin`)."""

    is_type_of = tells(events.MessagePinned)
    status: str = always("successful")
    action: str = strawberry.field(metadata=keywords(enum=["pin", "unpin"]))
    message: MessageRef
    pinned_by: str = strawberry.field(description=TEXT)
    pinned_at: Timestamp
    until: Timestamp | None = strawberry.field(description=_UNTIL)


QUERIES: tuple[type, ...] = (PinQueries,)
MUTATIONS: tuple[type, ...] = (PinMutations,)
EVENTS: tuple[type, ...] = (MessagePinned,)

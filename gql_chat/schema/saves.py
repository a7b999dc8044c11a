"""Saved messages in the schema."""

from typing import Any
from uuid import UUID

import strawberry

from .. import events
from ..prepared.fields import derived
from .context import Info
from .inputs import FROM_ONE
from .json_schema import keywords
from .payloads import always, tells
from .references import MessageRef
from .scalars import Timestamp


@strawberry.type
class SavedMessage:
    """A message that the user has saved."""

    message: MessageRef
    saved_at: Timestamp


def _rows(root: Any) -> list[SavedMessage]:
    rows: list[SavedMessage] = root.rows
    return rows


@strawberry.type
class SavedList:
    """Saved messages, whatever their rooms."""

    saved: list[SavedMessage] = derived(_rows)


def _page_data(root: Any) -> Any:
    return root


@strawberry.type
class SavedPage:
    """A page of what the user has saved, what was saved last first."""

    has_next: bool
    has_previous: bool
    size: int
    data: SavedList = derived(_page_data)


# Inputs


@strawberry.input
class SaveMessageInput:
    """A message to save."""

    message_id: UUID


@strawberry.input
class UnsaveMessageInput:
    """A message that shall be saved no more."""

    message_id: UUID


@strawberry.input
class SavedPaginateInput:
    """Which page: what was saved last, or what was saved before a message."""

    size: int = strawberry.field(metadata=FROM_ONE)
    before: UUID | None = None


@strawberry.input
class SavedMessagesInput:
    """Which of the saved messages."""

    paginate: SavedPaginateInput | None = None


# Operations


@strawberry.type
class SaveQueries:
    """What a user may look at."""

    @strawberry.field
    def saved_messages(self, info: Info, input: SavedMessagesInput) -> SavedPage:
        """What the user has saved, what was saved last first."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        page: Any = info.context.handler.saved_messages(**paginate)
        return page  # type: ignore[no-any-return]


@strawberry.type
class SaveMutations:
    """What a user may do."""

    @strawberry.mutation
    def save_message(self, info: Info, input: SaveMessageInput) -> bool:
        """Save a message for oneself."""
        info.context.handler.save_message(input.message_id)
        return True

    @strawberry.mutation
    def unsave_message(self, info: Info, input: UnsaveMessageInput) -> bool:
        """Forget that a message is saved."""
        info.context.handler.unsave_message(input.message_id)
        return True


# Events


@strawberry.type
class MessageSaved:
    """The user saved a message (`save`), or does not keep it any more (`unsave`)."""

    is_type_of = tells(events.MessageSaved)
    status: str = always("successful")
    action: str = strawberry.field(metadata=keywords(enum=["save", "unsave"]))
    message: MessageRef
    saved_at: Timestamp


QUERIES: tuple[type, ...] = (SaveQueries,)
MUTATIONS: tuple[type, ...] = (SaveMutations,)
EVENTS: tuple[type, ...] = (MessageSaved,)

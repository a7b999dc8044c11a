"""Receipts in the schema: that messages have arrived, and that they were read."""

from uuid import UUID

import strawberry

from .. import events
from .context import Info
from .inputs import COUNTED
from .payloads import tells
from .references import MessageRef, UserRef
from .scalars import Timestamp


@strawberry.type
class ReadReceipt:
    """That a member has read a message."""

    reader: UserRef
    read_at: Timestamp


# Inputs


@strawberry.input
class AcknowledgeInput:
    """Messages that have arrived."""

    message_id: list[UUID] = strawberry.field(metadata=COUNTED)


@strawberry.input
class ReadInput:
    """Messages that have been read."""

    message_id: list[UUID] = strawberry.field(metadata=COUNTED)
    once: bool = strawberry.field(
        default=False, description="Whether having read one before is an error."
    )


# Operations


@strawberry.type
class ReceiptMutations:
    """What a user may do."""

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


# Events


@strawberry.type
class MessagesDelivered:
    """Messages of the user's arrived at a member."""

    is_type_of = tells(events.MessagesDelivered)
    messages: list[MessageRef]


@strawberry.type
class MessagesRead:
    """A member read messages of the room."""

    is_type_of = tells(events.MessagesRead)
    messages: list[MessageRef]


QUERIES: tuple[type, ...] = ()
MUTATIONS: tuple[type, ...] = (ReceiptMutations,)
EVENTS: tuple[type, ...] = (
    MessagesDelivered,
    MessagesRead,
)

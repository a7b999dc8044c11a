"""Reactions in the schema."""

from uuid import UUID

import strawberry

from .. import events
from ..models.receipts import REACTION_LENGTH
from .context import Info
from .descriptions import TEXT
from .json_schema import keywords
from .payloads import always, tells
from .references import MessageRef, UserRef
from .scalars import Timestamp


@strawberry.type
class Reaction:
    """What a member thinks of a message."""

    id: UUID
    user: UserRef
    reaction_content: str = strawberry.field(description=TEXT)
    created_at: Timestamp


# Inputs


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


# Operations


@strawberry.type
class ReactionMutations:
    """What a user may do."""

    @strawberry.mutation
    def add_reaction(self, info: Info, input: AddReactionInput) -> bool:
        """React to a message, in place of an earlier reaction."""
        info.context.handler.add_reaction(input.message_id, input.reaction_content)
        return True

    @strawberry.mutation
    def remove_reaction(self, info: Info, input: RemoveReactionInput) -> bool:
        """Take a reaction back."""
        info.context.handler.remove_reaction(input.message_id, input.reaction_content)
        return True


# Events


@strawberry.type
class MessageReacted:
    """A member reacted to a message (`add`), or took a reaction back (`remove`)."""

    is_type_of = tells(events.MessageReacted)
    status: str = always("successful")
    type: str = strawberry.field(metadata=keywords(enum=["add", "remove"]))
    message: MessageRef


QUERIES: tuple[type, ...] = ()
MUTATIONS: tuple[type, ...] = (ReactionMutations,)
EVENTS: tuple[type, ...] = (MessageReacted,)

"""Reactions to messages."""

from __future__ import annotations

from typing import Any

from .. import streams
from ..errors import Conflict, Invalid, NotFound
from ..events import MessageReacted
from ..models import AbstractMessage, get_model
from ..models.receipts import REACTION_LENGTH
from .base import Operations, operation


class ReactionOperations(Operations):
    """A user's one reaction per message."""

    @operation
    def add_reaction(self, message_id: Any, reaction_content: str) -> AbstractMessage:
        """React to a message, in place of an earlier reaction, and tell the members.

        Raises:
            NotFound: there is no such message.
            PermissionDenied: the user is not in its room.
            Conflict: the user has reacted with the same content already.
            Invalid: the content is empty or too long, or the message is deleted.
        """
        _check_content(reaction_content)
        with streams.transaction() as outbox:
            message = self._find(message_id)
            present, others = self._divide(message.relations.reactions)
            if any(reaction.reaction_content == reaction_content for reaction in present):
                raise Conflict("You have reacted to this message in the same way already.")
            reaction = get_model("Reaction")(
                message=message,
                user=self.user,
                reaction_content=reaction_content,
            )
            reaction.earlier = present
            reaction.save(force_insert=True)
            message.relations.reactions = [*others, reaction]
            outbox.broadcast(message.room, MessageReacted("add", message))
        return message

    @operation
    def remove_reaction(self, message_id: Any, reaction_content: str | None) -> AbstractMessage:
        """Take the user's reaction back and tell the members.

        Args:
            message_id: the message.
            reaction_content: which reaction; None for whichever there is.

        Raises:
            NotFound: there is no such message, or no such reaction.
            PermissionDenied: the user is not in the message's room.
            Invalid: the content is empty or too long, or the message is deleted.
        """
        if reaction_content is not None:
            _check_content(reaction_content)
        with streams.transaction() as outbox:
            message = self._find(message_id)
            present, message.relations.reactions = self._divide(message.relations.reactions)
            if not any(reaction_content in (None, each.reaction_content) for each in present):
                raise NotFound("You have not reacted to this message in this way.")
            for reaction in present:
                reaction.delete()
            get_model("ChatNotification").objects.delete_for_reaction(message.pk, self.user_id)
            outbox.broadcast(message.room, MessageReacted("remove", message))
        return message

    def _find(self, message_id: Any) -> AbstractMessage:
        """Return a message with all that its frame shows: the reactions are at hand with it."""
        message: AbstractMessage
        (message,) = self.find_messages([message_id])
        self.load([message])
        if message.is_deleted:
            raise Invalid("This message is deleted.")
        return message

    def _divide(self, reactions: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return the reactions of the user, and those of others."""
        own = [reaction for reaction in reactions if reaction.user_id == self.user_id]
        return own, [reaction for reaction in reactions if reaction.user_id != self.user_id]


def _check_content(reaction_content: str) -> None:
    if not 0 < len(reaction_content) <= REACTION_LENGTH:
        raise Invalid({"reaction_content": f"1 to {REACTION_LENGTH} characters."})

"""Saves: messages that users put aside for themselves."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Subquery

from .. import streams
from ..conf import chat_settings
from ..errors import Conflict, Invalid, NotFound
from ..events import MessageSaved
from ..models import AbstractMessage, Membership
from ..models.accounts import as_shown
from ..models.relations import load_messages
from ..models.saves import SavedMessage
from ..models.visibility import hide_quotes, members_who_see, visible_from
from ..nouns import has_feature
from .base import Operations, operation, primary
from .features import need
from .listings import Listing, find_size, read_listing
from .uses import check_use


class SaveOperations(Operations):
    """Saved messages."""

    @operation
    def save_message(self, message_id: Any) -> AbstractMessage:
        """Save a message, and tell the user's own sockets.

        Raises:
            NotFound: there is no such message.
            PermissionDenied: the user is not in its room, or may not see it.
            Conflict: it is saved already.
            Invalid: it is deleted, or the user has saved `MAX_SAVED` messages.
        """
        with streams.transaction() as outbox:
            need("pins")
            message, membership = self.enter_message(message_id)
            check_use(self, "message.save", membership.room)
            if message.is_deleted:
                raise Invalid("A deleted message cannot be saved.")
            # Under the lock of the message's room: of two devices one is the first.
            mine = primary(SavedMessage.objects).filter(user_id=membership.user_id)
            if mine.filter(message_id=message.pk).exists():
                raise Conflict("You have saved this message already.")
            saved = SavedMessage(user=membership.user, message_id=message.pk)
            saved.save(force_insert=True)
            self._tell(outbox, "save", saved, message, membership)
            # Behind the lock of the user's stream, which every save takes: messages of several
            # rooms may be saved at once.
            limit = chat_settings.MAX_SAVED
            if limit is not None and mine.order_by()[: limit + 1].count() > limit:
                raise Invalid(f"At most {limit} messages may be saved.")
        return message

    @operation
    def unsave_message(self, message_id: Any) -> AbstractMessage:
        """Forget that a message is saved, and tell the user's own sockets.

        Raises:
            NotFound: there is no such message, or the user has not saved it.
            PermissionDenied: the user is not in its room, or may not see it.
        """
        with streams.transaction() as outbox:
            need("pins")
            message, membership = self.enter_message(message_id)
            check_use(self, "message.unsave", membership.room)
            mine = primary(SavedMessage.objects).filter(user_id=membership.user_id)
            saved = mine.filter(message_id=message.pk).first()
            if saved is None or message.is_deleted:
                raise NotFound("You have not saved this message.")
            saved.delete()
            self._tell(outbox, "unsave", saved, message, membership)
        return message

    def saved_messages(self, *, before: Any = None, size: int | None = None) -> Listing:
        """Return what the user has saved, what was saved last first.

        Messages of rooms that the user is not in, and hidden ones, are left out.

        Args:
            before: the id of a saved message: those that were saved before it follow.
            size: how many at most; capped at `MAX_PAGE_SIZE`.

        Raises:
            NotFound: the user has not saved `before`.
            Invalid: the size is not from 1 up.
            NotAuthenticated: the account is gone or was deactivated.
        """
        need("pins")
        size = find_size(size)
        user = check_use(self, "saved.list")
        mine = primary(SavedMessage.objects).filter(user_id=user.pk)
        cursor = None
        if before is not None:
            cursor = mine.filter(message_id=before).first()
            if cursor is None:
                raise NotFound("You have not saved such a message.")
        of_mine = Membership.objects.filter(
            members_who_see(OuterRef("message__created_at")),
            room_id=OuterRef("message__room_id"),
            user_id=user.pk,
        )
        since = Subquery(of_mine.values("visible_from" if has_feature("history") else "joined_at"))
        seen = mine.annotate(since=since).filter(since__isnull=False, message__is_deleted=False)
        rows = as_shown(seen.select_related("message", "message__sender"), "message__sender")
        return read_listing(rows, "saved_at", cursor, size, self.budget, lambda row: row.since)

    @staticmethod
    def _tell(
        outbox: streams.Outbox,
        action: str,
        saved: SavedMessage,
        message: AbstractMessage,
        membership: Membership,
    ) -> None:
        load_messages([message], {membership.user_id: membership.user})
        hide_quotes([message], {message.room_id: visible_from(membership)})
        outbox.target({membership.user_id: MessageSaved(action, message, saved.saved_at)})

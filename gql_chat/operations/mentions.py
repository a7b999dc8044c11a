"""Mentions: the messages that mention a user, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..conf import chat_settings
from ..errors import Invalid, NotFound
from ..models import AbstractMessage, get_model
from ..models.mentioned import count_first, find_newest, find_older
from ..models.relations import load_first
from ..models.visibility import hide_quotes
from ..nouns import has_feature
from .base import Operations, primary
from .sight import check_sees
from .uses import check_use


@dataclass(slots=True)
class MentionPage:
    """A page of the messages that mention a user, the newest first.

    Attributes:
        mentions: the messages, with what frames show of them; each has its `mention_kind`: `user`,
            `here` or `room`.
        has_next: whether older ones follow.
        has_previous: whether it is not the first page.
        size: how many a page holds at most.
    """

    mentions: list[AbstractMessage]
    has_next: bool
    has_previous: bool
    size: int


class MentionOperations(Operations):
    """What mentions a user."""

    def list_mentions(self, *, before: Any = None, size: int | None = None) -> MentionPage:
        """Return a page of the messages that mention the user, over all rooms, the newest first.

        Rooms that the user has left hide theirs.

        Args:
            before: the id of a message: mentions older than it follow. At one cost, however deep.
            size: how many at most; capped at `MAX_PAGE_SIZE`. They are fewer where more would be
                larger than `MAX_ANSWER_BYTES`.

        Raises:
            NotFound: there is no such message.
            PermissionDenied: it stands in a room that the user is not in.
            Invalid: the size is not from 1 up.
            NotAuthenticated: the account is gone or was deactivated.
        """
        if size is not None and size < 1:
            raise Invalid({"paginate": {"size": "A whole number from 1 up is needed."}})
        most = chat_settings.MAX_PAGE_SIZE
        size = most if size is None else min(size, most or size)
        check_use(self, "mention.list")
        place = self._find_place(before)
        limit = self.budget.find_limit()
        # One more than is shown tells whether there are more.
        count = count_first(self.user_id, None if size is None else size + 1, limit, place)
        if place is None:
            found = find_newest(self.user_id, count)
        else:
            found = find_older(self.user_id, count, place)
        fitting = found if count is None or len(found) < count else found[: count - 1]
        first = load_first(fitting, limit)
        self.budget.spend(first.weight)
        if has_feature("history"):
            hide_quotes(first.messages, {each.room_id: each.visible_from for each in fitting})
        has_next = first.count < len(found)
        return MentionPage(first.messages, has_next, before is not None, size or first.count)

    def _find_place(self, message_id: Any) -> Any:
        """Return the message that a page begins behind; None for the first page."""
        if message_id is None:
            return None
        messages = primary(get_model("Message").objects).filter(pk=message_id)
        place = messages.first()
        if place is None:
            raise NotFound("There is no such message.")
        check_sees(self, [place])
        return place

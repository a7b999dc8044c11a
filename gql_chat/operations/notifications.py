"""Notifications: what waits for a user. The rows themselves are made by signals."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ..conf import chat_settings
from ..errors import Invalid, NotFound
from ..models.pending import count_first, find_for, find_newest, find_older
from ..models.relations import load_first
from ..models.visibility import BEGINNING, hide_quotes
from ..nouns import has_feature
from .base import Operations, check_active


@dataclass(slots=True)
class NotificationPage:
    """A page of what waits for a user, the newest first.

    Attributes:
        notifications: the notifications, their messages with what frames show of them.
        has_next: whether older ones wait.
        has_previous: whether it is not the first page.
        size: how many a page holds at most.
    """

    notifications: list[Any]
    has_next: bool
    has_previous: bool
    size: int


class NotificationOperations(Operations):
    """What waits for a user."""

    def pending_notifications(self) -> dict[Any, list[Any]]:
        """Return the newest of what waits for the user, by room, the oldest first.

        They are at most `MAX_NOTIFICATIONS`, and as many as `MAX_ANSWER_BYTES` has room for;
        `list_notifications` pages the rest.
        """
        by_room: dict[Any, list[Any]] = defaultdict(list)
        if chat_settings.ENABLE_NOTIFICATION:
            size = chat_settings.MAX_NOTIFICATIONS
            limit = self.budget.find_limit()
            pending = find_newest(self.user_id, count_first(self.user_id, size, limit))
            for notification in reversed(self._load(pending, limit)):
                by_room[notification.room_id].append(notification)
        return dict(by_room)

    def list_notifications(
        self, *, before: Any = None, size: int | None = None
    ) -> NotificationPage:
        """Return a page of what waits for the user, over all rooms, the newest first.

        With `ENABLE_NOTIFICATION` off nothing waits.

        Args:
            before: the id of a notification: those older than it follow. It need not wait any
                more. At one cost, however deep.
            size: how many at most; capped at `MAX_PAGE_SIZE`. Left out, as many as a socket is
                told when it opens. They are fewer where more would be larger than
                `MAX_ANSWER_BYTES`.

        Raises:
            NotFound: there is no such notification, or it was not for the user.
            Invalid: the size is not from 1 up.
            NotAuthenticated: the account is gone or was deactivated.
        """
        if size is not None and size < 1:
            raise Invalid({"paginate": {"size": "A whole number from 1 up is needed."}})
        most = chat_settings.MAX_NOTIFICATIONS if size is None else size
        limits = (most, chat_settings.MAX_PAGE_SIZE)
        size = min((each for each in limits if each is not None), default=None)
        check_active(self.user)
        if not chat_settings.ENABLE_NOTIFICATION:
            return NotificationPage([], False, False, size or 0)
        cursor = None
        if before is not None:
            cursor = find_for(self.user_id, before)
            if cursor is None:
                raise NotFound("There is no such notification.")
        limit = self.budget.find_limit()
        # One more than is shown tells whether there are more.
        wanted = None if size is None else size + 1
        count = count_first(self.user_id, wanted, limit, cursor)
        if cursor is None:
            found = find_newest(self.user_id, count)
        else:
            found = find_older(self.user_id, count, cursor)
        fitting = found if count is None or len(found) < count else found[: count - 1]
        shown = self._load(fitting, limit)
        has_next = len(shown) < len(found)
        return NotificationPage(shown, has_next, before is not None, size or len(shown))

    def _load(self, notifications: list[Any], limit: int | None) -> list[Any]:
        """Load what frames show of notifications; return the first of them, as many as fit.

        A message that several are about is loaded once.
        """
        messages: dict[Any, Any] = {}
        for notification in notifications:
            notification.message = messages.setdefault(
                notification.message_id, notification.message
            )
        wanted = [notification.message for notification in notifications]
        first = load_first(wanted, limit, once=list(messages.values()))
        self.budget.spend(first.weight)
        shown = notifications[: first.count]
        if has_feature("history"):
            # None for a reaction in a room that the user is not in any more.
            since = {each.room_id: each.visible_from or BEGINNING for each in shown}
            hide_quotes(first.messages, since)
        return shown

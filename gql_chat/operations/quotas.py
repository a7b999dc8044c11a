"""Quotas: how many rooms a user makes, joins, and is brought into by others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, F

from .. import rates, streams
from ..conf import chat_settings
from ..errors import Invalid
from ..models import Membership
from ..sql.statements import Among, Many, Statement
from .base import Operations, locks_rows


def _count_rooms(user_ids: Any) -> Any:
    members = Membership.objects.filter(Among(F("user_id"), user_ids)).order_by()
    return members.values("user_id").annotate(count=Count("pk")).values_list("user_id", "count")


_rooms_of: Statement[Any] = Statement(_count_rooms, lambda: [Many(get_user_model()._meta.pk)])


class QuotaOperations(Operations):
    """What operations on rooms and members ask before a user gets into one more room.

    Server code has no quotas, whoever acts: a bot has a chat with each customer, and an import
    makes thousands of rooms.
    """

    def check_quotas(
        self,
        field: str,
        others: Iterable[Any] = (),
        *,
        own: str | None = None,
        entered: bool = False,
    ) -> None:
        """Refuse a room too many, for the acting user or for one who is brought into it.

        Other operations that make or join rooms for the same user wait until this transaction ends.
        So the second of two counts the room of the first.

        Args:
            field: the input's field that names the others, for errors.
            others: the ids of users who are brought into the room.
            own: the input's field that names the room, for errors, if the acting user makes or
                joins it; None if not.
            entered: whether they are all in it already, which is undone if one may not be.

        Raises:
            RateLimited: the user made or joined too many lately; `detail` says when the next may
                be.
            Invalid: the user is in too many rooms, or one of the others is.
        """
        if not self.has_quotas:
            return
        if own is not None:
            self._count_made()
        most = dict.fromkeys(others, chat_settings.MAX_ROOMS_BY_OTHERS)
        most.pop(self.user.pk, None)
        if own is not None:
            most = {self.user.pk: chat_settings.MAX_ROOMS_PER_USER, **most}
        limits = {user_id: limit for user_id, limit in most.items() if limit is not None}
        counts = dict(_rooms_of.all(list(limits))) if limits else {}
        for user_id, limit in limits.items():
            if counts.get(user_id, 0) - entered < limit:
                continue
            if user_id == self.user.pk:
                raise Invalid({own or field: f"You are in {limit} rooms: leave one first."})
            problem = f"User {user_id} is in too many rooms to be brought into another."
            raise Invalid({field: problem})

    def _count_made(self) -> None:
        rate = chat_settings.ROOM_RATE_LIMIT
        if rate is None:
            if locks_rows():
                streams.current().carrier.ahead(*rates.lock(self.user_id, rates.ROOMS))
            return
        grant = rates.take(self.user_id, rates.ROOMS, rate)
        if not grant.count:
            raise rates.too_many(grant.wait, what="rooms")

"""Listings: pages of a user's or a room's things that hang on messages, the newest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from ..conf import chat_settings
from ..errors import Invalid
from ..models.relations import load_first
from ..models.visibility import hide_quotes
from ..sizes import Budget


@dataclass(slots=True)
class Listing:
    """A page of rows, each with its `message`, the newest first.

    Attributes:
        rows: the rows, their messages with what frames show of them.
        has_next: whether there are older ones.
        has_previous: whether it is not the first page.
        size: how many a page holds at most.
        room_id: the room, if all of them are of one.
    """

    rows: list[Any]
    has_next: bool
    has_previous: bool
    size: int
    room_id: Any = None


def find_size(size: int | None) -> int | None:
    """Return how many rows a page holds at most; None for any number.

    Args:
        size: what is asked for; None for what there is.

    Raises:
        Invalid: it is not from 1 up.
    """
    if size is not None and size < 1:
        raise Invalid({"paginate": {"size": "A whole number from 1 up is needed."}})
    limits = (size, chat_settings.MAX_PAGE_SIZE)
    return min((each for each in limits if each is not None), default=None)


def read_listing(
    rows: QuerySet[Any],
    time: str,
    cursor: Any,
    size: int | None,
    budget: Budget,
    since: Callable[[Any], datetime],
    room_id: Any = None,
) -> Listing:
    """Return a page of rows; it ends early where more would be larger than `MAX_ANSWER_BYTES`.

    Args:
        rows: all of the rows, with their messages and these their senders.
        time: the column with the time that they are ordered by, before their keys.
        cursor: the row before which the page begins; None for the first page.
        size: how many at most; see `find_size`.
        budget: says how many bytes the page may have.
        since: tells of a row from which time on the user sees what is written in its room.
        room_id: the room, if all of them are of one.
    """
    if cursor is not None:
        at = getattr(cursor, time)
        rows = rows.filter(Q(**{f"{time}__lt": at}) | Q(**{time: at, "pk__lt": cursor.pk}))
    rows = rows.order_by(f"-{time}", "-pk")
    # One more than is shown tells whether there are more.
    found = list(rows if size is None else rows[: size + 1])
    wanted = found if size is None else found[:size]
    first = load_first([row.message for row in wanted], budget.find_limit())
    budget.spend(first.weight)
    loaded = {message.pk for message in first.messages}
    shown = [row for row in wanted[: first.count] if row.message.pk in loaded]
    for row in shown:
        hide_quotes([row.message], {row.message.room_id: since(row)})
    more = len(found) > first.count
    return Listing(shown, more, cursor is not None, size or len(shown), room_id)

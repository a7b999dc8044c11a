"""Pages of a room's messages, the newest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q

from ..conf import chat_settings
from ..errors import Invalid, NotFound
from ..models import AbstractMessage, Membership, get_model
from ..models.accounts import shown_version
from ..models.relations import load_first
from ..models.visibility import hide_quotes, visible_from, visible_messages
from ..models.weights import MESSAGE, Octets, may_be_long
from ..sizes import cut, renumber
from ..sql.statements import (
    Many,
    One,
    Statement,
    find_by,
)
from .base import Operations
from .sight import check_sees

_LARGEST = 2**31 - 1


@dataclass(slots=True)
class Page:
    """A page of a room's messages, the newest first.

    Attributes:
        room_id: the room.
        messages: the messages, with their relations loaded.
        has_next: whether there are older ones.
        has_previous: whether there are newer ones.
        page: its number from 1; None for a page by cursor.
        size: how many messages a page holds at most; of numbered pages, by which size they are
            counted.
    """

    room_id: Any
    messages: list[AbstractMessage]
    has_next: bool
    has_previous: bool
    size: int
    page: int | None = None

    @property
    def next_page_number(self) -> int | None:
        """The number of the next page, if there is one and pages are counted."""
        return self.page + 1 if self.page is not None and self.has_next else None

    @property
    def prev_page_number(self) -> int | None:
        """The number of the previous page, if there is one and pages are counted."""
        return self.page - 1 if self.page is not None and self.has_previous else None


_messages_of_room: Statement[Any] = find_by(
    lambda: get_model("Message").objects.all(), "id", "room_id"
)


def _select_page(room_id: Any, since: Any, *conditions: Any) -> Any:
    shown = get_model("Message").objects.filter(
        *conditions, visible_messages(since), room_id=room_id, is_deleted=False
    )
    return shown.order_by("-created_at", "-pk")


def _select_older(room_id: Any, since: Any, before: Any, at: Any, key: Any) -> Any:
    return _select_page(room_id, since, Q(created_at__lt=before) | Q(created_at=at, pk__lt=key))


def _select_newer(room_id: Any, since: Any, after: Any, at: Any, key: Any) -> Any:
    newer = _select_page(room_id, since, Q(created_at__gt=after) | Q(created_at=at, pk__gt=key))
    return newer.order_by("created_at", "pk")


def _place_in_room() -> list[One | Many]:
    columns = get_model("Message")._meta
    names = ("room_id", "created_at", "created_at", "created_at", "id")
    return [One(columns.get_field(name)) for name in names]


def _room() -> list[One | Many]:
    return _place_in_room()[:2]


def _lengths_of(select: Callable[..., Any]) -> Callable[..., Any]:
    """Return what selects the sizes of the texts of messages instead of the messages."""
    return lambda *values: select(*values).values_list(Octets(F("content")))


_newest, _older, _newer = (
    Statement[Any](select, given, shown_version)
    for select, given in (
        (_select_page, _room),
        (_select_older, _place_in_room),
        (_select_newer, _place_in_room),
    )
)
_newest_lengths, _older_lengths, _newer_lengths = (
    Statement[Any](_lengths_of(select), given, shown_version)
    for select, given in (
        (_select_page, _room),
        (_select_older, _place_in_room),
        (_select_newer, _place_in_room),
    )
)


class _Reading:
    """Reads the rows of a page.

    Args:
        rows: finds the messages.
        lengths: finds the sizes of their texts.
        values: what the two take.
    """

    def __init__(self, rows: Statement[Any], lengths: Statement[Any], values: Any) -> None:
        self._rows = rows
        self._lengths = lengths
        self._values = values

    def read(self, start: int, size: int | None, limit: int | None) -> tuple[list[Any], bool]:
        """Return the messages of a page, and whether there are more behind them.

        Args:
            start: how many to pass over.
            size: how many at most; None for all.
            limit: how many bytes their texts may have together; None for any number. One is read
                in any case.
        """
        # One more than is shown tells whether there are more.
        count = _LARGEST if size is None else size + 1
        if limit is not None:
            count = min(count, limit // MESSAGE + 2)
        if limit is not None and may_be_long(count, limit):
            lengths = self._lengths.slice(start, count, *self._values)
            count = min(cut((length for (length,) in lengths), limit) + 1, count)
        rows = self._rows.slice(start, count, *self._values)
        shown = rows if len(rows) < count else rows[: count - 1]
        return shown, len(rows) > len(shown)


class PageOperations(Operations):
    """What a user does to read what was written."""

    def room_messages(
        self,
        room_id: Any,
        *,
        page: int | None = None,
        size: int | None = None,
        before: Any = None,
        after: Any = None,
    ) -> Page:
        """Return messages of a room, the newest first.

        Args:
            room_id: the room.
            page: the number of the page from 1; needs `size`.
            size: how many at most; capped at `MAX_PAGE_SIZE`. They are fewer where more would be
                larger than `MAX_ANSWER_BYTES`; a numbered page then has another number and size.
            before: the id of a message: those older than it follow. At one cost, however deep.
            after: the id of a message: the nearest that are newer than it.

        Raises:
            NotFound: there is no such room, or no such message in it.
            PermissionDenied: the user is not in it, or the message is hidden from the user.
            Invalid: the numbers are not from 1 up, or do not go together.
        """
        if sum(given is not None for given in (page, before, after)) > 1:
            raise Invalid({"paginate": "Name one of page, before and after."})
        if size is None and (page, before, after) != (None, None, None):
            raise Invalid({"paginate": {"size": "This field is required."}})
        if page is None and before is None and after is None and size is not None:
            raise Invalid({"paginate": {"page": "This field is required."}})
        for name, number in (("page", page), ("size", size)):
            if number is not None and number < 1:
                raise Invalid({"paginate": {name: "A whole number from 1 up is needed."}})
        membership = self.enter(room_id)
        room, since = membership.room, visible_from(membership)
        most = chat_settings.MAX_PAGE_SIZE
        size = most if size is None else min(size, most or size)
        start = 0 if page is None or size is None else (page - 1) * size
        if start > _LARGEST:
            return Page(room.pk, [], False, True, size or 0, page)
        if after is not None:
            reading = _Reading(
                _newer, _newer_lengths, (room.pk, since, *self._place(membership, after))
            )
        elif before is not None:
            reading = _Reading(
                _older, _older_lengths, (room.pk, since, *self._place(membership, before))
            )
        else:
            reading = _Reading(_newest, _newest_lengths, (room.pk, since))
        limit = self.budget.find_limit()
        rows, more = reading.read(start, size, limit)
        first = load_first(rows, limit)
        self.budget.spend(first.weight)
        shown = first.messages
        hide_quotes(shown, {room.pk: since})
        more = more or first.count < len(rows)
        if page is not None and size is not None and more and first.count < size:
            page, size = renumber(start, first.count)
            fitting = {message.pk for message in rows[:size]}
            shown = [message for message in shown if message.pk in fitting]
        size = size or len(shown)
        if after is not None:
            return Page(room.pk, shown[::-1], True, more, size)
        return Page(room.pk, shown, more, before is not None or start > 0, size, page)

    def _place(self, membership: Membership, message_id: Any) -> tuple[Any, ...]:
        """Return where a message of the room stands: the values that `_newer` and `_older` take."""
        cursor: Any = _messages_of_room.first(message_id, membership.room_id)
        if cursor is None:
            raise NotFound("There is no such message in this room.")
        check_sees(self, [cursor], membership)
        return cursor.created_at, cursor.created_at, cursor.pk

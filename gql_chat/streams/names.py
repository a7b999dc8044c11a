"""Names: the name of a user goes out of the event log when the account is gone.

A frame of the log keeps its stream, its sequence number and its shape. Where it showed the user as
a person, it shows nobody. The user's receipts and reactions, and the user among the members of a
room, are left out of their lists. The user's texts stay, unless they are to go as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import orjson
from django.db.models import Max, Min, Q, QuerySet

from ..conf import chat_settings
from ..models import StreamEvent
from .log import select_log
from .transactions import run

Nobody = Callable[[], Mapping[str, Any]]

_BY = ("added_by", "removed_by", "deleted_by", "pinned_by", "edited_by", "username")
"""Keys whose value is the name of one user."""

_LISTS = ("new_members", "removed_members")
"""Keys whose value is a list of names, of which each says that something happened to a user."""

_DEEDS = ("reader", "user")
"""Keys that name the user of a receipt or a reaction."""

_COUNTS = (
    ("delivered_to_count", "delivered_to"),
    ("read_receipts_count", "read_receipts"),
    ("reactions_count", "reactions"),
    ("member_count", "participants"),
    ("member_count", "subscribers"),
)
"""Keys that count what a list has of which the user is left out."""

_ROWS_AT_ONCE = 500
_KEYS_AT_ONCE = 20_000

_show_nobody: Nobody | None = None


def show_nobody_with(show: Nobody) -> None:
    """Set the function that shows nobody as frames show a user: streams do not import the schema.

    Args:
        show: returns what the type of users shows of `models.accounts.nobody`, as plain objects.
    """
    global _show_nobody
    _show_nobody = show


def erase_names(
    users: Mapping[Any, str],
    *,
    within: Collection[str] | None = None,
    blank: bool = False,
    told: Callable[[int, int], None] | None = None,
) -> int:
    """Take users out of logged frames, a batch in each transaction.

    It may be called again, and then finds what is left. Frames that are logged meanwhile are not
    read: call it when nothing shows the users any more. With `ERASE_LOG` None it leaves the
    log alone.

    Args:
        users: the names of the users, by primary key.
        within: the streams to look at; None for the whole log.
        blank: whether the text and the attachments of the users' messages go, too.
        told: called with how much of the log has been looked at, and how much there is.

    Returns:
        How many frames were written anew.
    """
    if not users or chat_settings.ERASE_LOG is None:
        return 0
    if _show_nobody is None:
        raise RuntimeError("The log is written anew once django.setup() has run.")
    people = _People(users, _show_nobody(), blank=blank)
    changed = 0
    for keys in _find_in_all(people, told) if within is None else _find_in(within, people):
        changed += run(partial(_write, keys, people))
    return changed


def _find_in_all(people: _People, told: Callable[[int, int], None] | None) -> Iterator[list[int]]:
    """Yield the keys of the rows of the log that may show the users."""
    ends = select_log().aggregate(first=Min("pk"), last=Max("pk"))
    first, last = ends["first"], ends["last"]
    if first is None:
        return
    for start in range(first, last + 1, _KEYS_AT_ONCE):
        rows = select_log().filter(pk__gte=start, pk__lt=start + _KEYS_AT_ONCE)
        yield from _in_batches(rows.filter(people.wanted))
        if told is not None:
            told(min(start + _KEYS_AT_ONCE, last + 1) - first, last + 1 - first)


def _find_in(streams: Iterable[str], people: _People) -> Iterator[list[int]]:
    """Yield the keys of the rows of some streams that may show the users."""
    for stream in streams:
        after = 0
        while True:
            # The index over stream and sequence number gives them in this order.
            rows = select_log().filter(people.wanted, stream=stream, seq__gt=after).order_by("seq")
            found = list(rows.values_list("pk", "seq")[:_ROWS_AT_ONCE])
            if found:
                yield [pk for pk, _ in found]
            if len(found) < _ROWS_AT_ONCE:
                break
            after = found[-1][1]


def _in_batches(rows: QuerySet[StreamEvent]) -> Iterator[list[int]]:
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), _ROWS_AT_ONCE):
        yield keys[start : start + _ROWS_AT_ONCE]


def _write(keys: list[int], people: _People) -> int:
    """Write rows of the log anew; return how many changed."""
    changed = 0
    # Locked in their order: a deletion of messages writes rows of the log, too.
    rows = select_log().filter(pk__in=keys).order_by("pk")
    for row in rows.select_for_update(no_key=True):
        shown = orjson.loads(row.payload)
        without = people.leave_out(shown)
        if without != shown:
            payload = orjson.dumps(without).decode()
            select_log().filter(pk=row.pk).update(payload=payload)
            changed += 1
    return changed


class _People:
    """The users that are taken out.

    Args:
        users: their names, by primary key.
        nobody: what stands where one was.
        blank: whether the text and the attachments of their messages go, too.
    """

    def __init__(self, users: Mapping[Any, str], nobody: Mapping[str, Any], *, blank: bool) -> None:
        self._ids = {key if isinstance(key, int) else str(key) for key in users}
        self._names = {name for name in users.values() if name}
        self._nobody = nobody
        self._blank = blank

    @property
    def wanted(self) -> Q:
        """The condition on rows of the log that may show one of them."""
        wanted = Q()
        for key in self._ids:
            shown = orjson.dumps({"id": key}).decode()[1:-1]
            # Behind a number comes what ends it: 1 is not the beginning of 12.
            ends = (",", "}") if isinstance(key, int) else ("",)
            for end in ends:
                wanted |= Q(payload__contains=shown + end)
        for name in self._names:
            wanted |= Q(payload__contains=orjson.dumps(name).decode()[1:-1])
        return wanted

    def leave_out(self, value: Any, key: str = "") -> Any:
        """Return a part of a payload without them.

        Args:
            value: the part.
            key: the key that it stands under.
        """
        if isinstance(value, dict):
            return self._show(value)
        if isinstance(value, list):
            left = [item for item in value if not self._is_out(item, key)]
            return [self.leave_out(item, key) for item in left]
        if isinstance(value, str) and value in self._names and key in (*_BY, *_LISTS):
            return ""
        if isinstance(value, str) and key == "message":
            return self._name_nobody(value)
        return value

    def _show(self, value: dict[str, Any]) -> dict[str, Any]:
        if self._is_one(value):
            return {key: self._nobody.get(key, _empty(item)) for key, item in value.items()}
        shown = {key: self.leave_out(item, key) for key, item in value.items()}
        for counted, key in _COUNTS:
            if isinstance(value.get(key), list) and isinstance(value.get(counted), int):
                shown[counted] -= len(value[key]) - len(shown[key])
        if self._blank and self._is_one(value.get("sender")):
            empty = {"content": "", "attachments": []}
            shown |= {key: item for key, item in empty.items() if key in shown}
        return shown

    def _is_one(self, value: Any) -> bool:
        """Tell whether a value shows one of them, and not something else with such an id."""
        return (
            isinstance(value, dict)
            and isinstance(value.get("id"), int | str)
            and value["id"] in self._ids
            and ("username" in value or value.keys() == self._nobody.keys())
        )

    def _is_out(self, item: Any, key: str) -> bool:
        """Tell whether an item of a list is left out of it."""
        if isinstance(item, dict):
            if key == "read_markers" and item.get("user_id") in self._ids:
                return True
            return self._is_one(item) or any(self._is_one(item.get(each)) for each in _DEEDS)
        return key == "delivered_to" and item in self._names

    def _name_nobody(self, sentence: str) -> str:
        """Return the sentence by which a user is told who removed them, without the name."""
        for name in self._names:
            sentence = sentence.removesuffix(f" by {name}")
        return sentence


def _empty(value: Any) -> Any:
    """Return the replacement of a value that frames showed of a user once, and do not show now."""
    for kind, empty in ((bool, False), (str, ""), (int, 0), (float, 0.0), (list, [])):
        if isinstance(value, kind):
            return empty
    return {key: _empty(item) for key, item in value.items()} if isinstance(value, dict) else None

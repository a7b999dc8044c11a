"""Unread messages: which they are, and how many in each room of a user.

They are counted when somebody asks, and kept nowhere, so no count can drift. A message is unread
by a member if somebody else wrote it, it is not deleted, the member may see it, it stands at
`Membership.unread_from` or later, and the member has no receipt of it. In a room that is marked as
unread (`ReadMarker.marked`) receipts say nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from ..conf import chat_settings
from ..nouns import has_feature
from ..sql.statements import Among, Many, One, Statement
from .memberships import Membership
from .mentions import Mention, has_mentions
from .preferences import RoomPreferences, has_preferences, shows_receipts
from .read_markers import ReadMarker
from .registry import get_model
from .rules import room_model
from .visibility import is_visible, visible_messages


class CountOf(Subquery):
    """How many rows a subquery finds. It stops where the subquery's slice ends."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = models.IntegerField()


def counts_version() -> tuple[int, int | None]:
    """Return the version of what the statements that count depend on."""
    return chat_settings.version, chat_settings.MAX_UNREAD_COUNT


# What other features say of a member and their messages. Each question has one place.


def sees(membership: Membership, message: Any) -> bool:
    """Return whether a member may see a message of the room."""
    return is_visible(membership, message)


def tells_reading(membership: Membership) -> bool:
    """Return whether a member lets others know how far they have read (`room_preferences`)."""
    return shows_receipts(membership.user_id, membership.room_id)


def _is_muted(now: Any) -> Any:
    """Return, for a query of memberships, whether the member has muted the room."""
    if not has_preferences():
        return Value(False, output_field=models.BooleanField())
    muted = RoomPreferences.objects.filter(
        room_id=OuterRef("room_id"), user_id=OuterRef("user_id"), muted_until__gt=now
    )
    # A value, and no EXISTS: PostgreSQL might hash that, and read what all users have muted.
    found = Subquery(muted.order_by().annotate(is_so=Value(True)).values("is_so")[:1])
    return Coalesce(found, Value(False), output_field=models.BooleanField())


# Which messages are unread


def select_unread(member: str = "", *, marks: bool = True, inside: int = 0) -> Any:
    """Return the unread messages of a member, to be put inside another query.

    Args:
        member: the lookup from the outer query to the membership, as `"mine__"` for a query of
            rooms; empty for a query of memberships.
        marks: whether receipts say nothing in rooms that are marked as unread.
        inside: how many queries are between that query and this one.
    """

    def of_member(name: str, depth: int = 0) -> Any:
        found = OuterRef(f"{member}{name}")
        for _ in range(inside + depth):
            found = OuterRef(found)
        return found

    receipts = get_model("ReadReceipt").objects.filter(
        message_id=OuterRef("pk"), reader_id=of_member("user_id", 1)
    )
    messages = get_model("Message").objects.filter(
        visible_messages(of_member("visible_from")),
        room_id=of_member("room_id"),
        is_deleted=False,
        created_at__gte=of_member("unread_from"),
    )
    if marks and has_feature("read_markers"):
        # In here, and not as an alternative: so the database looks for the receipt of each message
        # by itself, and never reads all receipts of a user.
        receipts = receipts.exclude(
            Coalesce(
                of_member("marker__marked", 1), Value(False), output_field=models.BooleanField()
            )
        )
    messages = messages.exclude(sender_id=of_member("user_id"))
    return messages.exclude(Exists(receipts)).order_by()


def select_unread_mentions(member: str = "") -> models.QuerySet[Any]:
    """Return the unread messages that mention a member, for another query as `select_unread`.

    It begins with the mentions, so it costs what mentions there are, and not what is unread.

    Args:
        member: as for `select_unread`.

    Returns:
        The keys of the messages, each once.
    """
    own = Q(Q(by_name=True) | Q(here=True), user_id=OuterRef(f"{member}user_id"))
    called = Q(user__isnull=True, whole_room=True, created_at__gte=OuterRef(f"{member}joined_at"))
    unread = select_unread(member, inside=1).filter(pk=OuterRef("message_id"))
    rows = Mention.objects.filter(
        own | called,
        Exists(unread),
        room_id=OuterRef(f"{member}room_id"),
        created_at__gte=OuterRef(f"{member}unread_from"),
    )
    return rows.order_by().values("message_id").distinct()


def find_position(user_id: Any, room_ids: Any) -> tuple[Any, dict[str, Any]]:
    """Return how receipts move the time before which nothing is unread, so that counts stay short.

    In a room that is marked as unread they do not. The time never goes back by that.

    Args:
        user_id: a placeholder of the user.
        room_ids: a placeholder of the rooms in which the user has read messages.
    """
    oldest = select_unread(marks=False).order_by("created_at").values("created_at")[:1]
    newest = get_model("Room").objects.filter(pk=OuterRef("room_id")).values("last_activity")
    mine = Membership.objects.filter(Among(F("room_id"), room_ids), user_id=user_id)
    if has_feature("read_markers"):
        marked = ReadMarker.objects.filter(membership_id=OuterRef("pk"), marked=True)
        mine = mine.exclude(Exists(marked))
    return mine, {"unread_from": latest("unread_from", oldest, newest)}


def latest(mark: str, *found: Any) -> Any:
    """Return the first time that is found, or what a mark is if that is later."""
    times = [Subquery(each) for each in found]
    return Greatest(F(mark), Coalesce(*times))


# Counts


@dataclass(slots=True)
class RoomUnread:
    """What a member has not read in a room.

    Attributes:
        room_id: the room.
        unread_count: how many messages, at most `MAX_UNREAD_COUNT`.
        mention_count: how many of them mention the member.
        more: whether they are more than that.
        first_unread: the oldest of them; None if there are none.
        marked: whether the member has marked the room as unread.
        as_of: the sequence number of the room's stream under which they were counted.
    """

    room_id: Any
    unread_count: int
    mention_count: int
    more: bool
    first_unread: Any
    marked: bool
    as_of: int

    @property
    def waits(self) -> bool:
        """Whether something waits in the room."""
        return bool(self.unread_count or self.mention_count or self.marked)


@dataclass(slots=True)
class UnreadTotals:
    """What a user has not read in all rooms: the numbers for badges.

    Attributes:
        rooms: in how many rooms something waits, muted ones aside.
        messages: how many messages, muted rooms aside; of each room at most `MAX_UNREAD_COUNT`.
        mentions: how many of all of them mention the user.
        muted: how many messages in muted rooms.
    """

    rooms: int = 0
    messages: int = 0
    mentions: int = 0
    muted: int = 0

    def add(self, room: RoomUnread, *, is_muted: bool) -> None:
        """Add what waits in a room."""
        self.mentions += room.mention_count
        if is_muted:
            self.muted += room.unread_count
        else:
            self.messages += room.unread_count
            self.rooms += room.waits


@dataclass(slots=True)
class Unread:
    """What a user has not read.

    Attributes:
        rooms: every room of the user, the most recently active first.
        totals: what there is in all of them.
    """

    rooms: list[RoomUnread] = field(default_factory=list)
    totals: UnreadTotals = field(default_factory=UnreadTotals)


_COLUMNS = (
    "user_id",
    "room_id",
    "room__type",
    "unread",
    "mentions",
    "first",
    "is_marked",
    "room__seq",
    "muted",
)


def _select_counts(user_ids: Any, now: Any) -> Any:
    limit = chat_settings.MAX_UNREAD_COUNT
    unread = select_unread().order_by("created_at", "pk").values("pk")
    mentions: Any = Value(0, output_field=models.IntegerField())
    if has_mentions():
        mentions = CountOf(select_unread_mentions()[:limit])
    return (
        Membership.objects.filter(Among(F("user_id"), user_ids))
        .annotate(
            unread=CountOf(unread.order_by() if limit is None else unread.order_by()[: limit + 1]),
            mentions=mentions,
            first=Subquery(unread[:1]),
            is_marked=Coalesce(F("marker__marked"), Value(False)),
            muted=_is_muted(now),
        )
        .order_by("-room__last_activity", "room_id")
        .values_list(*_COLUMNS)
    )


_counts: Statement[Any] = Statement(
    _select_counts,
    lambda: [Many(get_user_model()._meta.pk), One(models.DateTimeField())],
    counts_version,
)


def count_unread(user_ids: Iterable[Any]) -> dict[Any, Unread]:
    """Count what users have not read, all in one statement, as of one moment.

    A room costs at most as much as `MAX_UNREAD_COUNT` messages and what the user has read by
    receipts among them. Who is in no room is not among the results.

    Args:
        user_ids: the users.
    """
    limit = chat_settings.MAX_UNREAD_COUNT
    found: dict[Any, Unread] = defaultdict(Unread)
    counted = _counts.all(user_ids, timezone.now())
    for user_id, room_id, kind, count, mentions, first, marked, seq, muted in counted:
        if room_model(kind) is None:
            continue  # nothing is known of a room whose type is not declared any more
        more = limit is not None and count > limit
        unread = limit if more and limit is not None else count
        room = RoomUnread(room_id, unread, mentions, more, first, bool(marked), seq)
        found[user_id].rooms.append(room)
        found[user_id].totals.add(room, is_muted=bool(muted))
    return dict(found)


def _select_size(room_id: Any) -> Any:
    limit = chat_settings.MAX_RECEIPT_MEMBERS
    members = Membership.objects.filter(room_id=OuterRef("pk")).order_by().values("pk")
    count = CountOf(members if limit is None else members[: limit + 1])
    rooms = get_model("Room").objects.filter(pk=room_id).annotate(size=count)
    return rooms.order_by().values_list("size")


room_size: Statement[Any] = Statement(
    _select_size,
    lambda: [One(get_model("Room")._meta.pk)],
    lambda: (chat_settings.version, chat_settings.MAX_RECEIPT_MEMBERS),
)
"""Counts the members of a room, up to one more than are told of a member's reading."""

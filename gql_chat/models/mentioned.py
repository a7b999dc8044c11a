"""Mentioned: the newest messages that mention a user, by the same work however many there are."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Subquery, Value, When

from ..nouns import has_feature
from ..sizes import cut
from ..sql.statements import One, Statement
from .accounts import as_shown, shown_version
from .memberships import Membership
from .mentions import Mention
from .registry import get_model
from .visibility import FEATURE
from .weights import MESSAGE, Octets, may_be_long

_LARGEST = 2**31 - 1


class MentionsUser(models.Lookup):
    """The condition that a message is one of the newest that mention a user.

    Of each room of the user's no more are looked at than are wanted in all. The user's own messages
    mention them not, and neither do calls from before they were in the room.

    Args:
        lhs: the message's key.
        rhs: placeholders of the user, and of how many are wanted; and, for those before a place, of
            its time and its key.
    """

    lookup_name = "mentions_user"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return the condition in the words of the database."""
        column, _ = self.process_lhs(compiler, connection)
        user, size, *place = [compiler.compile(given)[1][0] for given in self.rhs]
        before = ""
        if place:
            # The first of the two says no more than the second, but is what an index serves.
            at, key = place
            before = " AND call.created_at <= %s AND (call.created_at, call.message_id) < (%s, %s)"
            place = [at, at, key]
        order = " ORDER BY {0}.created_at DESC, {0}.message_id DESC LIMIT %s"
        newest = order.format("call")
        calls = f'"{Mention._meta.db_table}" call'
        members = f"{Membership._meta.db_table} member"
        visible = ""
        if has_feature(FEATURE):
            # The rule of `models.visibility`, in SQL.
            visible = "AND call.created_at >= member.visible_from "
        own = (
            f"FROM {calls} WHERE call.user_id = %s AND (call.by_name OR call.here) "
            f"AND EXISTS (SELECT 1 FROM {members} WHERE member.room_id = call.room_id "
            f"AND member.user_id = call.user_id {visible}){before}{newest}"
        )
        in_room = (
            f"FROM {calls} WHERE call.room_id = member.room_id AND call.user_id IS NULL "
            f"AND call.whole_room AND call.created_at >= member.joined_at {visible}AND NOT EXISTS "
            f'(SELECT 1 FROM "{get_model("Message")._meta.db_table}" written '
            f"WHERE written.id = call.message_id AND written.sender_id = %s){before}{newest}"
        )
        if connection.vendor == "sqlite":
            of_rooms = (
                f"FROM {members} CROSS JOIN {calls} ON call.id IN (SELECT call.id {in_room}) "
                f"WHERE member.user_id = %s{newest}"
            )
        else:
            of_rooms = (
                f"FROM {members} CROSS JOIN LATERAL (SELECT call.message_id, call.created_at "
                f"{in_room}) call WHERE member.user_id = %s{newest}"
            )
        found = [
            f"SELECT * FROM (SELECT call.message_id, call.created_at {each}) part_{number}"
            for number, each in enumerate((own, of_rooms))
        ]
        parameters = [user, *place, size, user, *place, size, user, size, size]
        # Without ALL: a message that mentions the user in several ways stands there once.
        return (
            f"{column} IN (SELECT message_id FROM ({' UNION '.join(found)}) found"
            f"{order.format('found')})",
            parameters,
        )


def _given(*, place: bool) -> list[Any]:
    columns = get_model("Message")._meta
    names = ("created_at", "id") if place else ()
    given = [One(get_user_model()._meta.pk), One(models.IntegerField())]
    return [*given, *(One(columns.get_field(name)) for name in names)]


def _select(*values: Any) -> Any:
    own = Mention.objects.filter(message_id=OuterRef("pk"), user_id=values[0])
    kind = Case(
        When(Exists(own.filter(by_name=True)), then=Value("user")),
        When(Exists(own.filter(here=True)), then=Value("here")),
        default=Value("room"),
        output_field=models.CharField(),
    )
    messages = get_model("Message").objects.filter(MentionsUser(F("id"), values), is_deleted=False)
    if has_feature(FEATURE):
        mine = Membership.objects.filter(room_id=OuterRef("room_id"), user_id=values[0])
        messages = messages.annotate(visible_from=Subquery(mine.values("visible_from")))
    shown = as_shown(messages.select_related("sender"), "sender")
    return shown.annotate(mention_kind=kind).order_by("-created_at", "-pk")


def _select_lengths(*values: Any) -> Any:
    return _select(*values).values_list(Octets(F("content")))


_newest: Statement[Any] = Statement(_select, lambda: _given(place=False), shown_version)
_older: Statement[Any] = Statement(_select, lambda: _given(place=True), shown_version)
_newest_lengths: Statement[Any] = Statement(
    _select_lengths, lambda: _given(place=False), shown_version
)
_older_lengths: Statement[Any] = Statement(
    _select_lengths, lambda: _given(place=True), shown_version
)


def count_first(user_id: Any, size: int | None, limit: int | None, before: Any) -> int | None:
    """Return how many messages to read: no more than may fit into an answer, and one.

    Args:
        user_id: the user.
        size: how many are wanted at most; None for all.
        limit: how many bytes the answer may have; None for any number.
        before: for older ones than this message; None for the newest.
    """
    if limit is None:
        return size
    most = limit // MESSAGE + 2
    count = most if size is None else min(size, most)
    if not may_be_long(count, limit):
        return count
    if before is None:
        lengths = _newest_lengths.all(user_id, count)
    else:
        lengths = _older_lengths.all(user_id, count, before.created_at, before.pk)
    return min(cut((length for (length,) in lengths), limit) + 1, count)


def find_newest(user_id: Any, size: int | None) -> list[Any]:
    """Return the newest messages that mention a user, the newest first, with their senders.

    Each has its `mention_kind`: `user` if it names the user, else `here` or `room`.

    Args:
        user_id: the user.
        size: how many at most; None for all.
    """
    return _newest.all(user_id, _LARGEST if size is None else size)


def find_older(user_id: Any, size: int | None, before: Any) -> list[Any]:
    """Return the newest of the messages that mention a user and are older than one.

    Args:
        user_id: the user.
        size: how many at most; None for all.
        before: that one; it need not mention the user.
    """
    size = _LARGEST if size is None else size
    return _older.all(user_id, size, before.created_at, before.pk)

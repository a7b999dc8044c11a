"""What waits for a user: the newest of it, found by the same work however much waits."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery

from ..nouns import has_feature
from ..sizes import cut
from ..sql.statements import One, Statement
from .accounts import as_shown, shown_version
from .memberships import Membership
from .messages import Delivery
from .registry import get_model
from .visibility import FEATURE, members_who_see
from .weights import MESSAGE, Octets, may_be_long

_LARGEST = 2**31 - 1


class Pending(models.Lookup):
    """The condition that a notification is one of the newest that wait for a user.

    In each of the user's rooms it reads no more than are wanted in all. Its SQL differs between the
    two databases.

    Args:
        lhs: the notification's key.
        rhs: placeholders of the user and of how many are wanted; and, for those older than
            one of them, of its time and its key.
    """

    lookup_name = "pending"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return the condition in the SQL of the database."""
        column, _ = self.process_lhs(compiler, connection)
        user, size, *place = [compiler.compile(given)[1][0] for given in self.rhs]
        before = ""
        if place:
            # The first of the two follows from the second, but an index serves it.
            at, key = place
            before = " AND waiting.created_at <= %s AND (waiting.created_at, waiting.id) < (%s, %s)"
            place = [at, at, key]
        order = " ORDER BY {0}.created_at DESC, {0}.id DESC LIMIT %s"
        newest = order.format("waiting")
        table = f'"{get_model("ChatNotification")._meta.db_table}" waiting'
        visible = ""
        if has_feature(FEATURE):
            # The rule of `models.visibility`, in SQL.
            visible = "AND waiting.created_at >= member.visible_from "
        in_room = (
            f"FROM {table} WHERE waiting.room_id = member.room_id "
            "AND waiting.created_at >= member.pending_from AND waiting.recipient_id IS NULL "
            f"{visible}AND waiting.actor_id <> %s "
            f"AND NOT EXISTS (SELECT 1 FROM {Delivery._meta.db_table} "
            "got WHERE got.message_id = waiting.message_id AND got.user_id = %s)"
            f"{before}{newest}"
        )
        members = f"{Membership._meta.db_table} member"
        if connection.vendor == "sqlite":
            messages = (
                f"FROM {members} CROSS JOIN {table} ON waiting.id IN (SELECT waiting.id {in_room}) "
                "WHERE member.user_id = %s"
            )
        else:
            messages = (
                f"FROM {members} CROSS JOIN LATERAL (SELECT waiting.id, waiting.created_at "
                f"{in_room}) waiting WHERE member.user_id = %s"
            )
        reactions = f"FROM {table} WHERE waiting.recipient_id = %s{before}"
        found = [
            f"SELECT * FROM (SELECT waiting.id, waiting.created_at {each}{newest}) part_{number}"
            for number, each in enumerate((messages, reactions))
        ]
        parameters = [user, user, *place, size, user, size, user, *place, size, size]
        return (
            f"{column} IN (SELECT id FROM ({' UNION ALL '.join(found)}) found"
            f"{order.format('found')})",
            parameters,
        )


def _given(*, place: bool) -> list[Any]:
    columns = get_model("ChatNotification")._meta
    names = ("created_at", "id") if place else ()
    given = [One(get_user_model()._meta.pk), One(models.IntegerField())]
    return [*given, *(One(columns.get_field(name)) for name in names)]


def _select_pending(*values: Any) -> Any:
    notifications = get_model("ChatNotification").objects.filter(Pending(F("id"), values))
    if has_feature(FEATURE):
        mine = Membership.objects.filter(room_id=OuterRef("room_id"), user_id=values[0])
        notifications = notifications.annotate(visible_from=Subquery(mine.values("visible_from")))
    shown = notifications.select_related("message", "message__sender")
    return as_shown(shown, "message__sender").order_by("-created_at", "-pk")


def _select_for_user(notification_id: Any, user_id: Any) -> Any:
    """Find a notification that is, or was, for a user."""
    members = Membership.objects.filter(
        members_who_see(OuterRef("created_at")),
        room_id=OuterRef("room_id"),
        user_id=user_id,
        joined_at__lte=OuterRef("created_at"),
    )
    told = Q(recipient__isnull=True) & ~Q(actor_id=user_id) & Q(Exists(members))
    notifications = get_model("ChatNotification").objects.filter(pk=notification_id)
    return notifications.filter(Q(recipient_id=user_id) | told).order_by()


def _select_lengths(*values: Any) -> Any:
    return _select_pending(*values).values_list(Octets(F("message__content")))


_newest_lengths: Statement[Any] = Statement(
    _select_lengths, lambda: _given(place=False), shown_version
)
_older_lengths: Statement[Any] = Statement(
    _select_lengths, lambda: _given(place=True), shown_version
)
_newest: Statement[Any] = Statement(_select_pending, lambda: _given(place=False), shown_version)
_older: Statement[Any] = Statement(_select_pending, lambda: _given(place=True), shown_version)
_for_user: Statement[Any] = Statement(
    _select_for_user,
    lambda: [One(get_model("ChatNotification")._meta.pk), One(get_user_model()._meta.pk)],
    shown_version,
)


def count_first(
    user_id: Any, size: int | None, limit: int | None, before: Any = None
) -> int | None:
    """Return how many notifications to read: no more than may fit into an answer, and one.

    Args:
        user_id: the user.
        size: how many are wanted at most; None for all.
        limit: how many bytes the answer may have; None for any number.
        before: for older ones than this notification.
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
    """Return the newest notifications that wait for a user, the newest first.

    Their messages are loaded, with the senders.

    Args:
        user_id: the user.
        size: how many at most; None for all.
    """
    return _newest.all(user_id, _LARGEST if size is None else size)


def find_older(user_id: Any, size: int | None, before: Any) -> list[Any]:
    """Return the newest of the notifications that wait for a user and are older than one.

    Args:
        user_id: the user.
        size: how many at most; None for all.
        before: that one; it need not wait any more.
    """
    size = _LARGEST if size is None else size
    return _older.all(user_id, size, before.created_at, before.pk)


def find_for(user_id: Any, notification_id: Any) -> Any:
    """Return a notification that is or was for a user, or None."""
    return _for_user.first(notification_id, user_id)

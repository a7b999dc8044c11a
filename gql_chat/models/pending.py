"""What waits for a user: the newest of it, found by the same work however much waits."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils import timezone

from ..nouns import has_feature
from ..sizes import cut
from ..sql.statements import One, Statement
from .accounts import as_shown, shown_version
from .audiences import Heeding, reason_for
from .memberships import Membership
from .mentions import has_mentions
from .messages import Delivery
from .registry import get_model
from .visibility import FEATURE, members_who_see
from .weights import MESSAGE, Octets, may_be_long

_LARGEST = 2**31 - 1


class Pending(models.Lookup):
    """The condition that a notification is one of the newest that wait for a user.

    In each of the user's rooms it reads no more than are wanted in all. Its SQL differs between the
    two databases.

    What the user's preferences keep quiet is left out (`audiences.Heeding`).

    Args:
        lhs: the notification's key.
        rhs: placeholders of the user and of how many are wanted; and, for those older than
            one of them, of its time and its key.
    """

    lookup_name = "pending"
    prepare_rhs = False
    heeds = True

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return the condition in the SQL of the database."""
        column, _ = self.process_lhs(compiler, connection)
        user, size, now, *place = [compiler.compile(given)[1][0] for given in self.rhs]
        heeding = Heeding(user, now)
        joins = heeding.joins if self.heeds else ""
        loud, heard = heeding.loud() if self.heeds else ("", [])
        reacted, heard_reactions = heeding.hears_reactions() if self.heeds else ("", [])
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
        waits = (
            f"FROM {table} WHERE waiting.room_id = member.room_id "
            "AND waiting.created_at >= member.pending_from AND waiting.recipient_id IS NULL "
            f"{visible}AND waiting.actor_id <> %s "
            f"AND NOT EXISTS (SELECT 1 FROM {Delivery._meta.db_table} "
            "got WHERE got.message_id = waiting.message_id AND got.user_id = %s)"
        )
        members = f"{Membership._meta.db_table} member{joins}"

        def of_rooms(which: str, mentioned: str = "") -> str:
            in_room = f"{waits}{mentioned}{before}{newest}"
            if connection.vendor == "sqlite":
                return (
                    f"FROM {members} CROSS JOIN {table} "
                    f"ON waiting.id IN (SELECT waiting.id {in_room}) "
                    f"WHERE member.user_id = %s{which}"
                )
            return (
                f"FROM {members} CROSS JOIN LATERAL (SELECT waiting.id, waiting.created_at "
                f"{in_room}) waiting WHERE member.user_id = %s{which}"
            )

        parts = [of_rooms(loud), f"FROM {table} WHERE waiting.recipient_id = %s{reacted}{before}"]
        parameters = [user, user, *place, size, user, *heard, size]
        parameters += [user, *heard_reactions, *place, size]
        if self.heeds and heeding.has_quiet:
            quiet, heard = heeding.quiet()
            mentioned, called = heeding.mentioned()
            parts.append(of_rooms(quiet, mentioned))
            parameters += [user, user, *called, *place, size, user, *heard, size]
        found = [
            f"SELECT * FROM (SELECT waiting.id, waiting.created_at {each}{newest}) part_{number}"
            for number, each in enumerate(parts)
        ]
        parameters.append(size)
        return (
            f"{column} IN (SELECT id FROM ({' UNION ALL '.join(found)}) found"
            f"{order.format('found')})",
            parameters,
        )


class Waiting(Pending):
    """The same, whatever the user's preferences say."""

    lookup_name = "waiting"
    heeds = False


def _given(*, place: bool) -> list[Any]:
    columns = get_model("ChatNotification")._meta
    names = ("created_at", "created_at", "id") if place else ("created_at",)
    given = [One(get_user_model()._meta.pk), One(models.IntegerField())]
    return [*given, *(One(columns.get_field(name)) for name in names)]


def _select_pending(*values: Any, condition: type[Pending] = Pending) -> Any:
    notifications = get_model("ChatNotification").objects.filter(condition(F("id"), values))
    if has_feature(FEATURE):
        mine = Membership.objects.filter(room_id=OuterRef("room_id"), user_id=values[0])
        notifications = notifications.annotate(visible_from=Subquery(mine.values("visible_from")))
    if has_mentions():
        notifications = notifications.annotate(reason=reason_for(values[0]))
    shown = notifications.select_related("message", "message__sender")
    return as_shown(shown, "message__sender").order_by("-created_at", "-pk")


def _select_waiting(*values: Any) -> Any:
    return _select_pending(*values, condition=Waiting)


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
_newest_of_all: Statement[Any] = Statement(
    _select_waiting, lambda: _given(place=False), shown_version
)
_older_of_all: Statement[Any] = Statement(
    _select_waiting, lambda: _given(place=True), shown_version
)
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
        lengths = _newest_lengths.all(user_id, count, timezone.now())
    else:
        lengths = _older_lengths.all(user_id, count, timezone.now(), before.created_at, before.pk)
    return min(cut((length for (length,) in lengths), limit) + 1, count)


def find_newest(user_id: Any, size: int | None, *, everything: bool = False) -> list[Any]:
    """Return the newest notifications that wait for a user, the newest first.

    Their messages are loaded, with the senders; with the feature `mentions` they have a `reason`.

    Args:
        user_id: the user.
        size: how many at most; None for all.
        everything: whether those are found, too, that the user's preferences keep quiet.
    """
    statement = _newest_of_all if everything else _newest
    return statement.all(user_id, _LARGEST if size is None else size, timezone.now())


def find_older(
    user_id: Any, size: int | None, before: Any, *, everything: bool = False
) -> list[Any]:
    """Return the newest of the notifications that wait for a user and are older than one.

    Args:
        user_id: the user.
        size: how many at most; None for all.
        before: that one; it need not wait any more.
        everything: as for `find_newest`.
    """
    size = _LARGEST if size is None else size
    statement = _older_of_all if everything else _older
    return statement.all(user_id, size, timezone.now(), before.created_at, before.pk)


def find_for(user_id: Any, notification_id: Any) -> Any:
    """Return a notification that is or was for a user, or None."""
    return _for_user.first(notification_id, user_id)

"""Cuts: how many members of a room, and how many receipts of a message, frames show.

A frame that listed all of them would grow with the room: each of 300 readers would be told of up to
300 receipts. With the feature `pages` the lists end early, and counts tell how many there are.
Without it, frames show all, and nothing here is asked.

Of a room the leaders are shown first, then the others in the order in which they joined. Of a
message the newest receipts, deliveries and reactions are shown, the oldest of them first: what has
just happened is always in the frame that tells of it.

The database cuts, by window functions, so no more is loaded than is shown, and the number of
statements is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Case, Count, F, OuterRef, Subquery, Value, When, Window
from django.db.models.functions import Coalesce, RowNumber

from ..conf import chat_settings
from ..nouns import has_feature
from ..sql.statements import Among, Many, One, Statement
from .accounts import as_shown, shown_version
from .memberships import Membership
from .messages import Delivery
from .read_markers import with_users
from .registry import get_model
from .rules import Role

ItemT = TypeVar("ItemT")

FEATURE = "pages"
"""The feature that brings the cuts, the counts, and the pages of all the rest."""


def most_members() -> int | None:
    """Return how many members of a room frames show; None for all of them."""
    return chat_settings.MAX_MEMBERS_SHOWN if has_feature(FEATURE) else None


def most_receipts() -> int | None:
    """Return how many receipts, deliveries or reactions of a message frames show; None for all."""
    return chat_settings.MAX_RECEIPTS_SHOWN if has_feature(FEATURE) else None


def shown_members(memberships: list[Membership]) -> list[Membership]:
    """Return those of the loaded memberships of a room that frames show."""
    return memberships[: most_members()]


def shown_receipts(loaded: list[ItemT]) -> list[ItemT]:
    """Return those of the loaded receipts, deliveries or reactions that frames show."""
    if not loaded:
        return loaded
    most = most_receipts()
    return loaded if most is None else loaded[-most:]


def follows_leaders() -> Any:
    """Return the expression by which members are sorted: 0 for leaders, 1 for the others."""
    return _one_or_zero(~models.Q(role=Role.MEMBER))


def _one_or_zero(condition: Any) -> Any:
    """Return the expression that is 0 where a condition holds, and so sorts those rows first."""
    return Case(
        When(condition, then=Value(0)), default=Value(1), output_field=models.IntegerField()
    )


def _cut(rows: Any, by: str, order: Sequence[Any], most: Any) -> Any:
    """Return the first rows of each group, and with each the `total` of its group."""
    placed = rows.annotate(
        place=Window(RowNumber(), partition_by=F(by), order_by=order),
        total=Window(Count("pk"), partition_by=F(by)),
    )
    return placed.filter(place__lte=most)


def _select_newest(name: str, whose: str, at: str) -> Callable[..., Any]:
    def select(message_ids: Any, own: Any, most: Any) -> Any:
        rows = get_model(name).objects.filter(Among(F("message_id"), message_ids))
        order = [_one_or_zero(Among(F(whose), own)), F(at).desc(), F("pk").desc()]
        return _cut(rows, "message_id", order, most).order_by(at, "pk")

    return select


def counts_of_messages() -> dict[str, Any]:
    """Return, for a message of which no list is shown, how many each list has: as expressions.

    They have the names that they have in `MessageRelations`. Without the feature there are none.
    """
    if not has_feature(FEATURE):
        return {}
    counted = {
        "more_receipts": get_model("ReadReceipt"),
        "more_reactions": get_model("Reaction"),
        "more_deliveries": Delivery,
    }
    return {name: Coalesce(Subquery(_count_of(model)), 0) for name, model in counted.items()}


def _count_of(model: Any) -> Any:
    rows = model.objects.filter(message_id=OuterRef("pk")).order_by().values("message_id")
    return rows.annotate(count=Count("pk")).values("count")


def _message_and_user() -> list[One | Many]:
    return [
        Many(get_model("Message")._meta.pk),
        Many(get_user_model()._meta.pk),
        One(models.IntegerField()),
    ]


newest_receipts: Statement[Any] = Statement(
    _select_newest("ReadReceipt", "reader_id", "read_at"), _message_and_user
)
"""Finds the newest receipts of each of some messages, those of some users before all others."""

newest_reactions: Statement[Any] = Statement(
    _select_newest("Reaction", "user_id", "created_at"), _message_and_user
)
"""Finds the newest reactions to each of some messages, those of some users before all others."""


def _select_newest_deliveries(message_ids: Any, most: Any) -> Any:
    rows = Delivery.objects.filter(Among(F("message_id"), message_ids))
    found = _cut(rows, "message_id", [F("pk").desc()], most).order_by("pk")
    return found.values_list("message_id", "user_id", "total")


newest_deliveries: Statement[Any] = Statement(
    _select_newest_deliveries,
    lambda: [Many(get_model("Message")._meta.pk), One(models.IntegerField())],
)
"""Finds who got each of some messages last: message, user, and how many got it in all."""


def _select_first_memberships(room_ids: Any, named: Any, most: Any) -> Any:
    rows = Membership.objects.filter(Among(F("room_id"), room_ids))
    rows = rows.annotate(follows=follows_leaders())
    order = [_one_or_zero(Among(F("user_id"), named)), F("follows"), F("pk")]
    found = with_users(_cut(rows, "room_id", order, most))
    return as_shown(found, "user").order_by("follows", "pk")


first_memberships: Statement[Any] = Statement(
    _select_first_memberships,
    lambda: [
        Many(get_model("Room")._meta.pk),
        Many(get_user_model()._meta.pk),
        One(models.IntegerField()),
    ],
    shown_version,
)
"""Finds the first members of each of some rooms, those with some ids before all others."""

"""Read markers: how far a member has read a room, as the other members are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from ..nouns import has_feature
from ..sql.statements import One, Statement
from .memberships import Membership

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class ReadMarker(models.Model):
    """What a member tells others of their reading, and whether they marked the room as unread.

    There is a row only for members who read by marker. What the member's own counts go by is
    `Membership.unread_from`: receipts move it, too, and so does reading of which nobody is told.
    With the membership the marker goes. So who comes back begins anew.

    Attributes:
        up_to: the newest message that the member told others to have read; it may be gone.
        written_at: when that message was written, which says where in the room it stood.
        read_at: when the member told.
        got_before: the member has got all messages that were written before it, by reading; see
            `AbstractChatNotification.recipients`.
        marked: whether the room is unread from `Membership.unread_from` on, whatever receipts say.
    """

    membership: models.OneToOneField[Membership, Membership] = models.OneToOneField(
        Membership, on_delete=models.CASCADE, primary_key=True, related_name="marker"
    )
    up_to = models.UUIDField(null=True, editable=False)
    written_at = models.DateTimeField(null=True, editable=False)
    read_at = models.DateTimeField(null=True, editable=False)
    got_before = models.DateTimeField(null=True, editable=False)
    marked = models.BooleanField(default=False, editable=False)

    def __str__(self) -> str:
        return f"read marker of membership {self.membership_id}"


markers: Statement[ReadMarker] = Statement(
    lambda membership_id: ReadMarker.objects.filter(membership_id=membership_id).order_by(),
    lambda: [One(Membership._meta.pk)],
)
"""Finds the marker of a membership."""

_TABLE = ReadMarker._meta.db_table
_COLUMNS = ("up_to", "written_at", "read_at", "got_before", "marked")
_IS_NEWER = (
    f"excluded.written_at IS NOT NULL AND ({_TABLE}.written_at IS NULL "
    f"OR {_TABLE}.written_at < excluded.written_at)"
)
_IS_LATER = (
    f"excluded.got_before IS NOT NULL AND ({_TABLE}.got_before IS NULL "
    f"OR {_TABLE}.got_before < excluded.got_before)"
)
_CONDITIONS = (*[_IS_NEWER] * 3, _IS_LATER)
_CHANGES = [
    f"{column} = CASE WHEN {condition} THEN excluded.{column} ELSE {_TABLE}.{column} END"
    for column, condition in zip(_COLUMNS, _CONDITIONS, strict=False)
]
_MOVE = (
    f"INSERT INTO {_TABLE} (membership_id, {', '.join(_COLUMNS)}) "
    "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (membership_id) DO UPDATE "
    f"SET {', '.join(_CHANGES)}, marked = excluded.marked"
)


def move(connection: BaseDatabaseWrapper, marker: ReadMarker) -> tuple[str, list[Any]]:
    """Return the statement that moves a marker forward, and its parameters.

    It compares in the database: whatever the caller has read before, what others are told never
    goes back, nor does what the member has got.

    Args:
        connection: that of the running transaction.
        marker: where it shall be; what is None stays as it is.
    """
    names = ("membership", *_COLUMNS)
    fields = [ReadMarker._meta.get_field(name) for name in names]
    values = [
        field.get_db_prep_save(getattr(marker, field.attname), connection)  # type: ignore[union-attr]
        for field in fields
    ]
    return _MOVE, values


def with_users(memberships: Any) -> Any:
    """Return memberships with their users, and with their markers if the project has them."""
    links = ("user", "marker") if has_feature("read_markers") else ("user",)
    return memberships.select_related(*links)


def marker_of(membership: Membership) -> ReadMarker | None:
    """Return what others are told of a member's reading; None if nothing, or if nobody loaded it.

    The marker is loaded with the members of a room (`models.relations.load_rooms`).
    """
    link: Any = Membership._meta.get_field("marker")
    marker: ReadMarker | None = link.get_cached_value(membership, default=None)
    return None if marker is None or marker.up_to is None else marker

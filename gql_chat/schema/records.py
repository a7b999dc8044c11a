"""What internal tools may query: rows as they are stored, filtered, in pages, optimised."""

from typing import Any

import strawberry
import strawberry_django
from strawberry import auto

from ..errors import PermissionDenied
from ..models import get_model
from .scalars import Timestamp, UserID

_MessageModel: Any = get_model("Message")
_RoomModel: Any = get_model("Room")
_SessionModel: Any = get_model("Session")


def _for_staff(records: Any, info: Any) -> Any:
    """Return the records, or raise `PermissionDenied` where the user is no staff."""
    if not info.context.handler.user.is_staff:
        raise PermissionDenied("Only staff may query records.")
    return records


@strawberry_django.filter_type(_RoomModel, lookups=True)
class RoomRecordFilter:
    """Which rooms."""

    id: auto
    type: auto
    last_activity: auto


@strawberry_django.type(_RoomModel, filters=RoomRecordFilter, pagination=True)
class RoomRecord:
    """A room's row."""

    id: auto
    type: auto
    name: auto
    seq: auto
    last_activity: Timestamp
    created_at: Timestamp

    @classmethod
    def get_queryset(cls, queryset: Any, info: Any, **kwargs: Any) -> Any:
        """Return rooms for staff, the most recently active first."""
        return _for_staff(queryset, info).order_by("-last_activity", "pk")


@strawberry_django.filter_type(_MessageModel, lookups=True)
class MessageRecordFilter:
    """Which messages."""

    id: auto
    room_id: auto
    sender_id: auto
    content: auto
    created_at: auto


@strawberry_django.type(_MessageModel, filters=MessageRecordFilter, pagination=True)
class MessageRecord:
    """A message's row, deleted or not."""

    id: auto
    room: RoomRecord
    sender_id: UserID = strawberry_django.field(only=["sender_id"])
    content: auto
    is_deleted: auto
    is_edited: auto
    created_at: Timestamp

    @classmethod
    def get_queryset(cls, queryset: Any, info: Any, **kwargs: Any) -> Any:
        """Return messages for staff, the newest first."""
        return _for_staff(queryset, info).order_by("-created_at", "-pk")


@strawberry_django.type(_SessionModel, pagination=True)
class SessionRecord:
    """An open socket."""

    id: auto
    user_id: UserID = strawberry_django.field(only=["user_id"])
    channel_name: auto
    last_seen: Timestamp

    @classmethod
    def get_queryset(cls, queryset: Any, info: Any, **kwargs: Any) -> Any:
        """Return open sockets for staff, the newest first."""
        return _for_staff(queryset, info).order_by("-last_seen", "pk")


@strawberry.type
class RecordQuery:
    """Rows for internal tools. Staff only."""

    room_records: list[RoomRecord] = strawberry_django.field()
    message_records: list[MessageRecord] = strawberry_django.field()
    session_records: list[SessionRecord] = strawberry_django.field()

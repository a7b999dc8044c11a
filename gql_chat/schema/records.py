"""What internal tools may query: rows as they are stored, filtered, in pages, optimised."""

from typing import Any

import strawberry
import strawberry_django
from strawberry import auto

from ..errors import PermissionDenied
from ..models import get_model
from .context import Context
from .scalars import Time, UserID

_MessageModel: Any = get_model("Message")
_RoomModel: Any = get_model("Room")
_SessionModel: Any = get_model("Session")


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
    last_activity: Time
    created_at: Time


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
    sender_id: UserID
    content: auto
    is_deleted: auto
    is_edited: auto
    created_at: Time


@strawberry_django.type(_SessionModel, pagination=True)
class SessionRecord:
    """An open socket."""

    id: auto
    user_id: UserID
    channel_name: auto
    last_seen: Time


def _check_staff(info: strawberry.Info[Context, Any]) -> None:
    if not info.context.handler.user.is_staff:
        raise PermissionDenied("Only staff may query records.")


@strawberry.type
class RecordQuery:
    """Rows for internal tools. Staff only."""

    @strawberry_django.field
    def room_records(self, info: strawberry.Info[Context, Any]) -> list[RoomRecord]:
        """Rooms, the most recently active first."""
        _check_staff(info)
        return _RoomModel.objects.order_by("-last_activity", "pk")  # type: ignore[no-any-return]

    @strawberry_django.field
    def message_records(self, info: strawberry.Info[Context, Any]) -> list[MessageRecord]:
        """Messages, the newest first."""
        _check_staff(info)
        return _MessageModel.objects.order_by("-created_at", "-pk")  # type: ignore[no-any-return]

    @strawberry_django.field
    def session_records(self, info: strawberry.Info[Context, Any]) -> list[SessionRecord]:
        """Open sockets, the newest first."""
        _check_staff(info)
        return _SessionModel.objects.order_by("-last_seen", "pk")  # type: ignore[no-any-return]

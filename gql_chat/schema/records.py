"""What internal tools may query: rows as they are stored, filtered, in pages, optimised."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Optional
from uuid import UUID

import strawberry
import strawberry_django
from django.contrib.auth import get_user_model
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from strawberry import auto
from strawberry_django.fields.types import field_type_map
from strawberry_django.optimizer import DjangoOptimizerExtension

from .. import streams
from ..compatibility import repair_optimizer
from ..conf import chat_settings
from ..errors import PermissionDenied
from ..models import (
    Delivery,
    Membership,
    StreamEvent,
    get_model,
)
from ..models.accounts import nobody_key
from ..models.positions import MarkField, PositionField
from ..models.visibility import members_who_see
from ..sessions import chat_sockets
from .connections import connection
from .context import Context
from .scalars import JSONObject, Timestamp, UserID

repair_optimizer()

optimizer = DjangoOptimizerExtension
"""The schema extension that reads of records only the fields that are asked for."""

# So strawberry-django knows what `auto` means for them.
field_type_map.update({PositionField: int, MarkField: datetime})

_MessageModel: Any = get_model("Message")
_NotificationModel: Any = get_model("ChatNotification")
_RoomModel: Any = get_model("Room")
_SessionModel: Any = get_model("Session")
_UserModel: Any = get_user_model()

Info = strawberry.Info[Context, Any]


@strawberry.input
class RoomRecordFilter:
    """Which rooms."""

    type: str | None = None
    member: Optional[UserID] = None
    active_after: Optional[Timestamp] = None
    active_before: Optional[Timestamp] = None


@strawberry_django.type(_RoomModel)
class RoomRecord:
    """A room's row."""

    id: auto
    type: auto
    name: auto
    creator_id: Optional[UserID] = strawberry_django.field(only=["creator_id"])
    seq: auto
    last_activity: Timestamp
    created_at: Timestamp


@strawberry.input
class MessageRecordFilter:
    """Which messages; `text` is looked for in the content, in any case."""

    room: UUID | None = None
    sender: Optional[UserID] = None
    text: str | None = None
    is_deleted: bool | None = None
    sent_after: Optional[Timestamp] = None
    sent_before: Optional[Timestamp] = None


@strawberry_django.type(_MessageModel)
class MessageRecord:
    """A message's row, deleted or not."""

    id: auto
    room: RoomRecord
    sender_id: UserID = strawberry_django.field(
        only=["sender_id"],
        resolver=lambda root: nobody_key() if root.sender_id is None else root.sender_id,
        description="The id of nobody, such as 0, if the sender was erased.",
    )
    content: auto
    is_deleted: auto
    is_edited: auto
    created_at: Timestamp


@strawberry.input
class SessionRecordFilter:
    """Which open sockets."""

    user: Optional[UserID] = None
    seen_after: Optional[Timestamp] = None


@strawberry_django.type(_SessionModel)
class SessionRecord:
    """An open socket."""

    id: auto
    user_id: UserID = strawberry_django.field(only=["user_id"])
    channel_name: auto
    last_seen: Timestamp


@strawberry_django.type(_UserModel)
class ConnectedUser:
    """A user with an open socket."""

    user_id: UserID = strawberry_django.field(only=["pk"], resolver=lambda root: root.pk)
    username: str = strawberry_django.field(
        only=[_UserModel.USERNAME_FIELD], resolver=lambda root: root.get_username()
    )
    devices: int = strawberry.field(
        description="How many sockets the user has open.",
        resolver=lambda root: root.chat_devices,
    )
    last_seen: Timestamp = strawberry.field(
        description="When one of them last sent a heartbeat.",
        resolver=lambda root: root.chat_last_seen,
    )


@strawberry.input
class NotificationRecordFilter:
    """Which notifications; with `recipient` those that this user has not got yet."""

    recipient: Optional[UserID] = None
    room: UUID | None = None
    notification_type: str | None = None


@strawberry_django.type(_NotificationModel)
class NotificationRecord:
    """A notification that waits for somebody."""

    id: auto
    notification_type: str
    room_id: UUID = strawberry_django.field(only=["room_id"])
    message_id: UUID = strawberry_django.field(only=["message_id"])
    actor_id: UserID = strawberry_django.field(only=["actor_id"])
    recipient_id: Optional[UserID] = strawberry_django.field(
        only=["recipient_id"],
        description="Null for a message, which waits for all who have not got it yet.",
    )
    created_at: Timestamp


@strawberry.input
class EventRecordFilter:
    """Which events of the log."""

    stream: str | None = None
    room: UUID | None = None
    user: Optional[UserID] = None
    kind: str | None = None
    logged_after: Optional[Timestamp] = None
    logged_before: Optional[Timestamp] = None


@strawberry_django.type(StreamEvent)
class EventRecord:
    """A stored event, with its stream and sequence number."""

    stream: auto
    seq: auto
    kind: auto
    payload: JSONObject = strawberry_django.field(
        only=["payload"], resolver=lambda root: streams.parse_payload(root.payload)
    )
    change: Optional[JSONObject]
    created_at: Timestamp


@strawberry.type
class RecordQuery:
    """Rows for internal tools. Staff only."""

    @connection(RoomRecord)
    def room_records(
        self, info: Info, filters: RoomRecordFilter | None = None
    ) -> Iterable[RoomRecord]:
        """Rooms, the most recently active first."""
        wanted = _Wanted(info, filters)
        wanted.equal("type")
        wanted.between("last_activity", "active_after", "active_before")
        if wanted.has("member"):
            members = Membership.objects.filter(
                room_id=OuterRef("pk"), user_id=wanted.user_key("member")
            )
            wanted.conditions &= Q(Exists(members))
        return wanted.of(_RoomModel).order_by("-last_activity", "pk")

    @connection(MessageRecord)
    def message_records(
        self, info: Info, filters: MessageRecordFilter | None = None
    ) -> Iterable[MessageRecord]:
        """Messages, the newest first."""
        wanted = _Wanted(info, filters)
        wanted.equal("room", "room_id")
        wanted.equal("is_deleted")
        wanted.by_user("sender", "sender_id")
        wanted.equal("text", "content__icontains")
        wanted.between("created_at", "sent_after", "sent_before")
        return wanted.of(_MessageModel).order_by("-created_at", "-pk")

    @connection(SessionRecord)
    def session_records(
        self, info: Info, filters: SessionRecordFilter | None = None
    ) -> Iterable[SessionRecord]:
        """Open sockets, those that were heard of last first."""
        wanted = _Wanted(info, filters)
        wanted.by_user("user", "user_id")
        wanted.between("last_seen", "seen_after")
        return wanted.of(_SessionModel).order_by("-last_seen", "pk")

    @connection(ConnectedUser)
    def connected_users(self, info: Info) -> Iterable[ConnectedUser]:
        """Users with open sockets, and on how many devices."""
        users = _Wanted(info, None).of(_UserModel)
        since = timezone.now() - timedelta(seconds=chat_settings.INACTIVITY_THRESHOLD)
        alive = chat_sockets(
            _SessionModel.objects.filter(user_id=OuterRef("pk"), alive_at__gte=since)
        )
        by_user = alive.order_by().values("user_id")
        connected: QuerySet[Any] = (
            users.filter(Exists(alive))
            .annotate(
                chat_devices=Subquery(by_user.annotate(count=Count("pk")).values("count")),
                chat_last_seen=Subquery(by_user.annotate(last=Max("last_seen")).values("last")),
            )
            .order_by("pk")
        )
        return connected

    @connection(NotificationRecord)
    def notification_records(
        self, info: Info, filters: NotificationRecordFilter | None = None
    ) -> Iterable[NotificationRecord]:
        """Notifications that wait, the newest first."""
        wanted = _Wanted(info, filters)
        wanted.equal("room", "room_id")
        wanted.equal("notification_type")
        if wanted.has("recipient"):
            wanted.conditions &= _waits_for(wanted.user_key("recipient"))
        return wanted.of(_NotificationModel).order_by("-created_at", "pk")

    @connection(EventRecord)
    def event_records(
        self, info: Info, filters: EventRecordFilter | None = None
    ) -> Iterable[EventRecord]:
        """The event log, the newest first."""
        wanted = _Wanted(info, filters)
        wanted.equal("stream")
        wanted.equal("kind")
        wanted.between("created_at", "logged_after", "logged_before")
        if wanted.has("room"):
            wanted.conditions &= Q(stream=streams.room_stream(wanted.given("room")))
        if wanted.has("user"):
            wanted.conditions &= Q(stream=streams.user_stream(wanted.user_key("user")))
        return wanted.of(StreamEvent).order_by("-pk")


class _Wanted:
    """What a tool asks for, as conditions on rows.

    Raises:
        PermissionDenied: the user may not look at records.
    """

    def __init__(self, info: Any, filters: Any) -> None:
        self._handler = info.context.handler
        if not self._handler.permissions.can_inspect(self._handler.user):
            raise PermissionDenied("You may not query records.")
        self._filters = filters
        self.conditions = Q()

    def given(self, name: str) -> Any:
        return getattr(self._filters, name, None)

    def has(self, name: str) -> bool:
        return self.given(name) is not None

    def equal(self, name: str, lookup: str | None = None) -> None:
        if self.has(name):
            self.conditions &= Q(**{lookup or name: self.given(name)})

    def between(self, column: str, after: str, before: str = "") -> None:
        self.equal(after, f"{column}__gte")
        self.equal(before, f"{column}__lt")

    def by_user(self, name: str, column: str) -> None:
        if self.has(name):
            self.conditions &= Q(**{column: self.user_key(name)})

    def user_key(self, name: str) -> Any:
        """Return the primary key of a user who is named; raises where there is none."""
        named = [self.given(name)]
        (key,) = self._handler.find_users(f"filters.{name}", named, inactive=True)
        return key

    def of(self, model: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = model._default_manager.filter(self.conditions)
        return rows


def _waits_for(user_id: Any) -> Q:
    """Return the condition on notifications that wait for a user."""
    member = Membership.objects.filter(
        members_who_see(OuterRef("created_at")),
        room_id=OuterRef("room_id"),
        user_id=user_id,
        pending_from__lte=OuterRef("created_at"),
    )
    has_it = Delivery.objects.filter(message_id=OuterRef("message_id"), user_id=user_id)
    of_message = Q(Exists(member)) & ~Q(Exists(has_it)) & ~Q(actor_id=user_id)
    return Q(recipient_id=user_id) | (Q(recipient=None) & of_message)

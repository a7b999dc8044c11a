"""Notifications in the schema: what waits for a user."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from ..models.audiences import REASONS
from ..models.notifications import NotificationType
from ..prepared.fields import derived
from .context import Info
from .inputs import FROM_ONE
from .json_schema import keywords
from .parts import brought_by
from .references import MODULE, MessageRef


@strawberry.type
class Notification:
    """A message or a reaction that waits for the user."""

    id: UUID
    notification_type: str = strawberry.field(metadata=keywords(enum=NotificationType.values))
    message: MessageRef
    reason: str = strawberry.field(
        description="Why the user is notified: of several reasons the strongest, the first here.",
        metadata={**keywords(enum=list(REASONS)), **brought_by("mentions")},
    )


@strawberry.type
class RoomNotifications:
    """What waits for the user in one room."""

    room_id: UUID
    notifications: list[Annotated["Notification", strawberry.lazy(MODULE)]]


@strawberry.type
class NotificationList:
    """Notifications, whatever their rooms."""

    notifications: list[Annotated["Notification", strawberry.lazy(MODULE)]]


def _page_data(root: Any) -> Any:
    return root


@strawberry.type
class NotificationPage:
    """A page of what waits for the user, the newest first."""

    has_next: bool
    has_previous: bool
    size: int
    data: NotificationList = derived(_page_data)


# Inputs


@strawberry.input
class NotificationPaginateInput:
    """Which page: the newest, or from a notification on."""

    size: int = strawberry.field(metadata=FROM_ONE)
    before: UUID | None = None


@strawberry.input
class NotificationsInput:
    """Which of the notifications that wait."""

    paginate: NotificationPaginateInput | None = None


# Operations


def list_notifications(info: Info) -> list[RoomNotifications]:
    """Return the newest of what waits for the user, by room."""
    return [
        RoomNotifications(room_id=room_id, notifications=notifications)
        for room_id, notifications in info.context.handler.pending_notifications().items()
    ]


@strawberry.type
class NotificationQueries:
    """What a user may look at."""

    @strawberry.field
    def notifications(self, info: Info) -> list[RoomNotifications]:
        """The newest of what waits for the user, by room."""
        return list_notifications(info)

    @strawberry.field
    def notification_page(self, info: Info, input: NotificationsInput) -> NotificationPage:
        """What waits for the user, over all rooms, the newest first."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        page: Any = info.context.handler.list_notifications(**paginate)
        return page  # type: ignore[no-any-return]


QUERIES: tuple[type, ...] = (NotificationQueries,)
MUTATIONS: tuple[type, ...] = ()
EVENTS: tuple[type, ...] = ()

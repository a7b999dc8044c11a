"""Notifications in the schema: what waits for a user."""

from typing import Annotated
from uuid import UUID

import strawberry

from ..models.audiences import REASONS
from ..models.notifications import NotificationType
from .context import Info
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


QUERIES: tuple[type, ...] = (NotificationQueries,)
MUTATIONS: tuple[type, ...] = ()
EVENTS: tuple[type, ...] = ()

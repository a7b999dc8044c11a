"""What a user may look at."""

from typing import Any

import strawberry

from .context import Info
from .inputs import NotificationsInput, RoomInput, RoomMessagesInput
from .types import (
    MessagePage,
    NotificationPage,
    Position,
    Room,
    RoomNotifications,
    RoomSummary,
)


def list_notifications(info: Info) -> list[RoomNotifications]:
    """Return the newest of what waits for the user, by room."""
    return [
        RoomNotifications(room_id=room_id, notifications=notifications)
        for room_id, notifications in info.context.handler.pending_notifications().items()
    ]


@strawberry.type
class Query:
    """What a user may look at."""

    @strawberry.field
    def rooms(self, info: Info) -> list[RoomSummary]:
        """The user's rooms, the most recently active first."""
        return info.context.handler.list_rooms()

    @strawberry.field
    def room(self, info: Info, input: RoomInput) -> Room:
        """One of the user's rooms, with its members."""
        return info.context.handler.room_info(input.room_id)  # type: ignore[return-value]

    @strawberry.field
    def room_messages(self, info: Info, input: RoomMessagesInput) -> MessagePage:
        """Messages of one of the user's rooms, the newest first."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        page: Any = info.context.handler.room_messages(input.room_id, **paginate)
        return page  # type: ignore[no-any-return]

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

    @strawberry.field
    def positions(self, info: Info) -> list[Position]:
        """Where all streams of the user stand."""
        return info.context.handler.positions()  # type: ignore[return-value]

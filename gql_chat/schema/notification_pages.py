"""Pages of what waits for a user in the schema."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from ..prepared.fields import derived
from .context import Info
from .inputs import FROM_ONE
from .references import MODULE

if TYPE_CHECKING:
    from .notifications import Notification


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


@strawberry.type
class NotificationPageQueries:
    """What a user may look at."""

    @strawberry.field
    def notification_page(self, info: Info, input: NotificationsInput) -> NotificationPage:
        """What waits for the user, over all rooms, the newest first."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        page: Any = info.context.handler.list_notifications(**paginate)
        return page  # type: ignore[no-any-return]


QUERIES: tuple[type, ...] = (NotificationPageQueries,)
MUTATIONS: tuple[type, ...] = ()
EVENTS: tuple[type, ...] = ()

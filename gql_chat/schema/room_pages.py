"""Pages of a user's rooms in the schema, and the filters of that list."""

from typing import Any
from uuid import UUID

import strawberry

from ..models.people import QUERY_LENGTH
from ..operations.room_pages import BROUGHT_BY
from ..prepared.fields import derived
from .context import Info
from .inputs import FROM_ONE, given
from .json_schema import keywords
from .parts import brought_by
from .rooms import RoomSummary, type_names


@strawberry.type
class RoomList:
    """Rooms of the user."""

    rooms: list[RoomSummary]


def _page_data(root: Any) -> Any:
    return root


@strawberry.type
class RoomPage:
    """A page of the user's rooms, the most recently active first."""

    has_next: bool
    has_previous: bool
    size: int
    data: RoomList = derived(_page_data)


# Inputs


@strawberry.input
class RoomPaginateInput:
    """Which page: the first, or from a room on."""

    size: int = strawberry.field(metadata=FROM_ONE)
    before: UUID | None = None


def _brought(name: str) -> Any:
    """Return the field of a filter that another feature brings."""
    return strawberry.field(default=None, metadata=brought_by(BROUGHT_BY[name]))


@strawberry.input
class RoomFilterInput:
    """Which rooms; what is left out does not matter."""

    type: str | None = strawberry.field(default=None, metadata=keywords(enum=type_names))
    unread: bool | None = None
    mentioned: bool | None = _brought("mentioned")
    pinned: bool | None = _brought("pinned")
    archived: bool | None = _brought("archived")
    query: str | None = strawberry.field(
        default=None, metadata=keywords(minLength=1, maxLength=QUERY_LENGTH)
    )


@strawberry.input
class RoomsInput:
    """Which of the user's rooms."""

    paginate: RoomPaginateInput | None = None
    filter: RoomFilterInput | None = None


# Operations


@strawberry.type
class RoomPageQueries:
    """What a user may look at."""

    @strawberry.field
    def room_page(self, info: Info, input: RoomsInput) -> RoomPage:
        """Some of the user's rooms, the most recently active first."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        filters = {name: value for name, value in given(input.filter).items() if value is not None}
        page: Any = info.context.handler.list_room_page(**paginate, filters=filters)
        return page  # type: ignore[no-any-return]


QUERIES: tuple[type, ...] = (RoomPageQueries,)
MUTATIONS: tuple[type, ...] = ()
EVENTS: tuple[type, ...] = ()

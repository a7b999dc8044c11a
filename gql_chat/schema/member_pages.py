"""Pages of a room's members in the schema."""

from typing import Any, Optional
from uuid import UUID

import strawberry

from ..models.people import QUERY_LENGTH
from ..operations.member_pages import ROLES
from ..prepared.fields import derived
from .context import Info
from .inputs import FROM_ONE, FROM_ZERO
from .json_schema import keywords
from .references import UserRef
from .scalars import Timestamp, UserID


@strawberry.type
class RoomMember:
    """A user in a room."""

    user: UserRef
    role: str = strawberry.field(metadata=keywords(enum=list(ROLES)))
    joined_at: Timestamp


@strawberry.type
class RoomMemberList:
    """Members of one room, and how many it has in all."""

    room_id: UUID
    member_count: int = strawberry.field(metadata=FROM_ZERO)
    members: list[RoomMember]


def _page_data(root: Any) -> Any:
    return root


@strawberry.type
class RoomMemberPage:
    """A page of a room's members: leaders first, the others in the order of joining."""

    has_next: bool
    has_previous: bool
    size: int
    data: RoomMemberList = derived(_page_data)


# Inputs


@strawberry.input
class MemberPaginateInput:
    """Which page: the first, or from a member on."""

    size: int = strawberry.field(metadata=FROM_ONE)
    after: Optional[UserID] = None


@strawberry.input
class RoomMembersInput:
    """Which members of a room."""

    room_id: UUID
    paginate: MemberPaginateInput | None = None
    query: str | None = strawberry.field(
        default=None, metadata=keywords(minLength=1, maxLength=QUERY_LENGTH)
    )
    role: str | None = strawberry.field(default=None, metadata=keywords(enum=list(ROLES)))


# Operations


@strawberry.type
class MemberPageQueries:
    """What a user may look at."""

    @strawberry.field
    def room_members(self, info: Info, input: RoomMembersInput) -> RoomMemberPage:
        """Members of one of the user's rooms: leaders first, the others in the order of joining."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        page: Any = info.context.handler.room_members(
            input.room_id, **paginate, query=input.query, role=input.role
        )
        return page  # type: ignore[no-any-return]


QUERIES: tuple[type, ...] = (MemberPageQueries,)
MUTATIONS: tuple[type, ...] = ()
EVENTS: tuple[type, ...] = ()

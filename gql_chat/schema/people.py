"""People in the schema: users who are found by name."""

from typing import Any

import strawberry

from ..models.people import QUERY_LENGTH
from ..operations.people import LEAST_CHARACTERS
from ..prepared.fields import derived
from .context import Info
from .json_schema import keywords
from .member_pages import MemberPaginateInput
from .references import UserRef


@strawberry.type
class PeopleList:
    """Users."""

    users: list[UserRef]


def _page_data(root: Any) -> Any:
    return root


@strawberry.type
class PeoplePage:
    """A page of the users who are found, by username."""

    has_next: bool
    has_previous: bool
    size: int
    data: PeopleList = derived(_page_data)


# Inputs


@strawberry.input
class FindUsersInput:
    """Whom the user looks for: each word begins a name."""

    query: str = strawberry.field(
        metadata=keywords(minLength=LEAST_CHARACTERS, maxLength=QUERY_LENGTH)
    )
    paginate: MemberPaginateInput | None = None


# Operations


@strawberry.type
class PeopleQueries:
    """What a user may look at."""

    @strawberry.field
    def find_users(self, info: Info, input: FindUsersInput) -> PeoplePage:
        """Users whom one may start a chat with, by the beginnings of their names."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        page: Any = info.context.handler.search_users(input.query, **paginate)
        return page  # type: ignore[no-any-return]


QUERIES: tuple[type, ...] = (PeopleQueries,)
MUTATIONS: tuple[type, ...] = ()
EVENTS: tuple[type, ...] = ()

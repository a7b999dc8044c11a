"""Accounts in the schema: that the account of a member is gone."""

from uuid import UUID

import strawberry

from .. import events
from .json_schema import keywords
from .payloads import tells
from .scalars import UserID

# Events


@strawberry.type
class UserErased:
    """The account of a user is gone. Receipts, deliveries and reactions of the user are, too."""

    is_type_of = tells(events.UserErased)
    room_id: UUID
    user_id: UserID
    messages: str = strawberry.field(
        description="What became of the user's messages: the kept ones show no name.",
        metadata=keywords(enum=["keep", "blank", "delete"]),
    )


QUERIES: tuple[type, ...] = ()
MUTATIONS: tuple[type, ...] = ()
EVENTS: tuple[type, ...] = (UserErased,)

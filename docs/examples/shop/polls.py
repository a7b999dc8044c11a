# shop/polls.py
from uuid import UUID

import strawberry

from gql_chat import errors, operations
from gql_chat.events import Event
from gql_chat.schema import Info
from gql_chat.schema.types import UserRef


@strawberry.type
class PollOpened(Event):
    """A member asks the room to choose."""

    dispatch = "poll.dispatch"

    room_id: UUID
    question: str
    options: list[str]
    opened_by: UserRef


@strawberry.type
class OrderShipped(Event):
    """An order of the user's is on its way."""

    dispatch = "order.dispatch"

    order: str
    carrier: str


@strawberry.input
class OpenPollInput:
    """A poll to open."""

    room_id: UUID
    question: str
    options: list[str]


@strawberry.type
class PollMutations:
    """What the schema can do besides."""

    @strawberry.mutation
    def open_poll(self, info: Info, input: OpenPollInput) -> bool:
        """Ask the members of a room to choose."""
        info.context.handler.open_poll(input.room_id, input.question, input.options)
        return True


class EventHandler(operations.EventHandler):
    """Has polls."""

    events = (PollOpened, OrderShipped)
    mutations = (PollMutations,)

    def open_poll(self, room_id, question, options):
        membership = self.enter(room_id)
        if not self.permissions.can_send(membership):
            raise errors.PermissionDenied("You may not open polls in this room.")
        if len(options) < 2:
            raise errors.Invalid({"options": "At least two are needed."})
        poll = PollOpened(
            room_id=room_id, question=question, options=options, opened_by=membership.user
        )
        self.send_to_room(room_id, poll)

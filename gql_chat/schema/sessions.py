"""Sessions in the schema: sockets that open, stay and close."""

from typing import Any
from uuid import UUID

import strawberry

from .context import Info
from .notifications import RoomNotifications, list_notifications


@strawberry.type
class Position:
    """Where a stream stands for the user."""

    stream: str
    seq: int
    joined_seq: int


@strawberry.type
class OpenedSession:
    """A socket that is registered, and what waits for its user."""

    id: UUID
    notifications: list[RoomNotifications] = strawberry.field(resolver=list_notifications)


# Inputs


@strawberry.input
class SessionInput:
    """A socket."""

    channel_name: str


# Operations


@strawberry.type
class SessionQueries:
    """What a user may look at."""

    @strawberry.field
    def positions(self, info: Info) -> list[Position]:
        """Where all streams of the user stand."""
        return info.context.handler.positions()  # type: ignore[return-value]


@strawberry.type
class SessionMutations:
    """What a user may do."""

    @strawberry.mutation
    def open_session(self, info: Info, input: SessionInput) -> OpenedSession:
        """Register a socket."""
        session: Any = info.context.handler.open_session(input.channel_name)
        return session  # type: ignore[no-any-return]

    @strawberry.mutation
    def heartbeat(self, info: Info, input: SessionInput) -> bool:
        """Note that a socket's client is there."""
        info.context.handler.heartbeat(input.channel_name)
        return True

    @strawberry.mutation
    def close_session(self, info: Info, input: SessionInput) -> bool:
        """Forget a socket."""
        info.context.handler.close_session(input.channel_name)
        return True


QUERIES: tuple[type, ...] = (SessionQueries,)
MUTATIONS: tuple[type, ...] = (SessionMutations,)
EVENTS: tuple[type, ...] = ()

"""What a user may listen to."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import strawberry

from .. import streams
from ..errors import Invalid
from .context import Context
from .events import ChatEvent
from .parts import brought_by
from .presence import PresenceChanged, PresenceInput
from .scalars import UserID
from .stored import Stored

Info = strawberry.Info[Context, Any]


@strawberry.type
class StreamFrame:
    """A stored event, with its stream and sequence number."""

    stream: str
    seq: int
    event: ChatEvent


@strawberry.type
class Subscription:
    """What a user may listen to."""

    @strawberry.subscription
    async def events(self, info: Info) -> AsyncGenerator[ChatEvent, None]:
        """What the server's own source has. Tools follow `room_events` and `user_events`."""
        if info.context.source is not None:
            async for event in info.context.source:
                yield event

    @strawberry.subscription
    async def room_events(
        self, info: Info, room_id: UUID, after: int | None = None
    ) -> AsyncGenerator[StreamFrame, None]:
        """The stored events of a room: those after a sequence number, or from now on."""
        async for frame in _follow(info, streams.room_stream(room_id), after):
            yield frame

    @strawberry.subscription
    async def user_events(
        self, info: Info, user_id: UserID, after: int | None = None
    ) -> AsyncGenerator[StreamFrame, None]:
        """The stored events for one user alone: those after a sequence number, or from now on."""
        async for frame in _follow(info, streams.user_stream(user_id), after):
            yield frame

    @strawberry.subscription(metadata=brought_by("presence"))  # type: ignore[untyped-decorator]
    async def presence_events(
        self, info: Info, input: PresenceInput
    ) -> AsyncGenerator[PresenceChanged, None]:
        """Who is there of users or rooms, and then whoever comes, goes or is away."""
        if info.context.look is None:
            raise Invalid("Presence can be followed on a socket only.")
        async for event in info.context.look(vars(input)):
            yield event  # type: ignore[misc]


async def _follow(info: Info, stream: str, after: int | None) -> AsyncGenerator[StreamFrame, None]:
    if info.context.follow is None:
        raise Invalid("Streams can be followed on a socket only.")
    async for envelope in info.context.follow(stream, after):
        payload = streams.parse_payload(envelope.payload)
        event: Any = Stored(payload, envelope.kind)
        yield StreamFrame(stream=envelope.stream, seq=envelope.seq, event=event)

"""What a user may listen to."""

from collections.abc import AsyncGenerator
from typing import Any

import strawberry

from .context import Context
from .events import ChatEvent


@strawberry.type
class Subscription:
    """What a user may listen to."""

    @strawberry.subscription
    async def events(self, info: strawberry.Info[Context, Any]) -> AsyncGenerator[ChatEvent, None]:
        """Everything that the context's source has for the user, as it happens."""
        if info.context.source is not None:
            async for event in info.context.source:
                yield event  # type: ignore[misc]

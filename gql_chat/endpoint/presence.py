"""Presence at the endpoint: a subscription looks at the database now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

from django.db import InterfaceError, OperationalError

from ..events import PresenceChanged
from ..failures import outline
from ..operations.presence import Watched
from ..presence import Status
from ..schema import Context
from ..sql.threads import DatabaseThreads
from .access import Caller

logger = logging.getLogger("gql_chat")

LOOK_SECONDS = 5.0
"""Seconds between two looks: so a client is told of at most one change of a user in that time."""


async def follow_presence(
    caller: Caller, threads: DatabaseThreads, named: dict[str, Any]
) -> AsyncGenerator[PresenceChanged, None]:
    """Give the presence of users or rooms, and then what changes, while the caller may see it.

    Each look is one piece of work of a constant number of statements, and a tool has few
    subscriptions: no process has to say anything for it.

    Args:
        caller: the caller.
        threads: the database threads.
        named: the `users` or the `rooms`, as `find_presence` takes them.

    Raises:
        ChatError: as `find_presence` and `Caller`, at the beginning or when a right has ended.
    """

    def look(context: Context) -> Watched:
        return context.handler.find_presence(**named)

    told: dict[str, Status] = {}
    watched = await threads.run(lambda: look(caller.enter()))
    is_first = True
    while True:
        changed = [each for each in watched.statuses if _is_news(told.get(str(each.user_id)), each)]
        told = {str(each.user_id): each for each in watched.statuses}
        if changed or is_first:
            yield PresenceChanged(changed, snapshot=is_first)
        is_first = False
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                watched = await threads.run(lambda: look(caller.stay()))
                break
            except (OperationalError, InterfaceError) as error:
                logger.warning("Presence could not be read: %s", outline(error))


def _is_news(told: Status | None, now: Status) -> bool:
    return told is None or told.status != now.status

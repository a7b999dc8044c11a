"""Neighbours: other processes that serve sockets, and that no wake-up of this one reaches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.utils import timezone

from gql_chat import sessions, streams
from gql_chat.conf import chat_settings
from gql_chat.sql.threads import DatabaseThreads

logger = logging.getLogger("event_bridge")


class Neighbours:
    """Searches for other processes if the channel layer ends at this one; logs once what it found.

    Args:
        threads: the database threads.
        names: returns the names of this process's hubs.

    Attributes:
        since: the time by which a process that this one replaced has ended. A session that is
            renewed later belongs to a process that serves beside this one.
    """

    def __init__(self, threads: DatabaseThreads, names: Callable[[], Iterable[str]]) -> None:
        self._threads = threads
        self._names = names
        self.since = timezone.now() + timedelta(seconds=chat_settings.INACTIVITY_THRESHOLD)
        self._found = False

    async def look(self) -> None:
        """Search once: one query, and none if there is nothing to find."""
        if self._found or timezone.now() < self.since or streams.reaches_other_processes():
            return
        names = list(self._names())
        self._found = await self._threads.run(sessions.are_elsewhere, names, self.since)
        if self._found:
            logger.warning(
                "Another process serves sockets of this database, and the channel layer ends at "
                "this process: events reach the other's sockets late, typing never. Name a layer "
                "between processes in CHANNEL_LAYERS, such as "
                "'channels_redis.pubsub.RedisPubSubChannelLayer', or serve from one process."
            )

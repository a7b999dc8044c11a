"""Upkeep: the work of a hub every two seconds, with or without wake-ups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gql_chat import presence, sessions
from gql_chat.conf import chat_settings
from gql_chat.failures import outline
from gql_chat.nouns import has_feature
from gql_chat.sql.threads import DatabaseThreads
from gql_chat.tables import report_missing

from ..metrics import Recorder
from .catch_up import CatchUp
from .dispatcher import Dispatcher
from .epoch import EpochWatch
from .memberships import Memberships
from .neighbours import Neighbours
from .registry import Registry

logger = logging.getLogger("event_bridge")

UPKEEP_SECONDS = 2.0
"""How long a hub pauses between two rounds."""


class Upkeep:
    """Checks the epoch, catches up, finds joins, and keeps sessions alive.

    Args:
        loop: the event loop.
        threads: the database threads.
        registry: the subscribers and streams.
        dispatcher: closes the sockets of users who are inactive.
        epoch: checks the epoch.
        catch_up: reads what streams lack.
        memberships: finds joins.
        neighbours: searches for other processes.
        recorder: is told how late the loop is.
        look: tells the recorder what the hub holds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        threads: DatabaseThreads,
        registry: Registry,
        dispatcher: Dispatcher,
        epoch: EpochWatch,
        catch_up: CatchUp,
        memberships: Memberships,
        neighbours: Neighbours,
        recorder: Recorder,
        look: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._threads = threads
        self._registry = registry
        self._dispatcher = dispatcher
        self._epoch = epoch
        self._catch_up = catch_up
        self._memberships = memberships
        self._neighbours = neighbours
        self._recorder = recorder
        self._look = look
        self._renew_at = 0.0

    async def run(self) -> None:
        """Work round after round, until cancelled."""
        while True:
            due = self._loop.time() + UPKEEP_SECONDS
            await asyncio.sleep(UPKEEP_SECONDS)
            self._recorder.paused(max(0.0, self._loop.time() - due))
            self._look()
            try:
                await self._epoch.check()
                await self._catch_up.catch_up_all()
                await self._memberships.find_joins()
                await self.keep_alive()
            except Exception as error:
                if not report_missing(error):
                    logger.warning("The hub could not catch up: %s", outline(error))

    async def keep_alive(self) -> None:
        """Dismiss users whose accounts are inactive; renew the leases of the sessions here.

        Leases are renewed every third of `INACTIVITY_THRESHOLD`. The sessions of processes that
        renew none are deleted then.
        """
        inactive = await self._threads.run(sessions.find_inactive, list(self._registry.subscribers))
        for user in inactive:
            self._dispatcher.dismiss(user)
        now = self._loop.time()
        if now >= self._renew_at:
            self._renew_at = now + chat_settings.INACTIVITY_THRESHOLD / 3
            names = [
                subscriber.channel_name
                for subscribers in self._registry.subscribers.values()
                for subscriber in subscribers
            ]
            await self._threads.run(sessions.keep_alive, names)
            if has_feature("presence"):
                await self._threads.run(presence.tidy)
            await self._threads.run(sessions.delete_dead)
            await self._neighbours.look()

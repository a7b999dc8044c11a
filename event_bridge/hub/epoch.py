"""The epoch: whether the sequence numbers that the hub knows are still those of the database."""

from __future__ import annotations

import logging

from gql_chat import streams
from gql_chat.sql.threads import DatabaseThreads

from .dispatcher import Dispatcher
from .readings import Readings
from .registry import Registry
from .sequencer import Sequencer
from .tasks import Tasks

logger = logging.getLogger("event_bridge")


class EpochWatch:
    """Begins afresh when the database was set back.

    Args:
        threads: the database threads.
        tasks: run the checks.
        registry: the subscribers and streams.
        readings: forget what they keep.
        sequencer: forgets departures.
        dispatcher: closes sockets.
    """

    def __init__(
        self,
        threads: DatabaseThreads,
        tasks: Tasks,
        registry: Registry,
        readings: Readings,
        sequencer: Sequencer,
        dispatcher: Dispatcher,
    ) -> None:
        self._threads = threads
        self._tasks = tasks
        self._registry = registry
        self._readings = readings
        self._sequencer = sequencer
        self._dispatcher = dispatcher
        self._epoch: str | None = None

    def agrees(self, epoch: str) -> bool:
        """Tell whether an epoch that was read is the hub's. The first one becomes the hub's."""
        if self._epoch is None:
            self._epoch = epoch
        return self._epoch == epoch

    def doubt(self, epoch: str) -> None:
        """Check at once if something was read of another epoch than the hub's."""
        if epoch != self._epoch:
            self._tasks.spawn(self._tasks.insist(self.check))

    async def check(self) -> None:
        """Check whether the database was set back. If so, all begin afresh. One query."""
        epoch = await self._threads.run(streams.read_epoch)
        if self._epoch is not None and epoch != self._epoch:
            self._begin_again(epoch)

    def forget(self) -> None:
        """Forget the epoch: the hub rests."""
        self._epoch = None

    def _begin_again(self, epoch: str) -> None:
        """Forget all sequence numbers, which belong to another history. Clients resume."""
        logger.warning("The epoch was renewed: all sockets are closed, so that clients resume.")
        self._epoch = epoch
        for name, stream in list(self._registry.streams.items()):
            stream.clear()
            self._registry.close(name)
        self._registry.streams_of.clear()
        self._readings.clear()
        self._sequencer.forget_departures()
        for user in list(self._registry.subscribers):
            self._dispatcher.interrupt(user)

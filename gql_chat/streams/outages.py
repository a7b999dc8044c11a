"""Outages of the channel layer: each is logged when it begins and when it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from redis.exceptions import TimeoutError as RedisTimeoutError

from ..failures import outline

logger = logging.getLogger("gql_chat")

AWAY_SECONDS = 1.0
"""How long the layer has to fail, with no success, until it counts as away."""

MEMORY_SECONDS = 60.0
"""After how long a failure is forgotten that no other has followed."""


class Outages:
    """Knows whether the channel layer of this process is away.

    All who use the layer tell how that went. One failure is no outage: a connection may break, and
    the next attempt makes another. The layer is away when it fails again `AWAY_SECONDS` later, with
    no success by anybody in between. It is back with the next success. Only a message that was
    taken or has come is a success: the Pub/Sub layer joins and leaves groups without waiting for
    Redis.

    Any thread may tell. The state is guarded by a lock, and is read without one.

    Args:
        clock: returns seconds that only grow.

    Attributes:
        is_away: whether the layer is away.
        failures: how often it has failed since the process started.
        listeners: called after each failure and each return, on the thread that tells of it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_away = False
        self.failures = 0
        self.listeners: list[Callable[[], None]] = []
        self._clock = clock
        self._failing_since: float | None = None
        self._failed_at = 0.0
        self._lock = threading.Lock()

    def note_success(self) -> None:
        """Note that the layer has answered."""
        if self._failing_since is None:
            return
        with self._lock:
            since, self._failing_since = self._failing_since, None
            was_away, self.is_away = self.is_away, False
        if was_away and since is not None:
            logger.warning(
                "The channel layer is back after %.1f seconds.",
                self._clock() - since,
                extra={"layer": "back"},
            )
            self._tell()

    def note_failure(self, error: BaseException) -> None:
        """Note that the layer has failed, or has not answered in time."""
        now = self._clock()
        with self._lock:
            self.failures += 1
            is_old = not self.is_away and now - self._failed_at > MEMORY_SECONDS
            if self._failing_since is None or is_old:
                self._failing_since = now
            self._failed_at = now
            begins = not self.is_away and now - self._failing_since >= AWAY_SECONDS
            self.is_away = self.is_away or begins
        if begins:
            logger.warning(
                "The channel layer is away; the log serves until it is back: %s",
                outline(error),
                extra={"layer": "away"},
            )
        else:
            logger.debug("The channel layer failed: %s", outline(error))
        self._tell()

    def _tell(self) -> None:
        for listener in self.listeners:
            listener()


layer_outages = Outages()
"""The outages of this process."""


def is_silence(error: BaseException) -> bool:
    """Tell whether waiting for a message ended because none came, which is no failure.

    `channels_redis` waits for five seconds, and redis-py from version 8 on gives up reading after
    five as well. So a quiet layer raises this now and then.
    """
    return isinstance(error, TimeoutError | RedisTimeoutError)

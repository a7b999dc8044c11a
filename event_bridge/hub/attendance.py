"""Attendance: a hub renews one lease for its sockets, and says who came to it and who left.

It costs the same however many sockets there are: one row is renewed, and who came and went is
collected. Nothing is sent unless somebody watches somewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils import timezone

from gql_chat import presence
from gql_chat.nouns import has_feature
from gql_chat.sql.threads import DatabaseThreads
from gql_chat.streams import Envelope

from .layer import LayerLink
from .registry import Registry

COLLECT_SECONDS = 1.0
"""For how long a hub collects who came and went until it says so."""

BEACON_SECONDS = 10.0
"""How often a hub in which somebody watches says so. Others believe it for three times as long."""


class Attendance:
    """Says who has sockets here.

    Args:
        name: the hub's name, with which the channel names of its sockets begin.
        threads: the database threads.
        registry: the subscribers and streams.
        layer: the link to the channel layer.
        publish: publishes notices, here and in other processes.
        take: takes the users whose presence may have changed, where only this hub may watch them.
        wake: called when there is something to do.
        clock: returns the time in seconds, as the event loop has it.

    Attributes:
        departed: when the last sockets of users closed here, until that is written down.
    """

    def __init__(
        self,
        name: str,
        threads: DatabaseThreads,
        registry: Registry,
        layer: LayerLink,
        publish: Callable[[list[Envelope]], None],
        take: Callable[[set[str]], None],
        wake: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.departed: dict[str, datetime] = {}
        self._name = name
        self._threads = threads
        self._registry = registry
        self._layer = layer
        self._publish = publish
        self._take = take
        self._wake = wake
        self._clock = clock
        self._changed: set[str] = set()
        self._watched_until = float("-inf")
        self._renew_at = self._tell_at = float("-inf")

    @property
    def next_at(self) -> float:
        """When there is something to do next, by the clock."""
        return min(self._renew_at, self._tell_at) if self._changed else self._renew_at

    @property
    def is_watched(self) -> bool:
        """Whether somebody watches anybody, here or in another process."""
        return self._clock() < self._watched_until

    def take_watched(self) -> None:
        """Take a notice that somebody watches somewhere."""
        self._watched_until = self._clock() + 3 * BEACON_SECONDS

    def came(self, user: str) -> None:
        """Note that a socket of a user has opened here, and its session is stored."""
        self.departed.pop(user, None)
        self._note(user)

    def went(self, user: str) -> None:
        """Note that a socket of a user has closed here that was open; its session is deleted."""
        if user not in self._registry.subscribers:
            self.departed[user] = timezone.now()
        self._note(user)

    def _note(self, user: str) -> None:
        if not has_feature("presence"):
            self.departed.pop(user, None)
            return
        if not self._changed:
            self._tell_at = self._clock() + COLLECT_SECONDS
            self._wake()
        self._changed.add(user)

    def start(self) -> None:
        """Be told whether somebody watches, from now on, whether or not sockets stay."""
        if has_feature("presence"):
            self._layer.want(presence.HOLDERS)

    def rest(self, until: float) -> None:
        """Do nothing until a time, unless somebody comes or goes."""
        self._renew_at = until

    def stop(self) -> None:
        """Rest: no socket is left here. Who left is written down all the same."""
        presence.forget_holder(self._name)
        if has_feature("presence") and self._renew_at > float("-inf"):
            self._threads.run(presence.release_lease, self._name).add_done_callback(_look)
        self._renew_at = float("-inf")
        departed, self.departed = self.departed, {}
        changed, self._changed = self._changed, set()
        if not departed:
            return
        is_watched = self.is_watched

        def written(job: asyncio.Future[Any]) -> None:
            # What cannot be written now is lost: the hub has no task any more that tries again.
            if not job.cancelled() and job.exception() is None and is_watched:
                self._layer.notify([presence.changed(changed)])

        self._threads.run(presence.note_departures, departed).add_done_callback(written)

    async def work(self) -> None:
        """Renew the lease, and say who came and went, each when it is time.

        Raises:
            Exception: the database does not answer. What was not done is done the next time.
        """
        if self._clock() >= self._renew_at:
            await self._threads.run(presence.renew_lease, self._name)
            self._renew_at = self._clock() + presence.get_grace().total_seconds() / 4
        if self._changed and self._clock() >= self._tell_at:
            await self._tell()

    async def _tell(self) -> None:
        departed = dict(self.departed)
        if departed:
            # First it is written, then it is said: who is told of it reads it.
            await self._threads.run(presence.note_departures, departed)
            for user, at in departed.items():
                if self.departed.get(user) == at:
                    del self.departed[user]
        changed, self._changed = self._changed, set()
        if self.is_watched:
            self._publish([presence.changed(changed)])
        else:
            self._take(changed)


def _look(job: asyncio.Future[Any]) -> None:
    """Look at how a job ended that nobody waits for: a row that stays lapses by itself."""
    if not job.cancelled():
        job.exception()

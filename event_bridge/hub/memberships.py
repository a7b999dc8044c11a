"""Memberships: members who came and went without a frame.

Code outside the operations may change members without a frame. A process then sends a notice, and
the hubs read the members from the database. A notice may be lost, so joins are searched for, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.utils import timezone

from gql_chat import streams
from gql_chat.sql.threads import DatabaseThreads

from .admission import Admission
from .catch_up import CatchUp
from .readings import Readings
from .registry import Registry
from .sequencer import Sequencer
from .tasks import Tasks

CLOCK_DIFFERENCE = timedelta(seconds=10)
"""How far servers' clocks may differ, and a transaction may last, for joins to be seen."""

GONE = 2**63
"""A sequence number after all others: where the members of a deleted room left it."""


@dataclass(slots=True, eq=False)
class _Refresh:
    """A room whose members are being read.

    Attributes:
        again: whether they have to be read once more: there was another notice meanwhile.
    """

    again: bool = True


class Memberships:
    """Reads members from the database.

    Args:
        threads: the database threads.
        tasks: run the reads.
        registry: the subscribers and streams.
        readings: keep what happens meanwhile.
        sequencer: pauses a stream while its members are read.
        catch_up: reads the frames that came meanwhile.
        admission: entitles those who came.
    """

    def __init__(
        self,
        threads: DatabaseThreads,
        tasks: Tasks,
        registry: Registry,
        readings: Readings,
        sequencer: Sequencer,
        catch_up: CatchUp,
        admission: Admission,
    ) -> None:
        self._threads = threads
        self._tasks = tasks
        self._registry = registry
        self._readings = readings
        self._sequencer = sequencer
        self._catch_up = catch_up
        self._admission = admission
        self._refreshes: dict[str, _Refresh] = {}
        self._joins_known_until = timezone.now() - CLOCK_DIFFERENCE

    def start(self) -> None:
        """Search from now on for joins."""
        self._joins_known_until = timezone.now() - CLOCK_DIFFERENCE

    def stop(self) -> None:
        """Forget the reads that have not begun. Those under way are cancelled with their tasks."""
        self._refreshes.clear()
        self._sequencer.paused.clear()
        self._sequencer.let_in.clear()

    def refresh(self, name: str) -> None:
        """Read who is in a room, after all that the hub was notified of. Its frames wait."""
        refresh = self._refreshes.get(name)
        if refresh is None:
            refresh = self._refreshes[name] = _Refresh()
            self._sequencer.paused.add(name)
            self._tasks.spawn(self._read_members(name, refresh))
        else:
            refresh.again = True

    async def _read_members(self, name: str, refresh: _Refresh) -> None:
        try:
            while refresh.again:
                refresh.again = False
                if name not in self._registry.streams:
                    # The frames after a join may have come before this notice of it.
                    await self._tasks.insist(self.find_joins)
                room_id, users = name.partition(":")[2], list(self._registry.subscribers)
                read = partial(self._threads.run, streams.members_of, room_id, users)
                position, members = await self._tasks.insist(read)
                self._settle(name, position, members, frozenset(users))
                # A socket may be opening for which an older membership was read.
                ended = GONE if position is None else position + 1
                for user in set(users) - members.keys():
                    self._readings.keep_departure(name, user, ended)
        finally:
            if self._refreshes.get(name) is refresh:
                del self._refreshes[name]
                self._sequencer.paused.discard(name)
                self._sequencer.apply_early(name)
                self._catch_up.close_gap(name)

    def _settle(
        self, name: str, position: int | None, members: Mapping[str, int], asked: frozenset[str]
    ) -> None:
        """Entitle a room's members, and end what others are entitled to.

        Args:
            name: the room's stream.
            position: where it stood when the members were read; None where the room is gone.
            members: the members among those asked for, each with the sequence number from which
                on they are entitled.
            asked: the users who were asked for.
        """
        stream = self._registry.streams.get(name)
        if position is None:
            if stream is not None:
                self._sequencer.close(stream)
            return
        if stream is not None:
            if stream.position < position:
                stream.settled, stream.asked = position, asked
            for user in asked & stream.everybody():
                if user not in members:
                    self._sequencer.end(stream, user, position)
                elif members[user] > stream.seq_of(user) + 1:
                    # The membership that the hub knows of is over; this is another one.
                    self._registry.end(stream, user)
        for user, joined_seq in members.items():
            self._readings.forget_departure(name, user)
            # A socket that is opening brings what was read for it.
            if self._registry.is_here(user) and not self._registry.hears(user, name):
                self._admission.admit(user, (name, position, joined_seq), unheard=True)
        stream = self._registry.streams.get(name)
        if stream is not None:
            self._registry.close_if_empty(stream)

    async def find_joins(self) -> None:
        """Find the rooms that local users joined, notice or not. One query."""
        now, reading = timezone.now(), object()
        let_in, self._sequencer.let_in = self._sequencer.let_in, set()
        self._readings.begin(reading)
        try:
            joined = await self._threads.run(
                streams.find_joined, list(self._registry.subscribers), self._joins_known_until
            )
            for user, position in joined:
                if self._registry.is_here(user) and not self._registry.hears(user, position[0]):
                    self._admission.admit(user, position, unheard=True)
        except BaseException:
            self._sequencer.let_in |= let_in
            raise
        finally:
            self._readings.end(reading)
        for name, user in let_in - {(position[0], user) for user, position in joined}:
            if self._registry.hears(user, name):
                self.refresh(name)
        self._joins_known_until = now - CLOCK_DIFFERENCE

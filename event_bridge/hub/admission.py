"""Admission: from which frame on a user who came is entitled to each stream."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gql_chat.streams import Position, Positions

from .catch_up import CatchUp
from .readings import Readings
from .registry import Registry
from .sequencer import Sequencer


class Admission:
    """Entitles users to streams.

    Args:
        registry: the subscribers and streams.
        readings: knows who left while memberships were read.
        sequencer: knows where users left before.
        catch_up: brings users up to where a stream is.
    """

    def __init__(
        self, registry: Registry, readings: Readings, sequencer: Sequencer, catch_up: CatchUp
    ) -> None:
        self._registry = registry
        self._readings = readings
        self._sequencer = sequencer
        self._catch_up = catch_up

    def enter(self, user: str, positions: Positions, heard: Collection[str]) -> dict[str, int]:
        """Entitle the user of a new subscriber to the streams that were read for it.

        Args:
            user: the user.
            positions: where each stream stands, and where the membership began.
            heard: the streams of which the subscriber got frames while the positions were read.

        Returns:
            The streams of which the subscriber gets frames that are older than its positions, each
            with the sequence number up to which they are older.
        """
        positions_left: Iterable[Position] = positions
        here_before = self._registry.is_here(user)
        if not here_before and not self._readings.kept_departures:
            positions_left = self._admit_plainly(user, positions, heard)
        ahead: dict[str, int] = {}
        for position in positions_left:
            name, seq, _ = position
            # Another subscriber of the user may not have heard yet of a room. It shall hear of it
            # from the join on.
            unheard = here_before and not self._registry.hears(user, name)
            self.admit(user, position, unheard=unheard)
            stream = self._registry.streams.get(name)
            is_behind = stream and stream.includes(user) and stream.seq_of(user) < seq
            if is_behind or name in heard:
                ahead[name] = seq
        return ahead

    def _admit_plainly(
        self, user: str, positions: Iterable[Position], heard: Collection[str]
    ) -> list[Position]:
        """Entitle a user to the streams that are where they were read; return the others.

        `admit` would do the same. This is short, for users with hundreds of rooms.
        """
        registry = self._registry
        names, others = registry.streams_of[user], []
        for position in positions:
            name, seq, joined_seq = position
            stream = registry.streams.get(name) or registry.open(name, seq)
            moved = stream.position != seq or joined_seq > seq or name in heard
            if moved or stream.entering or stream.late:
                others.append(position)
            elif user not in stream.users:
                stream.users[user] = None
                names.append(stream.name)
        return others

    def admit(self, user: str, position: Position, *, unheard: bool) -> None:
        """Entitle a user to a stream from where the membership began.

        Args:
            user: a local user.
            position: where the stream stands, and where the membership began.
            unheard: whether an open subscriber of the user has missed the join.
        """
        name, seq, joined_seq = position
        if self._readings.departure(name, user) > seq:
            return
        # Others here may have had frames already that are newer than what was read.
        after = max(joined_seq - 1, self._sequencer.departure(name, user)) if unheard else seq
        first = after + 1 if unheard else joined_seq
        stream = self._registry.streams.get(name)
        if stream is None:
            stream = self._registry.open(name, after)
        elif user in stream.late:
            return
        self._registry.note_user(stream, user)
        if first > stream.position + 1:
            stream.add_later(user, first)
        elif after < stream.position and user not in stream.users:
            self._catch_up.bring_up(stream, user, after)
        else:
            stream.add(user)
        if unheard:
            self._catch_up.catch_up(name, "join")

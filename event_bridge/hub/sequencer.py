"""The sequencer: applies a stream's frames one after the other, in the order of their numbers.

Joins, leaves and removals are frames of the stream. So the hub knows who is entitled to each
frame without asking the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gql_chat.streams import Envelope

from .dispatcher import Dispatcher
from .readings import Readings
from .registry import Registry
from .stream import Stream

REMEMBERED = 10_000
"""How many departures of local users from streams the hub remembers."""


class Sequencer:
    """Applies frames: who is entitled changes, then the frame goes out.

    Args:
        registry: the subscribers and streams.
        readings: keeps departures for the readings under way.
        dispatcher: hands the frames out.

    Attributes:
        paused: the names of the streams whose frames wait, because their members are being read.
        let_in: the streams and users of the joins applied since the last search for joins. Such a
            frame may have come late, and its user may be out again.
        on_change: called with a stream's name and the change of a frame that went out.
    """

    def __init__(self, registry: Registry, readings: Readings, dispatcher: Dispatcher) -> None:
        self.paused: set[str] = set()
        self.let_in: set[tuple[str, str]] = set()
        self.on_change: Callable[[str, Mapping[str, Any]], None] = lambda stream, change: None
        self._registry = registry
        self._readings = readings
        self._dispatcher = dispatcher
        self._departures: dict[tuple[str, str], int] = {}

    def apply(self, stream: Stream, envelope: Envelope) -> None:
        """Apply a stream's next frame."""
        stream.position = envelope.seq
        change = envelope.change or {}
        if change:
            self._change_users(stream, envelope.seq, change)
        if stream.asked and stream.position >= stream.settled:
            stream.asked = frozenset()
        if stream.entering:
            stream.add_due()
        self._dispatcher.deliver(stream, envelope)
        if change:
            self.on_change(stream.name, change)
        if change.get("closed"):
            self.close(stream)
        else:
            self._registry.close_if_empty(stream)

    def apply_early(self, name: str) -> None:
        """Apply those frames of a stream that arrived early and are due by now."""
        stream = self._registry.streams.get(name)
        while stream is not None and name not in self.paused:
            envelope = stream.pop_next()
            if envelope is None:
                return
            self.apply(stream, envelope)
            stream = self._registry.streams.get(name)

    def _change_users(self, stream: Stream, seq: int, change: Mapping[str, Any]) -> None:
        # Members that were read after this frame count for more, for the users asked for.
        asked = stream.asked
        for user in change.get("joined", ()):
            if user not in asked and self.is_new(stream.name, user, seq):
                later = stream.entering.get(user, 0)
                self._registry.note_user(stream, user)
                self.let_in.add((stream.name, user))
                stream.drop(user)
                stream.add(user)
                if later > seq:
                    stream.add_later(user, later)
                self._readings.forget_departure(stream.name, user)
        for user in change.get("left", ()):
            if user not in asked:
                self.part(stream, user, seq)

    def is_new(self, name: str, user: str, seq: int) -> bool:
        """Tell whether a local user joins with this frame, and it is no repeat of an old one."""
        return user in self._registry.subscribers and seq > self.departure(name, user)

    def departure(self, name: str, user: str) -> int:
        """Return the sequence number at which a user last left a stream, as far as remembered."""
        return self._departures.get((name, user), 0)

    def part(self, stream: Stream, user: str, seq: int) -> None:
        """End a user's entitlement at a sequence number; a later one that is known of stays."""
        later = stream.entering.get(user, 0)
        self.end(stream, user, seq)
        if later > seq:
            self._registry.note_user(stream, user)
            stream.add_later(user, later)

    def end(self, stream: Stream, user: str, seq: int) -> None:
        """End all that a user is entitled to of a stream, and note where."""
        self._registry.end(stream, user)
        self._note_departure(stream.name, user, seq)

    def close(self, stream: Stream) -> None:
        """End a stream for everybody: its room is deleted."""
        for user in stream.everybody():
            self._registry.streams_of[user].remove(stream.name)
            self._note_departure(stream.name, user, stream.position)
        self._registry.close(stream.name)

    def _note_departure(self, name: str, user: str, seq: int) -> None:
        self._readings.keep_departure(name, user, seq)
        if user in self._registry.subscribers:
            # The hub may come to the stream again, further back.
            self._departures[name, user] = max(seq, self._departures.pop((name, user), 0))
            if len(self._departures) > REMEMBERED:
                del self._departures[next(iter(self._departures))]

    def forget_departures(self) -> None:
        """Forget where users left streams."""
        self._departures.clear()

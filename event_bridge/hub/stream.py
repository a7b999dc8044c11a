"""A stream as the hub sees it: its position, and the local users who hear it from there on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gql_chat.streams import Envelope


@dataclass(slots=True, eq=False)
class Late:
    """One user's way through frames that others here have had already.

    Attributes:
        seq: the sequence number of the last frame that the user was given.
    """

    seq: int


_NOBODY: Mapping[str, int] = MappingProxyType({})
_NONE_LATE: Mapping[str, Late] = MappingProxyType({})


@dataclass(slots=True)
class Stream:
    """The state of one stream in the hub.

    A process may hold tens of thousands. Most have nobody entering or late and no early frames:
    those attributes then share one empty object, and take no memory.

    Attributes:
        name: its name.
        position: the sequence number of the last frame applied.
        users: the local users who are entitled to the next frame. They are the keys of a dict: a
            set of ten takes nearly three times as much memory.
        entering: the users who are entitled from a later sequence number on, with that number. A
            user may be in `users` too: a frame to come ends that earlier entitlement.
        late: the users who get frames from the log that others here have had already.
        early: the frames that arrived before their turn, by sequence number.
        catching_up: whether the log is being read.
        settled: the sequence number up to which the last read of the members is the truth.
        asked: the users whom that read asked for, while `settled` is ahead of `position`. For
            them the read counts for more than the frames up to `settled`.
    """

    name: str
    position: int
    users: dict[str, None] = field(default_factory=dict)
    entering: Mapping[str, int] = field(default_factory=lambda: _NOBODY)
    late: Mapping[str, Late] = field(default_factory=lambda: _NONE_LATE)
    early: dict[int, Envelope] | None = None
    catching_up: bool = False
    settled: int = 0
    asked: frozenset[str] = frozenset()

    def includes(self, user: str) -> bool:
        """Tell whether a user hears the stream, now or soon."""
        return user in self.users or user in self.entering or user in self.late

    def everybody(self) -> set[str]:
        """Return the users who hear the stream, now or soon."""
        return {*self.users, *self.entering, *self.late}

    def is_empty(self) -> bool:
        """Tell whether nobody hears the stream, now or soon."""
        return not (self.users or self.entering or self.late)

    def seq_of(self, user: str) -> int:
        """Return the sequence number up to which one of its users has been given the stream."""
        if user in self.users:
            return self.position
        late = self.late.get(user)
        return self.entering[user] - 1 if late is None else late.seq

    def add(self, user: str) -> None:
        """Entitle a user to the next frame."""
        self.users[user] = None

    def add_later(self, user: str, seq: int) -> None:
        """Entitle a user from a sequence number on that the stream has not reached yet."""
        self.entering = {**self.entering, user: seq}

    def add_late(self, user: str, seq: int) -> Late:
        """Entitle a user to the frames after a sequence number that the stream has passed.

        Returns:
            The user's way through them.
        """
        late = Late(seq)
        self.late = {**self.late, user: late}
        return late

    def end_late(self, user: str) -> None:
        """End a user's way through frames that others have had."""
        self.late = {one: late for one, late in self.late.items() if one != user} or _NONE_LATE

    def add_due(self) -> None:
        """Entitle those to the next frame whose sequence number is reached."""
        for user, seq in self.entering.items():
            if seq <= self.position:
                self.add(user)
        self.entering = {
            user: seq for user, seq in self.entering.items() if seq > self.position
        } or _NOBODY

    def drop(self, user: str) -> None:
        """End what a user is entitled to."""
        self.users.pop(user, None)
        if user in self.entering:
            self.entering = {
                one: seq for one, seq in self.entering.items() if one != user
            } or _NOBODY
        if user in self.late:
            self.end_late(user)

    def clear(self) -> None:
        """End what everybody is entitled to."""
        self.users.clear()
        self.entering, self.late, self.early = _NOBODY, _NONE_LATE, None

    def skip_to(self, position: int) -> None:
        """Move the position on without the frames up to it, which the log has no more."""
        self.position = position
        if self.early:
            self.early = {seq: frame for seq, frame in self.early.items() if seq > position}

    def keep(self, envelope: Envelope) -> None:
        """Keep a frame that arrived before its turn."""
        if self.early is None:
            self.early = {}
        self.early[envelope.seq] = envelope

    def pop_next(self) -> Envelope | None:
        """Take the next frame out of those kept; None if it is not among them."""
        return self.early.pop(self.position + 1, None) if self.early else None

"""A stream as the hub sees it: the place it has reached, and who is entitled there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gql_chat.streams import Envelope

from .delivery import Listener

_NOBODY: Mapping[str, int] = MappingProxyType({})


@dataclass(slots=True)
class Stream:
    """What the hub knows of a stream.

    A process may follow tens of thousands: what most of them have none of takes no room.

    Attributes:
        name: its name.
        position: the place of the last frame applied.
        users: the local users who are entitled to the next frame. The keys of a dict, since a
            set of ten takes nearly three times as much.
        entering: users whose entitlement begins at a place that is not reached yet.
        late: users who are given, out of the log, what others here have had already.
        early: frames that arrived before their turn.
        healing: whether the log is being read.
        settled: the place up to which the members that were read last are the truth.
        audience: the sockets of `users`, once somebody has looked for them; None when they change.
    """

    name: str
    position: int
    users: dict[str, None] = field(default_factory=dict)
    entering: Mapping[str, int] = field(default_factory=lambda: _NOBODY)
    late: frozenset[str] = frozenset()
    early: dict[int, Envelope] | None = None
    healing: bool = False
    settled: int = 0
    audience: list[Listener] | None = None

    def follows(self, user: str) -> bool:
        """Tell whether a user hears the stream, now or soon."""
        return user in self.users or user in self.entering or user in self.late

    def followers(self) -> set[str]:
        """Return who hears the stream, now or soon."""
        return {*self.users, *self.entering, *self.late}

    def is_followed(self) -> bool:
        """Tell whether anybody does."""
        return bool(self.users or self.entering or self.late)

    def add(self, user: str) -> None:
        """Entitle a user to the next frame."""
        self.users[user] = None
        self.audience = None

    def add_later(self, user: str, seq: int) -> None:
        """Entitle a user from a place on that is not reached yet."""
        self.entering = {**self.entering, user: seq}

    def add_due(self) -> None:
        """Entitle those whose place is reached."""
        for user, seq in self.entering.items():
            if seq <= self.position:
                self.add(user)
        self.entering = {user: seq for user, seq in self.entering.items() if seq > self.position}

    def drop(self, user: str) -> None:
        """End what a user is entitled to."""
        self.users.pop(user, None)
        self.audience = None
        if user in self.entering:
            self.entering = {one: seq for one, seq in self.entering.items() if one != user}
        if user in self.late:
            self.late -= {user}

    def keep(self, envelope: Envelope) -> None:
        """Keep a frame that arrived before its turn."""
        if self.early is None:
            self.early = {}
        self.early[envelope.seq] = envelope

    def pop_next(self) -> Envelope | None:
        """Return the frame whose turn it is, if it was kept."""
        return self.early.pop(self.position + 1, None) if self.early else None

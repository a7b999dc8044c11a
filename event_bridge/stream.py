"""A stream as the hub sees it: the place it has reached, and who is entitled there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gql_chat.streams import Envelope

from .delivery import Listener


@dataclass(slots=True, eq=False)
class Late:
    """One user's way through what others here have had already.

    Attributes:
        place: the place up to which the user has been given it.
    """

    place: int


_NOBODY: Mapping[str, int] = MappingProxyType({})
_NONE_LATE: Mapping[str, Late] = MappingProxyType({})


@dataclass(slots=True)
class Stream:
    """What the hub knows of a stream.

    A process may follow tens of thousands: what most of them have none of takes no room.

    Attributes:
        name: its name.
        position: the place of the last frame applied.
        users: the local users who are entitled to the next frame. The keys of a dict, since a
            set of ten takes nearly three times as much.
        entering: users whose entitlement begins at a place that is not reached yet. One who is
            among `users` too has an earlier one, which a frame to come ends.
        late: users who are given, out of the log, what others here have had already.
        early: frames that arrived before their turn.
        healing: whether the log is being read.
        settled: the place up to which the members that were read last are the truth.
        asked: while `settled` is ahead of `position`, the users who were asked for then: what is
            known of them counts for more than frames up to there.
        audience: the sockets of `users`, once somebody has looked for them; None when they change.
    """

    name: str
    position: int
    users: dict[str, None] = field(default_factory=dict)
    entering: Mapping[str, int] = field(default_factory=lambda: _NOBODY)
    late: Mapping[str, Late] = field(default_factory=lambda: _NONE_LATE)
    early: dict[int, Envelope] | None = None
    healing: bool = False
    settled: int = 0
    asked: frozenset[str] = frozenset()
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

    def place_of(self, user: str) -> int:
        """Return the place up to which a follower has been given the stream."""
        if user in self.users:
            return self.position
        late = self.late.get(user)
        return self.entering[user] - 1 if late is None else late.place

    def add(self, user: str) -> None:
        """Entitle a user to the next frame."""
        self.users[user] = None
        self.audience = None

    def add_later(self, user: str, seq: int) -> None:
        """Entitle a user from a place on that is not reached yet."""
        self.entering = {**self.entering, user: seq}

    def add_late(self, user: str, place: int) -> Late:
        """Entitle a user to what comes after a place that was passed; returns their way there."""
        late = Late(place)
        self.late = {**self.late, user: late}
        return late

    def end_late(self, user: str) -> None:
        """Take a user off that way."""
        self.late = {one: late for one, late in self.late.items() if one != user} or _NONE_LATE

    def add_due(self) -> None:
        """Entitle those whose place is reached."""
        for user, seq in self.entering.items():
            if seq <= self.position:
                self.add(user)
        self.entering = {
            user: seq for user, seq in self.entering.items() if seq > self.position
        } or _NOBODY

    def drop(self, user: str) -> None:
        """End what a user is entitled to."""
        self.users.pop(user, None)
        self.audience = None
        if user in self.entering:
            self.entering = {
                one: seq for one, seq in self.entering.items() if one != user
            } or _NOBODY
        if user in self.late:
            self.end_late(user)

    def clear(self) -> None:
        """End what everybody is entitled to."""
        self.users.clear()
        self.entering, self.late, self.early, self.audience = _NOBODY, _NONE_LATE, None, None

    def skip_to(self, position: int) -> None:
        """Go on at a place without the frames up to it, which are nowhere to be had."""
        self.position = position
        if self.early:
            self.early = {seq: frame for seq, frame in self.early.items() if seq > position}

    def keep(self, envelope: Envelope) -> None:
        """Keep a frame that arrived before its turn."""
        if self.early is None:
            self.early = {}
        self.early[envelope.seq] = envelope

    def pop_next(self) -> Envelope | None:
        """Return the frame whose turn it is, if it was kept."""
        return self.early.pop(self.position + 1, None) if self.early else None

"""A stream as the hub sees it: the place it has reached, and who is entitled there."""

from __future__ import annotations

from dataclasses import dataclass, field

from gql_chat.streams import Envelope


@dataclass(slots=True)
class Stream:
    """What the hub knows of a stream.

    Attributes:
        name: its name.
        position: the place of the last frame applied.
        users: the local users who are entitled to the next frame.
        entering: users whose entitlement begins at a place that is not reached yet.
        late: users who are given, out of the log, what others here have had already.
        early: frames that arrived before their turn.
        healing: whether the log is being read.
        settled: the place up to which the members that were read last are the truth.
    """

    name: str
    position: int
    users: set[str] = field(default_factory=set)
    entering: dict[str, int] = field(default_factory=dict)
    late: frozenset[str] = frozenset()
    early: dict[int, Envelope] = field(default_factory=dict)
    healing: bool = False
    settled: int = 0

    def follows(self, user: str) -> bool:
        """Tell whether a user hears the stream, now or soon."""
        return user in self.users or user in self.entering or user in self.late

    def followers(self) -> set[str]:
        """Return who hears the stream, now or soon."""
        return {*self.users, *self.entering, *self.late}

    def is_followed(self) -> bool:
        """Tell whether anybody does."""
        return bool(self.users or self.entering or self.late)

    def drop(self, user: str) -> None:
        """End what a user is entitled to."""
        self.users.discard(user)
        self.entering.pop(user, None)
        self.late -= {user}

"""Who is where in a loaded history: known without asking the database."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.sites.frames import FIRST_USER


@dataclass(frozen=True)
class Population:
    """How much there is; it says the same of who is where each time it is asked.

    Attributes:
        users: how many; their keys begin at `FIRST_USER`.
        rooms: how many groups; `rooms * members` is a multiple of `users`.
        members: of each group.
        talk: messages of each group from before the last week.
        long_talk: how many more of those the first group has.
        waiting: whether each group has its message of the last week.
    """

    users: int
    rooms: int
    members: int = 10
    talk: int = 50
    long_talk: int = 0
    waiting: bool = True

    @property
    def rooms_each(self) -> int:
        """In how many groups each user is."""
        return self.rooms * self.members // self.users

    @property
    def messages(self) -> int:
        """How many messages there are in all."""
        return self.rooms * (self.talk + self.waiting) + self.long_talk

    def room_id(self, place: int) -> uuid.UUID:
        """Return the key of a group, counted from 0."""
        return uuid.UUID(int=(4 << 76) + (8 << 60) + place)

    def member_ids(self) -> Iterator[list[int]]:
        """Give the members of each group, the creator first.

        Each layer of `users / members` groups has every user once, so neighbours in one layer
        share nobody.
        """
        chance = random.Random(1)
        ids = list(range(FIRST_USER, FIRST_USER + self.users))
        for _ in range(self.rooms_each):
            chance.shuffle(ids)
            for start in range(0, self.users, self.members):
                yield ids[start : start + self.members]

"""The places of a stream that a device was given, and those that it was entitled to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Heard:
    """What one device was given of one stream since it began to follow it.

    Attributes:
        after: the place after which it follows; None where that is when the user came in.
        runs: the places in the order in which they came, as first and last of each run.
    """

    after: int | None
    runs: list[tuple[int, int]] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The last place that it has."""
        return self.runs[-1][1] if self.runs else self.after or 0

    def take(self, seq: int) -> str | None:
        """Take a place; say what is wrong with it."""
        last = self.last
        if seq == last + 1 and self.runs:
            self.runs[-1] = (self.runs[-1][0], seq)
            return None
        if seq <= last:
            return f"place {seq} after place {last}"
        self.runs.append((seq, seq))
        return None

    def __contains__(self, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self.runs)

    def __str__(self) -> str:
        return f"after {self.after}: {', '.join(f'{one}-{other}' for one, other in self.runs)}"


@dataclass(frozen=True)
class Stay:
    """A time in a room, by the places of its stream.

    Attributes:
        first: the first place that the member is entitled to.
        sure: the last place that they certainly are entitled to.
        last: the last place that they may have heard.
    """

    first: int
    sure: int
    last: int


@dataclass
class Stays:
    """The times of one user in one room.

    Attributes:
        over: those that are over; the present one has no end.
        since: the first place of the present one; None while the user is out.
    """

    over: list[Stay] = field(default_factory=list)
    since: int | None = None

    def begin(self, seq: int) -> None:
        """Note that the user came in, and hears this place."""
        if self.since is None:
            self.since = seq

    def end(self, sure: int, last: int) -> None:
        """Note that the user went out: the last place that they hear."""
        if self.since is not None:
            self.over.append(Stay(self.since, sure, last))
            self.since = None

    def until(self, head: int) -> Iterator[Stay]:
        """All times, the present one up to the head of the stream."""
        yield from self.over
        if self.since is not None:
            yield Stay(self.since, head, head)

    def problems(self, heard: Heard, head: int) -> tuple[list[int], list[int]]:
        """Places that were heard and must not have been; those that were not and must have been."""
        stays = list(self.until(head))
        after = heard.after
        if after is None:
            # It began with this device there: with the stay of the first place that was heard. Of a
            # stay that is over a device may have come too late for the beginning: a resume brings
            # nothing of a room that is gone by then, the socket brings what was under way.
            begun = heard.runs[0][0]
            if self.since is not None and self.since <= begun:
                begun = self.since
            after = begun - 1
        alien = [
            seq
            for first, last in heard.runs
            for seq in range(first, last + 1)
            if not any(stay.first <= seq <= stay.last for stay in stays)
        ]
        lost = [
            seq
            for stay in stays
            for seq in range(max(stay.first, after + 1), self._until(stay, heard, head) + 1)
            if seq not in heard
        ]
        return alien, lost

    def _until(self, stay: Stay, heard: Heard, head: int) -> int:
        """The last place of a stay that must have been heard.

        Once a user is out, a process may know it before the last frames until then have come: it
        gives those to nobody who is out. So a stay that is over may end early, but has no gap.
        """
        if self.since is not None and stay.first == self.since:
            return min(stay.sure, head)
        ends = [last for first, last in heard.runs if first <= stay.last and last >= stay.first]
        return min(stay.sure, head, max(ends, default=0))

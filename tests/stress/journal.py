"""What everybody asked for and what they were answered, and what is wrong with that."""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

#: How many violations of one kind are kept; the others are counted.
KEPT = 5
#: How many deeds of a person, and in a room, a failure shows.
REMEMBERED = 12

REPEAT_DELETED = "The message that was sent with this client_id is deleted."
"""What a repeat of a message is answered with that is deleted."""

PASSING = (4029, 4503)
"""Codes after which a client asks again."""


@dataclass(frozen=True)
class Violation:
    """Something that must not be.

    Attributes:
        invariant: which invariant it breaks.
        what: what is wrong.
        about: whose last events help: names of people, ids of rooms, names of streams.
    """

    invariant: str
    what: str
    about: tuple[str, ...] = ()


@dataclass
class Deed:
    """One event that somebody asked for, with its answer.

    Attributes:
        person: the name of who asked.
        device: the device it was asked on.
        event: the event's type.
        data: its data.
        answer: the frame that answered it; None while there is none.
        repeated: whether it was sent again, since the first answer may have been lost.
    """

    person: str
    device: str
    event: str
    data: Json
    answer: Json | None = None
    repeated: bool = False

    @property
    def code(self) -> int | None:
        """The code of the error that it was answered with; None where it succeeded."""
        error = (self.answer or {}).get("error")
        if error is None:
            return None
        return int(error["code"]) if isinstance(error, dict) else 0

    @property
    def detail(self) -> str:
        """The error's detail, as text."""
        return json.dumps((self.answer or {}).get("error"))

    def __str__(self) -> str:
        data = {key: _short(value) for key, value in self.data.items()}
        answer = "no answer yet" if self.answer is None else self.detail
        if self.answer is not None and self.code is None:
            answer = "done"
        again = ", again" if self.repeated else ""
        return f"{self.device}{again}: {self.event} {json.dumps(data)} -> {answer}"


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 48:
        return f"{value[:40]}… ({len(value)})"
    if isinstance(value, list) and len(value) > 6:
        return [*value[:5], f"… ({len(value)})"]
    return value


@dataclass
class Entry:
    """One text: who wrote it, where, and what became of it.

    Attributes:
        number: the text's.
        sender: the writer's id.
        rooms: where it may have been stored: one room, or two that a `client_id` was used in.
        message: of an edit, which message it changes.
        outcome: `asked`, `confirmed`, or `refused`.
        doubtful: whether it may have been stored though it was refused: the first answer was lost.
    """

    number: int
    sender: Any
    rooms: tuple[str, ...]
    message: str | None = None
    outcome: str = "asked"
    doubtful: bool = False


@dataclass
class Journal:
    """All that was done, as far as the invariants need it.

    Attributes:
        over: called with the first violation.
        texts: the entries by the number of their text.
        doomed: ids of messages that somebody tried to delete, also with their room.
        doomed_rooms: ids of rooms that somebody tried to delete, or may have left empty.
        deleted: messages and rooms of which the deletion was confirmed.
        parted: rooms and user ids that somebody tried to part.
        demoted: rooms and user ids that somebody tried to take a right from.
        missing: what was answered with 4004, by what was asked for.
        vanished: repeats of messages that were said to be deleted.
        violations: what is wrong, some of each kind; `counts` has how many there are.
        done, refusals: how many deeds succeeded, by event; how many did not, by event and code.
        closes: how many connections ended that a device did not end itself, by code.
    """

    over: Callable[[], None] = lambda: None
    texts: dict[int, Entry] = field(default_factory=dict)
    doomed: set[str] = field(default_factory=set)
    doomed_rooms: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    parted: set[tuple[str, Any]] = field(default_factory=set)
    demoted: set[tuple[str, Any]] = field(default_factory=set)
    missing: list[tuple[Deed, tuple[str, ...]]] = field(default_factory=list)
    vanished: list[Deed] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    closes: Counter[int] = field(default_factory=Counter)
    _deeds: dict[str, deque[Deed]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=REMEMBERED))
    )

    def violate(self, invariant: str, what: str, *about: str) -> None:
        """Note what must not be."""
        self.counts[invariant] += 1
        if self.counts[invariant] <= KEPT:
            self.violations.append(Violation(invariant, what, about))
        self.over()

    def note(self, deed: Deed, rooms: Iterable[str] = ()) -> None:
        """Remember a deed as one of the last of a person and of these rooms."""
        for about in (deed.person, *rooms):
            self._deeds[about].append(deed)

    def last(self, about: str) -> list[str]:
        """The last deeds of a person or in a room, as lines."""
        return [str(deed) for deed in self._deeds.get(about, ())]

    def judge(
        self,
        deed: Deed,
        user: Any,
        *,
        rooms: Collection[str] = (),
        messages: Collection[str] = (),
        rules: Collection[str] = (),
        duplicate: bool = False,
    ) -> bool:
        """Tell whether a deed was done; refusals that nothing explains are violations.

        Args:
            deed: what was asked and answered.
            user: the id of who asked.
            rooms: the rooms that it is about.
            messages: the messages that it names.
            rules: what a 4003 may say: rules that the actor knowingly came close to.
            duplicate: whether a 4005 is documented for this.
        """
        code = deed.code
        self.done[deed.event] += code is None
        if code is None:
            return True
        self.refusals[f"{deed.event} {code}"] += 1
        gone = self.doomed.intersection(messages) or self.doomed_rooms.intersection(rooms)
        parted = any((room, user) in self.parted | self.demoted for room in rooms)
        match code:
            case 4004 if deed.event == "message.send" and REPEAT_DELETED in deed.detail:
                # Sent again, or twice at once: whether it is deleted shows at the end.
                self.vanished.append(deed)
            case 4004 if gone:
                self.missing.append((deed, (*messages, *rooms)))
            case 4004 if deed.event == "message.react" and deed.repeated:
                pass  # the reaction was taken back the first time
            case 4002 if parted:
                pass
            case 4003 if any(rule in deed.detail for rule in rules):
                pass
            case 4005 if duplicate or deed.repeated:
                pass
            case 4004:
                self._refused("missing", deed, rooms, "though nobody deleted what it names")
            case 4002:
                self._refused("permission", deed, rooms, "though nobody took the right")
            case _:
                self._refused(f"answer {code}", deed, rooms, "which nothing explains")
        return False

    def _refused(self, invariant: str, deed: Deed, rooms: Iterable[str], why: str) -> None:
        self.violate(invariant, f"{deed.person} was refused, {why}: {deed}", deed.person, *rooms)

"""The events that the machine tries: how each is drawn, and what the model says of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.model.chat import NOWHERE, Chat, Person, Refused, Room, refuse

#: Yields the data of a frame, then does in the model what the event should do.
Play = Callable[..., Generator[Any, None, None]]

#: What a number stands for that says which room, message or person: the last ones for what is
#: malformed, and for what there is not.
MALFORMED, UNKNOWN, TOO_LARGE = 99, 98, 97
pick = st.integers(0, MALFORMED)
picks = st.lists(pick, min_size=1, max_size=3)
chance = st.booleans()
#: So many messages are near enough to be picked: what several people do, they do to the same ones.
NEAR = 6
#: A user id that nobody has, and one beyond what any database can hold.
NOBODY, BEYOND = 2**31 - 1, str(2**70)


def mostly(*usual: Any, but: Iterable[Any] = ()) -> SearchStrategy[Any]:
    """Draw what is usual, and now and then something else."""
    return st.sampled_from([*usual * (1 + 6 // len(usual)), *but])


@dataclass(frozen=True)
class Try:
    """An event that is tried.

    Attributes:
        event_type: its name on the wire.
        play: the model of it.
        weight: how often it is tried, beside others.
        draws: what is drawn for it, by the name of the play's argument.
    """

    event_type: str
    play: Play
    weight: int
    draws: dict[str, SearchStrategy[Any]]


TRIES: dict[str, Try] = {}


def tries(
    event_type: str, weight: int = 2, /, **draws: SearchStrategy[Any]
) -> Callable[[Play], Play]:
    """Decorate a play: a generator that is given the chat, the acting person and what was drawn.

    It first yields the data to be sent. After that it changes the chat and says who is told what,
    or raises `Refused` before it has changed anything.
    """

    def register(play: Play) -> Play:
        name = play.__name__
        if name in TRIES:
            raise ValueError(f"{name} is taken")
        TRIES[name] = Try(event_type, play, weight, draws)
        return play

    return register


@dataclass(frozen=True)
class Act:
    """Something that a step does: an event, or something that happens to a socket."""

    name: str
    drawn: dict[str, Any]

    def __repr__(self) -> str:
        drawn = ", ".join(f"{name}={value!r}" for name, value in self.drawn.items())
        return f"{self.name}({drawn})"


def acts(others: Mapping[str, tuple[int, dict[str, SearchStrategy[Any]]]]) -> SearchStrategy[Act]:
    """Draw an event that can be tried, or one of some others, each with its weight and its draws.

    They are drawn here and not as rules of their own: Hypothesis leaves many rules out of a story.
    """
    known = {name: (tried.weight, tried.draws) for name, tried in TRIES.items()} | dict(others)
    strategies = {
        name: st.fixed_dictionaries(draws).map(partial(Act, name))
        for name, (_, draws) in known.items()
    }
    names = [name for name, (weight, _) in known.items() for _ in range(weight)]
    return st.sampled_from(names).flatmap(strategies.__getitem__)


@dataclass(frozen=True)
class Named:
    """What a frame names by an id, and what that is.

    Attributes:
        id: the id on the wire.
        what: the room, message or person; None where nothing has that id.
    """

    id: Any
    what: Any = None

    @property
    def is_malformed(self) -> bool:
        """Whether the id is none."""
        return self.id == "x"

    def check_form(self) -> None:
        """Refuse an id that is none: 4003."""
        refuse(4003, if_=self.is_malformed)

    def find(self) -> Any:
        """What it names: 4004 where there is no such thing."""
        if self.what is None:
            raise Refused(4004)
        return self.what


def _named(number: int) -> Named | None:
    if number == MALFORMED:
        return Named("x")
    return Named(NOWHERE) if number == UNKNOWN else None


def room_by(chat: Chat, me: Person, number: int, *, foreign: bool = False) -> Named:
    """The room that a number stands for: mostly one that the acting person is in, or is not in."""
    rooms = [room for room in chat.rooms if (me in room.members) is not foreign and not room.gone]
    return _pick(rooms, number, chat.rooms)


def message_by(chat: Chat, me: Person, number: int) -> Named:
    """The message that a number stands for: mostly a new one in a room of the acting person's."""
    messages = [each for each in chat.messages if me in each.room.members and each.is_shown]
    return _pick(messages[-NEAR:], number, chat.messages)


def own_message_by(chat: Chat, me: Person, number: int) -> Named:
    """The message that a number stands for: mostly one of the acting person's own."""
    messages = [each for each in chat.messages if each.sender is me and each.is_shown]
    return _pick(messages[-NEAR:], number, chat.messages)


def reacted_message_by(chat: Chat, me: Person, number: int) -> Named:
    """The message that a number stands for: mostly one to which the acting person has reacted."""
    reacted = [
        each
        for each in chat.messages
        if each.is_shown and any(reaction.person is me for reaction in each.reactions)
    ]
    return _pick(reacted[-NEAR:], number, chat.messages)


def person_by(chat: Chat, number: int) -> Named:
    """The person that a number stands for."""
    if number == TOO_LARGE:
        return Named(BEYOND)  # a number as large would be no integer of JSON
    found = _named(number)
    if found is not None:
        return found if found.is_malformed else Named(NOBODY)
    person = chat.people[number % len(chat.people)]
    # A client may write a number as a string.
    return Named(str(person.id) if number > 80 else person.id, person)


def _pick(usual: list[Any], number: int, all_of_them: list[Any]) -> Named:
    """What a number stands for: mostly one of the usual things, now and then any there ever was."""
    found = _named(number)
    if found is not None:
        return found
    things = all_of_them if number % 8 == 7 else usual
    if not things:
        return Named(NOWHERE)
    thing = things[number // 8 % len(things)]
    return Named(thing.id.value, None if thing.gone else thing)


def find_all(named: list[Named]) -> list[Any]:
    """What ids name, each once: shape first, then whether it is there."""
    for each in named:
        each.check_form()
    return list(dict.fromkeys(each.find() for each in named))


def find_room(named: Named) -> Room:
    """The room that an id names: shape first, then whether it is there."""
    named.check_form()
    room: Room = named.find()
    return room

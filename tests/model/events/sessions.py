"""Sessions: heartbeats, and what a device that resumes is given."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hypothesis import strategies as st

from tests.model.chat import NOWHERE, Chat, Frame, Person, Stream
from tests.model.erasure import without_quotes
from tests.model.registry import tries

#: What a device says of the streams that it knows.
MODES = ("nothing", "kept", "kept but one", "behind", "beginning", "ahead", "foreign")
modes = st.sampled_from([*MODES, "kept", "behind", "beginning"])
#: What is no data of `session.resume`.
MALFORMED: list[Any] = [
    None,
    {},
    {"streams": []},
    {"streams": {"room:x": -1}},
    {"streams": {"room:x": "1"}},
    {"streams": {}, "epoch": 5},
]

Positions = dict[str, int]
Replay = list[tuple[Stream, int, Frame]]


@tries("session.heartbeat", 1)
def beat(chat: Chat, me: Person) -> Generator[Any, None, None]:
    """Say that one is there; the machine knows the answer."""
    yield {}


def name_streams(chat: Chat, me: Person, kept: Positions, mode: str, number: int) -> dict[str, Any]:
    """The streams that a device names which has kept these positions."""
    named = dict(kept)
    names = sorted(named)
    chosen = names[number % len(names)] if names else None
    match mode:
        case "nothing":
            return {}
        case "kept but one" if chosen is not None:
            del named[chosen]
        case "behind":
            return {name: max(0, seq - number) for name, seq in named.items()}
        case "beginning":
            return {stream.name: 0 for stream, _ in entitled(chat, me)}
        case "ahead" if chosen is not None:
            named[chosen] += 1000 + number
        case "foreign":
            streams = [room.stream for room in chat.rooms] + [each.stream for each in chat.people]
            return {f"room:{NOWHERE}": 0, **{each.name: number for each in streams}, **named}
    return named


def entitled(chat: Chat, me: Person) -> list[tuple[Stream, int]]:
    """The streams of a person, and the first sequence number of each that is theirs."""
    rooms = chat.rooms_of(me)
    return [(me.stream, 1), *((room.stream, room.members[me].first) for room in rooms)]


def resume(
    chat: Chat, me: Person, wanted: Positions, *, same_history: bool
) -> tuple[Replay, dict[str, Any]]:
    """What is replayed to a device, and what `session.resumed` says of each stream."""
    answer: dict[str, Any] = {name: {"gone": True} for name in wanted}
    replay: Replay = []
    for stream, first in entitled(chat, me):
        after: int | None = None
        if stream.name in wanted:
            after = max(wanted[stream.name], first - 1)
        elif wanted and stream is not me.stream:
            after = first - 1
        recovered = same_history and (after is None or after <= stream.seq)
        answer[stream.name] = {"seq": stream.seq, "recovered": recovered}
        if recovered and after is not None:
            for seq, frame in stream.after(after):
                own = stream is me.stream
                shown = without_quotes(frame, chat.rooms_of(me)) if own else frame
                replay.append((stream, seq, shown))
    return replay, answer

"""Resuming: missed frames are replayed from the log, with no gap before the live ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gql_chat import streams
from gql_chat.conf import chat_settings
from gql_chat.errors import Invalid
from gql_chat.sizes import cut
from gql_chat.streams import STREAM_LENGTH, Envelope, Missed, Range

from .delivery import Delivered, Held

FRAME_BYTES = 1024 * 1024
"""How many bytes a frame is assumed to have at most. Frames are weighed only if, at this size, they
would be too large together."""

SLICE = 1024 * 1024
"""How many bytes of a replay are in memory at once: the next frames are read when a client has
taken these."""

UNWEIGHED = 10
"""So many frames are read at once, and their sizes are not read first."""

EPOCH_LENGTH = 64

SHOWN = 100
"""How many letters of a stream's name an error repeats."""


@dataclass(slots=True)
class Replay:
    """The frames that a client missed.

    Attributes:
        epoch: the history that the sequence numbers belong to.
        frames: the next of the missed frames, in order; none at the end.
        answer: what `session.resumed` says of each stream.
        reached: where each stream stands for the client; live frames go on from there.
        left: the missed frames that are not read yet, in order.
        user_id: the user that they are for.
    """

    epoch: str
    frames: list[Delivered]
    answer: dict[str, dict[str, Any]]
    reached: dict[str, int]
    left: list[Missed]
    user_id: Any

    def read_on(self) -> None:
        """Read the next frames. Runs on a database thread.

        If frames of a stream went out of the log meanwhile, `answer` says so.
        """
        count = cut((missed.size for missed in self.left), SLICE)
        some, self.left = self.left[:count], self.left[count:]
        found = streams.withhold_quotes(self.user_id, streams.read_missed(some))
        absent: set[str] = set()
        if len(found) < len(some):
            there = {(envelope.stream, envelope.seq) for envelope in found}
            absent = {each.stream for each in some if (each.stream, each.seq) not in there}
        for name in absent:
            self.answer[name]["recovered"] = False
        self.left = [missed for missed in self.left if missed.stream not in absent]
        self.frames = [Delivered(each) for each in found if each.stream not in absent]
        if self.left and not self.frames:
            self.read_on()


@dataclass(slots=True)
class Resumption:
    """A socket while it resumes: frames that arrive meanwhile are held back.

    Attributes:
        wanted: for each stream that the client knows, the last sequence number it has.
        delivered: for each stream of the socket, the last sequence number it was given.
        epoch: the history that the client's numbers belong to; None if it does not say.
        held: the frames that arrived meanwhile.
    """

    wanted: Mapping[str, int]
    delivered: Mapping[str, int]
    epoch: str | None = None
    held: Held = field(default_factory=Held)

    @classmethod
    def parse(cls, data: Any, delivered: Mapping[str, int]) -> Resumption:
        """Read the data of `session.resume`.

        Raises:
            Invalid: naming the field that is wrong.
        """
        if not isinstance(data, dict):
            raise Invalid({"data": "An object is needed."})
        wanted = data.get("streams")
        if not isinstance(wanted, dict):
            raise Invalid({"streams": "An object of streams and their last places is needed."})
        limit = chat_settings.MAX_RESUME_STREAMS
        if limit is not None and len(wanted) > limit:
            raise Invalid({"streams": f"At most {limit} streams may be named."})
        for name, seq in wanted.items():
            if len(name) > STREAM_LENGTH:
                problem = f"The name of a stream has at most {STREAM_LENGTH} letters."
                raise Invalid({f"streams.{name[:SHOWN]}": problem})
            if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq < 2**63:
                field_name = f"streams.{name[:SHOWN]}"
                raise Invalid({field_name: "A whole number from 0 up is needed."})
        epoch = data.get("epoch")
        if "epoch" in data and not (isinstance(epoch, str) and len(epoch) <= EPOCH_LENGTH):
            raise Invalid({"epoch": f"A string of at most {EPOCH_LENGTH} letters is needed."})
        return cls(wanted, delivered, epoch)

    def read(self, user_id: Any) -> Replay:
        """Read the frames that a user missed. Runs on a database thread."""
        answer: dict[str, dict[str, Any]] = {name: {"gone": True} for name in self.wanted}
        ranges: dict[str, Range] = {}
        positions = streams.positions(user_id)
        same_history = self.epoch is None or self.epoch == positions.epoch
        for name, seq, joined_seq in positions:
            after = self._last_seq(name, joined_seq)
            if not same_history:
                answer[name] = {"seq": seq, "recovered": False}
            elif after is None:
                # The hub is about to deliver the frames after that.
                given = min(seq, self.delivered.get(name, joined_seq - 1))
                answer[name] = {"seq": given, "recovered": True}
            else:
                answer[name] = {"seq": seq, "recovered": after <= seq}
                if after < seq:
                    ranges[name] = (after, seq)
        chosen = _choose(ranges)
        envelopes: list[Envelope] = []
        left: list[Missed] = []
        if sum(until - after for after, until in chosen.values()) <= UNWEIGHED:
            envelopes = streams.withhold_quotes(user_id, streams.missed(chosen))
        else:
            left = streams.list_missed(chosen)
        counts = Counter(
            [*(envelope.stream for envelope in envelopes), *(each.stream for each in left)]
        )
        whole = {name for name, (after, until) in chosen.items() if counts[name] == until - after}
        for name in ranges.keys() - whole:
            answer[name]["recovered"] = False
        frames = [Delivered(envelope) for envelope in envelopes if envelope.stream in whole]
        reached = {name: found["seq"] for name, found in answer.items() if "seq" in found}
        left = [each for each in left if each.stream in whole]
        replay = Replay(positions.epoch, frames, answer, reached, left, user_id)
        if left:
            replay.read_on()
        return replay

    def _last_seq(self, name: str, joined_seq: int) -> int | None:
        """Return the sequence number after which a stream is replayed; None where it is not."""
        if name in self.wanted:
            return max(self.wanted[name], joined_seq - 1)
        if self.wanted and name.startswith("room:"):
            return joined_seq - 1
        return None


def _choose(ranges: Mapping[str, Range]) -> dict[str, Range]:
    """Return the streams to replay: those with the least first, as far as the limits allow.

    All together keep to `MAX_REPLAY_FRAMES` and `MAX_REPLAY_BYTES`. Nothing is read that is longer.
    """
    sizes = {name: until - after for name, (after, until) in ranges.items()}
    chosen = _take_least(sizes, chat_settings.MAX_REPLAY_FRAMES)
    few = {name: ranges[name] for name in chosen}
    most = chat_settings.MAX_REPLAY_BYTES
    if most is None or sum(chosen.values()) * FRAME_BYTES <= most:
        return few
    weights = streams.weigh_missed(few)
    # Frames that the log has no more are not replayed: such a stream is left out.
    kept = {name: size for name, (count, size) in weights.items() if count == sizes[name]}
    return {name: ranges[name] for name in _take_least(kept, most)}


def _take_least(sizes: Mapping[str, int], most: int | None) -> dict[str, int]:
    """Return the smallest of some sizes: as many as are at most `most` together."""
    taken, total = {}, 0
    for name, size in sorted(sizes.items(), key=lambda item: item[1]):
        total += size
        if most is not None and total > most:
            break
        taken[name] = size
    return taken

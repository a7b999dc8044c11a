"""Resuming: missed frames are replayed from the log, with no gap before the live ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gql_chat import streams
from gql_chat.errors import Invalid
from gql_chat.streams import STREAM_LENGTH

from .delivery import Delivered

REPLAY_LIMIT = 5000
"""How many missed frames are replayed at most. A client that missed more fetches afresh."""

REPLAY_SIZE_LIMIT = 32 * 1024 * 1024
"""How large they may be together. A frame may have a megabyte, and all are in memory at once."""

UNWEIGHED = 100
"""So many frames are replayed without looking at their size first."""

MAX_STREAMS = 10_000
"""How many streams a client may name: far more than a user is in."""

EPOCH_LENGTH = 64

SHOWN = 100
"""How many letters of a stream's name an error repeats."""


@dataclass(slots=True)
class Replay:
    """The frames that a client missed.

    Attributes:
        epoch: the history that the sequence numbers belong to.
        frames: the missed frames, in order.
        answer: what `session.resumed` says of each stream.
        reached: where each stream stands for the client; live frames go on from there.
    """

    epoch: str
    frames: list[Delivered]
    answer: dict[str, dict[str, Any]]
    reached: dict[str, int]


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
    held: list[Delivered] = field(default_factory=list)

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
        if len(wanted) > MAX_STREAMS:
            raise Invalid({"streams": f"At most {MAX_STREAMS} streams may be named."})
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
        ranges: dict[str, tuple[int, int]] = {}
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
        count = sum(until - after for after, until in ranges.values())
        is_heavy = count > UNWEIGHED and streams.weigh_missed(ranges) > REPLAY_SIZE_LIMIT
        envelopes = [] if is_heavy else streams.missed(ranges, REPLAY_LIMIT + 1)
        envelopes = streams.withhold_quotes(user_id, envelopes)
        counts = dict.fromkeys(ranges, 0)
        for envelope in envelopes:
            counts[envelope.stream] += 1
        whole = {
            name
            for name, (after, until) in ranges.items()
            if counts[name] == until - after and len(envelopes) <= REPLAY_LIMIT
        }
        for name in ranges.keys() - whole:
            answer[name]["recovered"] = False
        frames = [Delivered(envelope) for envelope in envelopes if envelope.stream in whole]
        reached = {name: found["seq"] for name, found in answer.items() if "seq" in found}
        return Replay(positions.epoch, frames, answer, reached)

    def _last_seq(self, name: str, joined_seq: int) -> int | None:
        """Return the sequence number after which a stream is replayed; None where it is not."""
        if name in self.wanted:
            return max(self.wanted[name], joined_seq - 1)
        if self.wanted and name.startswith("room:"):
            return joined_seq - 1
        return None

"""The recorder: the one object that a process tells what it does.

Who tells what:

| method | who | when |
|---|---|---|
| `opened`, `refused`, `closed` | `consumers` | a connection begins, may not stay, and ends |
| `answered` | `consumers` | an event has its answer |
| `delivered` | `hub.dispatcher` | a frame was handed to sockets |
| `caught_up` | `hub.catch_up` | the log was read for what did not come |
| `woken` | `hub.layer` | another process's wake-up came |
| `hopped`, `worked` | `gql_chat.sql.threads` | a database thread began, and was done |
| `looked`, `paused` | `hub.upkeep` | every two seconds |

`answered`, `delivered`, `woken`, `hopped` and `worked` belong to the way of every message. They are
told only if `active` says so: a process without metrics pays one read of an attribute for each. The
rest is rare, and just called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gql_chat.errors import Bug, ChatError

UNKNOWN = "unknown"
"""What an event is called that the project's table does not have: clients make names up."""

MALFORMED = "malformed"
"""What an event is called whose frame could not be read."""


@dataclass(slots=True, frozen=True)
class Answered:
    """An event that was answered.

    Attributes:
        event_type: its name in the project's table of events, or `unknown` or `malformed`.
        problem: the error that the client was told; None if there was none.
        seconds: from when its frame was read until its answer was handed to the socket's outbox.
        user_id: the primary key of the user.
        room_id: the room that its data names; None if it names none.
    """

    event_type: str
    problem: ChatError | None
    seconds: float
    user_id: Any = None
    room_id: str | None = None

    @property
    def outcome(self) -> str:
        """What became of it, in one word.

        `success`, `refused` (the client's fault), `later` (it may succeed if it is sent again),
        `failed` (a fault of ours), or `unknown` (there is no such event).
        """
        if self.problem is None:
            return UNKNOWN if self.event_type == UNKNOWN else "success"
        if self.problem.is_passing:
            return "later"
        return "failed" if self.problem.code == Bug.code else "refused"


@dataclass(slots=True, frozen=True)
class Census:
    """What a hub holds at one moment.

    Attributes:
        sockets: its open sockets.
        users: the users who have one.
        streams: the streams that it hears.
        slow_sockets: the sockets for which frames wait.
        frames: how many frames wait for them.
        most_frames: the largest number that waits for one socket.
        characters: how many characters those frames have.
        jobs: the calls that wait for a database thread.
        wake_ups: the lists of envelopes that wait to be sent to the channel layer.
    """

    sockets: int = 0
    users: int = 0
    streams: int = 0
    slow_sockets: int = 0
    frames: int = 0
    most_frames: int = 0
    characters: int = 0
    jobs: int = 0
    wake_ups: int = 0


class Recorder:
    """Does nothing with what it is told. Those that record are subclasses.

    Attributes:
        active: whether it records; asked where each message passes.
    """

    active: ClassVar[bool] = False

    def opened(self) -> None:
        """Note that a connection begins."""

    def closed(self, code: int | None) -> None:
        """Note that a connection has ended.

        Args:
            code: the code that we closed it with; None if the client or the server ended it.
        """

    def refused(self, problem: ChatError) -> None:
        """Note that a socket could not be opened."""

    def answered(self, event: Answered) -> None:
        """Note that an event has its answer."""

    def delivered(self, name: str, sockets: int) -> None:
        """Note that a frame was handed to sockets of this process.

        Args:
            name: the frame's name, such as `message.dispatch`.
            sockets: to how many.
        """

    def caught_up(self, reason: str, frames: int) -> None:
        """Note that the log was read for what wake-ups did not bring.

        Args:
            reason: `gap`, `check`, `join` or `late`.
            frames: how many frames the log had.
        """

    def woken(self, seconds: float) -> None:
        """Note how long after its publication an envelope of another process came."""

    def hopped(self, seconds: float) -> None:
        """Note how long a call waited for a database thread. Called on that thread."""

    def worked(self, seconds: float) -> None:
        """Note how long a database thread was at work without a pause. Called on that thread."""

    def paused(self, seconds: float) -> None:
        """Note by how much the event loop was late at the end of a pause."""

    def looked(self, hub: str, census: Census) -> None:
        """Note what a hub holds.

        Args:
            hub: its name.
            census: what it holds; an empty one when it rests.
        """

"""A hub over streams in memory, for the tests of its parts."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from unittest.mock import patch

from event_bridge.delivery import Delivered
from event_bridge.hub import Hub, tasks, upkeep
from event_bridge.hub.attendance import Attendance
from gql_chat import presence, sessions, streams
from gql_chat.models import Epoch
from gql_chat.streams import Envelope, Position, Positions, log

USERS = ("1", "2", "3")
ROOMS = ("room:a", "room:b")
A = ROOMS[0]
STREAMS = (*ROOMS, *(f"user:{user}" for user in USERS))


class Socket:
    """A subscriber that keeps what it gets, as a socket that opens and does not resume."""

    def __init__(self, user: str, heads: dict[str, int]) -> None:
        self.user_key = user
        self.held: list[tuple[str, int]] | None = []
        #: Up to where it leaves aside what the hub brings, as it is older than the socket.
        self.reached: dict[str, int] = {}
        self.channel_name = f"socket of {user}"
        #: Where every stream stood when this socket's streams were read.
        self.heads = heads
        #: Where those stood that were its user's.
        self.places: dict[str, int] = {}
        self.got: list[tuple[str, int]] = []
        self.dismissed: list[str | None] = []
        self.interrupted = False

    def deliver(self, frame: Delivered) -> None:
        """Take a frame."""
        self._take((frame.envelope.stream, frame.envelope.seq))

    def open(self, reached: dict[str, int]) -> None:
        """Let what was held back go."""
        self.reached = reached
        held, self.held = self.held or [], None
        for place in held:
            self._take(place)

    def _take(self, place: tuple[str, int]) -> None:
        if self.held is not None:
            self.held.append(place)
        elif not 0 < place[1] <= self.reached.get(place[0], 0):
            self.got.append(place)

    def dismiss(self, login: str | None = None) -> None:
        """Note that it is to close for good."""
        self.dismissed.append(login)

    def interrupt(self) -> None:
        """Note that it is to close and resume."""
        self.interrupted = True

    def of(self, stream: str) -> list[int]:
        """Return the sequence numbers of a stream that it got."""
        return [seq for name, seq in self.got if name == stream]


class Loop:
    """The event loop, whose timers go off when the test says so."""

    def __init__(self) -> None:
        self.real = asyncio.new_event_loop()
        self.timers: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> None:
        """Keep a timer."""
        self.timers.append((callback, args))

    def create_task(self, work: Any, context: Any) -> asyncio.Task[Any]:
        """Start a task of the real loop."""
        return self.real.create_task(work, context=context)

    def time(self) -> float:
        """Return the time, which stands still."""
        return 0.0

    def fire(self) -> None:
        """Let the timers go off."""
        timers, self.timers = self.timers, []
        for callback, args in timers:
            callback(*args)

    def turn(self, count: int) -> None:
        """Let the real loop go round so many times."""

        async def idle() -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        self.real.run_until_complete(idle())


class World:
    """A hub over streams in memory: what is committed, and what wake-ups and the log tell of it.

    Attributes:
        log: the frames of each stream, in order.
        members: who is in each room now, and the place from which on.
        slowness: how many turns of the loop a query takes after it has read.
        looked_at: the streams whose heads the hub asked for last.
        pruned: how many frames of each stream the log has no more.
        inactive: the users who may not be here.
        epoch: the epoch of the database.
        sockets: those that were opened with nothing between.
    """

    def __init__(self) -> None:
        self.log: dict[str, list[Envelope]] = defaultdict(list)
        self.members: dict[str, dict[str, int]] = {name: {} for name in ROOMS}
        #: Who joined a room with no frame, and at which places.
        self.silent: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.closed: set[str] = set()
        self.slowness = 0
        self.looked_at: list[str] = []
        self.pruned = 0
        self.inactive: list[str] = []
        self.epoch = "first"
        self.sockets: list[Socket] = []
        self.loop = Loop()
        self.hub: Any = Hub(self.loop)  # type: ignore[arg-type]
        self.hub.threads.run = self._run
        self._patches = [
            patch.object(upkeep, "UPKEEP_SECONDS", 10_000),
            patch.object(tasks, "RETRY_SECONDS", 10_000),
            patch.object(streams, "reaches_other_processes", lambda: False),
            patch.object(streams, "read_log", self._read_log),
            # What reads on in the log finds these beside it.
            patch.object(log, "read_log", self._read_log),
            patch.object(log, "read_changes", self._read_changes),
            patch.object(log, "members_of", self._members_of),
            patch.object(streams, "heads", self._heads),
            patch.object(type(Epoch.objects), "read", lambda manager: self.epoch),
            patch.object(streams, "members_of", self._members_of),
            patch.object(streams, "find_joined", self._find_joined),
            patch.object(sessions, "find_inactive", lambda users: self.inactive),
            patch.object(sessions, "keep_alive", lambda names: None),
            patch.object(sessions, "delete_dead", lambda: 0),
            patch.object(presence, "renew_lease", lambda name: None),
            patch.object(presence, "note_departures", lambda departed: None),
            patch.object(presence, "tidy", lambda: None),
            # It would write down who has left, on a loop that does not run any more.
            patch.object(Attendance, "stop", lambda attendance: None),
        ]
        for patched in self._patches:
            patched.start()

    def close(self) -> None:
        """End the world; nothing of the hub may be left."""
        for patched in self._patches:
            patched.stop()
        self.loop.turn(10)
        assert self.hub.receive not in streams.subscribers()
        assert asyncio.all_tasks(self.loop.real) == set()
        self.loop.real.close()

    # The database

    async def _run(self, function: Any, *args: Any) -> Any:
        result = function(*args)
        for _ in range(self.slowness):
            await asyncio.sleep(0)
        return result

    def _read_log(self, stream: str, after: int, limit: int) -> list[Envelope]:
        return self.log[stream][max(after, self.pruned) :][:limit]

    def _read_changes(self, stream: str, after: int) -> list[Mapping[str, Any]]:
        return [envelope.change or {} for envelope in self.log[stream][max(after, self.pruned) :]]

    def _heads(self, places: dict[str, int]) -> dict[str, int]:
        self.looked_at = list(places)
        heads = {name: len(self.log[name]) for name in places}
        return {name: seq for name, seq in heads.items() if seq > places[name]}

    def _members_of(self, room_id: str, users: list[str]) -> tuple[int | None, dict[str, int]]:
        name = f"room:{room_id}"
        if name in self.closed:
            return None, {}
        members = self.members[name]
        return len(self.log[name]), {user: members[user] for user in users if user in members}

    def _find_joined(self, users: list[str], since: datetime) -> list[tuple[str, Position]]:
        # All that happens in a test has happened lately.
        return [
            (user, (room, len(self.log[room]), joined))
            for room, members in self.members.items()
            for user, joined in members.items()
            if room not in self.closed and user in users
        ]

    # What happens

    def commit(self, stream: str, **change: Any) -> Envelope:
        """Commit a frame, and notify nobody."""
        seq = len(self.log[stream]) + 1
        envelope = Envelope(stream, seq, "MessagesDeleted", "{}", change or None)
        self.log[stream].append(envelope)
        for user in change.get("joined", ()):
            self.members[stream][user] = seq
        for user in change.get("left", ()):
            del self.members[stream][user]
        if change.get("closed"):
            self.closed.add(stream)
        return envelope

    def join_silently(self, room: str, user: str) -> None:
        """Make a user a member as plain code does, without a frame."""
        self.members[room][user] = len(self.log[room]) + 1
        self.silent[room, user].add(self.members[room][user])

    def refresh(self, stream: str, *users: str) -> Envelope:
        """Return the notice that members changed without a frame."""
        return Envelope(stream, 0, "", "", {"refresh": True, "joined": list(users)})

    def read(self, user: str) -> tuple[Socket, Positions]:
        """A socket and its positions, as an opening consumer reads them."""
        places = [(f"user:{user}", 1)]
        places += [
            (room, self.members[room][user])
            for room in ROOMS
            if user in self.members[room] and room not in self.closed
        ]
        positions = [(name, len(self.log[name]), joined) for name, joined in places]
        socket = Socket(user, {name: len(self.log[name]) for name in STREAMS})
        socket.places = {name: seq for name, seq, _ in positions}
        return socket, Positions(self.epoch, positions)

    def open(self, user: str) -> Socket:
        """A socket that opens with nothing between."""
        socket, positions = self.read(user)
        self.hub.register(socket)
        return self.enter(socket, positions)

    def enter(self, socket: Socket, positions: Positions) -> Socket:
        """Let a registered socket enter and open."""
        heard = {stream for stream, _ in socket.held or ()}
        socket.open(self.hub.enter(socket, positions, heard))
        self.sockets.append(socket)
        return socket

    def leave_all(self) -> None:
        """Close the sockets that were opened with nothing between."""
        for socket in self.sockets:
            self.hub.leave(socket)

    def tell(self, stream: str, **change: Any) -> Envelope:
        """Commit a frame and notify the hub of it."""
        envelope = self.commit(stream, **change)
        self.hub.take([envelope])
        return envelope

    def followed(self) -> list[str]:
        """The streams that the hub holds."""
        self.looked_at = []
        self.loop.real.run_until_complete(self.hub.catch_up.catch_up_all())
        return sorted(self.looked_at)

    def settle(self) -> None:
        """Give the hub all the time it wants."""
        self.slowness = 0
        for _ in range(6):
            self.loop.fire()
            self.loop.turn(30)
            self.loop.real.run_until_complete(self.hub.catch_up.catch_up_all())
            self.loop.real.run_until_complete(self.hub.memberships.find_joins())
            self.loop.turn(30)

    def is_in(self, user: str, stream: str) -> bool:
        """Whether the user hears the stream now."""
        inside = stream == f"user:{user}" or user in self.members.get(stream, ())
        return inside and stream not in self.closed

    def entitled(self, user: str, stream: str) -> list[set[int]]:
        """The places of a stream at which the user is entitled to the frame, by membership.

        The last ones, perhaps none, are those of the present one. Who left without a frame may
        hear the stream until the notice of it has come.
        """
        inside, memberships = stream == f"user:{user}", [set[int]()]
        for envelope in self.log[stream]:
            change = envelope.change or {}
            joins = user in change.get("joined", ()) or envelope.seq in self.silent[stream, user]
            inside = (inside or joins) and user not in change.get("left", ())
            if inside:
                memberships[-1].add(envelope.seq)
            elif memberships[-1]:
                memberships.append(set())
        return memberships

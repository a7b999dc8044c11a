"""The hub as a state machine: whatever way frames come, everybody gets what they may, once."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from event_bridge import hub as hub_module
from event_bridge.hub import Delivered, Hub
from gql_chat import sessions, streams
from gql_chat.streams import Envelope

USERS = ("1", "2", "3")
ROOMS = ("room:a", "room:b")
STREAMS = (*ROOMS, *(f"user:{user}" for user in USERS))

Index = st.integers(0, 100)
Room = st.sampled_from(ROOMS)
User = st.sampled_from(USERS)


class Socket:
    """A listener that keeps what it gets."""

    def __init__(self, user: str, heads: dict[str, int]) -> None:
        self.user_key = user
        self.channel_name = f"socket of {user}"
        #: Where every stream stood when this socket's streams were read.
        self.heads = heads
        self.got: list[tuple[str, int]] = []
        self.dismissed: list[str | None] = []
        self.interrupted = False

    def deliver(self, frame: Delivered) -> None:
        self.got.append((frame.envelope.stream, frame.envelope.seq))

    def dismiss(self, login: str | None = None) -> None:
        self.dismissed.append(login)

    def interrupt(self) -> None:
        self.interrupted = True

    def of(self, stream: str) -> list[int]:
        return [seq for name, seq in self.got if name == stream]


class Loop:
    """The event loop, whose timers go off when the test says so."""

    def __init__(self) -> None:
        self.real = asyncio.new_event_loop()
        self.timers: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> None:
        self.timers.append((callback, args))

    def create_task(self, work: Any) -> asyncio.Task[Any]:
        return self.real.create_task(work)

    def time(self) -> float:
        return 0.0

    def fire(self) -> None:
        timers, self.timers = self.timers, []
        for callback, args in timers:
            callback(*args)

    def turn(self, count: int) -> None:
        async def idle() -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        self.real.run_until_complete(idle())


class World:
    """A hub over streams in memory: what is committed, and what the bells and the log tell of it.

    Attributes:
        log: the frames of each stream, in order.
        members: who is in each room now, and the place from which on.
        slowness: how many turns of the loop a query takes after it has read.
        looked_at: the streams whose heads the hub asked for last.
    """

    def __init__(self) -> None:
        self.log: dict[str, list[Envelope]] = {name: [] for name in STREAMS}
        self.members: dict[str, dict[str, int]] = {name: {} for name in ROOMS}
        self.closed: set[str] = set()
        self.slowness = 0
        self.looked_at: list[str] = []
        self.loop = Loop()
        self.hub: Any = Hub(self.loop)  # type: ignore[arg-type]
        self.hub.threads.run = self._run
        self._patches = [
            patch.object(hub_module, "LOOK_SECONDS", 10_000),
            patch.object(streams, "reaches_other_processes", lambda: False),
        ]
        for patched in self._patches:
            patched.start()

    def close(self) -> None:
        for patched in self._patches:
            patched.stop()
        self.loop.turn(10)
        assert self.hub.receive not in streams.subscribers()
        assert asyncio.all_tasks(self.loop.real) == set()
        self.loop.real.close()

    # The database

    async def _run(self, function: Any, *args: Any) -> Any:
        result = {
            streams.read_log: self._read_log,
            streams.heads: self._heads,
            streams.members_of: self._members_of,
            streams.find_joined: self._find_joined,
            sessions.find_inactive: lambda users: [],
            sessions.vouch: lambda names: None,
            sessions.delete_dead: lambda: 0,
        }[function](*args)
        for _ in range(self.slowness):
            await asyncio.sleep(0)
        return result

    def _read_log(self, stream: str, after: int, limit: int) -> list[Envelope]:
        return self.log[stream][after : after + limit]

    def _heads(self, names: list[str]) -> dict[str, int]:
        self.looked_at = names
        return {name: len(self.log[name]) for name in names if self.log[name]}

    def _members_of(self, room_id: str, users: list[str]) -> tuple[int | None, set[str]]:
        name = f"room:{room_id}"
        if name in self.closed:
            return None, set()
        return len(self.log[name]), set(self.members[name]) & set(users)

    def _find_joined(self, users: list[str], since: datetime) -> list[dict[str, Any]]:
        # All that happens in a test has happened lately.
        return [
            {
                "user": user,
                "stream": room,
                "seq": len(self.log[room]),
                "joined_seq": joined,
            }
            for room, members in self.members.items()
            for user, joined in members.items()
            if room not in self.closed and user in users
        ]

    # What happens

    def commit(self, stream: str, **change: Any) -> Envelope:
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

    def refresh(self, stream: str, *users: str) -> Envelope:
        return Envelope(stream, 0, "", "", {"refresh": True, "joined": list(users)})

    def read(self, user: str) -> tuple[Socket, list[dict[str, Any]]]:
        """A socket and its positions, as an opening consumer reads them."""
        places = [(f"user:{user}", 1)]
        places += [
            (room, self.members[room][user])
            for room in ROOMS
            if user in self.members[room] and room not in self.closed
        ]
        positions = [
            {"stream": name, "seq": len(self.log[name]), "joined_seq": joined}
            for name, joined in places
        ]
        return Socket(user, {name: len(log) for name, log in self.log.items()}), positions

    def open(self, user: str) -> Socket:
        """A socket that opens with nothing between."""
        socket, positions = self.read(user)
        self.hub.register(socket)
        self.hub.enter(socket, positions)
        return socket

    def settle(self) -> None:
        """Give the hub all the time it wants."""
        self.slowness = 0
        for _ in range(6):
            self.loop.fire()
            self.loop.turn(30)
            self.loop.real.run_until_complete(self.hub.look())
            self.loop.real.run_until_complete(self.hub.look_for_joins())
            self.loop.turn(30)

    def is_in(self, user: str, stream: str) -> bool:
        """Whether the user hears the stream now."""
        inside = stream == f"user:{user}" or user in self.members.get(stream, ())
        return inside and stream not in self.closed

    def entitled(self, user: str, stream: str) -> set[int]:
        """The places of a stream at which the user is entitled to the frame."""
        inside = stream == f"user:{user}"
        places = set()
        for envelope in self.log[stream]:
            change = envelope.change or {}
            inside = (inside or user in change.get("joined", ())) and user not in change.get(
                "left", ()
            )
            if inside:
                places.add(envelope.seq)
        return places


class Frames(RuleBasedStateMachine):
    """Frames come twice, late, in another order, or not at all; sockets come and go meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.hub = self.world.hub
        self.wire: list[Envelope] = []
        self.opening: list[tuple[Socket, list[dict[str, Any]]]] = []
        self.sockets: list[Socket] = []

    def commit(self, stream: str, **change: Any) -> None:
        self.wire.append(self.world.commit(stream, **change))

    @rule(stream=st.sampled_from(STREAMS))
    def write(self, stream: str) -> None:
        if stream not in self.world.closed:
            self.commit(stream)

    @rule(room=Room, user=User)
    def join_or_leave(self, room: str, user: str) -> None:
        if room not in self.world.closed:
            word = "left" if user in self.world.members[room] else "joined"
            self.commit(room, **{word: [user]})

    @rule(room=Room, sure=st.integers(0, 5))
    def close_room(self, room: str, sure: int) -> None:
        if room not in self.world.closed and self.world.members[room] and sure == 0:
            self.commit(room, closed=True)

    @precondition(lambda self: self.wire)
    @rule(index=Index)
    def ring(self, index: int) -> None:
        self.hub.take([self.wire.pop(index % len(self.wire))])

    @precondition(lambda self: self.wire)
    @rule(index=Index)
    def ring_twice(self, index: int) -> None:
        """Ring now and, as the layer's echo, some time later."""
        self.hub.take([self.wire[index % len(self.wire)]])

    @precondition(lambda self: self.wire)
    @rule()
    def ring_all(self) -> None:
        wire, self.wire = self.wire, []
        self.hub.take(wire)

    @precondition(lambda self: self.wire)
    @rule(index=Index)
    def lose(self, index: int) -> None:
        self.wire.pop(index % len(self.wire))

    @rule(user=User)
    def open(self, user: str) -> None:
        socket, positions = self.world.read(user)
        self.hub.register(socket)
        self.opening.append((socket, positions))

    @precondition(lambda self: self.opening)
    @rule(index=Index)
    def enter(self, index: int) -> None:
        chosen, _ = self.opening[index % len(self.opening)]
        # Sockets of one user enter in the order in which they opened.
        index = [socket.user_key for socket, _ in self.opening].index(chosen.user_key)
        socket, positions = self.opening.pop(index)
        self.hub.enter(socket, positions)
        self.sockets.append(socket)

    @precondition(lambda self: self.opening)
    @rule(index=Index)
    def fail_to_open(self, index: int) -> None:
        socket, _ = self.opening.pop(index % len(self.opening))
        self.hub.cancel(socket)

    @precondition(lambda self: self.sockets)
    @rule(index=Index)
    def leave(self, index: int) -> None:
        socket = self.sockets.pop(index % len(self.sockets))
        self.check_nothing_wrong(socket)
        self.hub.leave(socket)

    @rule(count=st.integers(1, 8))
    def turn(self, count: int) -> None:
        self.world.loop.turn(count)

    @rule(count=st.integers(0, 5))
    def slow_down(self, count: int) -> None:
        self.world.slowness = count

    @rule()
    def fire_timers(self) -> None:
        self.world.loop.fire()

    @rule()
    def look(self) -> None:
        self.hub.spawn(self.hub.look())

    @rule()
    def look_for_joins(self) -> None:
        self.hub.spawn(self.hub.look_for_joins())

    def check_nothing_wrong(self, socket: Socket) -> None:
        """Nothing twice, nothing out of order, nothing that is not the user's."""
        for stream in STREAMS:
            got = socket.of(stream)
            assert got == sorted(set(got)), (stream, got)
            assert set(got) <= self.world.entitled(socket.user_key, stream), (stream, got)

    def check_nothing_missing(self, socket: Socket) -> None:
        """Everything that came after the socket's streams were read."""
        user = socket.user_key
        for stream in STREAMS:
            if not self.world.is_in(user, stream) and not socket.of(stream):
                continue  # a membership that was over before any word of it came is not found
            due = {seq for seq in self.world.entitled(user, stream) if seq > socket.heads[stream]}
            assert due <= set(socket.of(stream)), (stream, due, socket.of(stream))

    def teardown(self) -> None:
        try:
            while self.opening:
                self.enter(0)
            self.hub.take(self.wire)
            self.world.settle()
            self.check()
        finally:
            while self.opening:
                self.fail_to_open(0)
            for socket in self.sockets:
                self.hub.leave(socket)
            self.world.close()

    def check(self) -> None:
        for socket in self.sockets:
            self.check_nothing_wrong(socket)
            self.check_nothing_missing(socket)
        # Streams that nobody here listens to any more cost nothing.
        self.world.looked_at = []
        self.world.loop.real.run_until_complete(self.hub.look())
        here = {socket.user_key for socket in self.sockets}
        assert set(self.world.looked_at) == {
            stream for stream in STREAMS if any(self.world.is_in(user, stream) for user in here)
        }


class Refreshes(Frames):
    """Members change outside operations too, of which no frame tells."""

    @rule(room=Room, user=User)
    def change_members_silently(self, room: str, user: str) -> None:
        members = self.world.members[room]
        if room in self.world.closed:
            return
        if user in members:
            del members[user]
        else:
            members[user] = len(self.world.log[room]) + 1
        self.wire.append(self.world.refresh(room, user))

    @precondition(lambda self: self.wire)
    @rule(index=Index)
    def lose(self, index: int) -> None:
        envelope = self.wire[index % len(self.wire)]
        if envelope.kind:
            self.wire.remove(envelope)

    def check_nothing_wrong(self, socket: Socket) -> None:
        for stream in STREAMS:
            got = socket.of(stream)
            assert got == sorted(set(got)), (stream, got)

    def check(self) -> None:
        """Once it is quiet, a frame reaches exactly the members."""
        for socket in self.sockets:
            self.check_nothing_wrong(socket)
        for room in ROOMS:
            if room in self.world.closed:
                continue
            envelope = self.world.commit(room)
            self.hub.take([envelope])
            self.world.settle()
            for socket in self.sockets:
                reached = envelope.seq in socket.of(room)
                assert reached == self.world.is_in(socket.user_key, room)


RUNS = settings(
    max_examples=80,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestFrames(Frames.TestCase):
    settings = RUNS


class TestRefreshes(Refreshes.TestCase):
    settings = RUNS

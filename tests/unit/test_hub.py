"""The hub as a state machine: whatever way frames come, everybody gets what they may, once."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import permutations
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from event_bridge import hub as hub_module
from event_bridge.delivery import Delivered
from event_bridge.hub import Hub
from gql_chat import sessions, streams
from gql_chat.models import Epoch
from gql_chat.streams import Envelope, Position, Positions, log

USERS = ("1", "2", "3")
ROOMS = ("room:a", "room:b")
STREAMS = (*ROOMS, *(f"user:{user}" for user in USERS))

Index = st.integers(0, 100)
Room = st.sampled_from(ROOMS)
User = st.sampled_from(USERS)


class Socket:
    """A listener that keeps what it gets, as a socket that opens and does not resume."""

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

    def create_task(self, work: Any, context: Any) -> asyncio.Task[Any]:
        return self.real.create_task(work, context=context)

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
            patch.object(hub_module, "LOOK_SECONDS", 10_000),
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
            patch.object(sessions, "vouch", lambda names: None),
            patch.object(sessions, "delete_dead", lambda: 0),
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
        heard = {stream for stream, _ in socket.held or ()}
        socket.open(self.hub.enter(socket, positions, heard))
        self.sockets.append(socket)
        return socket

    def leave_all(self) -> None:
        for socket in self.sockets:
            self.hub.leave(socket)

    def tell(self, stream: str, **change: Any) -> Envelope:
        """Commit a frame and ring its bell."""
        envelope = self.commit(stream, **change)
        self.hub.take([envelope])
        return envelope

    def followed(self) -> list[str]:
        """The streams that the hub follows."""
        self.looked_at = []
        self.loop.real.run_until_complete(self.hub.look())
        return sorted(self.looked_at)

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

    def entitled(self, user: str, stream: str) -> list[set[int]]:
        """The places of a stream at which the user is entitled to the frame, by membership.

        The last ones, perhaps none, are those of the present one. Who left without a frame may
        hear the stream until the word of it has come.
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


class Frames(RuleBasedStateMachine):
    """Frames come twice, late, in another order, or not at all; sockets come and go meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.hub = self.world.hub
        self.wire: list[Envelope] = []
        self.opening: list[tuple[Socket, Positions]] = []
        self.sockets: list[Socket] = []
        # A room that everybody is in already, so that its frames matter to all.
        self.world.commit(ROOMS[0], joined=list(USERS))

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
        self.world.enter(socket, positions)
        self.world.sockets.remove(socket)
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
            entitled = set().union(*self.world.entitled(socket.user_key, stream))
            assert set(got) <= entitled, (stream, got)
        self.check_nothing_old(socket)

    def check_nothing_old(self, socket: Socket) -> None:
        """Nothing from before the socket's streams were read, of those that were."""
        for stream, seq in socket.got:
            assert seq > socket.places.get(stream, 0), (stream, seq)

    def check_nothing_missing(self, socket: Socket) -> None:
        """Everything that came after the socket's streams were read."""
        user = socket.user_key
        for stream in STREAMS:
            got, (*over, present) = set(socket.of(stream)), self.world.entitled(user, stream)
            # A membership that was over before any word of it came is not found.
            heard = [places for places in over if places & got]
            if self.world.is_in(user, stream) or present & got:
                heard.append(present)
            for places in heard:
                due = {seq for seq in places if seq > socket.heads[stream]}
                assert due <= got, (stream, due, got)

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
        here = {socket.user_key for socket in self.sockets}
        assert set(self.world.followed()) == {
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
            self.world.join_silently(room, user)
        self.wire.append(self.world.refresh(room, user))

    @precondition(lambda self: self.wire)
    @rule(index=Index)
    def lose(self, index: int) -> None:
        envelope = self.wire[index % len(self.wire)]
        if envelope.kind:
            self.wire.remove(envelope)

    def check_nothing_missing(self, socket: Socket) -> None:
        """Everything since the user's last join and since the socket's streams were read."""
        user = socket.user_key
        for room in ROOMS:
            if self.world.is_in(user, room):
                first = max(self.world.members[room][user], socket.heads[room] + 1)
                due = set(range(first, len(self.world.log[room]) + 1))
                assert due <= set(socket.of(room)), (room, due, socket.of(room))

    def check(self) -> None:
        """Once it is quiet, a frame reaches exactly the members."""
        for socket in self.sockets:
            self.check_nothing_wrong(socket)
            self.check_nothing_missing(socket)
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
    phases=[Phase.generate],  # to shrink what fails takes minutes
    max_examples=100,
    stateful_step_count=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestFrames(Frames.TestCase):
    settings = RUNS


class TestRefreshes(Refreshes.TestCase):
    settings = RUNS


# What the machines would find by chance


@pytest.fixture
def world() -> Iterator[World]:
    """A world of the test's own; its sockets leave with it."""
    world = World()
    yield world
    world.leave_all()
    world.close()


A = "room:a"


def test_a_frame_reaches_every_socket_of_every_member_and_nobody_else(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    phone, laptop, other, stranger = (world.open(user) for user in ("1", "1", "2", "3"))

    world.tell(A)

    assert [socket.of(A) for socket in (phone, laptop, other, stranger)] == [[2], [2], [2], []]


def test_sockets_that_come_and_go_between_frames_hear_what_is_theirs(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    first = world.open("1")
    world.tell(A)
    second, other = world.open("1"), world.open("2")
    world.tell(A)
    world.hub.leave(first)
    world.tell(A)
    world.hub.leave(other)
    world.tell(A)

    assert (first.of(A), second.of(A), other.of(A)) == ([2, 3], [3, 4, 5], [3, 4])


class Deaf(Socket):
    """A project's socket that raises at a frame."""

    offered = 0
    may_close = True

    def deliver(self, frame: Delivered) -> None:
        self.offered += 1
        raise LookupError("no such thing")

    def interrupt(self) -> None:
        super().interrupt()
        if not self.may_close:
            raise LookupError("no such thing either")


@pytest.mark.parametrize("may_close", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_a_socket_that_raises_at_a_frame_is_closed_and_the_others_go_on(
    late: bool, may_close: bool, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.commit(A, joined=["1", "2", "3"])
    one = world.open("1")
    _, positions = world.read("2")
    deaf = Deaf("2", {})
    deaf.may_close = may_close
    world.hub.register(deaf)
    world.enter(deaf, positions)
    beside, other = world.open("2"), world.open("3")

    for _ in range(20):
        if late:
            world.commit(A)
            world.hub.spawn(world.hub.look())
            world.settle()
        else:
            world.tell(A)

    assert one.of(A) == beside.of(A) == other.of(A) == list(range(2, 22))
    # What it got is what it resumes from: nothing after the frame that it could not take.
    assert (deaf.offered, deaf.interrupted) == (1, True)
    assert len(caplog.records) == (1 if may_close else 2)


def test_an_event_that_cannot_be_shown_keeps_no_other_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.commit(A, joined=["1"])
    one = world.open("1")
    unknown = Envelope(A, 2, "MessagesDeleted", "no JSON")
    world.log[A].append(unknown)
    after = world.commit(A)

    world.hub.take([unknown, after])

    assert one.of(A) == [3]
    assert len(caplog.records) == 1


def test_a_frame_that_tells_nothing_lasting_is_delivered_as_it_comes(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")

    for _ in range(2):
        world.hub.take([Envelope(A, 0, "Typing", "{}")])

    assert socket.of(A) == [0, 0]


def test_frames_in_disorder_are_put_in_order(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")
    two, three, four = (world.commit(A) for _ in range(3))

    world.hub.take([four, three, four])
    assert socket.of(A) == []
    world.hub.take([two])

    assert socket.of(A) == [2, 3, 4]


def test_a_gap_is_filled_from_the_log(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")
    world.commit(A)

    world.tell(A)
    assert socket.of(A) == []
    world.loop.fire()
    world.loop.turn(10)

    assert socket.of(A) == [2, 3]


def test_what_no_bell_told_is_found(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")
    for _ in range(hub_module.REPLAY_SIZE + 5):
        world.commit(A)

    world.settle()

    assert socket.of(A) == list(range(2, hub_module.REPLAY_SIZE + 7))


def test_a_log_that_was_pruned_too_far_interrupts_those_who_lost_something(world: World) -> None:
    world.commit(A, joined=["1"])
    socket, stranger = world.open("1"), world.open("2")
    for _ in range(5):
        world.commit(A)
    world.pruned = 4

    world.settle()

    assert (socket.interrupted, stranger.interrupted) == (True, False)
    assert socket.of(A) == [5, 6]


def test_who_leaves_gets_nothing_more_and_who_joins_nothing_before(world: World) -> None:
    world.commit(A, joined=["1"])
    one, two = world.open("1"), world.open("2")
    for change in ({}, {"joined": ["2"]}, {}, {"left": ["1"]}, {}):
        world.tell(A, **change)

    assert (one.of(A), two.of(A)) == ([2, 3, 4], [3, 4, 5, 6])


def test_the_last_frame_of_a_room_reaches_its_members(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")

    world.tell(A, closed=True)

    assert socket.of(A) == [2]
    assert world.followed() == ["user:1"]


def test_the_echo_of_a_join_begins_nothing_again(world: World) -> None:
    socket = world.open("1")
    joined = world.tell(A, joined=["1"])
    world.tell(A, closed=True)

    world.hub.take([joined])
    world.settle()

    assert socket.of(A) == [1, 2]
    assert world.followed() == ["user:1"]


def test_a_socket_that_opens_misses_nothing_after_its_streams_were_read(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    world.tell(A)  # the hub is ahead of what was read

    world.enter(socket, positions)
    world.tell(A)
    world.settle()

    assert socket.of(A) == [2, 3]


def test_a_socket_whose_user_left_while_it_opened_is_no_member(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    world.tell(A, left=["1"])

    world.enter(socket, positions)
    world.tell(A)
    world.settle()

    assert socket.of(A) == []


def test_another_socket_of_a_user_gets_nothing_twice_when_one_opens_late(world: World) -> None:
    world.commit(A, joined=["1"])
    phone = world.open("1")
    laptop, positions = world.read("1")
    world.hub.register(laptop)
    world.tell(A)
    world.tell(A, closed=True)

    world.enter(laptop, positions)
    world.settle()

    assert phone.of(A) == [2, 3]


def test_a_socket_hears_of_a_join_though_another_opened_after_it(world: World) -> None:
    phone = world.open("1")
    world.commit(A, joined=["1"])  # the bell is late

    world.open("1")
    world.settle()

    assert phone.of(A) == [1]


def test_a_socket_that_opens_while_members_are_read_is_not_forgotten(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("1")
    world.slowness = 5
    world.hub.take([world.refresh(A, "3")])
    world.loop.turn(2)  # the members have been asked for, those who are here by now

    socket = world.open("2")
    world.loop.turn(20)
    world.tell(A)

    assert socket.of(A) == [2]


@pytest.mark.parametrize("word", ["joins", "leaves"])
def test_a_change_without_a_frame_holds_once_it_is_announced(world: World, word: str) -> None:
    world.commit(A, joined=["1", "2"] if word == "leaves" else ["1"])
    world.open("1")
    socket = world.open("2")

    if word == "joins":
        world.members[A]["2"] = 2
    else:
        del world.members[A]["2"]
    world.hub.take([world.refresh(A, "2")])
    world.loop.turn(20)
    world.tell(A)

    assert socket.of(A) == ([2] if word == "joins" else [])


def test_who_was_removed_without_a_frame_gets_nothing_that_the_log_brings(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, two = world.open("1"), world.open("2")

    del world.members[A]["2"]
    world.commit(A)
    world.settle()
    word = world.refresh(A, "2")
    world.hub.take([word])
    world.loop.turn(20)
    world.tell(A)

    assert (one.of(A), two.of(A)) == ([2, 3], [])


def test_a_stream_that_nobody_is_left_to_hear_is_let_go_when_the_log_is_read(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")

    del world.members[A]["1"]
    world.commit(A)
    world.settle()

    assert world.followed() == ["user:1"]
    assert socket.of(A) == []


def test_who_was_removed_with_a_frame_gets_what_came_before_it(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, two = world.open("1"), world.open("2")

    world.commit(A)
    world.commit(A, left=["2"])
    world.commit(A)
    world.settle()

    assert (one.of(A), two.of(A)) == ([2, 3, 4], [2])


def test_a_room_deleted_without_a_frame_is_followed_no_more(world: World) -> None:
    world.commit(A, joined=["1"])
    world.open("1")

    world.closed.add(A)
    world.hub.take([world.refresh(A)])
    world.loop.turn(20)

    assert world.followed() == ["user:1"]


# Where a user stands


def test_who_is_brought_up_stands_where_they_have_been_brought(world: World) -> None:
    """The hub is ahead of what was read for the socket, as in a room where much is written."""
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    world.tell(A)
    world.tell(A)

    world.enter(socket, positions)
    assert world.hub.positions("1") == {"user:1": 0, A: 1}
    world.loop.turn(10)

    assert socket.of(A) == [2, 3]
    assert world.hub.positions("1") == {"user:1": 0, A: 3}


def test_who_is_brought_up_stands_there_batch_by_batch(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    for _ in range(3 * hub_module.REPLAY_SIZE):
        world.tell(A)
    world.slowness = 1

    world.enter(socket, positions)
    for _ in range(20):
        world.loop.turn(1)
        assert socket.of(A) == list(range(2, world.hub.positions("1")[A] + 1))

    assert len(socket.of(A)) == 3 * hub_module.REPLAY_SIZE


def test_who_enters_later_stands_before_that_place(world: World) -> None:
    world.commit(A, joined=["2"])
    other = world.open("2")
    world.commit(A)
    world.commit(A, joined=["1"])  # of both no bell has been heard

    socket = world.open("1")
    assert world.hub.positions("1") == {"user:1": 0, A: 2}
    world.settle()

    assert (socket.of(A), other.of(A)) == ([], [2, 3])
    assert world.hub.positions("1") == {"user:1": 0, A: 3}


def test_a_socket_hears_nothing_that_is_older_than_itself_though_the_hub_is_behind(
    world: World,
) -> None:
    world.commit(A, joined=["1", "2"])
    phone, other = world.open("1"), world.open("2")
    for _ in range(3):
        world.commit(A)  # no bell has been heard

    laptop, stranger = world.open("1"), world.open("2")
    world.commit(A)
    world.settle()

    assert (phone.of(A), other.of(A)) == ([2, 3, 4, 5], [2, 3, 4, 5])
    assert (laptop.of(A), stranger.of(A)) == ([5], [5])


def test_a_socket_hears_nothing_older_while_another_of_its_user_is_brought_up(
    world: World,
) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    phone, positions = world.read("1")
    world.hub.register(phone)
    world.tell(A)
    world.slowness = 5
    world.enter(phone, positions)

    laptop = world.open("1")
    world.tell(A)
    world.settle()

    assert (phone.of(A), laptop.of(A)) == ([2, 3], [3])


def test_who_is_brought_up_in_a_log_that_was_pruned_is_interrupted(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    other = world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    for _ in range(3):
        world.tell(A)
    world.pruned = 3

    world.enter(socket, positions)
    world.loop.turn(10)

    assert (socket.interrupted, other.interrupted) == (True, False)
    assert world.hub.positions("1")[A] == 4


def test_who_leaves_and_comes_back_while_they_are_brought_up_gets_nothing_twice(
    world: World,
) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    world.tell(A)
    world.slowness = 8
    world.enter(socket, positions)
    world.loop.turn(1)  # the log is asked

    world.tell(A, left=["1"])
    world.tell(A)
    joined = world.commit(A, joined=["1"])
    world.tell(A)
    world.hub.take([joined])
    world.settle()

    assert socket.of(A) == sorted(set(socket.of(A)))
    assert socket.of(A)[-2:] == [5, 6]
    assert set(socket.of(A)) <= {2, 5, 6}


def test_who_has_left_in_the_log_that_brings_them_up_follows_nothing(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    other = world.open("2")
    socket, positions = world.read("1")
    world.commit(A)
    left, last = world.commit(A, left=["1"]), world.commit(A, left=["2"])
    world.hub.take(world.log[A][1:3])
    world.hub.register(socket)

    world.enter(socket, positions)
    world.hub.take([left, last])
    world.settle()

    assert (socket.of(A), other.of(A)) == ([2], [2, 3])
    assert world.followed() == ["user:1", "user:2"]


# Members that no frame tells of


def test_a_join_without_a_frame_brings_nothing_from_before(world: World) -> None:
    """The word of it comes to a hub that has yet to hear of what was written before."""
    world.commit(A, joined=["1"])
    one, socket = world.open("1"), world.open("2")
    before = [world.commit(A) for _ in range(3)]
    world.join_silently(A, "2")
    word, after = world.refresh(A, "2"), world.commit(A)

    world.hub.take([word])
    world.loop.turn(20)
    world.hub.take([*before, after])
    world.settle()

    assert (one.of(A), socket.of(A)) == ([2, 3, 4, 5], [5])


def test_a_join_without_a_frame_brings_what_came_since_though_the_word_is_late(
    world: World,
) -> None:
    world.commit(A, joined=["1"])
    one, socket = world.open("1"), world.open("2")
    world.tell(A)
    world.join_silently(A, "2")
    world.tell(A)
    world.tell(A)

    world.hub.take([world.refresh(A, "2")])
    world.loop.turn(20)
    world.tell(A)

    assert (one.of(A), socket.of(A)) == ([2, 3, 4, 5], [3, 4, 5])


def test_who_came_back_without_a_frame_gets_nothing_of_the_time_between(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, socket = world.open("1"), world.open("2")
    del world.members[A]["2"]
    world.commit(A)
    world.join_silently(A, "2")
    world.commit(A)

    world.hub.take([world.refresh(A, "2")])
    world.settle()

    assert (one.of(A), socket.of(A)) == ([2, 3], [3])


def test_who_came_back_is_found_when_the_log_is_read(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, socket = world.open("1"), world.open("2")
    del world.members[A]["2"]
    world.commit(A)
    world.join_silently(A, "2")
    world.commit(A)

    world.settle()  # no word of either

    assert (one.of(A), socket.of(A)) == ([2, 3], [3])


def test_a_socket_that_opens_while_its_user_joins_without_a_frame_gets_no_history(
    world: World,
) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("1")
    for _ in range(3):
        world.tell(A)
    socket, positions = world.read("2")
    world.hub.register(socket)
    world.tell(A)

    world.hub.take([world.refresh(A, "3")])
    world.loop.turn(20)
    world.enter(socket, positions)
    world.tell(A)
    world.settle()

    assert socket.of(A) == [5, 6]


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("behind", [False, True])
def test_a_transaction_of_several_words_settles_those_whom_each_names(
    order: tuple[int, ...], behind: bool, world: World
) -> None:
    """An event removes "1", and in its transaction plain code removes "2" and adds "3"."""
    world.commit(A, joined=["1", "2", "4"])
    sockets = [world.open(user) for user in ("1", "2", "3", "4")]
    before = world.commit(A)
    if not behind:
        world.hub.take([before])
    words = [world.commit(A, left=["1"]), world.commit(A, left=["2"])]
    world.join_silently(A, "3")
    words.append(world.refresh(A, "3"))

    for index in order:
        world.hub.take([words[index]])
        world.loop.turn(20)
    world.settle()
    world.tell(A)

    one, two, three, four = (socket.of(A) for socket in sockets)
    assert four == [2, 3, 4, 5]
    assert three == [5]
    # Who was removed may lose what came before the removal, and hears nothing of what came after.
    assert set(one) <= {2}
    assert set(two) <= {2, 3}
    if not behind:
        assert (one, 2 in two) == ([2], True)


def test_who_leaves_by_a_frame_that_is_still_to_come_leaves_though_members_were_read(
    world: World,
) -> None:
    """A socket that opened after the members were asked for is told by the frame alone."""
    world.commit(A, joined=["1", "2"])
    world.open("1")
    socket, positions = world.read("2")
    left = world.commit(A, left=["2"])
    word = world.refresh(A, "1")
    world.slowness = 5
    world.hub.take([word])
    world.loop.turn(2)  # the members are asked for, of those who are here

    world.hub.register(socket)
    world.enter(socket, positions)
    world.settle()
    world.hub.take([left])
    world.tell(A)

    assert socket.of(A) == []


def test_words_that_come_while_members_are_read_are_read_once_more_in_order(
    world: World,
) -> None:
    """Two threads may answer in any order: the older answer must not be the last."""
    world.commit(A, joined=["1"])
    world.open("1")
    socket = world.open("2")
    slow = iter([20, 0, 0, 0, 0])

    async def run(function: Any, *args: Any) -> Any:
        result = function(*args)
        for _ in range(next(slow)):
            await asyncio.sleep(0)
        return result

    world.hub.threads.run = run
    world.hub.take([world.refresh(A, "3")])
    world.loop.turn(2)
    world.join_silently(A, "2")
    world.hub.take([world.refresh(A, "2")])
    world.loop.turn(40)
    world.hub.threads.run = world._run
    world.tell(A)

    assert socket.of(A) == [2]


def test_the_late_word_of_a_join_that_is_over_lets_nobody_stay(world: World) -> None:
    """Plain code removed the user again, and the word of that came before they were here."""
    joined = world.commit(A, joined=["1"])
    del world.members[A]["1"]
    second = world.commit(A)
    socket = world.open("1")
    world.hub.take([joined, second])

    world.loop.real.run_until_complete(world.hub.look_for_joins())
    world.loop.turn(10)
    world.tell(A)

    assert 3 not in socket.of(A)
    assert world.followed() == ["user:1"]


# What is remembered


def test_sockets_that_open_all_the_time_leave_nothing_behind(world: World) -> None:
    world.commit(A, joined=["1"])
    world.open("1")
    socket, positions = world.read("2")
    world.hub.register(socket)
    for _ in range(200):
        # One opens before the other has entered: there is no moment with none.
        world.tell("room:b")
        world.tell(A, joined=["3"])
        world.tell(A, left=["3"])
        following, read = world.read("2")
        world.hub.register(following)
        world.enter(socket, positions)
        world.hub.leave(socket)
        socket, positions = following, read

    assert len(world.hub._stash) <= 2
    assert len(world.hub._left) <= 2
    world.hub.cancel(socket)


def test_frames_that_were_passed_over_are_not_kept(world: World) -> None:
    world.commit(A, joined=["1"])
    world.open("1")
    frames = [world.commit(A) for _ in range(5)]
    world.pruned = 5

    world.hub.take(frames[1:3])
    world.settle()

    assert not world.hub._streams[A].early


# The epoch


def renew(world: World, count: int) -> None:
    """Set the database back to the first frame of A, and let other frames follow."""
    world.epoch = "second"
    del world.log[A][1:]
    for _ in range(count):
        world.commit(A)


def test_a_renewed_epoch_interrupts_every_socket_and_all_begins_afresh(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, two = world.open("1"), world.open("2")
    for _ in range(8):
        world.tell(A)
    renew(world, 3)

    world.loop.real.run_until_complete(world.hub.look_for_epoch())
    assert (one.interrupted, two.interrupted) == (True, True)
    assert world.hub.positions("1") == {}
    back = world.open("1")
    world.hub.leave(one)
    assert world.hub.positions("1") == {"user:1": 0, A: 4}
    for _ in range(8):
        world.tell(A)
    world.settle()

    assert back.of(A) == list(range(5, 13))
    assert not back.interrupted
    assert one.of(A) == two.of(A) == list(range(2, 10))


def test_a_socket_that_brings_another_epoch_comes_again(world: World) -> None:
    """It may have read before the epoch was renewed, or be the first to know of that."""
    world.commit(A, joined=["1", "2"])
    one = world.open("1")
    world.tell(A)
    late, positions = world.read("2")
    world.hub.register(late)
    renew(world, 5)
    first = world.open("2")
    assert (first.interrupted, one.interrupted) == (True, False)

    world.loop.turn(10)
    assert one.interrupted
    world.enter(late, positions)
    assert late.interrupted
    world.loop.turn(10)
    back = world.open("1")
    world.tell(A)

    assert not back.interrupted
    assert back.of(A) == [7]


def test_who_was_being_brought_up_is_not_in_another_epoch(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    world.open("2")
    socket, positions = world.read("1")
    world.hub.register(socket)
    for _ in range(3):
        world.tell(A)
    world.slowness = 5
    world.enter(socket, positions)
    world.loop.turn(1)  # the log is asked
    renew(world, 7)
    world.slowness = 0

    world.loop.real.run_until_complete(world.hub.look_for_epoch())
    world.settle()

    assert socket.interrupted
    assert socket.of(A) == []


def test_streams_are_followed_while_somebody_listens(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    one, two = world.open("1"), world.open("2")
    assert world.followed() == [A, "user:1", "user:2"]

    world.hub.leave(one)
    assert world.followed() == [A, "user:2"]

    world.tell(A, left=["2"])
    assert world.followed() == ["user:2"]
    world.hub.leave(two)
    world.hub.leave(two)


def test_a_hub_without_sockets_rests_and_the_next_socket_wakes_it(world: World) -> None:
    world.commit(A, joined=["1"])
    world.hub.leave(world.open("1"))
    assert world.hub.receive not in streams.subscribers()

    socket = world.open("1")
    assert world.hub.receive in streams.subscribers()
    world.tell(A)

    assert socket.of(A) == [2]


def test_a_socket_that_fails_to_open_leaves_nothing_behind(world: World) -> None:
    world.commit(A, joined=["1"])
    socket, _ = world.read("1")
    world.hub.register(socket)

    world.hub.cancel(socket)

    assert world.hub.receive not in streams.subscribers()


def test_who_logged_out_is_dismissed_by_login(world: World) -> None:
    one, other = world.open("1"), world.open("2")

    world.hub.take([Envelope("user:1", 0, "", "", {"signed_out": "a login"})])

    assert (one.dismissed, other.dismissed) == (["a login"], [])


def test_who_may_not_be_here_any_more_is_dismissed(world: World) -> None:
    one, other = world.open("1"), world.open("2")
    world.inactive = ["2"]

    world.loop.real.run_until_complete(world.hub.keep())

    assert (one.dismissed, other.dismissed) == ([], [None])


def test_a_frame_is_encoded_once_and_placed_only_if_it_has_a_place() -> None:
    frame = Delivered(Envelope(A, 3, "RoomDeleted", '{"room_id": "a"}'))
    assert frame.plain == '{"eventType":"roomdelete.dispatch","data":{"room_id":"a"}}'
    assert frame.placed == (
        '{"eventType":"roomdelete.dispatch","data":{"room_id":"a"},"stream":"room:a","seq":3}'
    )
    assert frame.plain is frame.plain
    assert frame.placed is frame.placed

    fleeting = Delivered(Envelope(A, 0, "Typing", '{"username": "x"}'))
    assert fleeting.placed == fleeting.plain

"""The hub as a state machine: whatever way frames come, everybody gets what they may, once."""

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from gql_chat import streams
from gql_chat.streams import Envelope, Positions

from .world import ROOMS, STREAMS, USERS, A, Socket, World

Index = st.integers(0, 100)
Room = st.sampled_from(ROOMS)
User = st.sampled_from(USERS)


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
    def notify(self, index: int) -> None:
        self.hub.take([self.wire.pop(index % len(self.wire))])

    @precondition(lambda self: self.wire)
    @rule(index=Index)
    def notify_twice(self, index: int) -> None:
        """Notify now and, as the layer's echo, some time later."""
        self.hub.take([self.wire[index % len(self.wire)]])

    @precondition(lambda self: self.wire)
    @rule()
    def notify_all(self) -> None:
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
        self.hub.spawn(self.hub.catch_up.catch_up_all())

    @rule()
    def look_for_joins(self) -> None:
        self.hub.spawn(self.hub.memberships.find_joins())

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
            # A membership that was over before any notice of it came is not found.
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
        # Streams that nobody here hears any more cost nothing.
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
    max_examples=400,
    stateful_step_count=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestFrames(Frames.TestCase):
    settings = RUNS


class TestRefreshes(Refreshes.TestCase):
    settings = RUNS


def test_a_frame_that_tells_nothing_lasting_is_delivered_as_it_comes(world: World) -> None:
    world.commit(A, joined=["1"])
    socket = world.open("1")

    for _ in range(2):
        world.hub.take([Envelope(A, 0, "Typing", "{}")])

    assert socket.of(A) == [0, 0]


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

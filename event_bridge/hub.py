"""The hub: one per process and event loop; which local socket gets which frame.

For every stream that a local socket listens to, the hub is a state machine over the stream:
it knows the place it has reached and the local users entitled there, and applies one frame
after the other. Joins, leaves and removals are frames, so the hub knows who is entitled at
each place without asking. A frame that arrives twice is dropped, one that arrives early
waits, and what does not arrive is read from the log: the channel layer only rings a bell.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from django.utils import timezone

from gql_chat import sessions, streams
from gql_chat.conf import chat_settings
from gql_chat.streams import Envelope, Position, Positions
from gql_chat.streams.workers import make_threads

from .cleaning import Cleaning
from .delivery import Delivered, Listener
from .layer import LayerLink
from .stream import Late, Stream

logger = logging.getLogger("event_bridge")

T = TypeVar("T")

LOOK_SECONDS = 2.0
"""How often the hub looks whether its streams have moved on without a bell."""

GAP_SECONDS = 0.1
"""How long a frame may wait for the one before it until the log is read."""

CLOCK_DIFFERENCE = timedelta(seconds=10)
"""How far servers' clocks may differ, and a transaction may last, for joins to be seen."""

REMEMBERED = 10_000
"""How many partings of local users from streams the hub remembers."""

REPLAY_SIZE = 500
"""How many frames are read from the log at once."""

GONE = 2**63
"""A place after all others: where a room that is deleted was left."""


@dataclass(slots=True, eq=False)
class _Question:
    """Who is in a room, which is read just now.

    Attributes:
        again: whether it is to be read once more: the members changed meanwhile.
    """

    again: bool = True


class Hub:
    """Delivers the streams to the sockets of this process.

    Attributes:
        threads: the database threads of this event loop.
        cleaning: the thread on which contents are cleaned.
        name: the hub's name among all processes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.name = uuid.uuid4().hex
        self.threads = make_threads()
        self.cleaning = Cleaning()
        self._numbers = itertools.count(1)
        self._listeners: dict[str, set[Listener]] = defaultdict(set)
        self._streams: dict[str, Stream] = {}
        # Lists, since a set is nine times as large; a name is in it while its stream is followed.
        self._streams_of: dict[str, list[str]] = defaultdict(list)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Of which rooms the members are read just now: their frames wait for it.
        self._asking: dict[str, _Question] = {}
        # What is read of memberships may be older than what the hub knows by then. So it keeps
        # what happens meanwhile: each such reading, the oldest first, with its number.
        self._readings: dict[object, int] = {}
        self._reading_numbers = itertools.count(1)
        self._newest_reading = 0
        # Who left what, and where; and frames of streams that nobody here follows yet. Each with
        # the number of the newest reading that needs it: those that begin later do not.
        self._left: dict[tuple[str, str], tuple[int, int]] = {}
        self._stash: deque[tuple[int, Envelope]] = deque()
        # Where users left by a frame, for good, as far as it is remembered.
        self._parted: dict[tuple[str, str], int] = {}
        # Whom a frame has let in since the last look: its word may be late, and they be out again.
        self._let_in: set[tuple[str, str]] = set()
        self._epoch: str | None = None
        self._layer = LayerLink(self.name, loop, self.take, self.look)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._running = False
        self._vouch_at = 0.0
        self._joins_known_until = timezone.now() - CLOCK_DIFFERENCE

    # Sockets come and go

    def register(self, listener: Listener) -> None:
        """Take in a socket whose streams are about to be read; `enter` or `leave` follows.

        From now on frames that make its user join or leave are seen with the user in mind.
        """
        if not self._running:
            self._start()
        self._begin_reading(listener)
        self._listeners[listener.user_key].add(listener)
        self._forget_audiences(listener.user_key)

    def name_socket(self) -> str:
        """Return a name that no other socket has, in whatever process."""
        return f"{self.name}.{next(self._numbers)}"

    def turn(self, user: str) -> asyncio.Lock:
        """Return the lock under which each socket of a user reads its streams and enters.

        One after the other: what is read for a socket is then never older than what was read
        for another of the same user that has entered before.
        """
        return self._turns.setdefault(user, asyncio.Lock())

    def enter(
        self, listener: Listener, positions: Positions, heard: Collection[str] = ()
    ) -> dict[str, int]:
        """Let a registered socket hear its user's streams.

        Args:
            listener: the socket.
            positions: where each stands, read after `register`.
            heard: the streams of which it was given frames since then.

        Returns:
            The streams of which the socket has been given frames, or will be, that are older than
            what was read for it: each with the place up to which they are.
        """
        if self._epoch is None:
            self._epoch = positions.epoch
        elif self._epoch != positions.epoch:
            # One of the two is out of date. The socket comes again when that is settled.
            listener.interrupt()
            self.doubt(positions.epoch)
            self._end_reading(listener)
            return {}
        user, places = listener.user_key, iter(positions)
        here_before = self._is_here(user)
        if not here_before and not self._left:
            places = iter(self._admit_plainly(user, places, heard))
        ahead: dict[str, int] = {}
        for place in places:
            name, seq, _ = place
            # A socket of the user that was here before may not have heard yet of a room: it
            # shall hear of it from the join on.
            self._admit(user, place, unheard=here_before and not self._follows(user, name))
            stream = self._streams.get(name)
            behind = stream and stream.follows(user) and stream.place_of(user) < seq
            if behind or name in heard:
                ahead[name] = seq
        self._end_reading(listener)
        return ahead

    def _admit_plainly(
        self, user: str, positions: Iterable[Position], heard: Collection[str]
    ) -> list[Position]:
        """Entitle a user to the streams that are where they were read; return the others."""
        followed, others = self._streams_of[user], []
        for place in positions:
            name, seq, joined_seq = place
            stream = self._streams.get(name) or self._track(name, seq)
            moved = stream.position != seq or joined_seq > seq or name in heard
            if moved or stream.entering or stream.late:
                others.append(place)
            elif user not in stream.users:
                stream.users[user] = None
                stream.audience = None
                followed.append(stream.name)
        return others

    def _admit(self, user: str, place: Position, *, unheard: bool) -> None:
        """Entitle a user to a stream from where the membership began.

        Args:
            user: a local user.
            place: where the stream stands, and where the membership began.
            unheard: whether an open socket of the user has missed the join, if it is over.
        """
        name, seq, joined_seq = place
        if self._left and self._left.get((name, user), (0, 0))[0] > seq:
            return
        # What was read may be older than what others here have had already.
        after = max(joined_seq - 1, self._parted.get((name, user), 0)) if unheard else seq
        first = after + 1 if unheard else joined_seq
        stream = self._streams.get(name)
        if stream is None:
            stream = self._track(name, after if unheard else seq)
        elif user in stream.late:
            return
        self._note_follower(stream, user)
        if first > stream.position + 1:
            stream.add_later(user, first)
        elif after < stream.position and user not in stream.users:
            self._bring_up(name, stream, user, after)
        else:
            stream.add(user)
        if unheard:
            self._heal(name)

    def _note_follower(self, stream: Stream, user: str) -> None:
        """Note that a user is about to follow a stream."""
        if not stream.follows(user):
            self._streams_of[user].append(stream.name)

    def _is_here(self, user: str) -> bool:
        """Tell whether a socket of the user has entered, with the user's own stream."""
        return streams.user_stream(user) in self._streams

    def _follows(self, user: str, name: str) -> bool:
        stream = self._streams.get(name)
        return stream is not None and stream.follows(user)

    def positions(self, user: str) -> dict[str, int]:
        """Return the place up to which a local user has been given each stream."""
        followed = [(name, self._streams.get(name)) for name in self._streams_of.get(user, ())]
        return {
            name: stream.place_of(user)
            for name, stream in followed
            if stream is not None and stream.follows(user)
        }

    async def subscribed(self) -> None:
        """Wait until the channel layer rings for all streams; not for ever, it may be away."""
        await self._layer.settled()

    def cancel(self, listener: Listener) -> None:
        """Take back a `register` that no `enter` will follow. `leave` does, too."""
        self.leave(listener)

    def _begin_reading(self, reading: object) -> None:
        """Keep from now on what may be newer than memberships that are about to be read."""
        self._newest_reading = self._readings[reading] = next(self._reading_numbers)

    def _end_reading(self, reading: object) -> None:
        """Go on after a read of memberships: what arrived meanwhile is taken in now."""
        self._readings.pop(reading, None)
        if self._stash:
            self.take([envelope for _, envelope in self._stash if envelope.stream in self._streams])
        oldest = next(iter(self._readings.values()), None)
        if oldest is not None:
            self._forget_before(oldest)
            return
        self._stash.clear()
        self._left.clear()
        if self._running and not self._listeners:
            self._stop()

    def _forget_before(self, oldest: int) -> None:
        """Drop what no reading needs that goes on: there may be one at all times."""
        while self._stash and self._stash[0][0] < oldest:
            self._stash.popleft()
        while self._left:
            key = next(iter(self._left))
            if self._left[key][1] >= oldest:
                return
            del self._left[key]

    def leave(self, listener: Listener) -> None:
        """Forget a socket, wherever it is in its life; once more does no harm."""
        if listener in self._readings:
            self._end_reading(listener)
        user = listener.user_key
        listeners = self._listeners.get(user)
        if listeners is None:
            return
        listeners.discard(listener)
        if listeners:
            self._forget_audiences(user)
        else:
            del self._listeners[user]
            for name in self._streams_of.pop(user, ()):
                self._drop_user(name, user)
        if not self._listeners and not self._readings:
            self._stop()

    def _drop_user(self, name: str, user: str) -> None:
        stream = self._streams.get(name)
        if stream is None:
            return
        stream.drop(user)
        if not stream.is_followed():
            self._untrack(name)

    def _track(self, name: str, position: int) -> Stream:
        stream = self._streams[name] = Stream(name, position)
        self._layer.want(name)
        return stream

    def _untrack(self, name: str) -> None:
        if self._streams.pop(name, None) is not None:
            self._layer.unwant(name)

    # Frames arrive

    def publish(self, envelopes: list[Envelope]) -> None:
        """Publish what was committed: to every hub of this process, then to other processes."""
        for subscriber in streams.subscribers():
            subscriber(envelopes)
        self._layer.ring(envelopes)

    def receive(self, envelopes: list[Envelope]) -> None:
        """Take envelopes from any thread of this process."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self.loop:
            self.take(envelopes)
        else:
            with suppress(RuntimeError):  # the loop is closed: nobody is connected any more
                self.loop.call_soon_threadsafe(self.take, envelopes)

    def take(self, envelopes: Iterable[Envelope]) -> None:
        """Take envelopes in, in whatever order they come."""
        for envelope in envelopes:
            if envelope.kind == "":
                self._obey(envelope)
                continue
            stream = self._streams.get(envelope.stream)
            if stream is None:
                stream = self._begin(envelope)
            if stream is None:
                if self._readings and envelope.seq:
                    self._stash.append((self._newest_reading, envelope))
            elif envelope.seq == 0:
                if envelope.stream not in self._asking:
                    self._deliver(stream, envelope)
            elif envelope.seq == stream.position + 1 and envelope.stream not in self._asking:
                self._apply(envelope.stream, stream, envelope)
                self._apply_early(envelope.stream)
            elif envelope.seq > stream.position:
                stream.keep(envelope)
                self.loop.call_later(GAP_SECONDS, self._heal_gap, envelope.stream)
            else:
                self._join_late(stream, envelope)

    def _begin(self, envelope: Envelope) -> Stream | None:
        """Start to follow a stream that a local user joins with this very frame."""
        joined = (envelope.change or {}).get("joined", ())
        if any(self._is_new(envelope.stream, user, envelope.seq) for user in joined):
            return self._track(envelope.stream, envelope.seq - 1)
        return None

    def _is_new(self, name: str, user: str, seq: int) -> bool:
        """Tell whether a frame by which a local user joins is no repeat of one they have had."""
        return user in self._listeners and seq > self._parted.get((name, user), 0)

    def _join_late(self, stream: Stream, envelope: Envelope) -> None:
        """Take a join of which the word came after that of what followed it."""
        for user in (envelope.change or {}).get("joined", ()):
            new = self._is_new(envelope.stream, user, envelope.seq)
            if new and not stream.follows(user):
                self._let_in.add((envelope.stream, user))
                self._bring_up(envelope.stream, stream, user, envelope.seq - 1)

    def _bring_up(self, name: str, stream: Stream, user: str, after: int) -> None:
        self._note_follower(stream, user)
        self.spawn(self._catch_up(name, stream, user, stream.add_late(user, after)))

    def _apply(self, name: str, stream: Stream, envelope: Envelope) -> None:
        stream.position = envelope.seq
        change = envelope.change or {}
        if change:
            self._change_members(name, stream, envelope.seq, change)
        if stream.asked and stream.position >= stream.settled:
            stream.asked = frozenset()
        if stream.entering:
            stream.add_due()
        self._deliver(stream, envelope)
        if change.get("closed"):
            self._close(name, stream)
        elif not stream.is_followed():
            self._untrack(name)

    def _change_members(
        self, name: str, stream: Stream, seq: int, change: Mapping[str, Any]
    ) -> None:
        # What was read of the members after this frame holds for those who were asked for.
        asked = stream.asked
        for user in change.get("joined", ()):
            if user not in asked and self._is_new(name, user, seq):
                later = stream.entering.get(user, 0)
                self._note_follower(stream, user)
                self._let_in.add((name, user))
                stream.drop(user)
                stream.add(user)
                if later > seq:
                    stream.add_later(user, later)
                self._left.pop((name, user), None)
        for user in change.get("left", ()):
            if user not in asked:
                self._part(name, stream, user, seq)

    def _apply_early(self, name: str) -> None:
        stream = self._streams.get(name)
        while stream is not None and name not in self._asking:
            envelope = stream.pop_next()
            if envelope is None:
                return
            self._apply(name, stream, envelope)
            stream = self._streams.get(name)

    def _part(self, name: str, stream: Stream, user: str, seq: int) -> None:
        """End what a user is entitled to, from a place on, up to where they are known to return."""
        later = stream.entering.get(user, 0)
        self._forget(name, stream, user, seq)
        if later > seq:
            self._note_follower(stream, user)
            stream.add_later(user, later)

    def _forget(self, name: str, stream: Stream, user: str, seq: int) -> None:
        """End what a user is entitled to of a stream, from a place on."""
        self._end(name, stream, user)
        self._note_left(name, user, seq)

    def _end(self, name: str, stream: Stream, user: str) -> None:
        if stream.follows(user):
            stream.drop(user)
            self._streams_of[user].remove(name)

    def _note_left(self, name: str, user: str, seq: int) -> None:
        if self._readings:
            self._keep_left(name, user, seq)
        if user in self._listeners:
            # A stream may be followed once more from further back.
            self._parted[name, user] = max(seq, self._parted.pop((name, user), 0))
            if len(self._parted) > REMEMBERED:
                del self._parted[next(iter(self._parted))]

    def _keep_left(self, name: str, user: str, seq: int) -> None:
        before, _ = self._left.pop((name, user), (0, 0))
        self._left[name, user] = (max(seq, before), self._newest_reading)

    def _close(self, name: str, stream: Stream) -> None:
        for user in stream.followers():
            self._streams_of[user].remove(name)
            self._note_left(name, user, stream.position)
        self._untrack(name)

    def _deliver(self, stream: Stream, envelope: Envelope) -> None:
        if not stream.users:
            return
        if stream.audience is None:
            # Kept: to look up hundreds for every frame takes as long as a quarter of writing it.
            stream.audience = [
                listener for user in stream.users for listener in self._listeners.get(user, ())
            ]
        try:
            frame = Delivered(envelope)
        except Exception:
            logger.exception("An event cannot be shown: %r", envelope)
            return
        for listener in stream.audience:
            try:
                listener.deliver(frame)
            except Exception as error:
                self._give_up(listener, error)

    def offer(self, listener: Listener, frame: Delivered) -> bool:
        """Hand a socket a frame; tell whether it took it. One that raises is given up."""
        try:
            listener.deliver(frame)
        except Exception as error:
            self._give_up(listener, error)
            return False
        return True

    def _give_up(self, listener: Listener, error: Exception) -> None:
        """Close a socket that raised at a frame: its client resumes, the others go on undisturbed.

        It is offered nothing more until it leaves: its client resumes from before that frame.
        """
        logger.error(
            "A socket could not take a frame. It is closed, so that it resumes.", exc_info=error
        )
        self._listeners.get(listener.user_key, set()).discard(listener)
        self._forget_audiences(listener.user_key)
        self._interrupt_one(listener)

    def _forget_audiences(self, user: str) -> None:
        """Look again who hears the streams of a user of whom a socket comes or goes."""
        for name in self._streams_of.get(user, ()):
            if stream := self._streams.get(name):
                stream.audience = None

    # What no bell told

    def _heal_gap(self, name: str) -> None:
        stream = self._streams.get(name)
        if stream is None or name in self._asking:
            return
        if stream.early or stream.position < stream.settled:
            self._heal(name)

    def _heal(self, name: str) -> None:
        stream = self._streams.get(name)
        if stream is not None and not stream.healing:
            stream.healing = True
            self.spawn(self._read_log(name, stream))

    async def _read_log(self, name: str, stream: Stream) -> None:
        """Apply what the log has after the stream's position."""
        try:
            while self._streams.get(name) is stream and name not in self._asking:
                place = stream.position
                envelopes, gone = await self.threads.run(
                    streams.read_on, name, place, REPLAY_SIZE, list(stream.users)
                )
                if self._streams.get(name) is not stream or name in self._asking:
                    return
                if gone and stream.position != place:
                    continue  # where the stream went on meanwhile, so may have they
                for user in gone:
                    self._part(name, stream, user, place)
                if not stream.is_followed():
                    self._untrack(name)
                    return
                if envelopes and envelopes[0].seq > stream.position + 1:
                    # The log was pruned further than this hub has come: what is lost here is
                    # for the clients to fetch, as resuming will tell them.
                    stream.skip_to(envelopes[0].seq - 1)
                    for user in stream.users:
                        self._interrupt(user)
                self.take(envelopes)
                self._apply_early(name)
                if len(envelopes) < REPLAY_SIZE:
                    return
        finally:
            stream.healing = False

    async def _catch_up(self, name: str, stream: Stream, user: str, late: Late) -> None:
        """Give a user what others here have had since a place, then let them follow."""
        while stream.late.get(user) is late:
            if late.place >= stream.position:
                stream.end_late(user)
                stream.add(user)
                return
            read = partial(self.threads.run, streams.read_log, name, late.place, REPLAY_SIZE)
            found = await self._insist(read)
            if stream.late.get(user) is not late:
                return
            due = [envelope for envelope in found if envelope.seq <= stream.position]
            if not due or due[0].seq > late.place + 1:
                # The log was pruned meanwhile: what is lost here is for the client to fetch.
                self._interrupt(user)
            for envelope in due:
                if user in (envelope.change or {}).get("left", ()):
                    self._part(name, stream, user, envelope.seq)
                    if not stream.is_followed() and self._streams.get(name) is stream:
                        self._untrack(name)
                    return
                frame = Delivered(envelope)
                for listener in tuple(self._listeners.get(user, ())):
                    self.offer(listener, frame)
            late.place = due[-1].seq if due else stream.position

    def _obey(self, envelope: Envelope) -> None:
        """Follow words between hubs."""
        change = envelope.change or {}
        if "signed_out" in change:
            self._dismiss(envelope.stream.partition(":")[2], change["signed_out"])
        elif envelope.stream in self._streams or any(
            user in self._listeners for user in change.get("joined", ())
        ):
            self._ask(envelope.stream)

    def _ask(self, name: str) -> None:
        """Read who is in a room, after all that has been said of it."""
        question = self._asking.get(name)
        if question is None:
            question = self._asking[name] = _Question()
            self.spawn(self._read_members(name, question))
        else:
            question.again = True

    def _interrupt(self, user: str) -> None:
        for listener in tuple(self._listeners.get(user, ())):
            self._interrupt_one(listener)

    def _interrupt_one(self, listener: Listener) -> None:
        try:
            listener.interrupt()
        except Exception:
            logger.exception("A socket could not be closed.")

    def _dismiss(self, user: str, login: str | None = None) -> None:
        for listener in tuple(self._listeners.get(user, ())):
            listener.dismiss(login)

    async def _read_members(self, name: str, question: _Question) -> None:
        """Read who is in a room; its stream goes on when that is known."""
        try:
            while question.again:
                question.again = False
                if name not in self._streams:
                    # What follows a join may have come before this word of it.
                    await self._insist(self.look_for_joins)
                room_id, users = name.partition(":")[2], list(self._listeners)
                read = partial(self.threads.run, streams.members_of, room_id, users)
                position, members = await self._insist(read)
                self._settle_members(name, position, members, frozenset(users))
                if self._readings:
                    # A socket may be opening that was read as a member before.
                    ended = GONE if position is None else position + 1
                    for user in set(users) - members.keys():
                        self._keep_left(name, user, ended)
        finally:
            if self._asking.get(name) is question:
                del self._asking[name]
                self._apply_early(name)
                self._heal_gap(name)

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the database until it answers."""
        while True:
            try:
                return await ask()
            except Exception as error:
                logger.warning("The hub could not ask the database: %r", error)
                await asyncio.sleep(LOOK_SECONDS)

    def _settle_members(
        self, name: str, position: int | None, members: Mapping[str, int], asked: frozenset[str]
    ) -> None:
        """Let a room's members hear it, and others not, of those who were asked for.

        Args:
            name: the room's stream.
            position: where it stood when they were read; None where the room is gone.
            members: who of them are members, and the first place that each is entitled to.
            asked: those who were asked for.
        """
        stream = self._streams.get(name)
        if position is None:
            if stream is not None:
                self._close(name, stream)
            return
        if stream is not None:
            if stream.position < position:
                stream.settled, stream.asked = position, asked
            for user in asked & stream.followers():
                if user not in members:
                    self._forget(name, stream, user, position)
                elif members[user] > stream.place_of(user) + 1:
                    # Another membership than the one that the hub knows of, which is over.
                    self._end(name, stream, user)
        for user, joined_seq in members.items():
            self._left.pop((name, user), None)
            # Sockets that are opening are about to bring what was read for them.
            if self._is_here(user) and not self._follows(user, name):
                self._admit(user, (name, position, joined_seq), unheard=True)
        stream = self._streams.get(name)
        if stream is not None and not stream.is_followed():
            self._untrack(name)

    async def look(self) -> None:
        """Look whether streams have moved on with no bell heard, and catch up. One query."""
        places = {name: stream.position for name, stream in self._streams.items()}
        if not places:
            return
        heads = await self.threads.run(streams.heads, places)
        for name, seq in heads.items():
            stream = self._streams.get(name)
            if stream is not None and seq > stream.position:
                self._heal(name)

    async def look_for_joins(self) -> None:
        """Look whether local users came into rooms with no bell heard. One query."""
        now, reading = timezone.now(), object()
        let_in, self._let_in = self._let_in, set()
        self._begin_reading(reading)
        try:
            joined = await self.threads.run(
                streams.find_joined, list(self._listeners), self._joins_known_until
            )
            for user, place in joined:
                if self._is_here(user) and not self._follows(user, place[0]):
                    self._admit(user, place, unheard=True)
        except BaseException:
            self._let_in |= let_in
            raise
        finally:
            self._end_reading(reading)
        for name, user in let_in - {(place[0], user) for user, place in joined}:
            if self._follows(user, name):
                self._ask(name)
        self._joins_known_until = now - CLOCK_DIFFERENCE

    async def look_for_epoch(self) -> None:
        """Look whether the database was set back. If so, all begin afresh. One query."""
        epoch = await self.threads.run(streams.read_epoch)
        if self._epoch is not None and epoch != self._epoch:
            self._begin_again(epoch)

    def doubt(self, epoch: str) -> None:
        """Look at once, where something of another epoch than the hub's was read."""
        if epoch != self._epoch:
            self.spawn(self._insist(self.look_for_epoch))

    def _begin_again(self, epoch: str) -> None:
        """Forget all places, which are those of another history; clients resume in this one."""
        logger.warning("The epoch was renewed: all sockets are closed, so that clients resume.")
        self._epoch = epoch
        for name, stream in list(self._streams.items()):
            stream.clear()
            self._untrack(name)
        self._streams_of.clear()
        self._left.clear()
        self._parted.clear()
        self._stash.clear()
        for user in list(self._listeners):
            self._interrupt(user)

    async def keep(self) -> None:
        """Dismiss users who may not be here any more; vouch for the sockets of those who may."""
        inactive = await self.threads.run(sessions.find_inactive, list(self._listeners))
        for user in inactive:
            self._dismiss(user)
        now = self.loop.time()
        if now >= self._vouch_at:
            self._vouch_at = now + chat_settings.INACTIVITY_THRESHOLD / 3
            names = [
                listener.channel_name
                for listeners in self._listeners.values()
                for listener in listeners
            ]
            await self.threads.run(sessions.vouch, names)
            await self.threads.run(sessions.delete_dead)

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look_for_epoch()
                await self.look()
                await self.look_for_joins()
                await self.keep()
            except Exception as error:
                logger.warning("The hub could not look at its streams: %r", error)

    # Running

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Run a coroutine in the background for as long as the hub lives.

        In a context of its own: what it does is not done for the socket that caused it.
        """
        task: asyncio.Task[Any] = self.loop.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("A task of the hub ended: %r", error)

    def _start(self) -> None:
        self._running = True
        self._joins_known_until = timezone.now() - CLOCK_DIFFERENCE
        streams.subscribe(self.receive)
        self._layer.start()
        self.spawn(self._look_again_and_again())

    def _stop(self) -> None:
        """Rest: nobody is connected. The next socket starts the hub again."""
        self._running = False
        streams.unsubscribe(self.receive)
        for task in tuple(self._tasks):
            task.cancel()
        for name in list(self._streams):
            self._untrack(name)
        self._parted.clear()
        self._let_in.clear()
        self._asking.clear()  # of tasks that had not begun
        self._epoch = None
        self.threads.close()
        self.cleaning.close()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def get_hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(loop)
    return hub

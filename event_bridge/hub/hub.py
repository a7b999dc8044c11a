"""The hub: one per process and event loop. It decides which local socket gets which frame.

The hub is a state machine over each stream that a local socket hears. It knows the stream's
position and the local users entitled there, and applies one frame after the other. It drops a frame
that arrives twice. A frame that arrives early waits. A frame that does not arrive is read from the
log: the channel layer only wakes the hub up.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from gql_chat import streams
from gql_chat.streams import Envelope, Positions
from gql_chat.streams.workers import make_threads

from ..cleaning import Cleaning
from ..delivery import Delivered, Subscriber
from ..metrics import Census, get_recorder
from .admission import Admission
from .catch_up import CatchUp
from .census import take_census
from .dispatcher import Dispatcher
from .epoch import EpochWatch
from .layer import LayerLink
from .memberships import Memberships
from .neighbours import Neighbours
from .presence import HubPresence
from .readings import Readings
from .registry import Registry
from .sequencer import Sequencer
from .stream import Stream
from .tasks import Tasks
from .upkeep import Upkeep


class Hub:
    """Delivers the streams to the sockets of this process.

    Attributes:
        threads: the database threads of this event loop.
        cleaning: the thread on which contents are cleaned.
        name: the hub's name among all processes.
        recorder: is told what the hub and its sockets do.
        registry, readings, sequencer, catch_up, memberships, epoch, upkeep, layer, presence: its
            parts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.name = uuid.uuid4().hex
        self.recorder = get_recorder()
        self.threads = make_threads(self.recorder if self.recorder.active else None)
        self.cleaning = Cleaning()
        self._numbers = itertools.count(1)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._running = False
        self._tasks = Tasks(loop)
        self._upkeep: asyncio.Task[Any] | None = None
        self.layer = LayerLink(self.name, loop, self.take, self._catch_up_all, self.recorder)
        self.registry = Registry(self.layer.want, self.layer.unwant)
        self.readings = Readings(self.registry, self.take, self._rest_if_idle)
        self._dispatcher = Dispatcher(self.registry, self.recorder)
        self.sequencer = Sequencer(self.registry, self.readings, self._dispatcher)
        self.presence = HubPresence(
            self.name,
            self.threads,
            self.registry,
            self._dispatcher,
            self.layer,
            self.publish,
            self.recorder,
            loop.time,
        )
        self.sequencer.on_change = self.presence.heed
        self.catch_up = CatchUp(
            loop,
            self.threads,
            self._tasks,
            self.registry,
            self.sequencer,
            self._dispatcher,
            self.take,
            self.recorder,
        )
        self._admission = Admission(self.registry, self.readings, self.sequencer, self.catch_up)
        self.memberships = Memberships(
            self.threads,
            self._tasks,
            self.registry,
            self.readings,
            self.sequencer,
            self.catch_up,
            self._admission,
        )
        self.epoch = EpochWatch(
            self.threads,
            self._tasks,
            self.registry,
            self.readings,
            self.sequencer,
            self._dispatcher,
        )
        self.upkeep = Upkeep(
            loop,
            self.threads,
            self.registry,
            self._dispatcher,
            self.epoch,
            self.catch_up,
            self.memberships,
            Neighbours(self.threads, lambda: [hub.name for hub in list(_hubs.values())]),
            self.recorder,
            self.look,
        )

    @property
    def is_sound(self) -> bool:
        """Whether the hub does its periodic work, or has none to do."""
        return self._upkeep is None or not self._upkeep.done()

    def look(self) -> None:
        """Tell the recorder what the hub holds."""
        if self.recorder.active:
            census = take_census(self.registry, self.threads, self.layer)
            self.recorder.looked(self.name, census)

    # Sockets come and go

    def name_socket(self) -> str:
        """Return a name that no other socket has, in whatever process."""
        return f"{self.name}.{next(self._numbers)}"

    def turn(self, user: str) -> asyncio.Lock:
        """Return the lock under which each socket of a user reads its streams and enters.

        They do so one after the other. So what is read for a socket is never older than what was
        read for another of the same user that has entered before.
        """
        return self._turns.setdefault(user, asyncio.Lock())

    def register(self, subscriber: Subscriber) -> None:
        """Take in a socket whose streams are about to be read; `enter` or `leave` follows.

        From now on the hub takes note of frames by which its user joins or leaves.
        """
        if not self._running:
            self._start()
        self.readings.begin(subscriber)
        self.registry.add(subscriber)

    def enter(
        self, subscriber: Subscriber, positions: Positions, heard: Collection[str] = ()
    ) -> dict[str, int]:
        """Let a registered socket hear its user's streams.

        Args:
            subscriber: the socket.
            positions: where each stream stands, read after `register`.
            heard: the streams of which the socket got frames since then.

        Returns:
            The streams of which the socket gets frames that are older than its positions, each with
            the sequence number up to which they are older.
        """
        ahead: dict[str, int] = {}
        if self.epoch.agrees(positions.epoch):
            ahead = self._admission.enter(subscriber.user_key, positions, heard)
        else:
            # One of the two is out of date. The socket comes again when that is settled.
            subscriber.interrupt()
            self.epoch.doubt(positions.epoch)
        self.readings.end(subscriber)
        self.presence.came(subscriber.user_key)
        return ahead

    def cancel(self, subscriber: Subscriber) -> None:
        """Take back a `register` that no `enter` will follow. `leave` does, too."""
        self.leave(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a socket, wherever it is in its life; once more does no harm."""
        if subscriber in self.readings:
            self.readings.end(subscriber)
        had_entered = self.registry.is_here(subscriber.user_key)
        self.registry.remove(subscriber)
        if had_entered:
            self.presence.went(subscriber)
        self._rest_if_idle()

    def positions(self, user: str) -> dict[str, int]:
        """Return the sequence number up to which a local user has been given each stream."""
        return self.registry.positions(user)

    def offer(self, subscriber: Subscriber, frame: Delivered) -> bool:
        """Hand a socket a frame; tell whether it took it. It is closed where it raises."""
        return self._dispatcher.offer(subscriber, frame)

    def doubt(self, epoch: str) -> None:
        """Check the epoch at once: something was read that may be of another epoch."""
        self.epoch.doubt(epoch)

    async def subscribed(self) -> None:
        """Wait until the channel layer notifies of all streams; not for ever, it may be away."""
        await self.layer.settled()

    # Frames arrive

    def publish(self, envelopes: list[Envelope]) -> None:
        """Publish what was committed: to every hub of this process, then to other processes."""
        for subscriber in streams.subscribers():
            subscriber(envelopes)
        self.layer.notify(envelopes)

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
        opened, paused = self.registry.streams, self.sequencer.paused
        for envelope in envelopes:
            if envelope.kind == "":
                self._take_notice(envelope)
                continue
            stream = opened.get(envelope.stream) or self._open_by_join(envelope)
            if stream is None:
                self.readings.keep(envelope)
            elif envelope.seq == 0:
                if envelope.stream not in paused:
                    self._dispatcher.deliver(stream, envelope)
            elif envelope.seq == stream.position + 1 and envelope.stream not in paused:
                self.sequencer.apply(stream, envelope)
                self.sequencer.apply_early(envelope.stream)
            elif envelope.seq > stream.position:
                stream.keep(envelope)
                self.catch_up.await_gap(envelope.stream)
            else:
                self._take_late_join(stream, envelope)

    def _take_notice(self, envelope: Envelope) -> None:
        """Take an envelope that is no frame: a process tells the hubs of something."""
        change = envelope.change or {}
        if "signed_out" in change:
            user = envelope.stream.partition(":")[2]
            self._dispatcher.dismiss(user, change["signed_out"])
        elif "presence" in change:
            self.presence.take(change["presence"])
        elif "watched" in change:
            self.presence.attendance.take_watched()
        elif envelope.stream in self.registry.streams or any(
            user in self.registry.subscribers for user in change.get("joined", ())
        ):
            self.memberships.refresh(envelope.stream)
            self.presence.doubt(envelope.stream)

    def _open_by_join(self, envelope: Envelope) -> Stream | None:
        """Open a stream if a local user joins it with this very frame."""
        joined = (envelope.change or {}).get("joined", ())
        if any(self.sequencer.is_new(envelope.stream, user, envelope.seq) for user in joined):
            return self.registry.open(envelope.stream, envelope.seq - 1)
        return None

    def _take_late_join(self, stream: Stream, envelope: Envelope) -> None:
        """Take a join that arrives after the frames that follow it."""
        for user in (envelope.change or {}).get("joined", ()):
            is_new = self.sequencer.is_new(stream.name, user, envelope.seq)
            if is_new and not stream.includes(user):
                self.sequencer.let_in.add((stream.name, user))
                self.catch_up.bring_up(stream, user, envelope.seq - 1)

    # Running

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Run a coroutine in the background, for as long as the hub has sockets.

        It gets a context of its own: its work is not done for the socket that caused it.
        """
        return self._tasks.spawn(work)

    async def _catch_up_all(self) -> None:
        await self.catch_up.catch_up_all()

    def _start(self) -> None:
        self._running = True
        self.memberships.start()
        streams.subscribe(self.receive)
        self.layer.start()
        self._upkeep = self.spawn(self.upkeep.run())
        self.presence.attendance.start()
        self.spawn(self.presence.run())

    def _rest_if_idle(self) -> None:
        if self._running and not self.registry.subscribers and not self.readings:
            self._stop()

    def _stop(self) -> None:
        """Rest: nobody is connected. The next socket starts the hub again."""
        self._running = False
        self._upkeep = None
        self.recorder.looked(self.name, Census())
        streams.unsubscribe(self.receive)
        self._tasks.cancel()
        self.registry.close_all()
        self.sequencer.forget_departures()
        self.memberships.stop()
        self.epoch.forget()
        self.presence.attendance.stop()
        self.threads.close()
        self.cleaning.close()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def find_hub() -> Hub | None:
    """Return the hub of the running event loop, if it has one."""
    return _hubs.get(asyncio.get_running_loop())


def get_hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(loop)
    return hub

"""Catching up: reading frames from the log that no wake-up has brought."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from gql_chat import streams
from gql_chat.sql.threads import DatabaseThreads
from gql_chat.streams import Envelope

from ..metrics import Recorder
from .dispatcher import Dispatcher
from .registry import Registry
from .sequencer import Sequencer
from .stream import Late, Stream
from .tasks import Tasks

GAP_SECONDS = 0.1
"""How long a frame may wait for the one before it until the log is read."""

REPLAY_SIZE = 500
"""How many frames are read from the log at once."""


class CatchUp:
    """Brings streams to the head of the log, and single users to where their streams are.

    Args:
        loop: the event loop.
        threads: the database threads.
        tasks: run the reads.
        registry: the subscribers and streams.
        sequencer: applies the frames.
        dispatcher: hands out the frames that one user lacks.
        take: takes the frames that were read.
        recorder: is told of each reading.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        threads: DatabaseThreads,
        tasks: Tasks,
        registry: Registry,
        sequencer: Sequencer,
        dispatcher: Dispatcher,
        take: Callable[[list[Envelope]], None],
        recorder: Recorder,
    ) -> None:
        self._loop = loop
        self._threads = threads
        self._tasks = tasks
        self._registry = registry
        self._sequencer = sequencer
        self._dispatcher = dispatcher
        self._take = take
        self._recorder = recorder

    def await_gap(self, name: str) -> None:
        """Read a stream's log soon, unless the frames that it lacks have come by then."""
        self._loop.call_later(GAP_SECONDS, self.close_gap, name)

    def close_gap(self, name: str) -> None:
        """Read a stream's log if it lacks frames that are known to be there."""
        stream = self._registry.streams.get(name)
        if stream is None or name in self._sequencer.paused:
            return
        if stream.early or stream.position < stream.settled:
            self.catch_up(name, "gap")

    def catch_up(self, name: str, reason: str) -> None:
        """Apply what the log has after a stream's position, in the background.

        Args:
            name: the stream.
            reason: why, for the recorder: `gap`, `check` or `join`.
        """
        stream = self._registry.streams.get(name)
        if stream is not None and not stream.catching_up:
            stream.catching_up = True
            self._tasks.spawn(self._read_log(stream, reason))

    async def catch_up_all(self) -> None:
        """Catch up with all streams whose head is ahead of the hub. One query finds them."""
        positions = {name: stream.position for name, stream in self._registry.streams.items()}
        if not positions:
            return
        heads = await self._threads.run(streams.heads, positions)
        for name, seq in heads.items():
            stream = self._registry.streams.get(name)
            if stream is not None and seq > stream.position:
                self.catch_up(name, "check")

    async def _read_log(self, stream: Stream, reason: str) -> None:
        try:
            while self._may_go_on(stream):
                position = stream.position
                envelopes, gone = await self._threads.run(
                    streams.read_on, stream.name, position, REPLAY_SIZE, list(stream.users)
                )
                self._recorder.caught_up(reason, len(envelopes))
                if not self._may_go_on(stream):
                    return
                if gone and stream.position != position:
                    continue  # The stream went on meanwhile: those users may have come back.
                for user in gone:
                    self._sequencer.part(stream, user, position)
                if stream.is_empty():
                    self._registry.close(stream.name)
                    return
                if envelopes and envelopes[0].seq > stream.position + 1:
                    # The log was pruned further than this hub has come. The clients have to fetch
                    # what is lost here; resuming tells them so.
                    stream.skip_to(envelopes[0].seq - 1)
                    for user in () if _is_all_that_is_left(envelopes) else stream.users:
                        self._dispatcher.interrupt(user)
                self._take(envelopes)
                self._sequencer.apply_early(stream.name)
                if streams.reaches_end(envelopes, REPLAY_SIZE):
                    return
        finally:
            stream.catching_up = False

    def _may_go_on(self, stream: Stream) -> bool:
        is_open = self._registry.streams.get(stream.name) is stream
        return is_open and stream.name not in self._sequencer.paused

    def bring_up(self, stream: Stream, user: str, after: int) -> None:
        """Give a user the frames after a sequence number that others here have had already."""
        self._registry.note_user(stream, user)
        self._tasks.spawn(self._read_for(stream, user, stream.add_late(user, after)))

    async def _read_for(self, stream: Stream, user: str, late: Late) -> None:
        """Give a late user frames of the log until they hear the stream as others do."""
        while stream.late.get(user) is late:
            if late.seq >= stream.position:
                stream.end_late(user)
                stream.add(user)
                return
            read = partial(self._threads.run, streams.read_log, stream.name, late.seq, REPLAY_SIZE)
            found = await self._tasks.insist(read)
            self._recorder.caught_up("late", len(found))
            if stream.late.get(user) is not late:
                return
            due = [envelope for envelope in found if envelope.seq <= stream.position]
            is_lost = not due or due[0].seq > late.seq + 1
            if is_lost and not _is_all_that_is_left(found):
                # The log was pruned meanwhile: the client has to fetch what is lost here.
                self._dispatcher.interrupt(user)
            for envelope in due:
                if user in (envelope.change or {}).get("left", ()):
                    self._sequencer.part(stream, user, envelope.seq)
                    self._registry.close_if_empty(stream)
                    return
                self._dispatcher.deliver_to(user, envelope)
            late.seq = due[-1].seq if due else stream.position


def _is_all_that_is_left(envelopes: Sequence[Envelope]) -> bool:
    """Tell whether a room was deleted, and its log with it but for the frame that says so.

    What is lost then is nothing that a client could fetch.
    """
    return bool(envelopes) and bool((envelopes[0].change or {}).get("closed"))

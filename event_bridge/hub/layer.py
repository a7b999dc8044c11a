"""The link between a hub and the channel layer: groups, and the wake-ups that go through them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any

from channels.layers import get_channel_layer

from gql_chat import streams
from gql_chat.failures import bare
from gql_chat.streams import Deadline, Envelope, group_name, is_silence, layer_outages

from ..metrics import Recorder

logger = logging.getLogger("event_bridge")

SUBSCRIBE_SECONDS = 2.0
"""How long a new socket waits for the channel layer, which may be away."""

PAUSE_SECONDS = 0.2
"""How long the link leaves a channel layer alone that failed at once."""

GROUPS_AT_ONCE = 32
"""How many groups are joined at the same time: a user may be in hundreds of rooms."""

WAITING = 10_000
"""How many lists of envelopes may wait to be sent. The log has those that are dropped."""

PROBE_SECONDS = 2.0
"""How often a hub sends itself a probe."""

PROBE_TYPE = "chat.probe"
"""The `type` of that message on the channel layer."""

PROBES = 2
"""How many probes may get lost until the layer is taken to have forgotten the groups."""


class LayerLink:
    """Sends a hub's wake-ups to other processes and takes theirs.

    Groups are settled in the background, by their state: the link compares what the hub wants with
    what it has told the layer. So coming and going fast ends right. A layer forgets groups when it
    is restarted or emptied, or after a day. So the hub sends itself a probe now and then, and
    joins all its groups again when none comes back.

    It listens on one channel for the life of the event loop: each new one would stay in its
    groups, and `receive()` of the Pub/Sub layer must not be cancelled while it is in use.

    Only failures count against the layer. `gql_chat.streams.layer_outages` is told of them, and
    logs once that the layer is away. Slowness does not count: the event loop may have much to do,
    and a quiet layer sends nothing.

    Args:
        name: the hub's name among all processes.
        loop: the event loop that everything runs on.
        take: takes the envelopes that other processes sent.
        catch_up: reads what was missed; awaited after groups were joined.
        recorder: is told how late wake-ups are.
    """

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        take: Callable[[list[Envelope]], None],
        catch_up: Callable[[], Awaitable[None]],
        recorder: Recorder,
    ) -> None:
        self._name = name
        self._loop = loop
        self._take = take
        self._catch_up = catch_up
        self._recorder = recorder
        self._wanted: set[str] = set()
        self._joined: set[str] = set()
        self._doubted: set[str] = set()
        self._changed: dict[str, None] = {}
        self._wake = asyncio.Event()
        # The number of changes, the number up to which all are settled, and who waits for which.
        self._changes = 0
        self._settled = 0
        self._waiters: dict[asyncio.Future[None], int] = {}
        self._outgoing: asyncio.Queue[tuple[list[Envelope], float | None]]
        self._outgoing = asyncio.Queue(WAITING)
        self._active = False
        self._tasks: list[asyncio.Task[Any]] = []
        self._lost_probes = PROBES

    def start(self) -> None:
        """Listen and notify, where the channel layer reaches other processes."""
        self._active = streams.reaches_other_processes()
        if self._active and not self._tasks:
            self._run(self._send())
            self._run(self._open(get_channel_layer()))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(self._loop.create_task(work, context=Context()))

    @property
    def waiting(self) -> int:
        """How many lists of envelopes wait to be sent."""
        return self._outgoing.qsize()

    def want(self, name: str) -> None:
        """Be notified of a stream, soon."""
        if self._active:
            self._wanted.add(name)
            self._note(name)

    def unwant(self, name: str) -> None:
        """Be notified of a stream no more, soon."""
        if self._active:
            self._wanted.discard(name)
            self._note(name)

    def _note(self, name: str) -> None:
        self._changed[name] = None
        self._changes += 1
        self._wake.set()

    def notify(self, envelopes: list[Envelope]) -> None:
        """Notify other processes, in the background."""
        if self._active and envelopes:
            at = time.time() if self._recorder.active else None
            with suppress(asyncio.QueueFull):
                self._outgoing.put_nowait((envelopes, at))

    async def settled(self) -> None:
        """Wait until the groups that are wanted by now are joined.

        It does not wait for groups that others want later, of which there may be more and more. Nor
        does it wait for ever: the log serves until the groups are joined.
        """
        if not self._active or self._settled >= self._changes:
            return
        waiter = self._loop.create_future()
        self._waiters[waiter] = self._changes
        try:
            # `wait_for` of Python 3.11 may swallow that it is cancelled.
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await waiter
        except TimeoutError:
            pass
        finally:
            self._waiters.pop(waiter, None)

    async def _send(self) -> None:
        while _is_wanted():
            if not await streams.send_to_layer(*await self._outgoing.get()):
                # The log has what waits, and other processes catch up by themselves.
                while not self._outgoing.empty():
                    self._outgoing.get_nowait()

    async def _open(self, layer: Any) -> None:
        while _is_wanted():
            try:
                channel = await layer.new_channel("chat.hub")
                break
            except Exception as error:
                _note_failure(error)
                await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
        self._run(self._listen(layer, channel))
        self._run(self._settle(layer, channel))
        self._run(self._probe(layer, channel))

    async def _listen(self, layer: Any, channel: str) -> None:
        while _is_wanted():
            try:
                message = await layer.receive(channel)
            except Exception as error:
                if not is_silence(error):
                    _note_failure(error)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            layer_outages.note_success()
            try:
                self._take_message(message)
            except Exception as error:
                said = "A message of the channel layer could not be taken."
                logger.error(said, exc_info=bare(error))

    def _take_message(self, message: dict[str, Any]) -> None:
        if message["type"] == PROBE_TYPE:
            self._lost_probes = 0
        # The envelopes of this process have come without the layer.
        elif message.get("process") != streams.process_name():
            if self._recorder.active and (at := message.get("at")) is not None:
                # By two clocks, perhaps of two machines.
                self._recorder.woken(max(0.0, time.time() - at))
            self._take([Envelope.from_message(message)])

    async def _probe(self, layer: Any, channel: str) -> None:
        group = f"chat.hub.{self._name}"
        while _is_wanted():
            try:
                async with Deadline(streams.LAYER_SECONDS):
                    if self._lost_probes >= PROBES:
                        await layer.group_discard(group, channel)
                        await layer.group_add(group, channel)
                        self._renew()
                    self._lost_probes += 1
                    await layer.group_send(group, {"type": PROBE_TYPE})
            except Exception as error:
                _note_failure(error)
            else:
                layer_outages.note_success()
            await asyncio.sleep(PROBE_SECONDS)

    def _renew(self) -> None:
        """Join all groups again: the layer seems to have forgotten them."""
        self._lost_probes = 0
        self._doubted |= self._joined
        for name in self._joined:
            self._note(name)

    async def _settle(self, layer: Any, channel: str) -> None:
        while _is_wanted():
            await self._wake.wait()
            self._wake.clear()
            upto = self._changes
            names = list(self._changed)
            self._changed.clear()
            try:
                joined = await self._settle_groups(layer, channel, names)
            except Exception as error:
                _note_failure(error)
                self._changed.update(dict.fromkeys(names))
                await asyncio.sleep(PAUSE_SECONDS)
                self._wake.set()
                continue
            if joined:
                await self._catch_up_now()
            self._settle_up_to(upto)

    async def _catch_up_now(self) -> None:
        """Read what passed before the groups were joined; the periodic check tries again."""
        try:
            await self._catch_up()
        except Exception as error:
            logger.warning("The hub could not catch up: %r", error)

    def _settle_up_to(self, change: int) -> None:
        """Note that all is settled up to a change, and wake those who wait for no later one."""
        self._settled = change
        for waiter, wanted in list(self._waiters.items()):
            if wanted > change:
                break
            if not waiter.done():
                waiter.set_result(None)

    async def _settle_groups(self, layer: Any, channel: str, names: list[str]) -> bool:
        """Join and leave groups as wanted; tell whether one was joined."""
        joined = False
        for start in range(0, len(names), GROUPS_AT_ONCE):
            results = await asyncio.gather(
                *(
                    self._settle_group(layer, channel, name)
                    for name in names[start : start + GROUPS_AT_ONCE]
                ),
                return_exceptions=True,
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result
                joined = joined or result
        return joined

    async def _settle_group(self, layer: Any, channel: str, name: str) -> bool:
        """Join or leave the group of a stream as wanted; tell whether it was joined."""
        joined = False
        wanted, group = name in self._wanted, group_name(name)
        if name in self._joined and (not wanted or name in self._doubted):
            await layer.group_discard(group, channel)
            self._joined.discard(name)
        if wanted and name not in self._joined:
            await layer.group_add(group, channel)
            self._joined.add(name)
            joined = True
        self._doubted.discard(name)
        return joined


def _note_failure(error: Exception) -> None:
    """Note that the layer has failed. A task that is ending notes nothing: it was cut off."""
    if _is_wanted():
        layer_outages.note_failure(error)


def _is_wanted() -> bool:
    """Tell whether the running task is not cancelled.

    A client of a layer may swallow the cancellation: `asyncio.wait_for` of Python 3.11 does, where
    its future ends at the same moment. An event loop that is closed would then wait for ever.
    """
    task = asyncio.current_task()
    return task is not None and not task.cancelling()

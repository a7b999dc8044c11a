"""Subscribers: subscriptions of the endpoint, each to one stream, read from the log.

A subscriber reads the log a few frames at a time, from the sequence number that it has. At the end
of the log it waits for a wake-up. So frames come in order and with no gap, whatever the channel
layer loses. A slow client costs the server no memory: the frames that it has not read wait in the
log.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.db import InterfaceError, OperationalError, router

from .. import streams
from ..conf import chat_settings
from ..errors import (
    ChatError,
    Invalid,
    NotFound,
    PermissionDenied,
)
from ..failures import outline
from ..logins import judge
from ..models import Membership, UserStream
from ..schema import Context
from ..sql.threads import DatabaseThreads
from ..streams import Envelope
from ..tables import report_missing
from .access import Caller

logger = logging.getLogger("gql_chat")

READ_SIZE = 20
"""How many frames a subscription holds at most."""

READ_BYTES = 1024 * 1024
"""How much they may have together, where there are several: see `streams.read_log`."""

CATCH_UP_SECONDS = 2.0
"""Seconds between two checks for frames whose wake-up was lost, and for rights that have ended."""

REJOIN_CHECKS = 15
"""After so many checks the groups of the channel layer are joined again: it may forget them."""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """The part of a stream that a caller may read.

    Attributes:
        stream: its name, as the log writes it.
        newest: its newest sequence number.
        first: the first sequence number that the caller may read.
        member: the id of the user, as whose member of the room the caller reads; the subscription
            ends when that user leaves. None for a caller who may read everything.
        gone: whether the stream's room is deleted, so that nothing will be added.
        owner: the user who reads their own stream, and of the rooms in it only those that they are
            in; None for a caller who may read everything, and for streams of rooms.
    """

    stream: str
    newest: int
    first: int = 1
    member: str | None = None
    gone: bool = False
    owner: Any = None


def find_entitlement(context: Context, stream: str) -> Entitlement:
    """Return the part of a stream that the user of a context may read.

    Users who may inspect (staff) read the streams of all rooms and users. Others read the streams
    of the rooms that they are in, and their own.

    Raises:
        NotFound: there is no such room or user.
        PermissionDenied: the user may read nothing of it.
    """
    user = context.handler.user
    reads_all = context.handler.permissions.can_inspect(user)
    kind, _, key = stream.partition(":")
    primary = router.db_for_write(Membership)
    if kind == "user":
        (user_id,) = context.handler.find_users("user_id", [key], inactive=reads_all)
        if not reads_all and user_id != user.pk:
            raise _forbidden("user", "You may not follow other users.")
        own = UserStream.objects.using(primary).filter(pk=user_id)
        seq = own.values_list("seq", flat=True).first()
        owner = None if reads_all else user_id
        return Entitlement(streams.user_stream(user_id), seq or 0, owner=owner)
    try:
        room = context.handler.find_room(key)
    except NotFound:
        last = streams.heads({stream: 0}).get(stream)
        if last is None or not reads_all:
            raise
        return Entitlement(stream, last, gone=True)
    if reads_all:
        return Entitlement(stream, room.seq)
    joined = Membership.objects.using(primary).filter(room_id=room.pk, user_id=user.pk)
    first = joined.values_list("joined_seq", flat=True).first()
    if first is None:
        raise _forbidden("room", "You are not a member of this room.")
    return Entitlement(stream, room.seq, first, str(user.pk))


def _forbidden(what: str, reason: str) -> ChatError:
    """Return the error for a room or a user that exists, and that the caller may not see."""
    if chat_settings.HIDE_FORBIDDEN:
        return NotFound(f"There is no such {what}.")
    return PermissionDenied(reason)


class Subscriber:
    """A subscription to one stream on behalf of a caller.

    Attributes:
        caller: the caller.
        wake_up: set when there may be something to read.
        seq: the sequence number of the newest frame that was read.
    """

    def __init__(self, caller: Caller, threads: DatabaseThreads) -> None:
        self.caller = caller
        self.wake_up = asyncio.Event()
        self.seq = 0
        self._threads = threads

    async def frames(self, stream: str, after: int | None) -> AsyncGenerator[Envelope, None]:
        """Give the frames of a stream, as long as the stream lasts and the caller may read it.

        Args:
            stream: its name.
            after: the sequence number after which to begin; None for the stream's newest one.

        Raises:
            Invalid: there is no such sequence number, or the log does not reach back to it.
            NotFound, PermissionDenied, NotAuthenticated: at the beginning or later, for the
                reasons of `find_entitlement` and `Caller`.
        """
        entitled = await self._threads.run(self._find, stream)
        self.seq = _find_start(entitled, after)
        notifier = get_notifier(self._threads)
        try:
            await notifier.add(entitled.stream, self)
            while True:
                self.wake_up.clear()
                try:
                    frames, ended = await self._threads.run(self._read, entitled)
                except (OperationalError, InterfaceError) as error:
                    logger.warning("A subscriber could not ask the database: %s", outline(error))
                    await asyncio.sleep(CATCH_UP_SECONDS)
                    continue
                for frame in frames:
                    self.seq = frame.seq
                    yield frame
                if ended is not None:
                    if isinstance(ended, ChatError):
                        raise ended
                    return
                if streams.reaches_end(frames, READ_SIZE, READ_BYTES):
                    await self.wake_up.wait()
        finally:
            await notifier.remove(entitled.stream, self)

    def _find(self, stream: str) -> Entitlement:
        return find_entitlement(self.caller.enter(), stream)

    def _read(self, entitled: Entitlement) -> tuple[list[Envelope], ChatError | bool | None]:
        """Read the next frames, and whether the subscription ends after them.

        The caller's right is checked after the reading, so it held when the frames were written. A
        removed member still reads the frames from before the removal.

        Returns:
            The frames, and the reason to end after them: an error, True for an end without an
            error, or None to go on.
        """
        frames = self._read_log(entitled)
        try:
            gone = self._check(entitled)
        except (NotFound, PermissionDenied) as error:
            if entitled.member is None:
                # The right to read everything has ended, and with it the right to hear an end.
                return [], error
            # The frame by which the room closed, or the user left it, may have come meanwhile.
            frames, ended = _cut_at_end(self._read_log(entitled), entitled.member)
            return (frames, True) if ended else ([], error)
        frames, ended = _cut_at_end(frames, entitled.member)
        at_end = streams.reaches_end(frames, READ_SIZE, READ_BYTES)
        return frames, True if ended or (gone and at_end) else None

    def _check(self, entitled: Entitlement) -> bool:
        """Check the caller's right as it is now; return whether the stream's room is deleted.

        Raises:
            NotFound, PermissionDenied, NotAuthenticated: as `Caller` and `find_entitlement` do.
        """
        try:
            gone = find_entitlement(self.caller.stay(), entitled.stream).gone
        except NotFound:
            if entitled.member is None:
                self.caller.stay()  # which says of what right the caller has no more
            raise
        if gone:
            # The right may have ended with the room, after it was looked at: it is visible now.
            find_entitlement(self.caller.stay(), entitled.stream)
        return gone

    def _read_log(self, entitled: Entitlement) -> list[Envelope]:
        frames = streams.read_log(entitled.stream, self.seq, READ_SIZE, READ_BYTES)
        if entitled.owner is not None:
            frames = streams.withhold_quotes(entitled.owner, frames)
        begins = frames[0].seq if frames else entitled.newest + 1
        # Of a deleted room the log keeps no more than its end.
        ends = bool(frames) and bool((frames[0].change or {}).get("closed"))
        if begins > self.seq + 1 and not ends:
            raise Invalid({"after": f"The log begins at {begins} now: fetch afresh."})
        return frames


def _cut_at_end(frames: list[Envelope], member: str | None) -> tuple[list[Envelope], bool]:
    """Return the frames until the member leaves or the stream closes, and whether that happens."""
    for number, frame in enumerate(frames):
        change = frame.change or {}
        if member is not None and member in change.get("left", ()):
            return frames[:number], True
        if change.get("closed"):
            return frames[: number + 1], True
    return frames, False


def _find_start(entitled: Entitlement, after: int | None) -> int:
    """Return the sequence number after which the frames begin."""
    if after is None:
        return entitled.newest
    if not 0 <= after <= entitled.newest:
        raise Invalid({"after": f"The stream stands at {entitled.newest}."})
    return max(after, entitled.first - 1)


class Notifier:
    """Wakes the subscribers of one event loop up when their streams have moved on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: DatabaseThreads) -> None:
        self._loop = loop
        self._threads = threads
        self._subscribers: dict[str, set[Subscriber]] = defaultdict(set)
        self._checking: asyncio.Task[None] | None = None
        self._layer: Any = None
        self._channel = ""
        self._receiving: asyncio.Task[None] | None = None

    async def add(self, stream: str, subscriber: Subscriber) -> None:
        """Wake a subscriber up from now on whenever its stream moves on."""
        self._subscribers[stream].add(subscriber)
        if self._checking is None:
            streams.subscribe(self._take_published)
            self._checking = self._loop.create_task(self._check_regularly())
        await self._join([stream])

    async def remove(self, stream: str, subscriber: Subscriber) -> None:
        """Stop waking a subscriber up."""
        subscribers = self._subscribers[stream]
        subscribers.discard(subscriber)
        if subscribers:
            return
        del self._subscribers[stream]
        if not self._subscribers and self._checking is not None:
            streams.unsubscribe(self._take_published)
            self._checking.cancel()
            self._checking = None
        if self._channel:
            with suppress(Exception):
                async with asyncio.timeout(streams.LAYER_SECONDS):
                    await self._layer.group_discard(streams.group_name(stream), self._channel)

    def _take_published(self, envelopes: list[Envelope]) -> None:
        """Take the envelopes that this process publishes, on any thread."""
        names = {envelope.stream for envelope in envelopes if envelope.stream in self._subscribers}
        if names:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._wake, names)

    def _wake(self, names: set[str]) -> None:
        for name in names:
            for subscriber in self._subscribers.get(name, ()):
                subscriber.wake_up.set()

    # Wake-ups from other processes

    async def _join(self, names: list[str]) -> None:
        if not streams.reaches_other_processes():
            return
        try:
            if not self._channel:
                async with streams.Deadline(streams.LAYER_SECONDS):
                    # One channel for the life of the loop: a layer keeps each that was in a group.
                    layer: Any = get_channel_layer()
                    self._channel = await layer.new_channel("chat.graphql")
                    self._layer = layer
                    self._receiving = self._loop.create_task(self._receive())
            for name in names:
                # A deadline for each: there may be thousands, and none of them is slow.
                async with streams.Deadline(streams.LAYER_SECONDS):
                    await self._layer.group_add(streams.group_name(name), self._channel)
        except Exception as error:
            streams.layer_outages.note_failure(error)

    async def _receive(self) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
                self._wake({message["stream"]})
            except Exception as error:
                if streams.is_silence(error):
                    await asyncio.sleep(0)  # so that it can be cancelled, whatever the layer does
                    continue
                streams.layer_outages.note_failure(error)
                await asyncio.sleep(CATCH_UP_SECONDS)
            else:
                streams.layer_outages.note_success()

    # Lost wake-ups

    async def _check_regularly(self) -> None:
        checks = 0
        while True:
            await asyncio.sleep(CATCH_UP_SECONDS)
            checks += 1
            try:
                await self._check()
            except Exception as error:
                if not report_missing(error):
                    logger.warning("Streams could not be checked: %s", outline(error))
            if checks % REJOIN_CHECKS == 0:
                await self._join(list(self._subscribers))

    async def _check(self) -> None:
        """Wake up subscribers that are behind the log, or whose caller has lost every right."""
        subscribers = [each for found in self._subscribers.values() for each in found]
        callers = {subscriber.caller for subscriber in subscribers}
        seqs = {
            name: min(subscriber.seq for subscriber in found)
            for name, found in self._subscribers.items()
        }
        newest, refused = await self._threads.run(_find_news, seqs, callers)
        for name, found in self._subscribers.items():
            for subscriber in found:
                if newest.get(name, 0) > subscriber.seq or subscriber.caller in refused:
                    subscriber.wake_up.set()


def _find_news(seqs: dict[str, int], callers: set[Caller]) -> tuple[dict[str, int], set[Caller]]:
    """Return the newest sequence numbers of streams that moved on, and callers without a right."""
    judgement = judge(caller.login for caller in callers if caller.login is not None)
    refused = {caller for caller in callers if caller.login in judgement.ended}
    for caller in callers - refused:
        try:
            replace(caller, login=None).enter()
        except ChatError:
            refused.add(caller)
    return streams.heads(seqs), refused


_notifiers: WeakKeyDictionary[asyncio.AbstractEventLoop, Notifier] = WeakKeyDictionary()


def get_notifier(threads: DatabaseThreads) -> Notifier:
    """Return the notifier of the running event loop."""
    loop = asyncio.get_running_loop()
    notifier = _notifiers.get(loop)
    if notifier is None:
        notifier = _notifiers[loop] = Notifier(loop, threads)
    return notifier

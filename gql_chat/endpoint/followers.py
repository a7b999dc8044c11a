"""Followers: subscriptions to one stream each, read from the log.

A follower reads the log from its place on, a few frames at a time, and waits for a bell when it
has come to the end. So frames come in order and with no gap, whatever the channel layer loses,
and a subscriber that is slow makes the server remember nothing: what it has not read yet waits
in the log.
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
from ..errors import (
    ChatError,
    Invalid,
    NotFound,
    PermissionDenied,
)
from ..logins import judge
from ..models import Membership, UserStream
from ..schema import Context
from ..sql.threads import DatabaseThreads
from ..streams import Envelope
from .access import Caller

logger = logging.getLogger("gql_chat")

READ_SIZE = 20
"""How many frames a subscription holds at most."""

LOOK_SECONDS = 2.0
"""How often it is looked whether streams moved on with no bell, and who may still follow."""

RENEW_LOOKS = 15
"""After so many looks the groups of the channel layer are joined again: it may forget them."""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a caller may hear of a stream.

    Attributes:
        stream: its name, as the log writes it.
        position: its newest place.
        first: the first place that the caller may hear.
        member: the user, by id, whose leaving ends it; None for who may hear all.
        gone: whether nothing will be added to it.
    """

    stream: str
    position: int
    first: int = 1
    member: str | None = None
    gone: bool = False


def find_entitlement(context: Context, stream: str) -> Entitlement:
    """Return what the user of a context may hear of a stream.

    Who may inspect (staff) follows every room and every user, others the rooms that they are in
    and what is meant for themselves.

    Raises:
        NotFound: there is no such room or user.
        PermissionDenied: the user may not hear any of it.
    """
    user = context.handler.user
    may_hear_all = context.handler.permissions.can_inspect(user)
    kind, _, key = stream.partition(":")
    primary = router.db_for_write(Membership)
    if kind == "user":
        (user_id,) = context.handler.find_users("user_id", [key])
        if not may_hear_all and user_id != user.pk:
            raise PermissionDenied("You may not follow other users.")
        own = UserStream.objects.using(primary).filter(pk=user_id)
        seq = own.values_list("seq", flat=True).first()
        return Entitlement(streams.user_stream(user_id), seq or 0)
    try:
        room = context.handler.find_room(key)
    except NotFound:
        last = streams.heads({stream: 0}).get(stream)
        if last is None or not may_hear_all:
            raise
        return Entitlement(stream, last, gone=True)
    if may_hear_all:
        return Entitlement(stream, room.seq)
    joined = Membership.objects.using(primary).filter(room_id=room.pk, user_id=user.pk)
    first = joined.values_list("joined_seq", flat=True).first()
    if first is None:
        raise PermissionDenied("You are not a member of this room.")
    return Entitlement(stream, room.seq, first, str(user.pk))


class Follower:
    """Follows one stream on behalf of a caller.

    Attributes:
        caller: who follows.
        bell: rung when there may be something to read.
        position: the last place that was read.
    """

    def __init__(self, caller: Caller, threads: DatabaseThreads) -> None:
        self.caller = caller
        self.bell = asyncio.Event()
        self.position = 0
        self._threads = threads

    async def follow(self, stream: str, after: int | None) -> AsyncGenerator[Envelope, None]:
        """Give the frames of a stream, as long as the caller may hear it and it lasts.

        Args:
            stream: its name.
            after: the place after which to begin; None for the present one.

        Raises:
            Invalid: there is no such place, or the log does not reach back to it.
            NotFound, PermissionDenied, NotAuthenticated: as `find_entitlement` and `Caller` say,
                also later.
        """
        entitled = await self._threads.run(self._find, stream)
        self.position = _check_place(entitled, after)
        bells = get_bells(self._threads)
        try:
            await bells.add(entitled.stream, self)
            while True:
                self.bell.clear()
                try:
                    frames, ended = await self._threads.run(self._read, entitled)
                except (OperationalError, InterfaceError) as error:
                    logger.warning("A follower could not ask the database: %r", error)
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                for frame in frames:
                    self.position = frame.seq
                    yield frame
                if ended is not None:
                    if isinstance(ended, ChatError):
                        raise ended
                    return
                if len(frames) < READ_SIZE:
                    await self.bell.wait()
        finally:
            await bells.remove(entitled.stream, self)

    def _find(self, stream: str) -> Entitlement:
        return find_entitlement(self.caller.enter(), stream)

    def _read(self, entitled: Entitlement) -> tuple[list[Envelope], ChatError | bool | None]:
        """Read what comes next, and whether it ends there.

        That the caller may hear it is asked after the reading, so that what was read was written
        while that was so. A member who was removed hears what came before.

        Returns:
            The frames, and what ends the subscription after them: an error, or True for an end
            that is none.
        """
        frames = self._read_log(entitled)
        context = self.caller.stay()
        try:
            gone = find_entitlement(context, entitled.stream).gone
        except (NotFound, PermissionDenied) as error:
            # The frame by which the room closed, or the user left it, may have come meanwhile.
            frames, ended = _up_to_the_end(self._read_log(entitled), entitled.member)
            return (frames, True) if ended else ([], error)
        frames, ended = _up_to_the_end(frames, entitled.member)
        return frames, True if ended or (gone and len(frames) < READ_SIZE) else None

    def _read_log(self, entitled: Entitlement) -> list[Envelope]:
        frames = streams.read_log(entitled.stream, self.position, READ_SIZE)
        begins = frames[0].seq if frames else entitled.position + 1
        if begins > self.position + 1:
            raise Invalid({"after": f"The log begins at {begins} now: fetch afresh."})
        return frames


def _up_to_the_end(frames: list[Envelope], member: str | None) -> tuple[list[Envelope], bool]:
    """Return the frames before a member leaves or until the stream closes, and whether it does."""
    for number, frame in enumerate(frames):
        change = frame.change or {}
        if member is not None and member in change.get("left", ()):
            return frames[:number], True
        if change.get("closed"):
            return frames[: number + 1], True
    return frames, False


def _check_place(entitled: Entitlement, after: int | None) -> int:
    """Return the place after which the frames begin."""
    if after is None:
        return entitled.position
    if not 0 <= after <= entitled.position:
        raise Invalid({"after": f"The stream stands at {entitled.position}."})
    return max(after, entitled.first - 1)


class Bells:
    """Rings followers of one event loop when their streams move on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: DatabaseThreads) -> None:
        self._loop = loop
        self._threads = threads
        self._followers: dict[str, set[Follower]] = defaultdict(set)
        self._looking: asyncio.Task[None] | None = None
        self._layer: Any = None
        self._channel = ""
        self._listening: asyncio.Task[None] | None = None

    async def add(self, stream: str, follower: Follower) -> None:
        """Ring a follower from now on whenever its stream moves on."""
        self._followers[stream].add(follower)
        if self._looking is None:
            streams.subscribe(self._hear)
            self._looking = self._loop.create_task(self._look_again_and_again())
        await self._join([stream])

    async def remove(self, stream: str, follower: Follower) -> None:
        """Ring a follower no more."""
        followers = self._followers[stream]
        followers.discard(follower)
        if followers:
            return
        del self._followers[stream]
        if not self._followers and self._looking is not None:
            streams.unsubscribe(self._hear)
            self._looking.cancel()
            self._looking = None
        if self._channel:
            with suppress(Exception):
                async with asyncio.timeout(streams.LAYER_SECONDS):
                    await self._layer.group_discard(streams.group_name(stream), self._channel)

    def _hear(self, envelopes: list[Envelope]) -> None:
        """Take what this process publishes, from any thread."""
        names = {envelope.stream for envelope in envelopes if envelope.stream in self._followers}
        if names:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._ring, names)

    def _ring(self, names: set[str]) -> None:
        for name in names:
            for follower in self._followers.get(name, ()):
                follower.bell.set()

    # What other processes publish

    async def _join(self, names: list[str]) -> None:
        if not streams.reaches_other_processes():
            return
        try:
            async with asyncio.timeout(streams.LAYER_SECONDS):
                if not self._channel:
                    # One for the life of the loop, since a layer keeps what was once its member.
                    layer: Any = get_channel_layer()
                    self._channel = await layer.new_channel("chat.graphql")
                    self._layer = layer
                    self._listening = self._loop.create_task(self._listen())
                for name in names:
                    await self._layer.group_add(streams.group_name(name), self._channel)
        except Exception as error:
            logger.warning("The channel layer is away; the log serves until it is back: %r", error)

    async def _listen(self) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
                self._ring({message["stream"]})
            except Exception as error:
                logger.warning("The channel layer is away: %r", error)
                await asyncio.sleep(LOOK_SECONDS)

    # What no bell told

    async def _look_again_and_again(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            looks += 1
            try:
                await self._look()
            except Exception as error:
                logger.warning("Streams could not be looked at: %r", error)
            if looks % RENEW_LOOKS == 0:
                await self._join(list(self._followers))

    async def _look(self) -> None:
        """Ring who is behind, and who may not follow any more."""
        followers = [follower for found in self._followers.values() for follower in found]
        callers = {follower.caller for follower in followers}
        places = {
            name: min(follower.position for follower in found)
            for name, found in self._followers.items()
        }
        heads, refused = await self._threads.run(_ask, places, callers)
        for name, found in self._followers.items():
            for follower in found:
                if heads.get(name, 0) > follower.position or follower.caller in refused:
                    follower.bell.set()


def _ask(places: dict[str, int], callers: set[Caller]) -> tuple[dict[str, int], set[Caller]]:
    """Return which streams have moved on, and where to; and who may follow nothing now."""
    judgement = judge(caller.login for caller in callers if caller.login is not None)
    refused = {caller for caller in callers if caller.login in judgement.ended}
    for caller in callers - refused:
        try:
            replace(caller, login=None).enter()
        except ChatError:
            refused.add(caller)
    return streams.heads(places), refused


_bells: WeakKeyDictionary[asyncio.AbstractEventLoop, Bells] = WeakKeyDictionary()


def get_bells(threads: DatabaseThreads) -> Bells:
    """Return the bells of the running event loop."""
    loop = asyncio.get_running_loop()
    bells = _bells.get(loop)
    if bells is None:
        bells = _bells[loop] = Bells(loop, threads)
    return bells

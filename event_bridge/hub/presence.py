"""Presence in a hub: local sockets are told who comes, goes and is away.

The database is the truth. A hub reads it for the users whom a local socket watches: when a process
says that their presence changed, when it has to change by itself, and now and then in any case,
where nobody says anything. What a socket was told of a user is what all local sockets were told
that watch the same user.

Where nobody watches there is nothing to do but what `attendance` does.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from django.utils import timezone

from gql_chat import presence
from gql_chat.conf import chat_settings
from gql_chat.errors import Invalid
from gql_chat.events import PresenceChanged
from gql_chat.failures import outline
from gql_chat.nouns import has_feature
from gql_chat.presence import Coalescer, Status
from gql_chat.schema.rendering import render_event
from gql_chat.sql.threads import DatabaseThreads
from gql_chat.streams import Envelope, user_stream
from gql_chat.tables import report_missing

from ..delivery import Delivered, Subscriber
from ..metrics import Recorder
from .attendance import BEACON_SECONDS, COLLECT_SECONDS, Attendance
from .dispatcher import Dispatcher
from .layer import LayerLink
from .registry import Registry
from .watches import Difference, Rooms, Watches

logger = logging.getLogger("event_bridge")

CHANGE_SECONDS = 5.0
"""A socket is told of one change of a user in so many seconds, and always of the last one."""

PAUSE_SECONDS = 0.2
"""How long the work pauses at least, so that what comes together is read together."""

RETRY_SECONDS = 2.0
"""How long it pauses when the database did not answer."""

LOOKS = 10
"""How often in one grace a hub looks whether all holders are there."""

AT_ONCE = 1000
"""How many users are read in one piece of work: the rest follows in the next one."""

REVIEWED = 20
"""How many sockets a look reviews though nothing happened: their rights may have ended unheard."""

DISPATCH = "presence.dispatch"

Payload = dict[str, Any]
"""The presence of one user, as frames show it."""


class HubPresence:
    """Tells local sockets of the presence of those whom they watch.

    Args:
        name: the hub's name, with which the channel names of its sockets begin.
        threads: the database threads.
        registry: the subscribers and streams.
        dispatcher: hands frames to subscribers.
        layer: the link to the channel layer.
        publish: publishes notices, here and in other processes.
        recorder: is told how many sockets are told of changes.
        clock: returns the time in seconds, as the event loop has it.

    Attributes:
        watches: which socket watches whom.
        attendance: says who has sockets here.
    """

    def __init__(
        self,
        name: str,
        threads: DatabaseThreads,
        registry: Registry,
        dispatcher: Dispatcher,
        layer: LayerLink,
        publish: Callable[[list[Envelope]], None],
        recorder: Recorder,
        clock: Callable[[], float],
    ) -> None:
        self.watches = Watches()
        self._threads = threads
        self._registry = registry
        self._dispatcher = dispatcher
        self._layer = layer
        self._publish = publish
        self._recorder = recorder
        self._clock = clock
        self._wake = asyncio.Event()
        self._changes: Coalescer[str, str] = Coalescer(CHANGE_SECONDS)
        # What sockets were told of each user that is watched, and what was read since.
        self._told: dict[str, Payload] = {}
        self._read: dict[str, Payload] = {}
        self._to_read: dict[str, None] = {}
        self._read_at: list[tuple[float, str]] = []
        self._ending: set[str] = set()
        self._doubted: set[str] = set()
        self._to_review: dict[Subscriber, None] = {}
        self._round: Iterator[str] = iter(())
        self._reviews: Iterator[Subscriber] = iter(())
        self._holders: set[str] = set()
        self._beacon_at = self._look_at = float("-inf")
        self.attendance = Attendance(
            name, threads, registry, layer, publish, self.take, self._wake.set, clock
        )

    # Sockets come and go

    def came(self, user: str) -> None:
        """Note that a socket of a user has opened here, and its session is stored."""
        self.attendance.came(user)

    def went(self, subscriber: Subscriber) -> None:
        """Note that a socket has closed here that was open; its session is deleted."""
        self.forget(subscriber)
        self.attendance.went(subscriber.user_key)

    def forget(self, subscriber: Subscriber) -> None:
        """Forget what a socket watched."""
        self._to_review.pop(subscriber, None)
        self._drop(self.watches.forget(subscriber))

    # Watching

    def watch(
        self, subscriber: Subscriber, found: Sequence[Payload], rooms: Rooms
    ) -> list[Payload]:
        """Let a socket watch users; return what it is told of them at first.

        Args:
            subscriber: the socket.
            found: the presence of the users, as it has just been read.
            rooms: the members of the rooms that it has named; without rooms it has named users.

        Raises:
            Invalid: it would watch more than `MAX_WATCHED_USERS`.
        """
        by_user = {str(payload["user_id"]): payload for payload in found}
        named = () if rooms else by_user.keys()
        most = chat_settings.MAX_WATCHED_USERS
        if most is not None and self.watches.count_with(subscriber, named, rooms) > most:
            field = "rooms" if rooms else "users"
            raise Invalid({field: f"A socket watches the presence of at most {most} users."})
        was_idle = not self.watches
        difference = self.watches.add(subscriber, named, rooms)
        for user, payload in by_user.items():
            if user not in self._told:
                self._told[user] = payload
                self._changes.start(user, payload["status"])
                # Something may have changed since it was read, when nobody here wanted to know.
                self._to_read[user] = None
        if was_idle:
            self._layer.want(presence.WATCHERS)
            self._beacon_at = self._look_at = self._clock()
        self._drop(difference)  # who was in a room when it was named before, and is not now
        self._wake.set()
        return [self._told[user] for user in by_user]

    def unwatch(
        self,
        subscriber: Subscriber,
        users: Iterable[str] | None = None,
        rooms: Iterable[str] | None = None,
    ) -> None:
        """Let a socket watch users and rooms no more; all of them, where none are named."""
        if users is None and rooms is None:
            self.forget(subscriber)
        else:
            self._drop(self.watches.remove(subscriber, users or (), rooms or ()))

    def _drop(self, difference: Difference) -> None:
        """Forget users whom nobody watches any more."""
        for user in difference.removed:
            if user not in self.watches.watchers:
                self._told.pop(user, None)
                self._read.pop(user, None)
                self._to_read.pop(user, None)
                self._ending.discard(user)
                self._doubted.discard(user)
                self._changes.forget(user)
        if difference.removed and not self.watches:
            self._layer.unwant(presence.WATCHERS)

    # Notices and frames

    def take(self, users: Iterable[str] | None) -> None:
        """Take a notice that the presence of users may have changed; None for many of them."""
        watched = self.watches.watchers
        for user in watched if users is None else users:
            if user in watched:
                self._to_read[user] = None
                self._wake.set()

    def heed(self, stream: str, change: Mapping[str, Any]) -> None:
        """Take a frame by which users come into a room or go out of it."""
        kind, _, room = stream.partition(":")
        if kind != "room" or not self.watches:
            return
        joined, left = change.get("joined", ()), set(change.get("left", ()))
        if change.get("closed"):
            self.doubt(stream)
            return
        for socket in list(self.watches.of_room.get(room, ())):
            if socket.user_key in left:
                self._apply(socket, self.watches.remove(socket, rooms=[room]))
                continue
            if left:
                self._apply(socket, self.watches.leave(socket, room, left))
            if joined and presence.asks_by_default() and self._has_room(socket, joined):
                self._apply(socket, self.watches.enter(socket, room, joined))
            elif joined:
                self._to_review[socket] = None
        for user in left:
            for socket in self.watches.watchers.get(user, ()):
                if user in self.watches.of_socket[socket].users:
                    self._to_review[socket] = None
        for socket in self._sockets_of(left):
            self._to_review[socket] = None
        self._wake.set()

    def _has_room(self, socket: Subscriber, users: Sequence[str]) -> bool:
        """Tell whether a socket may watch so many more."""
        most = chat_settings.MAX_WATCHED_USERS
        return most is None or self.watches.count_with(socket, users, {}) <= most

    def doubt(self, stream: str) -> None:
        """Review all whose rights may have changed with the members of a room."""
        kind, _, room = stream.partition(":")
        if kind != "room" or not self.watches:
            return
        opened = self._registry.streams.get(stream)
        heard = opened.everybody() if opened is not None else set()
        for socket in (*self.watches.of_room.get(room, ()), *self._sockets_of(heard)):
            self._to_review[socket] = None
        self._wake.set()

    def _sockets_of(self, users: Iterable[str]) -> Iterator[Subscriber]:
        """Give the sockets of local users that watch somebody."""
        for user in users:
            for socket in self._registry.subscribers.get(user, ()):
                if socket in self.watches.of_socket:
                    yield socket

    # Working

    async def run(self) -> None:
        """Work whenever there is something to do, until cancelled."""
        while True:
            try:
                await self._wait()
                if has_feature("presence"):
                    await self.work()
                else:
                    self.attendance.rest(self._clock() + BEACON_SECONDS)
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception as error:
                if not report_missing(error):
                    logger.warning("Presence could not be read: %s", outline(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _wait(self) -> None:
        pause = max(0.0, self.next_at - self._clock())
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    @property
    def next_at(self) -> float:
        """When there is something to do next, by the clock, if nothing happens before."""
        times = [self.attendance.next_at]
        if self.watches:
            times += [self._beacon_at, self._look_at]
            if self._to_read or self._to_review:
                times.append(self._clock())
            if self._read_at:
                times.append(self._read_at[0][0])
            if (due := self._changes.next_due) is not None:
                times.append(due)
        return min(times)

    async def work(self) -> None:
        """Do what is due: for the sockets here, then for those of them that watch.

        Raises:
            Exception: the database does not answer. What was not done is done the next time.
        """
        await self.attendance.work()
        if not self.watches:
            return
        if self._clock() >= self._beacon_at:
            self._publish([presence.watched()])
            self._beacon_at = self._clock() + BEACON_SECONDS
        if self._clock() >= self._look_at:
            await self._look()
        if self._to_review:
            await self._review()
        now = self._clock()
        while self._read_at and self._read_at[0][0] <= now:
            _, user = heapq.heappop(self._read_at)
            if user in self.watches.watchers:
                self._to_read[user] = None
        if self._to_read:
            await self._read_some()
        self._tell_sockets()

    async def _look(self) -> None:
        """Look for what nobody said: one statement, and a bounded part of what is watched."""
        holders = await self._threads.run(presence.find_holders)
        gone, self._holders = self._holders - holders, holders
        if gone:
            self._to_read.update(dict.fromkeys(self.watches.watchers))
        else:
            for user in self._next_users():
                self._to_read[user] = None
        for socket in self._next_sockets():
            self._to_review[socket] = None
        self._look_at = self._clock() + presence.get_grace().total_seconds() / LOOKS

    def _next_users(self) -> list[str]:
        """Return the next of those who are watched: in two looks as many as one statement reads."""
        some = [user for user, _ in zip(self._round, range(AT_ONCE // 2), strict=False)]
        if len(some) < AT_ONCE // 2:
            self._round = iter(list(self.watches.watchers))
        return [user for user in some if user in self.watches.watchers]

    def _next_sockets(self) -> list[Subscriber]:
        some = [socket for socket, _ in zip(self._reviews, range(REVIEWED), strict=False)]
        if len(some) < REVIEWED:
            self._reviews = iter(list(self.watches.of_socket))
        return [socket for socket in some if socket in self.watches.of_socket]

    async def _review(self) -> None:
        """Ask whom sockets may still see, a bounded number of users at once."""
        sockets: list[Subscriber] = []
        rooms_read: set[str] = set()
        size = 0
        for socket in self._to_review:
            watch = self.watches.of_socket.get(socket)
            if watch is not None:
                size += len(watch.users)
                size += sum(len(watch.rooms[room]) for room in watch.rooms.keys() - rooms_read)
                rooms_read |= watch.rooms.keys()
            if sockets and size > AT_ONCE:
                break
            sockets.append(socket)
        for socket in sockets:
            del self._to_review[socket]
        requests = [
            presence.Request(socket.user_key, tuple(watch.users), tuple(watch.rooms))
            for socket in sockets
            if (watch := self.watches.of_socket.get(socket)) is not None
        ]
        sockets = [socket for socket in sockets if socket in self.watches.of_socket]
        try:
            found = await self._threads.run(presence.review, requests)
        except BaseException:
            self._to_review.update(dict.fromkeys(sockets))
            raise
        for socket, request, seen in zip(sockets, requests, found, strict=True):
            watch = self.watches.of_socket.get(socket)
            if watch is None:
                continue
            # What the socket has named meanwhile was not asked for.
            users = seen.users | (watch.users - set(request.users))
            rooms = {room: watch.rooms[room] for room in watch.rooms if room not in request.rooms}
            self._apply(socket, self.watches.keep(socket, users, {**rooms, **seen.rooms}))

    def _apply(self, socket: Subscriber, difference: Difference) -> None:
        """Tell a socket of those whom it sees from now on, and of those whom it sees no more."""
        told = []
        for user in difference.added:
            if user in self._told:
                told.append(self._told[user])
            else:
                self._to_read[user] = None
        for user in difference.removed:
            if user in self._told:
                # It looks like somebody who hides. A client must not show them as online for ever.
                user_id = self._told[user]["user_id"]
                told.append({"user_id": user_id, "status": presence.OFFLINE, "last_seen": None})
        if told:
            self._dispatcher.offer(socket, _frame(told))
            self._recorder.delivered(DISPATCH, 1)
        self._drop(difference)

    async def _read_some(self) -> None:
        users = [user for user, _ in zip(self._to_read, range(AT_ONCE), strict=False)]
        for user in users:
            del self._to_read[user]
        try:
            statuses = await self._threads.run(presence.read_statuses, users)
        except BaseException:
            self._to_read.update(
                dict.fromkeys(user for user in users if user in self.watches.watchers)
            )
            raise
        now = self._clock()
        found = [(user, statuses[user]) for user in users if user in self.watches.watchers]
        payloads = _render([status for _, status in found])
        for (user, status), payload in zip(found, payloads, strict=True):
            self._take_status(user, status, payload, now)
        if self._to_read:
            self._wake.set()

    def _take_status(self, user: str, status: Status, payload: Payload, now: float) -> None:
        if status.until is not None:
            left = (status.until - timezone.now()).total_seconds()
            heapq.heappush(self._read_at, (now + max(left, 0.0), user))
            self._ending.add(user)
        elif not status.is_sure and user not in self._ending and user not in self._doubted:
            told = self._told.get(user)
            if told is not None and told["status"] != presence.OFFLINE:
                # The session is gone, and the departure may be written in a moment.
                self._doubted.add(user)
                heapq.heappush(self._read_at, (now + 2 * COLLECT_SECONDS, user))
                return
        else:
            self._ending.discard(user)
        self._doubted.discard(user)
        told = self._told.get(user)
        if told is not None and told["status"] == status.status:
            self._told[user] = payload  # who begins to watch is told when the user was last seen
            self._read.pop(user, None)
        else:
            self._read[user] = payload
        self._changes.offer(user, status.status, now)

    def _tell_sockets(self) -> None:
        """Tell sockets of the changes that are due: each in one frame, and equal ones once."""
        news: dict[Subscriber, list[str]] = defaultdict(list)
        for user, _ in self._changes.take_due(self._clock()):
            self._told[user] = self._read.pop(user)
            for socket in self.watches.watchers.get(user, ()):
                news[socket].append(user)
        frames: dict[tuple[str, ...], Delivered] = {}
        for socket, users in news.items():
            key = tuple(users)
            if key not in frames:
                frames[key] = _frame([self._told[user] for user in users])
            self._dispatcher.offer(socket, frames[key])
        if news:
            self._recorder.delivered(DISPATCH, len(news))


def _render(statuses: list[Status]) -> list[Payload]:
    """Return the presence of users as frames show it."""
    users: list[Payload] = render_event(PresenceChanged(statuses))["users"]
    return users


def _frame(users: list[Payload]) -> Delivered:
    payload = orjson.dumps({"users": users, "snapshot": False}).decode()
    return Delivered(Envelope(user_stream(""), 0, PresenceChanged.__name__, payload))

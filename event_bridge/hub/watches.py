"""Watches: which local socket watches the presence of whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ..delivery import Subscriber

Rooms = dict[str, set[str]]
"""The members of rooms, by the ids of the rooms; all ids are strings."""


@dataclass(slots=True)
class Watch:
    """What one socket watches, by ids as strings.

    Attributes:
        users: the users that it has named.
        rooms: the members of each room that it has named.
        seen: all of them.
    """

    users: set[str] = field(default_factory=set)
    rooms: Rooms = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Difference:
    """How what a socket watches has changed.

    Attributes:
        added: the users whom it sees now, and did not before.
        removed: the users whom it sees no more.
    """

    added: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)


class Watches:
    """Knows who watches whom. What it holds grows with what is watched, and with nothing else.

    Attributes:
        of_socket: what each socket watches that watches anybody.
        watchers: the sockets that watch a user, by the user's id as a string.
        of_room: the sockets that have named a room, by the room's id as a string.
    """

    def __init__(self) -> None:
        self.of_socket: dict[Subscriber, Watch] = {}
        self.watchers: dict[str, set[Subscriber]] = {}
        self.of_room: dict[str, set[Subscriber]] = {}

    def __bool__(self) -> bool:
        """Tell whether anybody watches."""
        return bool(self.of_socket)

    def count_with(self, socket: Subscriber, users: Collection[str], rooms: Rooms) -> int:
        """Return how many users a socket would watch with these besides its own."""
        watch = self.of_socket.get(socket)
        own = watch.seen if watch is not None else set()
        return len(own.union(users, *rooms.values()))

    def add(self, socket: Subscriber, users: Iterable[str], rooms: Rooms) -> Difference:
        """Let a socket watch users and rooms, besides those that it watches."""
        watch = self.of_socket.setdefault(socket, Watch())
        watch.users.update(users)
        for room, members in rooms.items():
            watch.rooms[room] = set(members)
            self.of_room.setdefault(room, set()).add(socket)
        return self._settle(socket, watch)

    def remove(
        self, socket: Subscriber, users: Iterable[str] = (), rooms: Iterable[str] = ()
    ) -> Difference:
        """Let a socket watch some users and rooms no more."""
        watch = self.of_socket.get(socket)
        if watch is None:
            return Difference()
        watch.users.difference_update(users)
        for room in rooms:
            self._leave_room(socket, watch, room)
        return self._settle(socket, watch)

    def enter(self, socket: Subscriber, room: str, members: Iterable[str]) -> Difference:
        """Add members to a room that a socket watches."""
        watch = self.of_socket[socket]
        watch.rooms[room].update(members)
        return self._settle(socket, watch)

    def leave(self, socket: Subscriber, room: str, members: Iterable[str]) -> Difference:
        """Take members out of a room that a socket watches."""
        watch = self.of_socket[socket]
        watch.rooms[room].difference_update(members)
        return self._settle(socket, watch)

    def keep(self, socket: Subscriber, users: Collection[str], rooms: Rooms) -> Difference:
        """Let a socket watch what it may see of what it watches.

        Args:
            socket: the socket.
            users: the users whom it may see, among those it has named.
            rooms: whom it may see of the rooms that it has named.
        """
        watch = self.of_socket.get(socket)
        if watch is None:
            return Difference()
        watch.users.intersection_update(users)
        for room in list(watch.rooms):
            if room in rooms:
                watch.rooms[room] = set(rooms[room])
            else:
                self._leave_room(socket, watch, room)
        return self._settle(socket, watch)

    def forget(self, socket: Subscriber) -> Difference:
        """Forget a socket."""
        watch = self.of_socket.get(socket)
        if watch is None:
            return Difference()
        return self.remove(socket, list(watch.users), list(watch.rooms))

    def _leave_room(self, socket: Subscriber, watch: Watch, room: str) -> None:
        if watch.rooms.pop(room, None) is None:
            return
        sockets = self.of_room[room]
        sockets.discard(socket)
        if not sockets:
            del self.of_room[room]

    def _settle(self, socket: Subscriber, watch: Watch) -> Difference:
        """Note whom a socket watches now."""
        now = watch.users.union(*watch.rooms.values())
        difference = Difference(now - watch.seen, watch.seen - now)
        watch.seen = now
        for user in difference.added:
            self.watchers.setdefault(user, set()).add(socket)
        for user in difference.removed:
            sockets = self.watchers[user]
            sockets.discard(socket)
            if not sockets:
                del self.watchers[user]
        if not watch.users and not watch.rooms:
            self.of_socket.pop(socket, None)
        return difference

"""Presence in a hub, under a clock and a database of the test's."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from django.utils import timezone

from event_bridge.delivery import Delivered
from event_bridge.hub.attendance import BEACON_SECONDS
from event_bridge.hub.dispatcher import Dispatcher
from event_bridge.hub.presence import AT_ONCE, CHANGE_SECONDS, HubPresence
from event_bridge.hub.registry import Registry
from event_bridge.metrics import get_recorder
from gql_chat import presence
from gql_chat.presence import OFFLINE, ONLINE, Request, Seen, Status
from gql_chat.streams import Envelope, room_stream
from tests.timing import PATIENCE


class Socket:
    """A socket that keeps what it is told."""

    def __init__(self, user: str, number: int) -> None:
        self.user_key = user
        self.channel_name = f"hub.{number}"
        self.outbox: Any = None
        self.frames: list[list[dict[str, Any]]] = []

    def deliver(self, frame: Delivered) -> None:
        """Take a frame."""
        data = orjson.loads(frame.plain)
        assert data["eventType"] == "presence.dispatch"
        assert data["data"]["snapshot"] is False
        self.frames.append(data["data"]["users"])

    def dismiss(self, login: str | None = None) -> None:
        """Never happens."""

    def interrupt(self) -> None:
        """Never happens."""

    def take(self) -> dict[str, str]:
        """Return the last status of each user that it was told since the last call."""
        frames, self.frames = self.frames, []
        return {str(user["user_id"]): user["status"] for frame in frames for user in frame}


class Layer:
    """The link to a layer that carries nothing."""

    def __init__(self) -> None:
        self.wanted: set[str] = set()
        self.notified: list[Envelope] = []
        self.told = asyncio.Event()

    def want(self, name: str) -> None:
        """Join a group."""
        self.wanted.add(name)

    def unwant(self, name: str) -> None:
        """Leave a group."""
        self.wanted.discard(name)

    def notify(self, envelopes: list[Envelope]) -> None:
        """Keep what would be sent."""
        self.notified += envelopes
        self.told.set()


class Hub:
    """A hub's presence, with what it is made of.

    Attributes:
        statuses: what the database says of users who are not offline.
        calls: what the database was asked, in order.
        away: whether the database is.
        seen: what a review says; None to let everybody see all that they watch.
        published: what the hub said to others.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.statuses: dict[str, Status] = {}
        self.holders = {"hub", "other"}
        self.calls: list[tuple[str, Any]] = []
        self.away = False
        self.seen: Any = None
        self.published: list[Envelope] = []
        self.layer = Layer()
        self.registry = Registry(lambda name: None, lambda name: None)
        recorder = get_recorder()
        self.threads: Any = self
        self.presence = HubPresence(
            "hub",
            self.threads,
            self.registry,
            Dispatcher(self.registry, recorder),
            self.layer,  # type: ignore[arg-type]
            self._publish,
            recorder,
            lambda: self.now,
        )
        self.attendance = self.presence.attendance
        self._sockets = 0

    def _publish(self, envelopes: list[Envelope]) -> None:
        self.published += envelopes
        for envelope in envelopes:
            change = envelope.change or {}
            if "presence" in change:
                self.presence.take(change["presence"])
            else:
                self.attendance.take_watched()

    def run(self, function: Any, *args: Any) -> asyncio.Future[Any]:
        """Do what a database thread does."""
        return asyncio.ensure_future(self._run(function, *args))

    async def _run(self, function: Any, *args: Any) -> Any:
        if self.away:
            raise ConnectionError("away")
        self.calls.append((function.__name__, args[0] if args else None))
        return function(*args)

    # The database

    def read_statuses(self, users: list[str]) -> dict[str, Status]:
        """Read the presence of users."""
        return {user: self.statuses.get(user, Status(user, OFFLINE)) for user in users}

    def review(self, requests: list[Request]) -> list[Seen]:
        """Say whom sockets may see."""
        if self.seen is not None:
            found: list[Seen] = self.seen(requests)
            return found
        watched = self.presence.watches.of_socket
        return [
            Seen(
                set(request.users),
                {
                    room: set(watch.rooms[room])
                    for room in request.rooms
                    for watch in watched.values()
                    if room in watch.rooms
                },
            )
            for request in requests
        ]

    # The test

    def open(self, user: str) -> Socket:
        """Open a socket."""
        self._sockets += 1
        socket = Socket(user, self._sockets)
        self.registry.add(socket)
        self.presence.came(user)
        return socket

    def close(self, socket: Socket) -> None:
        """Close a socket."""
        self.registry.remove(socket)
        self.presence.went(socket)

    def watch(self, socket: Socket, *users: str, **rooms: set[str]) -> dict[str, str]:
        """Let a socket watch, as the event does; return what it is told at first."""
        named = [*users, *(user for members in rooms.values() for user in members)]
        found = [
            {"user_id": user, "status": status.status, "last_seen": None}
            for user, status in self.read_statuses(list(dict.fromkeys(named))).items()
        ]
        told = self.presence.watch(socket, found, rooms)
        return {str(user["user_id"]): user["status"] for user in told}

    def say(self, *users: str, online: bool, until: datetime | None = None) -> None:
        """Change what the database says of users, and let a process say that it changed."""
        for user in users:
            self.statuses[user] = Status(user, ONLINE if online else OFFLINE, until=until)
        self.presence.take(users)

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass, and the work that is due be done."""
        end = self.now + seconds
        while self.now < end:
            self.now += step
            if self.presence.next_at <= self.now:
                asyncio.run(self.presence.work())

    def asked(self, name: str) -> list[Any]:
        """What the database was asked by a function since the last call."""
        found = [argument for called, argument in self.calls if called == name]
        self.calls = [call for call in self.calls if call[0] != name]
        return found


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()

    def renew_lease(name: str) -> None: ...

    def note_departures(departed: Any) -> None: ...

    def find_holders() -> set[str]:
        return set(hub.holders)

    def read_statuses(users: list[str]) -> dict[str, Status]:
        return hub.read_statuses(users)

    def review(requests: list[Request]) -> list[Seen]:
        return hub.review(requests)

    replaced = (renew_lease, note_departures, find_holders, read_statuses, review)
    patches = [patch.object(presence, each.__name__, each) for each in replaced]
    for each in patches:
        each.start()
    yield hub
    for each in patches:
        each.stop()


# Watching


def test_a_change_is_told_once_to_each_who_watches(hub: Hub) -> None:
    alice, bob, carol = (hub.open(user) for user in ("alice", "bob", "carol"))
    hub.statuses["x"] = Status("x", ONLINE)
    assert hub.watch(alice, "x", "y") == {"x": ONLINE, "y": OFFLINE}
    assert hub.watch(bob, "y") == {"y": OFFLINE}

    hub.say("x", "y", online=True)
    hub.pass_time(1)

    assert alice.frames == [[{"user_id": "y", "status": ONLINE, "last_seen": None}]]
    assert bob.take() == {"y": ONLINE}
    assert carol.frames == []


def test_flapping_causes_no_flood_and_the_last_change_is_told(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.watch(alice, "x")

    for number in range(600):
        hub.say("x", online=number % 2 == 0)
        hub.pass_time(0.1, step=0.1)

    assert 1 <= len(alice.frames) <= 60 / CHANGE_SECONDS + 1
    hub.say("x", online=True)
    hub.pass_time(CHANGE_SECONDS + 1)
    assert alice.frames[-1][0]["status"] == ONLINE


def test_who_begins_to_watch_is_told_what_others_were(hub: Hub) -> None:
    alice, bob = hub.open("alice"), hub.open("bob")
    hub.watch(alice, "x")
    hub.say("x", online=True)
    hub.pass_time(1)
    hub.say("x", online=False)
    hub.pass_time(1)

    # The change waits for both of them.
    assert hub.watch(bob, "x") == {"x": ONLINE}
    hub.pass_time(CHANGE_SECONDS)
    assert alice.take() == bob.take() == {"x": OFFLINE}


def test_what_changes_while_one_begins_to_watch_is_not_missed(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.statuses["x"] = Status("x", ONLINE)
    hub.watch(alice, "x")
    # It was said when nobody here watched yet.
    hub.statuses["x"] = Status("x", OFFLINE)

    hub.pass_time(1)

    assert alice.take() == {"x": OFFLINE}


def test_who_has_left_is_offline_when_the_grace_is_over(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.statuses["x"] = Status("x", ONLINE)
    hub.watch(alice, "x")
    hub.say("x", online=True, until=timezone.now() + timedelta(seconds=4))
    hub.pass_time(3)
    assert alice.frames == []

    hub.statuses["x"] = Status("x", OFFLINE, is_sure=False)
    hub.pass_time(2)
    assert alice.take() == {"x": OFFLINE}


def test_a_departure_that_is_not_written_yet_is_waited_for(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.statuses["x"] = Status("x", ONLINE)
    hub.watch(alice, "x")
    hub.pass_time(1)

    hub.statuses["x"] = Status("x", OFFLINE, is_sure=False)
    hub.presence.take(["x"])
    hub.pass_time(1)
    assert alice.frames == []
    hub.statuses["x"] = Status("x", ONLINE)
    hub.pass_time(5)
    assert alice.frames == []

    hub.statuses["x"] = Status("x", OFFLINE, is_sure=False)
    hub.pass_time(6)
    assert alice.take() == {"x": OFFLINE}


def test_a_holder_that_is_gone_has_all_who_are_watched_read(hub: Hub) -> None:
    alice = hub.open("alice")
    names = [f"u{number}" for number in range(2 * AT_ONCE + 1)]
    hub.statuses = {name: Status(name, ONLINE) for name in names}
    for start in range(0, len(names), AT_ONCE):
        hub.watch(hub.open(f"watcher {start}"), *names[start : start + AT_ONCE])
    hub.watch(alice, "u7")
    hub.pass_time(10)

    hub.holders.discard("other")
    hub.statuses = {name: Status(name, OFFLINE) for name in names}
    hub.pass_time(5)

    assert alice.take() == {"u7": OFFLINE}
    assert max(map(len, hub.asked("read_statuses"))) <= AT_ONCE


def test_where_nobody_says_anything_it_looks(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.watch(alice, *(f"u{number}" for number in range(3)))
    hub.pass_time(10)
    hub.asked("read_statuses")

    hub.statuses["u2"] = Status("u2", ONLINE)
    hub.pass_time(6)

    assert alice.take() == {"u2": ONLINE}
    hub.asked("read_statuses")
    hub.asked("find_holders")
    hub.pass_time(20)
    assert len(hub.asked("find_holders")) <= 11
    assert len(hub.asked("read_statuses")) <= 11


def test_the_database_may_be_away_and_come_back(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.statuses["x"] = Status("x", ONLINE)
    hub.watch(alice, "x")
    hub.pass_time(1)
    bob = hub.open("bob")
    hub.close(bob)
    hub.away = True
    hub.say("x", online=False)
    for _ in range(20):
        hub.now += 2
        with pytest.raises(ConnectionError):
            asyncio.run(hub.presence.work())
    assert alice.frames == []

    hub.away = False
    hub.pass_time(2)

    assert alice.take() == {"x": OFFLINE}
    assert [set(departed) for departed in hub.asked("note_departures")] == [{"bob"}]


# Rights


def test_rights_that_have_ended_are_noticed(hub: Hub) -> None:
    alice, bob = hub.open("alice"), hub.open("bob")
    hub.statuses = {user: Status(user, ONLINE) for user in ("x", "y", "z")}
    hub.watch(alice, "x", "y")
    hub.watch(alice, room={"z"})
    hub.watch(bob, "x", "z")

    hub.seen = lambda requests: [
        Seen({"y"}, {}) if request.user == "alice" else Seen({"x", "z"}, {}) for request in requests
    ]
    hub.pass_time(5)
    assert alice.take() == {"x": OFFLINE, "z": OFFLINE}
    hub.say("x", "y", "z", online=False)
    hub.pass_time(6)

    assert alice.take() == {"y": OFFLINE}
    assert bob.take() == {"x": OFFLINE, "z": OFFLINE}


def test_members_come_into_a_room_and_go_out_of_it(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.statuses = {user: Status(user, ONLINE) for user in ("x", "y")}
    hub.watch(alice, r={"alice", "x"})
    hub.pass_time(1)

    hub.presence.heed(room_stream("r"), {"joined": ["y"], "left": ["x"]})
    hub.pass_time(1)

    assert alice.take() == {"x": OFFLINE, "y": ONLINE}
    hub.presence.heed(room_stream("r"), {"left": ["alice"]})
    assert alice.take() == {"y": OFFLINE, "alice": OFFLINE}
    assert not hub.presence.watches
    hub.presence.heed("user:1", {"joined": ["y"]})


def test_a_room_that_is_closed_is_reviewed(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.statuses["x"] = Status("x", ONLINE)
    hub.watch(alice, r={"x"})
    hub.pass_time(1)
    hub.seen = lambda requests: [Seen(set(), {}) for _ in requests]

    hub.presence.heed(room_stream("r"), {"closed": True})
    hub.pass_time(1)

    assert alice.take() == {"x": OFFLINE}


# Cost


def test_ten_thousand_who_watch_nobody_cost_nothing(hub: Hub) -> None:
    sockets = [hub.open(f"u{number}") for number in range(10_000)]
    hub.pass_time(60)

    assert len(hub.asked("renew_lease")) <= 60 / 5 + 1
    assert hub.calls == []
    assert hub.published == []
    for socket in sockets:
        hub.close(socket)
    hub.pass_time(2)
    assert [len(departed) for departed in hub.asked("note_departures")] == [10_000]
    assert hub.published == []
    assert hub.asked("read_statuses") == []


def test_what_is_said_is_said_while_somebody_watches(hub: Hub) -> None:
    hub.attendance.take_watched()
    for number in range(20):
        hub.open(f"u{number}")
    hub.pass_time(2)
    (said,) = hub.published
    assert (said.stream, said.change) == (
        presence.WATCHERS,
        {"presence": sorted(f"u{number}" for number in range(20))},
    )
    hub.published.clear()
    hub.pass_time(3 * BEACON_SECONDS)
    hub.open("late")
    hub.pass_time(2)
    assert hub.published == []


def test_who_watches_says_so_now_and_then(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.watch(alice, "x")
    assert hub.layer.wanted == {presence.WATCHERS}
    hub.pass_time(3 * BEACON_SECONDS)
    beacons = [envelope for envelope in hub.published if envelope.stream == presence.HOLDERS]
    assert 3 <= len(beacons) <= 4

    hub.presence.unwatch(alice)
    hub.published.clear()
    hub.pass_time(2 * BEACON_SECONDS)

    assert hub.layer.wanted == set()
    assert hub.published == []


def test_nothing_is_left_of_who_has_gone(hub: Hub) -> None:
    alice = hub.open("alice")
    hub.statuses["x"] = Status("x", ONLINE)
    hub.watch(alice, "x", "y")
    hub.watch(alice, r={"y", "z"})
    hub.say("x", "y", online=False)
    hub.pass_time(1)
    hub.close(alice)
    hub.pass_time(60)

    kept = vars(hub.presence)
    for name in ("_told", "_read", "_to_read", "_read_at", "_ending", "_doubted", "_to_review"):
        assert not kept[name], name
    assert "x" not in kept["_changes"]
    assert not hub.presence.watches


def test_the_last_one_to_go_is_written_down(hub: Hub) -> None:
    hub.attendance.take_watched()

    async def stop() -> None:
        socket = hub.open("alice")
        hub.close(socket)
        hub.attendance.stop()
        async with asyncio.timeout(PATIENCE):
            await hub.layer.told.wait()

    asyncio.run(stop())

    assert [set(departed) for departed in hub.asked("note_departures")] == [{"alice"}]
    assert [envelope.change for envelope in hub.layer.notified] == [{"presence": ["alice"]}]

"""Outages of each part under load: all end with everybody holding every message once, in order.

Nothing here says how long that takes: a wait is bounded by the patience of tests alone.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connections
from django.utils import timezone

from gql_chat import sessions
from gql_chat.models import get_model
from gql_chat.operations import EventHandler
from tests.conftest import Orm, StartProcess, Users
from tests.processes.followers import Follower, everybody_has, following, go_on, talking
from tests.servers import ChatProcess, PostgresServer, RedisServer
from tests.timing import LOOK, PATIENCE, eventually

Processes = tuple[ChatProcess, ChatProcess]


def make_room(orm: Orm, creator: AbstractUser, *members: AbstractUser) -> Any:
    """Make a group of these users; returns its id."""
    pks = [member.pk for member in members]
    return orm(EventHandler(creator.pk).create_room, "GroupChat", name="g", members=pks).pk


class Party:
    """Three people in a room: two who resume, one on each process, and one who only listens.

    Attributes:
        room: the id of the room.
        alice: on the one process.
        bob: on the other.
        silent: on the other: has never resumed, and sends nothing at all, not even heartbeats.
    """

    def __init__(self, processes: Processes, users: Users, orm: Orm) -> None:
        one, other = (process.url for process in processes)
        alice, bob, carol = users.make("alice", "bob", "carol")
        self.room = make_room(orm, alice, bob, carol)
        self.alice = Follower(alice, one, other)
        self.bob = Follower(bob, other, one)
        self.silent = Follower(carol, other, one, resumes=False)
        self.everybody = [self.alice, self.bob, self.silent]

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[list[str]]:
        """Alice and Bob talk until the end of the block; then everybody has what they said."""
        async with following(*self.everybody):
            async with talking(self.room, self.alice, self.bob) as said:
                await go_on(said)
                yield said
                await go_on(said)
            await self.alice.say(self.room, "last of Alice")
            await self.bob.say(self.room, "last of Bob")
            said += ["last of Alice", "last of Bob"]
            await everybody_has(said, *self.everybody)

    async def hears_typing(self) -> None:
        """Wait until Bob hears that Alice types: what is in no log needs a layer that works."""
        heard = self.bob.others.count("messagetyping.dispatch")
        async with asyncio.timeout(PATIENCE):
            while self.bob.others.count("messagetyping.dispatch") == heard:
                await self.alice.request("message.typing", {"room_id": str(self.room)})
                await asyncio.sleep(LOOK)


@pytest.fixture
def party(two_processes: Processes, users: Users, orm: Orm) -> Party:
    return Party(two_processes, users, orm)


@contextmanager
def paused(server: RedisServer) -> Iterator[None]:
    """Let a server answer nobody, with all its connections open."""
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def stopped(server: RedisServer) -> AsyncIterator[None]:
    """Take a server away for the time of the block."""
    await asyncio.to_thread(server.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


# Redis


async def test_a_redis_that_is_stopped_and_started_under_load_loses_nothing(
    party: Party, redis: RedisServer
) -> None:
    async with party.under_load() as said:
        async with stopped(redis):
            await go_on(said)
            # Across processes with no layer at all.
            now = said[-1]
            await eventually(lambda: now in party.silent.contents, "it is read from the log")
        await party.hears_typing()


async def test_a_redis_that_is_stopped_and_started_in_silence_is_joined_again(
    party: Party, redis: RedisServer
) -> None:
    async with following(*party.everybody):
        async with stopped(redis):
            pass
        await party.hears_typing()
        await party.alice.say(party.room, "Back")
        await everybody_has(["Back"], *party.everybody)


async def test_a_redis_that_forgets_everything_loses_nothing(
    party: Party, redis: RedisServer
) -> None:
    async with party.under_load() as said:
        for _ in range(3):
            await asyncio.to_thread(redis.flush)
            await go_on(said, 5)
        await party.hears_typing()


async def test_a_redis_that_is_paused_loses_nothing(party: Party, redis: RedisServer) -> None:
    async with party.under_load() as said:
        with paused(redis):
            await go_on(said)
            now = said[-1]
            await eventually(lambda: now in party.silent.contents, "it is read from the log")
        await party.hears_typing()


async def test_members_come_and_go_while_redis_is_away(
    party: Party, redis: RedisServer, users: Users, two_processes: Processes
) -> None:
    dave = Follower(users("dave"), two_processes[1].url)
    silent = party.silent
    async with following(*party.everybody, dave):
        await party.alice.say(party.room, "before")
        await everybody_has(["before"], *party.everybody)
        async with stopped(redis):
            room = {"room_id": str(party.room)}
            await party.alice.request("room.add_members", {**room, "members": [dave.user.pk]})
            await party.alice.request("room.remove_members", {**room, "members": [silent.user.pk]})
            await party.alice.say(party.room, "between")
            await everybody_has(["between"], dave)
            assert "roomaddmembers.dispatch" in dave.others
            await eventually(lambda: "roomexit.dispatch" in silent.others, "the exit is heard")
        await party.bob.say(party.room, "after")
        await everybody_has(["before", "between", "after"], party.alice, party.bob)
        await everybody_has(["between", "after"], dave)
        # Bob and Dave are on the same process: what they have got, she would have got.
        assert silent.contents == ["before"]


async def test_who_comes_while_redis_is_away_hears_everything(
    party: Party, redis: RedisServer, users: Users, two_processes: Processes
) -> None:
    one, other = two_processes
    erin, frank = users.make("erin", "frank")
    here, there = Follower(erin, one.url), Follower(frank, other.url)
    async with stopped(redis), following(here, there):
        data = {"type": "GroupChat", "name": "g", "participants": [frank.pk]}
        await here.request("room.create", data)
        await eventually(lambda: "roomcreate.dispatch" in there.others, "the room is heard of")
        (room,) = (await there.request("room.list"))["data"]
        await there.say(room["id"], "Nice")
        await here.say(room["id"], "Yes")
        await everybody_has(["Nice", "Yes"], here, there)


# Sessions


def _sessions(party: Party) -> Any:
    users = [follower.user for follower in party.everybody]
    return get_model("Session").objects.filter(user__in=users)


async def test_sessions_that_are_deleted_make_no_socket_deaf(party: Party, orm: Orm) -> None:
    async with party.under_load() as said:
        orm(_sessions(party).delete)
        await go_on(said)
        assert orm(_sessions(party).count) == 0
        # A heartbeat brings the session back.
        await party.alice.request("session.heartbeat")
        assert orm(lambda: _sessions(party).get().user) == party.alice.user

    assert [follower.connections for follower in party.everybody] == [1, 1, 1]


async def test_sockets_that_never_send_a_heartbeat_hear_everything(party: Party, orm: Orm) -> None:
    def age() -> None:
        long_ago = timezone.now() - timedelta(days=1)
        _sessions(party).update(last_seen=long_ago, alive_at=long_ago)
        sessions.delete_dead()

    async with party.under_load() as said:
        assert orm(_sessions(party).count) == 3
        orm(age)
        assert orm(_sessions(party).count) == 0
        await go_on(said)

    assert [follower.connections for follower in party.everybody] == [1, 1, 1]


# PostgreSQL

#: A commit that is confirmed outlives a crash, as in production; the tests' server is quicker.
DURABLE = {"PGOPTIONS": "-c synchronous_commit=on"}


@pytest.fixture
def fragile(postgres: PostgresServer, orm: Orm) -> Iterator[PostgresServer]:
    """A PostgreSQL to be restarted; after the test nobody has connections that this broke."""
    yield postgres
    if not postgres.running:
        postgres.start()
    orm(connections.close_all)
    connections.close_all()


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(PostgresServer.stop, id="stopped"),
        pytest.param(PostgresServer.kill, id="crashed"),
    ],
)
async def test_a_postgresql_that_is_restarted_loses_nothing(
    end: Callable[[PostgresServer], None],
    fragile: PostgresServer,
    start_process: StartProcess,
    users: Users,
    orm: Orm,
) -> None:
    processes = start_process(DURABLE), start_process(DURABLE)
    party = Party(processes, users, orm)
    async with party.under_load():
        await asyncio.to_thread(end, fragile)
        await eventually(
            lambda: bool(party.alice.refusals and party.bob.refusals), "both are refused"
        )
        await asyncio.to_thread(fragile.start)

    for refusal in party.alice.refusals + party.bob.refusals:
        assert refusal["retry_after"] > 0
    assert [follower.connections for follower in party.everybody] == [1, 1, 1]
    for process in processes:
        assert "An operation failed" not in process.log
        assert "Traceback" not in process.log


async def test_connections_that_broke_in_silence_are_replaced(
    fragile: PostgresServer, start_process: StartProcess, users: Users, orm: Orm
) -> None:
    process = start_process()
    alice = users("alice")
    room = make_room(orm, alice)
    # Enough sockets at once for every thread of the process to have a connection of its own.
    devices = [Follower(alice, process.url) for _ in range(20)]
    async with following(*devices):
        await asyncio.gather(*(device.say(room, "before") for device in devices))
        await asyncio.to_thread(fragile.restart)
        await asyncio.gather(*(device.say(room, "after") for device in devices))
        await everybody_has(["before", "after"] * len(devices), *devices)

    assert "An operation failed" not in process.log


# Processes


async def test_a_worker_that_is_killed_and_comes_back_loses_nothing(
    start_process: StartProcess, users: Users, orm: Orm
) -> None:
    one, other = start_process(), start_process()
    party = Party((one, other), users, orm)
    # She stays where she is and has nobody who tells her what she missed.
    party.silent = Follower(party.silent.user, other.url, resumes=False)
    party.everybody = [party.alice, party.bob, party.silent]
    async with party.under_load() as said:
        one.kill()
        await go_on(said)
        await asyncio.to_thread(one.start)

    assert [follower.connections for follower in party.everybody] == [2, 1, 1]


async def test_processes_that_are_restarted_one_after_the_other_lose_nothing(
    start_process: StartProcess, users: Users, orm: Orm
) -> None:
    one, other = start_process(), start_process()
    alice, bob = users.make("alice", "bob")
    room = make_room(orm, alice, bob)
    here, there = Follower(alice, one.url, other.url), Follower(bob, other.url, one.url)
    async with following(here, there):
        async with talking(room, here, there) as said:
            for process in (one, other):
                await go_on(said)
                await asyncio.to_thread(process.restart)
            await go_on(said)
        await here.say(room, "last")
        await everybody_has([*said, "last"], here, there)

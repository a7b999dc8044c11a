"""Presence across processes: one of them is killed, and the others notice without a goodbye."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connections

from gql_chat import set_presence
from gql_chat.models import get_model
from gql_chat.operations import EventHandler
from tests.conftest import Connect, Orm, StartProcess, Users
from tests.servers import ChatProcess, PostgresServer
from tests.timing import eventually
from tests.wire.rooms import Person, wire_id

GRACE = 6.0
"""Long enough for a busy machine to renew leases in time, and as short as a test can wait for."""


def make_room(orm: Orm, creator: AbstractUser, *members: AbstractUser) -> None:
    """Make a group of these users."""
    pks = [member.pk for member in members]
    orm(EventHandler(creator.pk).create_room, "GroupChat", name="g", members=pks)


async def watch(person: Person, *others: AbstractUser) -> dict[Any, str]:
    """Watch users; returns the status of each by the snapshot."""
    await person.send("presence.subscribe", {"users": [wire_id(other.pk) for other in others]})
    return await told(person)


async def told(person: Person, timeout: float | None = None) -> dict[Any, str]:
    """Take the next frame; returns the status of each user in it."""
    frame = await person.next(timeout)
    assert frame["eventType"] == "presence.dispatch", frame
    return {user["user_id"]: user["status"] for user in frame["data"]["users"]}


async def told_all(person: Person, expected: dict[Any, str], timeout: float) -> None:
    """Take frames until they told this of these users, and nothing else of others."""
    found: dict[Any, str] = {}
    async with asyncio.timeout(timeout):
        while found != expected:
            found |= await told(person, timeout)
            assert found.keys() <= expected.keys()


Processes = tuple[ChatProcess, ChatProcess]


@pytest.fixture
def fragile(postgres: PostgresServer, orm: Orm) -> Iterator[PostgresServer]:
    """A PostgreSQL to be stopped; after the test nobody has connections that this broke."""
    yield postgres
    if not postgres.running:
        postgres.start()
    orm(connections.close_all)
    connections.close_all()


@pytest.fixture
def processes(start_process: StartProcess) -> Processes:
    """Two processes in which nobody stays online for long who is gone."""
    environment = {"CHAT_TEST_SETTINGS": json.dumps({"PRESENCE_GRACE": GRACE})}
    return start_process(environment), start_process(environment)


async def person_at(process: ChatProcess, user: AbstractUser, connect: Connect) -> Person:
    """One socket of a user, on a process."""
    return Person(user, await connect(user, url=process.url))


async def test_the_users_of_a_killed_process_go_offline_within_the_grace(
    processes: Processes, users: Users, orm: Orm, connect: Connect
) -> None:
    one, other = processes
    alice, bob, carol, dave = users.make("alice", "bob", "carol", "dave")
    make_room(orm, alice, bob, carol, dave)
    watcher = await person_at(one, alice, connect)
    await person_at(other, bob, connect)
    await person_at(other, carol, connect)
    await person_at(one, carol, connect)
    await person_at(other, dave, connect)
    statuses = await watch(watcher, bob, carol, dave)
    assert set(statuses.values()) == {"online"}

    other.kill()
    gone = {wire_id(bob.pk): "offline", wire_id(dave.pk): "offline"}
    await told_all(watcher, gone, timeout=10 * GRACE)

    # Nobody said goodbye: the rows are there, and Carol is at the other process.
    rows = get_model("Session").objects.filter(user__in=[bob, dave])
    assert orm(rows.count) == 2
    await person_at(one, bob, connect)
    assert await told(watcher) == {wire_id(bob.pk): "online"}
    await watcher.nothing()


async def test_who_comes_and_goes_at_one_process_is_seen_at_the_other(
    processes: Processes, users: Users, orm: Orm, connect: Connect
) -> None:
    one, other = processes
    alice, bob, carol = users.make("alice", "bob", "carol")
    make_room(orm, alice, bob, carol)
    watcher = await person_at(one, alice, connect)
    assert set((await watch(watcher, bob, carol)).values()) == {"offline"}

    there = await person_at(other, bob, connect)
    assert await told(watcher) == {wire_id(bob.pk): "online"}
    await there.send("session.heartbeat", {"active": False})
    await there.success()
    assert await told(watcher) == {wire_id(bob.pk): "away"}
    orm(set_presence, bob, "invisible")
    assert await told(watcher) == {wire_id(bob.pk): "offline"}
    orm(set_presence, bob, "auto")
    assert await told(watcher) == {wire_id(bob.pk): "away"}
    await there.close()
    await told_all(watcher, {wire_id(bob.pk): "offline"}, timeout=10 * GRACE)


async def test_a_database_that_is_away_makes_nobody_offline(
    processes: Processes, users: Users, orm: Orm, connect: Connect, fragile: PostgresServer
) -> None:
    one, other = processes
    alice, bob, carol = users.make("alice", "bob", "carol")
    make_room(orm, alice, bob, carol)
    watcher = await person_at(one, alice, connect)
    await person_at(other, bob, connect)
    leaving = await person_at(other, carol, connect)
    assert set((await watch(watcher, bob, carol)).values()) == {"online"}

    await asyncio.to_thread(fragile.stop)
    try:
        # They try every two seconds: by then the leases of both have run out.
        tries = GRACE / 2 + 1
        for process in processes:
            said = "Presence could not be read"
            await eventually(lambda: process.log.count(said) >= tries, said, timeout=60)  # noqa: B023
    finally:
        await asyncio.to_thread(fragile.start)

    await leaving.close()
    assert await told(watcher, 10 * GRACE) == {wire_id(carol.pk): "offline"}
    assert await told_now(watcher, bob) == "online"


async def told_now(person: Person, user: AbstractUser) -> str:
    """Return the status of a user by a snapshot."""
    return (await watch(person, user))[wire_id(user.pk)]

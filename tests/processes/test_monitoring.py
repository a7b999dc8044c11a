"""Monitoring of processes whose database and channel layer are real, and go away."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from tests.conftest import Connect, Orm, StartProcess, Users
from tests.scrapes import Answer, Scrape
from tests.servers import ChatProcess, PostgresServer, RedisServer
from tests.timing import eventually
from tests.wire.rooms import Person, group, say

SETTINGS = {"CHAT_TEST_SETTINGS": json.dumps({"METRICS": True})}


async def person(connect: Connect, users: Users, name: str, process: ChatProcess) -> Person:
    user = users(name)
    return Person(user, await connect(user, url=process.url))


def asks(process: ChatProcess, path: str, *expected: Any) -> Callable[[], bool]:
    """Whether a health view answers so: its status, and what it says of one check."""
    name, *outcome = expected

    def look() -> bool:
        answer = Answer(process, f"/monitoring/health/{path}")
        return [answer.status, answer.json["status"], answer.json["checks"][name]] == outcome

    return look


# The channel layer


async def test_a_redis_that_goes_and_comes_is_told_of_once_each_time(
    redis: RedisServer, start_process: StartProcess, connect: Connect, users: Users
) -> None:
    process = start_process(SETTINGS)
    alice = await person(connect, users, "alice", process)
    room = await group(alice)
    away, back = "The channel layer is away", "The channel layer is back"
    assert away not in process.log

    for outage in range(1, 3):
        await asyncio.to_thread(redis.stop)
        try:
            # Everything that uses it fails: probes, groups of new rooms, and wake-ups.
            for _ in range(5):
                await say(alice, room, "hello")
            await group(alice)
            await eventually(lambda: process.log.count(away) == outage, "it says so")  # noqa: B023
            assert Scrape(process)("chat_layer_up") == 0
            await eventually(asks(process, "ready", "layer", 200, "degraded", "down"), "health")
            await eventually(asks(process, "live", "hub", 200, "ok", "ok"), "it lives")
        finally:
            await asyncio.to_thread(redis.start)
        await eventually(lambda: process.log.count(back) == outage, "it says so")  # noqa: B023
        await eventually(asks(process, "ready", "layer", 200, "ok", "ok"), "health")
        assert Scrape(process)("chat_layer_up") == 1
        assert (process.log.count(away), process.log.count(back)) == (outage, outage)


async def test_a_layer_that_works_is_never_called_away(
    start_process: StartProcess, connect: Connect, users: Users
) -> None:
    one, other = start_process(SETTINGS), start_process(SETTINGS)
    alice = await person(connect, users, "alice", one)
    bob = await person(connect, users, "bob", other)
    for _ in range(5):
        room = await group(alice, bob)
        for _ in range(10):
            await say(alice, room, "hello", bob)

    # How late wake-ups are is known, since the sender said when it published.
    assert Scrape(other)("chat_wake_up_lag_seconds_count") >= 50
    for process in (one, other):
        assert Scrape(process)("chat_layer_failures_total") == 0
        assert "channel layer" not in process.log


# The database


@pytest.fixture
def fragile(postgres: PostgresServer, orm: Orm) -> Iterator[PostgresServer]:
    """A PostgreSQL to be stopped; after the test nobody has connections that this broke."""
    yield postgres
    if not postgres.running:
        postgres.start()
    orm(connections.close_all)
    connections.close_all()


async def test_a_process_without_its_database_lives_and_is_not_ready(
    fragile: PostgresServer, start_process: StartProcess
) -> None:
    process = start_process(SETTINGS)
    await eventually(asks(process, "ready", "database", 200, "ok", "ok"), "it is ready")

    await asyncio.to_thread(fragile.stop)
    await eventually(asks(process, "ready", "database", 503, "down", "down"), "it is not ready")
    answer = Answer(process, "/monitoring/health/ready")
    assert answer.json["checks"].keys() == {"database", "migrations", "layer", "hub"}
    assert set(answer.json["checks"].values()) <= {"ok", "down"}
    assert asks(process, "live", "hub", 200, "ok", "ok")()
    assert Answer(process, "/monitoring/metrics").status == 200

    await asyncio.to_thread(fragile.start)
    await eventually(asks(process, "ready", "database", 200, "ok", "ok"), "it is ready again")
    assert process.log.count("Health: database is down") == 1
    assert process.log.count("Health: database is ok again") == 1


# A server with several workers


class Workers(ChatProcess):
    """Two workers behind one port."""

    def _command(self) -> tuple[list[str], dict[str, Any]]:
        command, options = super()._command()
        return [*command, "--workers", "2"], options

    def _answers(self) -> bool:
        # The parent says that it listens before any of them does.
        if self.log.count("Started server process") < 2:
            return False
        try:
            return Answer(self, "/monitoring/health/live").status == 200
        except OSError:
            return False


async def test_the_workers_of_a_server_are_scraped_as_one(
    shared_environment: Mapping[str, str], tmp_path: Path, connect: Connect, users: Users
) -> None:
    environment = {**shared_environment, **SETTINGS, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with Workers(environment) as workers:
        people = [await person(connect, users, f"user{number}", workers) for number in range(8)]
        room = await group(*people)
        await say(people[0], room, "hello", *people[1:])

        # Each worker tells of its sockets every two seconds.
        await eventually(lambda: Scrape(workers)("chat_sockets") == 8, "all are counted")
        seen = Scrape(workers)
        sent = {"event_type": "message.send", "outcome": "success"}
        assert seen("chat_events_total", **sent) == 1
        assert seen("chat_deliveries_total", event_type="message.dispatch") == 8
        assert seen("chat_sockets_opened_total") == 8
        assert seen("chat_layer_up") == 1
        for each in people:
            await each.close()

"""Each load runs once on each kind of target, as small as it can: what is measured works."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import uvloop

from benchmarks import reading, scenarios
from benchmarks.client import RefusedError, crowd
from benchmarks.population import Population
from benchmarks.presence import presence
from benchmarks.results import Metrics
from benchmarks.servers import Target, Workshop
from benchmarks.sites.frames import FIRST_USER
from tests.configuration import Configuration


@pytest.fixture(scope="module")
def workshop(configuration: Configuration, tmp_path_factory: Any) -> Iterator[Workshop]:
    if configuration.database != "sqlite":
        pytest.skip("chooses its databases itself: once is enough")
    with Workshop(tmp_path_factory.mktemp("bench"), users=100) as workshop:
        yield workshop


def run(scenario: Callable[..., Any], target: Target, first: int, **sizes: Any) -> Metrics:
    metrics: Metrics = uvloop.run(scenario(target, first, **sizes))
    return metrics


@pytest.mark.parametrize("name", ["floor", "tutorial", "ours"])
def test_a_target_carries_the_loads_that_all_targets_carry(name: str, workshop: Workshop) -> None:
    start: Callable[[], AbstractContextManager[Target]] = getattr(workshop, name)

    with start() as target:
        fanout = run(scenarios.fanout, target, FIRST_USER, sockets=5, messages=4)
        chatter = run(scenarios.chatter, target, FIRST_USER + 5, sockets=20, messages=3)
        connect = run(scenarios.connect, target, FIRST_USER + 25, sockets=5)

    assert fanout["deliveries_per_s"] == pytest.approx(5 * fanout["messages_per_s"])
    assert chatter["deliveries_per_s"] == pytest.approx(10 * chatter["messages_per_s"])
    assert fanout["p99_ms"] >= fanout["p50_ms"] > 0
    assert connect["connects_per_s"] > 0
    assert all("worker_us" in metrics for metrics in (fanout, chatter, connect))


def test_workers_of_the_floor_tell_each_other_what_they_stored(workshop: Workshop) -> None:
    with workshop.postgres_floor(2, name="floor", round_trip=0.0005) as target:
        fanout = run(scenarios.fanout, target, FIRST_USER, sockets=4, messages=3)
        chatter = run(scenarios.chatter, target, FIRST_USER, sockets=20, messages=2)
        with psycopg.connect(workshop.floor_database) as connection:
            rooms = connection.execute(
                "SELECT array_agg(seq ORDER BY seq) FROM message GROUP BY room ORDER BY count(*)"
            ).fetchall()

    assert fanout["deliveries_per_s"] == pytest.approx(4 * fanout["messages_per_s"])
    assert chatter["deliveries_per_s"] == pytest.approx(10 * chatter["messages_per_s"])
    assert rooms == [([1, 2],), ([1, 2],), ([1, 2, 3],)]
    assert {"worker_us", "postgres_us", "redis_us", "network_us"} <= fanout.keys()


def test_the_package_carries_the_loads_of_its_own(workshop: Workshop) -> None:
    with workshop.ours() as target:
        reacts = run(scenarios.reacts, target, FIRST_USER, sockets=3, messages=4)
        rooms = run(scenarios.rooms, target, FIRST_USER + 3, count=2, messages=3, repeats=2)
        beats = run(scenarios.heartbeats, target, FIRST_USER + 5, sockets=2, beats=2)
        page = run(scenarios.page, target, FIRST_USER + 10, messages=3, repeats=2)
        told = run(presence, target, FIRST_USER + 20, sockets=5, watched=2)

    assert told.keys() == {"subscribes_per_s", "told_per_s", "p50_ms", "p99_ms", "worker_us"}
    assert all(value > 0 for value in told.values())
    assert reacts.keys() == {"messages_per_s", "reactions_per_s", "receipts_per_s"}
    assert rooms.keys() == {"list_ms", "page_ms", "info_ms"}
    assert all(value > 0 for metrics in (reacts, rooms) for value in metrics.values())
    assert beats["heartbeats_per_s"] > 0
    assert page.keys() == {"page_ms", "worker_us"}


def test_members_read_are_mentioned_and_are_listed(workshop: Workshop) -> None:
    with workshop.ours() as target:
        read = run(reading.read, target, FIRST_USER, sockets=5, unread=3)
        mention = run(reading.mention, target, FIRST_USER + 5, sockets=5, messages=2)
        members = run(reading.members, target, FIRST_USER + 10, sockets=5, repeats=2)

    assert read.keys() == {"reads_per_s", "read_ms", "worker_us"}
    assert mention.keys() == {"mentions_per_s", "p50_ms", "p99_ms", "worker_us"}
    assert members.keys() == {"members_ms", "search_ms"}
    assert all(value > 0 for metrics in (read, mention, members) for value in metrics.values())


def test_members_of_a_loaded_history_talk_and_look_around(workshop: Workshop) -> None:
    population = Population(users=100, rooms=100, talk=2)

    with workshop.ours(workshop.loaded_sqlite("history", population)) as target:
        history = run(scenarios.history, target, 1, population=population, messages=1)

    assert history.keys() == {
        "connects_per_s",
        "messages_per_s",
        "reactions_per_s",
        "receipts_per_s",
        "list_ms",
        "page_ms",
        "info_ms",
        "resume_ms",
    }
    assert all(value > 0 for value in history.values())


def test_a_load_ends_at_once_where_the_server_refuses_something(workshop: Workshop) -> None:
    nobody = FIRST_USER + 1000
    with workshop.ours() as target:
        with pytest.raises(RefusedError, match="4001"):
            run(scenarios.connect, target, nobody, sockets=1)
        with pytest.raises(RefusedError, match="4004"):
            run(refused, target, FIRST_USER)


async def refused(target: Target, first: int) -> None:
    """Say something in a room that is not there, and wait for it."""
    async with crowd(target.urls, [first]) as sockets:
        deliveries = scenarios.Deliveries(sockets)
        _, arrived = deliveries.expect(0, 1)
        sockets[0].send("message.send", {"room_id": str(uuid4()), "content": "anybody?"})
        await arrived.wait()

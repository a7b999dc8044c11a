"""What is run on what: the benches, and how their runs are interleaved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
import uvloop

from benchmarks import network, quota, reading, scenarios, startup
from benchmarks.population import Population
from benchmarks.presence import presence
from benchmarks.results import Metrics, Runs
from benchmarks.scenarios import Scenario
from benchmarks.servers import Target, Workshop
from benchmarks.sites.frames import FIRST_USER


@dataclass(frozen=True)
class Contender:
    """One target in a bench.

    Attributes:
        name: as results name it.
        start: starts the target.
        run: runs the load on it once, given the number of the run, from 0.
    """

    name: str
    start: Callable[[], AbstractContextManager[Target]]
    run: Callable[[Target, int], Metrics]


@dataclass(frozen=True)
class Bench:
    """A load, and the targets that it runs on in turn.

    Attributes:
        name: as results and the command line name it.
        enter: gives the contenders; what they share ends with them.
        anew: whether a target is started anew for every run.
        warm: whether a run that does not count comes first.
        missing: what the machine lacks for it, if it does.
    """

    name: str
    enter: Callable[[Workshop], Iterator[Contender]]
    anew: bool = False
    warm: bool = True
    missing: str = ""


def run_bench(bench: Bench, workshop: Workshop, pairs: int, tell: Callable[[str], None]) -> Runs:
    """Run every contender `pairs` times, all once before any twice.

    Every other round goes backwards: what changes on the machine meanwhile hits all alike.
    """
    if bench.missing:
        tell(f"{bench.name}: skipped, it needs {bench.missing}")
        return {}
    contenders = list(bench.enter(workshop))
    runs: Runs = {contender.name: [] for contender in contenders}
    with ExitStack() as stack:
        running: dict[str, Target] = {}
        if not bench.anew:
            for contender in contenders:
                running[contender.name] = stack.enter_context(contender.start())
        first = 0
        if bench.warm:
            first = 1
            for contender in contenders:
                contender.run(running[contender.name], 0)
        for number in range(pairs):
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                with ExitStack() as once:
                    target = running.get(contender.name) or once.enter_context(contender.start())
                    metrics = contender.run(target, number + first)
                runs[contender.name].append(metrics)
                shown = ", ".join(f"{name} {_short(value)}" for name, value in metrics.items())
                tell(f"{bench.name} {number + 1}/{pairs}: {contender.name}: {shown}")
    return runs


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _load(scenario: Scenario, users: int, **sizes: Any) -> Callable[[Target, int], Metrics]:
    """Return a run of a scenario that takes new users each time."""

    def run(target: Target, number: int) -> Metrics:
        return uvloop.run(_awaited(scenario(target, FIRST_USER + number * users, **sizes)))

    return run


async def _awaited(work: Awaitable[Metrics]) -> Metrics:
    return await work


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        share: what part of the messages of a full run is sent.
        crowd: sockets of the large `fanout` and of `connect`.
        messages: of the loaded history; half of them stand in one group.
        rooms: of the loaded history; it has as many users.
        users: of every other database; each run of a load takes new ones.
    """

    share: float = 1.0
    crowd: int = 1000
    messages: int = 1_000_000
    rooms: int = 10_000
    users: int = 20_000

    def of(self, messages: int) -> int:
        """Return how many messages are sent where a full run sends so many."""
        return max(int(messages * self.share), 2)

    def population(self) -> Population:
        """Return the loaded history: as many messages in one group as in all others."""
        talk = self.messages // (2 * self.rooms) - 1
        return Population(
            self.rooms, self.rooms, talk=talk, long_talk=self.messages - self.rooms * (talk + 1)
        )


FULL = Scale()
QUICK = Scale(share=0.25, crowd=400, messages=100_000, rooms=2000, users=7000)
TINY = Scale(share=0.01, crowd=10, messages=4000, rooms=200, users=400)

#: How much of a core each worker of `workers-held` may use: what two leave of two cores is more
#: than PostgreSQL, Redis and the client can use.
SHARE = 0.25

#: The databases of `history`.
LITTLE, MUCH = "little", "much"


def benches(scale: Scale) -> dict[str, Bench]:
    """Return every bench by its name."""
    found = [
        Bench("fanout-100", partial(_fanout, scale)),
        Bench("fanout-1000", partial(_large_fanout, scale)),
        Bench("chatter-100", partial(_chatter, scale)),
        Bench("reacts", partial(_reacts, scale)),
        Bench("rooms", partial(_rooms, scale)),
        Bench("presence", partial(_presence, scale)),
        Bench("read", partial(_read, scale)),
        Bench("mention", partial(_mention, scale)),
        Bench("members", partial(_members, scale)),
        Bench("connect", partial(_connect, scale), anew=True, warm=False),
        Bench("workers", partial(_workers, scale)),
        Bench(
            "workers-held",
            partial(_held_workers, scale),
            missing="" if quota.is_possible() else "Linux's control groups, and root",
        ),
        Bench("postgres-fanout-100", partial(_fanout_on_postgres, scale)),
        Bench("postgres-chatter-100", partial(_chatter_on_postgres, scale)),
        Bench("network", partial(_network, scale), anew=True, warm=False),
        Bench("history", partial(_history, scale)),
        Bench("startup", _startup),
    ]
    return {bench.name: bench for bench in found}


def _fanout(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    def run(messages: int) -> Callable[[Target, int], Metrics]:
        return _load(scenarios.fanout, 100, sockets=100, messages=scale.of(messages))

    yield Contender("floor", shop.floor, run(800))
    yield Contender("ours", shop.ours, run(800))
    yield Contender("tutorial", shop.tutorial, run(50))
    yield Contender("peer", shop.peer, run(20))


def _large_fanout(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    sizes = {"sockets": scale.crowd, "messages": scale.of(100)}
    run = _load(scenarios.fanout, scale.crowd, **sizes)
    yield Contender("floor", shop.floor, run)
    yield Contender("ours", shop.ours, run)


def _chatter(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    def run(messages: int) -> Callable[[Target, int], Metrics]:
        return _load(scenarios.chatter, 100, sockets=100, messages=scale.of(messages))

    yield Contender("floor", shop.floor, run(150))
    yield Contender("ours", shop.ours, run(150))
    yield Contender("tutorial", shop.tutorial, run(30))
    yield Contender("peer", shop.peer, run(6))


def _reacts(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    run = _load(scenarios.reacts, 10, sockets=10, messages=scale.of(60))
    yield Contender("ours", shop.ours, run)


def _presence(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    sizes = {"sockets": scale.crowd + scale.of(40), "watched": scale.of(40)}
    run = _load(presence, sizes["sockets"], **sizes)
    yield Contender("ours", shop.ours, run)


def _read(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    # As many as are told of each other's reading; and of a backlog ten times as long.
    for name, unread in (("ours, few unread", 20), ("ours, many unread", 200)):
        run = _load(reading.read, 100, sockets=100, unread=scale.of(unread))
        yield Contender(name, shop.ours, run)


def _mention(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    run = _load(reading.mention, 100, sockets=100, messages=scale.of(200))
    yield Contender("ours", shop.ours, run)


def _members(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    run = _load(reading.members, scale.crowd, sockets=scale.crowd, repeats=scale.of(50))
    yield Contender("ours", shop.ours, run)


def _rooms(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    sizes = {"count": scale.of(100), "messages": scale.of(200), "repeats": 5}

    def run(target: Target, number: int) -> Metrics:
        # Once: making them takes the peer longer than asking for them.
        looked = scenarios.rooms(target, FIRST_USER, **sizes, anew=number == 0)
        return uvloop.run(_awaited(looked))

    yield Contender("ours", shop.ours, run)
    yield Contender("peer", shop.peer, run)


def _connect(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    run = _load(scenarios.connect, 0, sockets=scale.crowd)

    def in_rooms(each: int) -> Callable[[], AbstractContextManager[Target]]:
        population = Population(scale.crowd, scale.crowd * each // 10, talk=0, waiting=False)
        return lambda: shop.ours(shop.loaded_sqlite(f"rooms-{each}", population))

    yield Contender("floor", shop.floor, run)
    yield Contender("ours, 1 room", in_rooms(1), run)
    yield Contender("ours, 100 rooms", in_rooms(100), run)
    yield Contender("peer", shop.peer, _load(scenarios.connect, 0, sockets=scale.of(100)))


def _workers(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    environment = shop.postgres_database("workers")

    def run(target: Target, number: int) -> Metrics:
        talk = _load(scenarios.chatter, 100, sockets=100, messages=scale.of(100))
        beat = _load(scenarios.heartbeats, 100, sockets=100, beats=scale.of(20))
        metrics = talk(target, number)
        beats = beat(target, number)
        renamed = {f"heartbeat_{name}": value for name, value in beats.items()}
        return {**metrics, **renamed}

    for layer, suffix in (("redis", ""), ("pubsub", ", Pub/Sub")):
        for count, workers in ((1, "1 worker"), (2, "2 workers")):
            name = f"{workers}{suffix}"
            start = partial(shop.workers, count, environment, layer, name=name)
            yield Contender(name, start, run)


def _held_workers(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    environment = shop.postgres_database("held")
    run = _load(scenarios.chatter, 100, sockets=100, messages=scale.of(10))
    for layer, suffix in (("redis", ""), ("pubsub", ", Pub/Sub")):
        for count, workers in ((1, "1 worker"), (2, "2 workers")):
            name = f"{workers}{suffix}"
            start = partial(shop.workers, count, environment, layer, name=name, share=SHARE)
            yield Contender(name, start, run)


#: How the contenders on PostgreSQL are called that have a network before it.
NETWORK = f", {network.ROUND_TRIP * 1e3:g} ms"


def _fanout_on_postgres(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    run = _load(scenarios.fanout, 100, sockets=100, messages=scale.of(300))
    return _on_postgres(shop, "fanout", run)


def _chatter_on_postgres(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    run = _load(scenarios.chatter, 100, sockets=100, messages=scale.of(60))
    return _on_postgres(shop, "chatter", run)


def _on_postgres(
    shop: Workshop, database: str, run: Callable[[Target, int], Metrics]
) -> Iterator[Contender]:
    """Give the floor and the package on PostgreSQL and Pub/Sub, without a network and with one."""
    environment = shop.postgres_database(database)
    for round_trip, suffix in ((None, ""), (network.ROUND_TRIP, NETWORK)):
        for count, workers in ((1, "1 worker"), (2, "2 workers")):
            name = f"floor, {workers}{suffix}"
            start = partial(shop.postgres_floor, count, name=name, round_trip=round_trip)
            yield Contender(name, start, run)
            name = f"ours, {workers}{suffix}"
            yield Contender(
                name,
                partial(
                    shop.workers, count, environment, "pubsub", name=name, round_trip=round_trip
                ),
                run,
            )


def _network(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    trips = scale.of(3000)
    for name, round_trip in (
        ("none", None),
        ("proxy without delay", 0.0),
        ("proxy", network.ROUND_TRIP),
    ):
        yield Contender(
            name,
            partial(shop.postgres_alone, round_trip, name=name),
            lambda target, number: scenarios.round_trips(target, trips),
        )


def _history(scale: Scale, shop: Workshop) -> Iterator[Contender]:
    large = scale.population()
    # Ten groups that follow each other share nobody while there are a multiple of 100 users.
    few = max(scale.rooms // 1000, 2) * 100
    small = Population(few, few, talk=large.talk)
    for name, population in ((LITTLE, small), (MUCH, large)):
        environment = shop.loaded_postgres(name, population)
        deep = _find_deep(environment["CHAT_TEST_DSN"], str(population.room_id(0)))
        yield Contender(
            name,
            partial(shop.ours, environment, name=name),
            partial(_look_at_history, scale, population, deep),
        )


def _look_at_history(
    scale: Scale, population: Population, deep: str, target: Target, number: int
) -> Metrics:
    talked = scenarios.history(target, number, population=population, messages=scale.of(40))
    metrics = uvloop.run(_awaited(talked))
    paged = scenarios.depth(target, number, population=population, deep=deep, repeats=10)
    pages = uvloop.run(_awaited(paged))
    return {**metrics, **{f"long_{name}": value for name, value in pages.items()}}


def _find_deep(dsn: str, room: str) -> str:
    """Return the message before which the oldest page of a room lies."""
    with psycopg.connect(dsn) as connection:
        oldest = connection.execute(
            "SELECT id FROM gql_chat_message WHERE room_id = %s ORDER BY created_at, id LIMIT %s",
            [room, scenarios.PAGE + 1],
        ).fetchall()
    return str(oldest[-1][0])


def _startup(shop: Workshop) -> Iterator[Contender]:
    # Each run starts an interpreter of its own.
    nowhere = nullcontext(Target("startup", []))
    for name, run in (("without", _start_without), ("with", _start_with)):
        yield Contender(name, lambda: nowhere, run)


def _start_without(target: Target, number: int) -> Metrics:
    return {
        "setup_s": startup.setup_seconds(bare=True),
        "routing_s": startup.bare_seconds(),
    }


def _start_with(target: Target, number: int) -> Metrics:
    return {
        "setup_s": startup.setup_seconds(bare=False),
        "routing_s": startup.routing_seconds(),
    }

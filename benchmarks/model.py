"""The model behind `docs/scale.md`: costs fitted to measurements, and what they add up to."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from benchmarks.report import number, table
from benchmarks.results import Result


@dataclass(frozen=True)
class Costs:
    """What things cost, in microseconds of one core unless a name says otherwise.

    Attributes:
        message: a message in a worker, without telling anybody.
        delivery: writing one frame to one socket.
        hearing: a message in each further worker that has members of the room.
        postgres_message: a message in PostgreSQL.
        redis_message: a message in Redis, for each worker that has members of the room.
        receipts: what acknowledging or reading costs, in messages.
        heartbeat, postgres_heartbeat: a heartbeat, in a worker and in PostgreSQL.
        connect: opening a socket, in a worker.
        look: what each socket costs its worker in each second in which nothing happens.
        socket_kib: memory of a worker per socket.
        message_bytes: what a message takes in the database.
    """

    message: float
    delivery: float
    hearing: float
    postgres_message: float
    redis_message: float
    receipts: float
    heartbeat: float
    postgres_heartbeat: float
    connect: float
    look: float
    socket_kib: float
    message_bytes: float


def fit(result: Result) -> Costs:
    """Fit the costs to the medians of a whole result.

    Two sizes of `fanout` tell what a message costs and what a delivery; one worker and two
    tell what a further worker costs.
    """

    def median(bench: str, contender: str, metric: str) -> float:
        return statistics.median(run[metric] for run in result.benches[bench][contender])

    (few, small), (many, large) = (
        (median(bench, "ours", "sockets"), median(bench, "ours", "worker_us"))
        for bench in ("fanout-100", "fanout-1000")
    )
    delivery = max((large - small) / (many - few), 0.0)
    # On the layer that costs workers less.
    one, two = "1 worker, Pub/Sub", "2 workers, Pub/Sub"
    on_one = median("workers", one, "worker_us")
    return Costs(
        message=max(on_one - 10 * delivery, 0.0),
        delivery=delivery,
        hearing=max(median("workers", two, "worker_us") - on_one, 0.0),
        postgres_message=median("workers", one, "postgres_us"),
        redis_message=median("workers", two, "redis_us") / 2,
        receipts=median("reacts", "ours", "messages_per_s")
        / median("reacts", "ours", "receipts_per_s"),
        heartbeat=median("workers", one, "heartbeat_worker_us"),
        postgres_heartbeat=median("workers", one, "heartbeat_postgres_us"),
        connect=median("connect", "ours, 100 rooms", "worker_us"),
        look=result.standing["look_us"],
        socket_kib=median("connect", "ours, 100 rooms", "kib_per_socket"),
        message_bytes=result.standing["bytes_per_message"],
    )


@dataclass(frozen=True)
class Habits:
    """What each user who is connected does.

    Attributes:
        messages: sent in an hour.
        members: of a room who are connected, the sender included.
        receipts: acknowledgements and readings in an hour, each of several messages.
        heartbeats: in an hour.
        connects: in an hour.
    """

    messages: float = 6
    members: int = 10
    receipts: float = 22
    heartbeats: float = 120
    connects: float = 1


#: What part of a core, or of a machine, is planned to be in use.
LOAD = 0.6

#: Sockets that one worker is given at most, whatever else it could do: a restart of it makes
#: so many clients come back at once.
SOCKETS_PER_WORKER = 10_000


@dataclass(frozen=True)
class Needs:
    """What so many sockets need.

    Attributes:
        sockets: how many are open.
        messages, deliveries, transactions: in a second.
        workers: processes, each with a core.
        gib: memory of all workers.
        redis_cores, postgres_cores: of all servers of that tier.
        gib_a_day: how fast the database grows.
    """

    sockets: int
    messages: float
    deliveries: float
    transactions: float
    workers: int
    gib: float
    redis_cores: float
    postgres_cores: float
    gib_a_day: float


def needs(costs: Costs, sockets: int, habits: Habits = Habits()) -> Needs:
    """Return what so many sockets need."""
    users = sockets / 3600
    messages, receipts = users * habits.messages, users * habits.receipts
    heartbeats, connects = users * habits.heartbeats, users * habits.connects
    told = messages + receipts  # a receipt is told to the room as a message is
    deliveries = told * habits.members

    def busy_workers(spread: float) -> float:
        microseconds = (
            (messages + receipts * costs.receipts) * costs.message
            + told * costs.hearing * (spread - 1)
            + deliveries * costs.delivery
            + heartbeats * costs.heartbeat
            + connects * costs.connect
            + sockets * costs.look
        )
        return microseconds / 1e6 / LOAD

    # In how many workers a room's members are depends on how many workers there are.
    workers = max(math.ceil(sockets / SOCKETS_PER_WORKER), 1)
    for _ in range(20):
        spread = expected_spread(workers, habits.members)
        workers = max(workers, math.ceil(busy_workers(spread)))
    spread = expected_spread(workers, habits.members)
    postgres = (
        messages + receipts * costs.receipts
    ) * costs.postgres_message + heartbeats * costs.postgres_heartbeat
    redis = told * costs.redis_message * spread if workers > 1 else 0.0
    return Needs(
        sockets=sockets,
        messages=messages,
        deliveries=deliveries,
        transactions=told + heartbeats + 2 * connects,
        workers=workers,
        gib=sockets * costs.socket_kib / 2**20,
        redis_cores=redis / 1e6 / LOAD,
        postgres_cores=postgres / 1e6 / LOAD,
        gib_a_day=messages * costs.message_bytes * 86400 / 2**30,
    )


def expected_spread(workers: int, members: int) -> float:
    """Return in how many workers a room's members are found, where each is in any of them."""
    return workers * (1 - (1 - 1 / workers) ** members)


#: The sizes that the page shows.
SIZES = (10_000, 1_000_000, 100_000_000)


def sections(result: Result) -> dict[str, str]:
    """Return what `docs/scale.md` shows of a result; nothing of one that is not whole."""
    if not result.standing:
        return {}
    costs = fit(result)
    return {"tiers": _costs_table(costs), "capacity": _needs_table(costs)}


def _costs_table(costs: Costs) -> str:
    rows = [
        ("a message in its worker", f"{number(costs.message)} µs"),
        ("each delivery to a socket", f"{number(costs.delivery)} µs"),
        ("each further worker with members of the room", f"{number(costs.hearing)} µs"),
        ("a message in PostgreSQL", f"{number(costs.postgres_message)} µs"),
        ("a message in Redis, per worker told", f"{number(costs.redis_message)} µs"),
        ("a receipt", f"{number(costs.receipts)} messages"),
        ("a heartbeat in its worker", f"{number(costs.heartbeat)} µs"),
        ("a heartbeat in PostgreSQL", f"{number(costs.postgres_heartbeat)} µs"),
        ("opening a socket of a user in 100 rooms", f"{number(costs.connect)} µs"),
        ("looking, per socket and second", f"{number(costs.look)} µs"),
        ("memory per socket of a user in 100 rooms", f"{number(costs.socket_kib)} KiB"),
        ("a message on disk, with all that hangs on it", f"{number(costs.message_bytes)} bytes"),
    ]
    return table(["what", "costs"], rows)


def _needs_table(costs: Costs) -> str:
    found = [needs(costs, sockets) for sockets in SIZES]
    shown: dict[str, list[float]] = {
        "messages/s": [need.messages for need in found],
        "deliveries/s": [need.deliveries for need in found],
        "transactions/s": [need.transactions for need in found],
        "workers, a core each": [need.workers for need in found],
        "memory of the workers, GiB": [need.gib for need in found],
        "Redis, cores": [need.redis_cores for need in found],
        "PostgreSQL, cores": [need.postgres_cores for need in found],
        "growth of the database, GiB a day": [need.gib_a_day for need in found],
    }
    header = ["", *(f"{sockets:,} sockets" for sockets in SIZES)]
    rows = [[name, *(number(value) for value in values)] for name, values in shown.items()]
    return table(header, rows)

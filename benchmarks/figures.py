"""The figures: what is made of the runs, and what was promised of it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

#: For each bench, for each contender, its runs.
Results = Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]

#: A contender and one of its metrics.
Source = tuple[str, str]


@dataclass(frozen=True)
class Figure:
    """One number of the table.

    Attributes:
        name: what it says.
        bench: where it is measured.
        of, to: what is compared with what, run by run of one round.
        how: the ratio of the two, or their difference.
        better: whether more of it is better, or less.
        wanted: the bound that was promised, if one was.
        aim: what is aimed at beyond that.
        unit: that of a difference.
    """

    name: str
    bench: str
    of: Source
    to: Source
    how: Literal["ratio", "difference"] = "ratio"
    better: Literal["more", "less"] = "more"
    wanted: float | None = None
    aim: float | None = None
    unit: str = ""

    def values(self, results: Results) -> list[float]:
        """Return its value in each round; empty where it was not measured."""
        runs = results.get(self.bench, {})
        rounds = zip(runs.get(self.of[0], ()), runs.get(self.to[0], ()), strict=False)
        pairs = [
            (one[self.of[1]], other[self.to[1]])
            for one, other in rounds
            # An earlier result may not have measured it.
            if self.of[1] in one and self.to[1] in other
        ]
        if self.how == "ratio":
            return [one / other for one, other in pairs]
        return [one - other for one, other in pairs]

    def median(self, results: Results) -> float | None:
        """Return the median over the rounds, or None where it was not measured."""
        values = self.values(results)
        return statistics.median(values) if values else None

    def holds(self, value: float) -> bool:
        """Tell whether a value keeps what was promised."""
        if self.wanted is None:
            return True
        return value >= self.wanted if self.better == "more" else value <= self.wanted

    def change(self, now: float, before: float) -> float:
        """Return by what part it became better; worse is negative."""
        change = (now - before) / abs(before) if before else 0.0
        return change if self.better == "more" else -change


def _beside_floor(name: str, bench: str, metric: str, wanted: float) -> list[Figure]:
    """Return the figures of the package, the tutorial and the peer beside the floor."""
    floor = ("floor", metric)
    return [
        Figure(f"{name}: package to floor", bench, ("ours", metric), floor, wanted=wanted),
        Figure(f"{name}: tutorial to floor", bench, ("tutorial", metric), floor),
        Figure(f"{name}: peer to floor", bench, ("peer", metric), floor),
    ]


def _connect(name: str, contender: str) -> list[Figure]:
    rate, memory = "connects_per_s", "kib_per_socket"
    return [
        Figure(
            f"sockets opened per second, user in {name}: package to floor",
            "connect",
            (contender, rate),
            ("floor", rate),
            wanted=0.3,
        ),
        Figure(
            f"memory per idle socket, user in {name}: package above floor",
            "connect",
            (contender, memory),
            ("floor", memory),
            how="difference",
            better="less",
            wanted=20,
            unit="KiB",
        ),
    ]


def _beside_peer(name: str, metric: str, wanted: float) -> Figure:
    """Return how many times as long as the package the peer takes."""
    return Figure(
        f"{name}: peer's time to package's",
        "rooms",
        ("peer", metric),
        ("ours", metric),
        wanted=wanted,
    )


def _more_workers(bench: str, where: str, suffix: str) -> Figure:
    """Return what a second worker brings on a channel layer."""
    return Figure(
        f"chatter on PostgreSQL and {where}: two workers to one",
        bench,
        (f"2 workers{suffix}", "messages_per_s"),
        (f"1 worker{suffix}", "messages_per_s"),
        wanted=1.5,
    )


def _on_postgres(
    load: str, bench: str, metric: str, *, wanted: float, aim: float, behind_network: float | None
) -> list[Figure]:
    """Return the package beside the floor on PostgreSQL and Pub/Sub."""
    found = []
    for workers in ("1 worker", "2 workers"):
        for suffix, bound, beyond in (("", wanted, aim), (", 0.5 ms", behind_network, None)):
            found.append(
                Figure(
                    f"{load} on PostgreSQL and Pub/Sub, {workers}"
                    f"{', network of 0.5 ms' if suffix else ''}: package to floor",
                    bench,
                    (f"ours, {workers}{suffix}", metric),
                    (f"floor, {workers}{suffix}", metric),
                    wanted=bound,
                    aim=beyond,
                )
            )
    return found


def _with_history(name: str, metric: str) -> Figure:
    """Return by how much slower something is with a long history than with a short one."""
    much, little = ("much", metric), ("little", metric)
    of, to = (much, little) if metric.endswith("_ms") else (little, much)
    return Figure(
        f"{name}: time with a million messages to time with few",
        "history",
        of,
        to,
        better="less",
        wanted=1.3,
    )


FIGURES: list[Figure] = [
    *_beside_floor("fanout, 100 sockets", "fanout-100", "deliveries_per_s", 0.4),
    Figure(
        "fanout, 1,000 sockets: package to floor",
        "fanout-1000",
        ("ours", "deliveries_per_s"),
        ("floor", "deliveries_per_s"),
        wanted=0.6,
    ),
    *_beside_floor("chatter, 100 sockets", "chatter-100", "messages_per_s", 0.2),
    *_on_postgres(
        "fanout, 100 sockets",
        "postgres-fanout-100",
        "deliveries_per_s",
        wanted=0.4,
        aim=0.6,
        behind_network=None,
    ),
    *_on_postgres(
        "chatter, 100 sockets",
        "postgres-chatter-100",
        "messages_per_s",
        wanted=0.25,
        aim=0.4,
        behind_network=0.5,
    ),
    *(
        Figure(
            f"a round trip to PostgreSQL: what the {name} adds",
            "network",
            (name, "round_trip_us"),
            ("none", "round_trip_us"),
            how="difference",
            better="less",
            unit="µs",
        )
        for name in ("proxy without delay", "proxy")
    ),
    _more_workers("workers", "RedisChannelLayer", ""),
    _more_workers("workers", "RedisPubSubChannelLayer", ", Pub/Sub"),
    _more_workers("workers-held", "RedisChannelLayer, a quarter of a core each", ""),
    _more_workers("workers-held", "RedisPubSubChannelLayer, a quarter of a core each", ", Pub/Sub"),
    _beside_peer("list of 100 rooms", "list_ms", 45),
    _beside_peer("page of 50 messages", "page_ms", 45),
    _beside_peer("details of a room", "info_ms", 5),
    Figure(
        "page 10,000 by cursor: time to that of page 1",
        "history",
        ("much", "long_oldest_page_ms"),
        ("much", "long_page_ms"),
        better="less",
        wanted=1.3,
    ),
    Figure(
        "a reaction: its cost in messages",
        "reacts",
        ("ours", "messages_per_s"),
        ("ours", "reactions_per_s"),
        better="less",
        wanted=1.5,
    ),
    Figure(
        "a receipt: its cost in messages",
        "reacts",
        ("ours", "messages_per_s"),
        ("ours", "receipts_per_s"),
        better="less",
        wanted=1.5,
    ),
    *_connect("1 room", "ours, 1 room"),
    *_connect("100 rooms", "ours, 100 rooms"),
    Figure(
        "sockets opened per second: peer to floor",
        "connect",
        ("peer", "connects_per_s"),
        ("floor", "connects_per_s"),
    ),
    *(
        _with_history(name, metric)
        for name, metric in (
            ("message", "messages_per_s"),
            ("reaction", "reactions_per_s"),
            ("receipt", "receipts_per_s"),
            ("connecting", "connects_per_s"),
            ("list of rooms", "list_ms"),
            ("page of 50 messages", "page_ms"),
            ("details of a room", "info_ms"),
            ("resuming", "resume_ms"),
        )
    ),
    Figure(
        "django.setup(): time that the package adds",
        "startup",
        ("with", "setup_s"),
        ("without", "setup_s"),
        how="difference",
        better="less",
        wanted=0.5,
        unit="s",
    ),
    Figure(
        "importing the routing: time above Django, Channels and Strawberry",
        "startup",
        ("with", "routing_s"),
        ("without", "routing_s"),
        how="difference",
        better="less",
        wanted=0.4,
        unit="s",
    ),
]

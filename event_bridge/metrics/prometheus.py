"""The recorder for Prometheus. Needs the extra `metrics`; `docs/monitoring.md` has each metric.

The metrics are in the default registry of `prometheus_client`, so they are shown with it, beside
those of the process. All are of the kinds that work in its mode for several processes.

The values of a label have a bound: names come from the project's table of events and from its
frames, and of codes and reasons there are at most `MOST_VALUES`.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from gql_chat.errors import ChatError
from gql_chat.streams import layer_outages

from .recorder import Answered, Census, Recorder

MOST_VALUES = 500
"""How many values a label may have until the rest are `other`."""

OTHER = "other"
"""The value of a label that has too many."""

FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
"""Buckets, in seconds, for what takes less than a millisecond when all is well."""

SLOW = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Buckets, in seconds, for what takes some milliseconds when all is well."""


class _Families:
    """The metrics, of which a process has one set."""

    def __init__(self) -> None:
        self.opened = Counter("chat_sockets_opened", "Connections to the socket that began.")
        self.closed = Counter("chat_sockets_closed", "Connections that ended, by code.", ["code"])
        self.events = Counter(
            "chat_events", "Events that were answered.", ["event_type", "outcome"]
        )
        self.refusals = Counter("chat_refusals", "Errors that clients were told.", ["code"])
        self.duration = Histogram(
            "chat_event_duration_seconds",
            "From reading an event's frame to its answer.",
            ["event_type"],
            buckets=SLOW,
        )
        self.dispatches = Counter(
            "chat_dispatches", "Frames that sockets of the process were handed.", ["event_type"]
        )
        self.deliveries = Counter(
            "chat_deliveries", "Frames times the sockets that were handed them.", ["event_type"]
        )
        self.catch_ups = Counter(
            "chat_catch_ups", "Reads of the event log for what wake-ups did not bring.", ["reason"]
        )
        self.caught_up = Counter(
            "chat_catch_up_frames", "Frames that those reads found.", ["reason"]
        )
        self.lag = Histogram(
            "chat_wake_up_lag_seconds",
            "From publishing an envelope in one process to taking it in another.",
            buckets=SLOW,
        )
        self.hop = Histogram(
            "chat_hop_duration_seconds", "Waiting for a database thread.", buckets=FAST
        )
        self.database = Histogram(
            "chat_database_duration_seconds",
            "Work of a database thread without a pause.",
            buckets=SLOW,
        )
        self.loop = Histogram(
            "chat_loop_lag_seconds", "By how much the event loop was late.", buckets=FAST
        )
        self.failures = Counter("chat_layer_failures", "Failures of the channel layer.")
        self.layer = _gauge("chat_layer_up", "0 while the channel layer is away, else 1.", "min")
        self.sockets = _gauge("chat_sockets", "Open sockets.")
        self.users = _gauge("chat_users", "Users with an open socket, per process.")
        self.streams = _gauge("chat_streams", "Streams that the process follows.")
        self.slow = _gauge("chat_slow_sockets", "Sockets for which frames wait.")
        self.frames = _gauge("chat_outbox_frames", "Frames that wait for clients.")
        self.most = _gauge("chat_outbox_frames_max", "Frames that wait for one client.", "max")
        self.characters = _gauge("chat_outbox_characters", "Characters of waiting frames.")
        self.jobs = _gauge("chat_jobs_waiting", "Calls that wait for a database thread.")
        self.wake_ups = _gauge("chat_wake_ups_waiting", "Wake-ups that wait to be sent.")
        self.rows = Gauge(
            "chat_event_log_rows",
            "Rows of the event log, at most: newest id less oldest.",
            multiprocess_mode="mostrecent",
        )
        self.age = Gauge(
            "chat_event_log_age_seconds",
            "Age of the oldest row of the event log.",
            multiprocess_mode="mostrecent",
        )
        self.layer.set(1)
        self._failures = 0
        self._lock = threading.Lock()
        layer_outages.listeners.append(self._look_at_layer)

    def _look_at_layer(self) -> None:
        """Show how the channel layer is. A process whose hub rests has none to tell it."""
        with self._lock:
            failures = layer_outages.failures
            more, self._failures = failures - self._failures, failures
        self.layer.set(0 if layer_outages.is_away else 1)
        self.failures.inc(more)


def _gauge(name: str, documentation: str, how: str = "sum") -> Gauge:
    """Return a gauge that several processes add up, or take the largest or smallest of."""
    return Gauge(name, documentation, multiprocess_mode=f"live{how}")  # type: ignore[arg-type]


get_families = cache(_Families)


class Metrics(Recorder):
    """Counts and times for Prometheus. Every method may be called on any thread."""

    active = True

    def __init__(self) -> None:
        self._families = get_families()
        self._children: dict[tuple[Any, ...], Any] = {}
        self._lock = threading.Lock()
        self._censuses: dict[str, Census] = {}

    def _child(self, family: Any, *labels: str) -> Any:
        """Return the metric of a family for these labels, or for `other` if it has too many."""
        key = (family, *labels)
        child = self._children.get(key)
        if child is None:
            with self._lock:
                if sum(known[0] is family for known in self._children) >= MOST_VALUES:
                    labels = (OTHER,) * len(labels)
                    child = family.labels(*labels)
                else:
                    child = self._children[key] = family.labels(*labels)
        return child

    def opened(self) -> None:
        """Count a connection."""
        self._families.opened.inc()

    def closed(self, code: int | None) -> None:
        """Count the end of a connection; `none` is the code of one that we did not close."""
        self._child(self._families.closed, "none" if code is None else str(code)).inc()

    def refused(self, problem: ChatError) -> None:
        """Count an error."""
        self._child(self._families.refusals, str(problem.code)).inc()

    def answered(self, event: Answered) -> None:
        """Count and time an event."""
        families = self._families
        self._child(families.events, event.event_type, event.outcome).inc()
        self._child(families.duration, event.event_type).observe(event.seconds)
        if event.problem is not None:
            self._child(families.refusals, str(event.problem.code)).inc()

    def delivered(self, name: str, sockets: int) -> None:
        """Count a frame and those who got it."""
        self._child(self._families.dispatches, name).inc()
        self._child(self._families.deliveries, name).inc(sockets)

    def caught_up(self, reason: str, frames: int) -> None:
        """Count a read of the log and its frames."""
        self._child(self._families.catch_ups, reason).inc()
        self._child(self._families.caught_up, reason).inc(frames)

    def woken(self, seconds: float) -> None:
        """Time a wake-up."""
        self._families.lag.observe(seconds)

    def hopped(self, seconds: float) -> None:
        """Time a wait for a thread."""
        self._families.hop.observe(seconds)

    def worked(self, seconds: float) -> None:
        """Time the work of a thread."""
        self._families.database.observe(seconds)

    def paused(self, seconds: float) -> None:
        """Time by how much the event loop was late."""
        self._families.loop.observe(seconds)

    def looked(self, hub: str, census: Census) -> None:
        """Show what the hubs of this process hold together."""
        families = self._families
        with self._lock:
            self._censuses.pop(hub, None)
            if census != Census():
                self._censuses[hub] = census
            held = list(self._censuses.values())
        families.sockets.set(sum(each.sockets for each in held))
        families.users.set(sum(each.users for each in held))
        families.streams.set(sum(each.streams for each in held))
        families.slow.set(sum(each.slow_sockets for each in held))
        families.frames.set(sum(each.frames for each in held))
        families.most.set(max((each.most_frames for each in held), default=0))
        families.characters.set(sum(each.characters for each in held))
        families.jobs.set(sum(each.jobs for each in held))
        families.wake_ups.set(sum(each.wake_ups for each in held))


def measured(rows: int, age: float) -> None:
    """Show the size of the event log.

    Args:
        rows: how many rows it has, at most.
        age: how old the oldest is, in seconds; 0 if it is empty.
    """
    get_families().rows.set(rows)
    get_families().age.set(age)


def render() -> tuple[str, bytes]:
    """Return all metrics of the process, or of all its siblings in the mode for several processes.

    Returns:
        The content type, and the text.
    """
    registry: Any = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        collector: Any = MultiProcessCollector
        collector(registry)
    return CONTENT_TYPE_LATEST, generate_latest(registry)

"""The recorder for Prometheus: its names, its labels and their bounds, and what it adds up."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from event_bridge.metrics import Answered, Census, prometheus
from event_bridge.metrics.prometheus import Metrics, get_families
from gql_chat import errors
from gql_chat.errors import ChatError
from gql_chat.streams import layer_outages, outages
from tests.servers import ROOT


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def families() -> list[Any]:
    """The package's metrics, as a scrape has them."""
    _, text = prometheus.render()
    found = text_string_to_metric_families(text.decode())
    return [family for family in found if family.name.startswith("chat_")]


def test_names_follow_the_best_practices_of_prometheus(metrics: Metrics) -> None:
    assert len(families()) > 20
    for family in families():
        assert re.fullmatch(r"chat(_[a-z]+)+", family.name), family.name
        assert family.documentation.endswith("."), family.name
        # Base units, and no abbreviation of another.
        assert not re.search(r"_(ms|millis\w*|minutes|hours|kb|mb)(_|$)", family.name), family.name
        is_time = family.type == "histogram" or family.name.endswith(("_age", "_seconds"))
        assert is_time == family.name.endswith("_seconds"), family.name
        assert (family.type == "counter") == all(
            sample.name.endswith("_total") for sample in family.samples
        ) or not family.samples, family.name
        for sample in family.samples:
            assert sample.labels.keys() <= {"event_type", "outcome", "code", "reason", "le"}


@pytest.mark.parametrize(
    ("problem", "outcome"),
    [
        (None, "success"),
        (errors.Invalid("no"), "refused"),
        (errors.NotAuthenticated("no"), "refused"),
        (errors.Busy(), "later"),
        (errors.RateLimited("no"), "later"),
        (errors.Bug("no"), "failed"),
    ],
)
def test_an_event_is_counted_by_type_and_outcome_and_timed(
    problem: ChatError | None, outcome: str, metrics: Metrics
) -> None:
    def counts() -> list[float]:
        return [
            value("chat_events_total", event_type="message.send", outcome=outcome),
            value("chat_event_duration_seconds_count", event_type="message.send"),
            value("chat_event_duration_seconds_sum", event_type="message.send"),
            value("chat_refusals_total", code=str(problem.code)) if problem else 0.0,
        ]

    before = counts()
    metrics.answered(Answered("message.send", problem, 0.25, 1, "a"))

    grown = [now - then for now, then in zip(counts(), before, strict=True)]
    assert grown == [1, 1, pytest.approx(0.25), 1 if problem else 0]


def test_an_event_that_nobody_knows_has_an_outcome_of_its_own(metrics: Metrics) -> None:
    labels = {"event_type": "unknown", "outcome": "unknown"}
    before = value("chat_events_total", **labels)

    metrics.answered(Answered("unknown", None, 0.1))

    assert value("chat_events_total", **labels) == before + 1


class Numbered(ChatError):
    """A project's error that makes up a code each time."""

    def __init__(self, code: int) -> None:
        super().__init__("no")
        self.code = code  # type: ignore[misc]


def test_the_values_of_a_label_have_a_bound(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "MOST_VALUES", 3)
    before = value("chat_refusals_total", code="other")

    for code in range(90_000, 90_010):
        for _ in range(2):
            metrics.refused(Numbered(code))

    counted = [value("chat_refusals_total", code=str(code)) for code in range(90_000, 90_010)]
    assert counted == [2, 2, 2, *[0] * 7]
    assert value("chat_refusals_total", code="other") == before + 14


def test_connections_and_their_ends_are_counted(metrics: Metrics) -> None:
    def counts() -> list[float]:
        return [
            value("chat_sockets_opened_total"),
            value("chat_sockets_closed_total", code="4001"),
            value("chat_sockets_closed_total", code="none"),
        ]

    before = counts()
    for _ in range(2):
        metrics.opened()
    metrics.closed(4001)
    metrics.closed(None)

    assert [now - then for now, then in zip(counts(), before, strict=True)] == [2, 1, 1]


def test_frames_and_those_who_get_them_are_counted_apart(metrics: Metrics) -> None:
    labels = {"event_type": "message.dispatch"}
    before = value("chat_dispatches_total", **labels), value("chat_deliveries_total", **labels)

    metrics.delivered("message.dispatch", 7)
    metrics.delivered("message.dispatch", 0)

    assert value("chat_dispatches_total", **labels) - before[0] == 2
    assert value("chat_deliveries_total", **labels) - before[1] == 7


def test_what_is_read_from_the_log_is_counted_by_reason(metrics: Metrics) -> None:
    before = (
        value("chat_catch_ups_total", reason="gap"),
        value("chat_catch_up_frames_total", reason="gap"),
    )

    metrics.caught_up("gap", 5)
    metrics.caught_up("gap", 0)

    assert value("chat_catch_ups_total", reason="gap") - before[0] == 2
    assert value("chat_catch_up_frames_total", reason="gap") - before[1] == 5


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("woken", "chat_wake_up_lag_seconds"),
        ("hopped", "chat_hop_duration_seconds"),
        ("worked", "chat_database_duration_seconds"),
        ("paused", "chat_loop_lag_seconds"),
    ],
)
def test_times_are_histograms(method: str, name: str, metrics: Metrics) -> None:
    before = value(f"{name}_count"), value(f"{name}_sum")

    getattr(metrics, method)(0.125)

    assert value(f"{name}_count") - before[0] == 1
    assert value(f"{name}_sum") - before[1] == pytest.approx(0.125)


def test_what_the_hubs_of_a_process_hold_is_added_up(metrics: Metrics) -> None:
    one = Census(
        sockets=3, users=2, streams=5, slow_sockets=1, frames=10, most_frames=10, characters=100,
        jobs=4, wake_ups=1,
    )  # fmt: skip
    other = Census(sockets=1, users=1, streams=1, slow_sockets=1, frames=2, most_frames=2)
    metrics.looked("one", one)
    metrics.looked("other", other)

    names = ("sockets", "users", "streams", "slow_sockets", "outbox_frames", "outbox_frames_max")
    assert [value(f"chat_{name}") for name in names] == [4, 3, 6, 2, 12, 10]
    assert value("chat_outbox_characters") == 100
    assert (value("chat_jobs_waiting"), value("chat_wake_ups_waiting")) == (4, 1)

    metrics.looked("one", Census())
    metrics.looked("other", Census())
    assert [value(f"chat_{name}") for name in names] == [0] * 6
    assert metrics._censuses == {}


def test_outages_of_the_layer_show_though_no_hub_looks(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer_outages.note_success()
    before = value("chat_layer_failures_total")
    assert value("chat_layer_up") == 1
    monkeypatch.setattr(outages, "AWAY_SECONDS", 0.0)

    for _ in range(3):
        layer_outages.note_failure(ConnectionError())

    assert value("chat_layer_up") == 0
    layer_outages.note_success()
    assert value("chat_layer_up") == 1
    assert value("chat_layer_failures_total") - before == 3


def test_threads_count_together(metrics: Metrics) -> None:
    before = value("chat_events_total", event_type="room.list", outcome="success")

    def work() -> None:
        for _ in range(500):
            metrics.answered(Answered("room.list", None, 0.1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    now = value("chat_events_total", event_type="room.list", outcome="success")
    assert now - before == 2000


def test_a_process_has_one_set_of_metrics_however_many_recorders() -> None:
    assert Metrics()._families is Metrics()._families is get_families()


#: Does a little, as a worker of a server with several processes.
WORKER = """
import sys
from event_bridge.metrics import Answered, Census
from event_bridge.metrics.prometheus import Metrics, measured, render

metrics = Metrics()
number = int(sys.argv[1])
metrics.answered(Answered("message.send", None, 0.1))
metrics.looked("hub", Census(sockets=number, frames=number, most_frames=number))
measured(100 + number, 5.0)
print("ready", flush=True)
sys.stdin.readline()
sys.stdout.write(render()[1].decode())
"""


#: A worker in which nobody has ever connected.
IDLE = """
from event_bridge.metrics.prometheus import measured, render

measured(1, 1.0)
print(*(line for line in render()[1].decode().splitlines() if line.startswith("chat_layer_up")))
"""


def test_a_worker_in_which_nobody_has_connected_does_not_call_the_layer_away(
    tmp_path: Path,
) -> None:
    for environment in ({}, {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}):
        done = subprocess.run(
            [sys.executable, "-c", f"import django; django.setup()\n{IDLE}"],
            cwd=ROOT,
            env={**os.environ, **environment, "DJANGO_SETTINGS_MODULE": "tests.site.settings"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert done.stdout == "chat_layer_up 1.0\n"


def test_the_workers_of_a_server_are_shown_together(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", f"import django; django.setup()\n{WORKER}", str(number)],
            cwd=ROOT,
            env={**environment, "DJANGO_SETTINGS_MODULE": "tests.site.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (2, 5)
    ]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    # The last one is asked while both live, then the other: both show what both did.
    text, _ = workers[1].communicate("\n")
    workers[0].communicate("\n")

    shown = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels in ({}, {"event_type": "message.send", "outcome": "success"})
    }
    assert shown["chat_events_total"] == 2
    assert shown["chat_sockets"] == 7
    assert shown["chat_outbox_frames_max"] == 5
    assert shown["chat_layer_up"] == 1
    assert shown["chat_event_log_rows"] in {102, 105}

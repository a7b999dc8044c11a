"""The choice of a recorder: by the settings, one per process, and none without being asked."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from event_bridge.metrics import Recorder, choice, get_recorder
from event_bridge.metrics.lines import Lines
from event_bridge.metrics.prometheus import Metrics
from event_bridge.routing import get_websocket_urlpatterns
from tests.servers import ROOT


def chosen(**settings: Any) -> Recorder:
    with override_settings(REALTIME_CHAT_MESSAGING=settings):
        return get_recorder()


def test_by_default_nothing_is_recorded() -> None:
    recorder = chosen()

    assert type(recorder) is Recorder
    assert not recorder.active
    assert recorder is chosen()


def test_the_settings_choose() -> None:
    metrics, lines = chosen(METRICS=True), chosen(LOG_EVENTS=True)
    both = chosen(METRICS=True, LOG_EVENTS=True)

    assert type(metrics) is Metrics
    assert type(lines) is Lines
    assert isinstance(both, Metrics)
    assert isinstance(both, Lines)
    assert all(recorder.active for recorder in (metrics, lines, both))
    assert chosen(METRICS=True) is metrics


def test_metrics_without_their_package_are_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choice._make.cache_clear()
    monkeypatch.setattr(choice, "find_spec", lambda name: None)

    with pytest.raises(ImproperlyConfigured, match=r"\[metrics\]"):
        chosen(METRICS=True)
    with override_settings(REALTIME_CHAT_MESSAGING={"METRICS": True}):
        # A process that serves the socket does not start.
        with pytest.raises(ImproperlyConfigured, match="prometheus-client"):
            get_websocket_urlpatterns()
        (problem,) = [each for each in run_checks() if each.id == "event_bridge.E021"]
    assert "prometheus-client" in problem.msg


#: Starts as a server does, with the URLs of monitoring.
STARTED = """
import sys
from tests.site.asgi import application
import event_bridge.urls
print("prometheus_client" in sys.modules)
"""


def test_a_process_without_metrics_does_not_import_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.site.settings"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )

    assert done.stdout == "False\n"

"""The choice of a recorder, by the settings."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

from gql_chat.conf import SETTING, chat_settings

from .lines import Lines
from .recorder import Recorder

MISSING = (
    f"{SETTING}['METRICS'] is True, and prometheus-client is not installed. "
    "Install django-realtime-chat-messaging[metrics]."
)


def is_installed() -> bool:
    """Tell whether prometheus-client is. It makes no metrics: a command that asks has none."""
    return find_spec("prometheus_client") is not None


def get_recorder() -> Recorder:
    """Return the recorder that the settings ask for (`METRICS`, `LOG_EVENTS`), one per process.

    Raises:
        ImproperlyConfigured: metrics are asked for, and prometheus-client is not installed.
    """
    return _make(chat_settings.METRICS, chat_settings.LOG_EVENTS)


@cache
def _make(counts: bool, logs: bool) -> Recorder:
    if not counts:
        return Lines() if logs else Recorder()
    if not is_installed():
        raise ImproperlyConfigured(MISSING)
    # Only here: a process without metrics needs no prometheus-client.
    from .prometheus import Metrics

    if not logs:
        return Metrics()

    class LoggedMetrics(Lines, Metrics):
        """Does both."""

    return LoggedMetrics()

"""The choice of a recorder, by the settings."""

from __future__ import annotations

from functools import cache

from django.core.exceptions import ImproperlyConfigured

from gql_chat.conf import SETTING, chat_settings

from .lines import Lines
from .recorder import Recorder

MISSING = (
    f"{SETTING}['METRICS'] is True, and prometheus-client is not installed. "
    "Install django-realtime-chat-messaging[metrics]."
)


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
    try:
        # Only here: a process without metrics needs no prometheus-client.
        from .prometheus import Metrics
    except ImportError as error:
        raise ImproperlyConfigured(MISSING) from error
    if not logs:
        return Metrics()

    class LoggedMetrics(Lines, Metrics):
        """Does both."""

    return LoggedMetrics()

"""Mounts: all places of a process where the bridge is served have the same settings.

The settings, the schema and the hub belong to the process. A second mount with a consumer or
with settings of its own would be served by those of the first, and nobody would be told.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from gql_chat.conf import SETTING, merge

_mounted: dict[str, Any] = {}


def check_mount(consumer: type) -> None:
    """Note that the bridge is mounted with a consumer and the present settings.

    Raises:
        ImproperlyConfigured: it is mounted already with others; the message names what differs.
    """
    wanted = {**merge(getattr(settings, SETTING, {})), "CHAT_CONSUMER_CLASS": consumer}
    if not _mounted:
        _mounted.update(wanted)
    for name, value in wanted.items():
        if value != _mounted[name]:
            raise ImproperlyConfigured(
                f"The chat socket is mounted already with {SETTING}[{name!r}] = "
                f"{_mounted[name]!r}, and cannot be mounted again with {value!r}: all mounts of "
                "a process share its settings. Mount it once, or with the same settings, and "
                "serve the other from a process of its own."
            )


def _forget_on_change(*, setting: str, **_: Any) -> None:
    if setting == SETTING:
        _mounted.clear()


setting_changed.connect(_forget_on_change, dispatch_uid="event_bridge.mounts")

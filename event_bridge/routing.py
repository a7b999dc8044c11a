"""The route of the socket."""

from __future__ import annotations

import re
from typing import Any

from django.apps import apps
from django.urls import re_path

from gql_chat.conf import chat_settings

from .metrics import get_recorder
from .operations import prepare


def get_websocket_urlpatterns() -> list[Any]:
    """Return the route of the socket, at `WEBSOCKET_PATH`, served by `CHAT_CONSUMER_CLASS`.

    Raises:
        ImproperlyConfigured: a setting that the socket needs is wrong.
    """
    get_recorder()  # a missing package is named at start, not when the first client comes
    path = chat_settings.WEBSOCKET_PATH.lstrip("/")
    consumer: Any = chat_settings.load("CHAT_CONSUMER_CLASS").as_asgi()
    return [re_path(f"^{re.escape(path)}$", consumer)]


if apps.ready:
    # The documents are prepared before the first event needs them.
    prepare()

websocket_urlpatterns = get_websocket_urlpatterns()

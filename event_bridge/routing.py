"""Where the socket is mounted."""

from __future__ import annotations

from typing import Any

from django.urls import re_path

from gql_chat.conf import chat_settings


def get_websocket_urlpatterns() -> list[Any]:
    """Return the route of the socket, at `WEBSOCKET_PATH`, served by `CHAT_CONSUMER_CLASS`."""
    path = chat_settings.WEBSOCKET_PATH.lstrip("/")
    consumer: Any = chat_settings.load("CHAT_CONSUMER_CLASS").as_asgi()
    return [re_path(f"^{path}$", consumer)]


websocket_urlpatterns = get_websocket_urlpatterns()

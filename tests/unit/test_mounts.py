"""Where the bridge is mounted: as often as a project likes, with one set of settings."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from event_bridge.consumers import ChatConsumer
from event_bridge.routing import get_websocket_urlpatterns


class OtherConsumer(ChatConsumer):
    """A consumer of a project's own."""


@pytest.fixture(autouse=True)
def nothing_is_mounted() -> Iterator[None]:
    with override_settings(REALTIME_CHAT_MESSAGING={}):
        yield


def test_the_same_mount_may_be_there_twice() -> None:
    assert get_websocket_urlpatterns()[0].callback is not None
    assert ChatConsumer.as_asgi() is not None


def test_a_second_consumer_is_refused_by_name() -> None:
    ChatConsumer.as_asgi()

    with pytest.raises(ImproperlyConfigured, match=r"CHAT_CONSUMER_CLASS.*ChatConsumer.*Other"):
        OtherConsumer.as_asgi()


@pytest.mark.parametrize(
    ("name", "value"), [("WEBSOCKET_PATH", "other/"), ("MODELS", {"Message": "shop.Message"})]
)
def test_a_mount_with_other_settings_is_refused_by_name(
    name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_websocket_urlpatterns()
    # As code does that changes the dict between two mounts; Django sends no signal for it.
    monkeypatch.setitem(settings.REALTIME_CHAT_MESSAGING, name, value)

    with pytest.raises(ImproperlyConfigured, match=rf"mounted already.*{name}.*process of its own"):
        get_websocket_urlpatterns()


def test_settings_that_a_test_overrides_are_those_of_new_mounts() -> None:
    get_websocket_urlpatterns()

    with override_settings(REALTIME_CHAT_MESSAGING={"CHAT_CONSUMER_CLASS": OtherConsumer}):
        assert get_websocket_urlpatterns()

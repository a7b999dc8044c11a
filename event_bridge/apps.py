"""The app of the bridge."""

from django.apps import AppConfig


class EventBridgeConfig(AppConfig):
    """The socket: events in, dispatches out."""

    name = "event_bridge"
    verbose_name = "Chat socket"

    def ready(self) -> None:
        """Register the check."""
        from . import needs  # noqa: F401 (importing it registers its check)

"""The app of the bridge."""

from django.apps import AppConfig


class EventBridgeConfig(AppConfig):
    """The socket: events in, dispatches out."""

    name = "event_bridge"
    verbose_name = "Chat socket"

    def ready(self) -> None:
        """Register the checks."""
        # Importing the checks registers them. Before this, models cannot be imported.
        from . import checks  # noqa: F401 (importing the checks registers them)

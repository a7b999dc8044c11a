"""The app: loads the settings before the models, and the signals after them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from .events import Event


class GqlChatConfig(AppConfig):
    """Chat: models, operations and the GraphQL schema."""

    name = "gql_chat"
    verbose_name = "Chat"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks and connect the signals."""
        # Importing the checks registers them.
        from . import checks  # noqa: F401

        if not apps.is_installed("guardian"):
            return  # a check reports it; without it, `signals` does not import
        from . import (
            deployment,  # noqa: F401 (as above)
            dumps,  # noqa: F401 (importing it connects its receivers)
            signals,
            streams,
        )

        streams.render_with(_render)
        streams.show_nobody_with(_show_nobody)
        streams.blank_with(_find_blanks)
        try:
            signals.connect()
        except ImproperlyConfigured:
            # Checks report it, and need a project that starts. Reading the settings raises it
            # again.
            return


def _find_blanks() -> Mapping[str, Mapping[str, Any]]:
    from .schema.blanks import find_blanks

    return find_blanks()


def _render(event: "Event") -> dict[str, Any]:
    # Imported with the first event: the schema takes a while to build, and needs the project's
    # types.
    from .schema.rendering import render_event

    return render_event(event)


def _show_nobody() -> dict[str, Any]:
    from .schema.rendering import show_nobody

    return show_nobody()

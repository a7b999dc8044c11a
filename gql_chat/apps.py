"""The app: loads the settings before the models, and the signals after them."""

from django.apps import AppConfig


class GqlChatConfig(AppConfig):
    """Chat: models, operations and the GraphQL schema."""

    name = "gql_chat"
    verbose_name = "Chat"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks and connect the signals."""
        from . import checks, signals  # noqa: F401 (importing the checks registers them)

        signals.connect()

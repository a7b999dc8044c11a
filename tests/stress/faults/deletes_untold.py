"""Plain code deletes messages, and nobody is told."""

from unittest.mock import patch

from gql_chat.models.deletions import Deletion


def bring_back() -> None:
    """Forget what was deleted before anybody can be told of it."""
    patch.object(Deletion, "take_messages", lambda self: {}).start()

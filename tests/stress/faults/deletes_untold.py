"""Plain code deletes messages, and nobody is told."""

from gql_chat.models.deletions import Deletion


def bring_back() -> None:
    """Forget what was deleted before anybody can be told of it."""
    Deletion.take_messages = lambda self: {}  # type: ignore[method-assign]

"""The last to acknowledge does not see that nobody is left."""

from unittest.mock import patch

from gql_chat.models.notifications import NotificationManager


def bring_back() -> None:
    """Delete no notification when it is acknowledged."""
    patch.object(NotificationManager, "delete_finished_of", lambda *_: None).start()

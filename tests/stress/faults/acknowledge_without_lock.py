"""Acknowledging reads the messages without the locks of their rooms."""

from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

from gql_chat.operations import EventHandler, base

_acknowledging: ContextVar[bool] = ContextVar("fault", default=False)


def bring_back() -> None:
    """Let an operation that acknowledges believe that no rows need to be locked."""
    locks_rows, acknowledge = base._locks_rows, EventHandler.acknowledge_messages

    def unlocked(self: Any, message_ids: Any) -> None:
        token = _acknowledging.set(True)
        try:
            acknowledge(self, message_ids)
        finally:
            _acknowledging.reset(token)

    patch.object(base, "_locks_rows", lambda: locks_rows() and not _acknowledging.get()).start()
    patch.object(EventHandler, "acknowledge_messages", unlocked).start()

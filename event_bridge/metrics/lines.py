"""Log lines: one for each event that is answered, with its facts as attributes of the record."""

from __future__ import annotations

import logging
from typing import Any

from gql_chat.errors import ChatError

from .recorder import Answered, Recorder

logger = logging.getLogger("event_bridge.events")

LEVELS = {
    "success": logging.INFO,
    "refused": logging.INFO,
    "unknown": logging.INFO,
    "later": logging.WARNING,
    "failed": logging.ERROR,
}
"""The level of a line, by the outcome of the event."""


class Lines(Recorder):
    """Writes the lines. None has content of a message, or anything else that a client made up."""

    active = True

    def answered(self, event: Answered) -> None:
        """Write the line of an event."""
        level = LEVELS[event.outcome]
        if logger.isEnabledFor(level):
            milliseconds = round(event.seconds * 1000, 3)
            problem = event.problem
            facts: dict[str, Any] = {
                "event_type": event.event_type,
                "outcome": event.outcome,
                "code": None if problem is None else problem.code,
                "room_id": event.room_id,
                "user_id": None if event.user_id is None else str(event.user_id),
                "milliseconds": milliseconds,
            }
            logger.log(
                level,
                "%s: %s after %.1f ms",
                event.event_type,
                event.outcome,
                milliseconds,
                extra=facts,
            )
        super().answered(event)

    def refused(self, problem: ChatError) -> None:
        """Write the line of a socket that could not be opened."""
        level = logging.WARNING if problem.is_passing else logging.INFO
        logger.log(
            level,
            "A socket was not opened: %s",
            problem.code,
            extra={"outcome": "refused", "code": problem.code},
        )
        super().refused(problem)

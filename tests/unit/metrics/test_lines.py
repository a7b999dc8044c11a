"""Log lines of events: which level, which facts, and nothing that a client wrote."""

import logging
from typing import Any

import pytest

from event_bridge.metrics import Answered
from event_bridge.metrics.lines import Lines
from gql_chat import errors
from gql_chat.errors import ChatError

NAMES = ("event_type", "outcome", "code", "room_id", "user_id", "milliseconds")


@pytest.mark.parametrize(
    ("problem", "outcome", "code", "level"),
    [
        (None, "success", None, logging.INFO),
        (errors.PermissionDenied("You may not."), "refused", 4002, logging.INFO),
        (errors.Busy(), "later", 4503, logging.WARNING),
        (errors.Bug("Something went wrong."), "failed", 4006, logging.ERROR),
    ],
)
def test_a_line_has_the_facts_of_an_event(
    problem: ChatError | None, outcome: str, code: int | None, level: int, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "event_bridge.events")

    Lines().answered(Answered("message.send", problem, 0.0123456, 7, "a-room"))

    (record,) = caplog.records
    facts = {name: getattr(record, name) for name in NAMES}
    assert facts == {
        "event_type": "message.send",
        "outcome": outcome,
        "code": code,
        "room_id": "a-room",
        "user_id": "7",
        "milliseconds": 12.346,
    }
    assert (record.name, record.levelno) == ("event_bridge.events", level)
    assert record.getMessage() == f"message.send: {outcome} after 12.3 ms"


def test_the_logger_says_from_which_level_on(caplog: Any) -> None:
    caplog.set_level(logging.WARNING, "event_bridge.events")

    Lines().answered(Answered("message.send", None, 0.1))
    Lines().answered(Answered("message.send", errors.Invalid("no"), 0.1))
    Lines().answered(Answered("message.send", errors.Busy(), 0.1))

    assert [record.outcome for record in caplog.records] == ["later"]


def test_a_socket_that_may_not_open_has_a_line(caplog: Any) -> None:
    caplog.set_level(logging.INFO, "event_bridge.events")

    Lines().refused(errors.RateLimited("Too many sockets."))

    (record,) = caplog.records
    assert (record.outcome, record.code, record.levelno) == ("refused", 4029, logging.WARNING)

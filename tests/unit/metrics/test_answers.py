"""Answers: what is recorded of an event is bounded, whatever its client sends."""

import time
from typing import Any

import pytest

from event_bridge.metrics import describe
from event_bridge.metrics.recorder import Answered
from event_bridge.operations import events
from event_bridge.protocol import Frame, Malformed
from tests.timing import PATIENCE


def described(frame: Frame | Malformed) -> Answered:
    return describe(frame, None, time.perf_counter(), 1, events().__contains__)


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ("message.send", "message.send"),
        ("session.heartbeat", "session.heartbeat"),
        ("session.resume", "session.resume"),
        ("message.sent", "unknown"),
        ("x" * 10_000, "unknown"),
        ("", "unknown"),
        ("line\nbreak", "unknown"),
    ],
)
def test_an_event_that_is_not_in_the_table_is_unknown(sent: str, recorded: str) -> None:
    assert described(Frame(sent, {}, None)).event_type == recorded


def test_a_frame_that_cannot_be_read_is_malformed() -> None:
    assert described(Malformed("The frame is not JSON.")).event_type == "malformed"


@pytest.mark.parametrize(
    ("data", "room_id"),
    [
        ({"room_id": "00000000-0000-4000-8000-000000000000"},) * 1
        + ("00000000-0000-4000-8000-000000000000",),
        ({"room_id": 7}, "7"),
        ({"room_id": "7"}, "7"),
        ({"room_id": "a secret of somebody"}, None),
        ({"room_id": "geheim\n"}, None),
        ({"room_id": "x" * 65}, None),
        ({"room_id": "Über"}, None),
        ({"room_id": ""}, None),
        ({"room_id": None}, None),
        ({"room_id": {"a": ["b"]}}, None),
        ({"content": "hello"}, None),
        (["room_id"], None),
        (None, None),
    ],
)
def test_a_room_is_recorded_if_it_can_be_one(data: Any, room_id: str | None) -> None:
    assert described(Frame("message.send", data, None)).room_id == room_id


def test_the_time_is_that_since_the_frame_came() -> None:
    assert 0 <= described(Frame("message.send", {}, None)).seconds < PATIENCE

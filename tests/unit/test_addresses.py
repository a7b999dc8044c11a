"""Queries in the logs of servers."""

import logging
from typing import Any

import pytest

from gql_chat.addresses import WithoutQuery


@pytest.mark.parametrize(
    ("message", "args", "text"),
    [
        (
            '%s - "WebSocket %s" [accepted]',
            ("1.2.3.4:5", "/messaging/?token=abc&x=1"),
            '1.2.3.4:5 - "WebSocket /messaging/?…" [accepted]',
        ),
        ('"%s %s" %d', ("GET", "/a?b=c", 200), '"GET /a?…" 200'),
        ('GET /a?token=abc HTTP/1.1" 200', (), 'GET /a?… HTTP/1.1" 200'),
        ("Did you mean that?", (), "Did you mean that?"),
        ("%(path)s", ({"path": "/"},), "/"),
    ],
)
def test_they_are_cut_off(message: str, args: tuple[Any, ...], text: str) -> None:
    record = logging.LogRecord("uvicorn", logging.INFO, "", 1, message, args, None)

    assert WithoutQuery().filter(record)
    assert record.getMessage() == text


def test_what_is_no_text_stays() -> None:
    record = logging.LogRecord("uvicorn", logging.INFO, "", 1, ValueError("a"), None, None)

    assert WithoutQuery().filter(record)
    assert record.getMessage() == "a"

"""Private answers as a socket sends them: smaller, where they would be too large."""

from functools import partial
from typing import Any

import orjson

from event_bridge.fitting import encode_answer
from event_bridge.operations import events
from gql_chat.conf import chat_settings
from gql_chat.schema import Context


def ask(user: Any, event_type: str, data: dict[str, Any]) -> Any:
    """Run an event that has a private answer, and return the answer's data.

    The frame is no larger than it may be, unless it shows one item alone.
    """
    event = events().find(event_type, data)
    result, _ = event.run(data, Context(user.pk))
    answer = event.operation.answer(result, data)
    assert answer is not None
    text = encode_answer(*answer, partial(event.operation.fit, answer[1], data), "a7")
    shown = orjson.loads(text)["data"]
    limit = chat_settings.MAX_ANSWER_BYTES
    assert limit is None or len(text.encode()) <= limit or count(shown) == 1, len(text)
    return shown


def count(shown: Any) -> int:
    """Return how many items an answer shows."""
    if isinstance(shown, dict):
        (shown,) = (each for each in shown["data"].values() if isinstance(each, list))
    return len(shown)

"""Limits of a socket: the sizes of frames and the rate of events, from the settings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from gql_chat.conf import chat_settings
from gql_chat.errors import RateLimited

PATIENCE = 50
"""How many events over the rate are answered with an error until the socket is closed."""

_EPSILON = 1e-6


def is_too_large(text: str | None, data: bytes | None) -> bool:
    """Tell whether a frame has more bytes than `MAX_FRAME_BYTES`."""
    limit = chat_settings.MAX_FRAME_BYTES
    if limit is None:
        return False
    if text is None:
        return len(data or b"") > limit
    # A character is one to four bytes: most frames are judged without encoding them.
    return len(text) > limit or (
        4 * len(text) > limit and len(text.encode(errors="surrogatepass")) > limit
    )


class Ignored(Exception):
    """The client goes on above the rate, whatever it is told."""


class Rate:
    """A bucket of events: it holds `events`, and fills up in `seconds`.

    Args:
        clock: returns seconds that only grow.
        limit: the two numbers, `{"events": 100, "seconds": 10}`; by default those of
            `RATE_LIMIT`, where None switches it off.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        limit: Mapping[str, float] | None = None,
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._filled: float | None = None
        self._at = 0.0
        self._refused = 0

    def check(self) -> None:
        """Take one event out of the bucket.

        Raises:
            RateLimited: there is none left; `detail` says when there will be.
            Ignored: that was said too often.
        """
        limit = self._limit or chat_settings.RATE_LIMIT
        if limit is None:
            return
        events, speed = limit["events"], limit["events"] / limit["seconds"]
        now = self._clock()
        filled = events if self._filled is None else self._filled + (now - self._at) * speed
        self._filled, self._at = min(filled, events), now
        if self._filled >= 1 - _EPSILON:
            self._filled -= 1
            self._refused = 0
            return
        self._refused += 1
        if self._refused > PATIENCE:
            raise Ignored
        # Rounded up: who waits as long as told is not refused again.
        wait = math.ceil((1 - self._filled - _EPSILON) / speed * 1000) / 1000
        raise RateLimited({"message": "Too many events in too short a time.", "retry_after": wait})

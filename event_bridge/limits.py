"""Limits of a socket: the sizes of frames and the rate of events, from the settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from gql_chat.conf import chat_settings
from gql_chat.rates import PATIENCE, Ignored, too_many

__all__ = ["PATIENCE", "Ignored", "Rate", "is_too_large"]

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


class Rate:
    """A bucket of events: it holds `events`, and fills up in `seconds`.

    It is for one socket, in memory. The rate for all sockets of a user is in `gql_chat.rates`.

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
        wait = (1 - self._filled - _EPSILON) / speed
        if self._refused > PATIENCE:
            raise too_many(wait, Ignored)
        raise too_many(wait)

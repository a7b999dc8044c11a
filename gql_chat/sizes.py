"""Sizes: how many bytes an answer may have, and what is left out of one that has more.

A page that would be larger ends early (`cut`). An answer that cannot end early shows less: a quoted
message becomes an excerpt (`shorten_quotes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape, unescape
from typing import Any

from .conf import chat_settings
from .errors import Invalid

ENVELOPE = 1024
"""How many bytes a frame may have around its data: names, stream, `request_id`, the page's keys."""

EXCERPT_LENGTH = 200
"""How many characters of its text an excerpt shows."""

BULK = 32
"""An event may name messages that together are so many times as large as an answer may be."""

_LONGEST_CHARACTER = 4
"""A character has one to four bytes in UTF-8."""

SEARCHED = 2000
"""How many characters of a content are searched for its excerpt."""

_TAG = re.compile(r"<[^>]*>?")

QUOTES = ("parent_message", "forwarded_from")
"""The fields of a message that show another one."""

_LISTS = ("attachments", "read_receipts", "reactions", "delivered_to")


def find_limit() -> int | None:
    """Return how many bytes the data of an answer may have; None for any number."""
    limit = chat_settings.MAX_ANSWER_BYTES
    return None if limit is None else limit - ENVELOPE


def is_larger(text: str, limit: int) -> bool:
    """Tell whether a text has more bytes than that in UTF-8; short ones are not encoded."""
    return len(text) > limit or (
        _LONGEST_CHARACTER * len(text) > limit and len(text.encode()) > limit
    )


def count_fitting(weights: Iterable[int], limit: int) -> int:
    """Return how many of the first of some items have at most so many bytes together.

    Args:
        weights: the bytes of each item, in order.
        limit: how many bytes they may have.
    """
    total = count = 0
    for weight in weights:
        total += weight
        if total > limit:
            break
        count += 1
    return count


def cut(weights: Iterable[int], limit: int) -> int:
    """Return how many of the first items of a page fit into it: at least one, if there is one.

    Args:
        weights: the bytes of each item, in the order of the page.
        limit: how many bytes they may have together.
    """
    rest = iter(weights)
    for first in rest:
        return 1 + count_fitting(rest, limit - first)
    return 0


def find_share(weights: Iterable[int], limit: int) -> int:
    """Return the weight up to which items stay whole so that all fit, if the others get as much.

    The larger items share what small ones leave over.

    Args:
        weights: the bytes of each item.
        limit: how many bytes they may have together.
    """
    ordered = sorted(weights)
    for place, weight in enumerate(ordered):
        share = limit // (len(ordered) - place)
        if weight > share:
            return share
        limit -= weight
    return ordered[-1] if ordered else limit


def renumber(start: int, count: int) -> tuple[int, int]:
    """Return the number and the size of a page that ends early, so that the next one follows it.

    Pages are counted in pages of one size. So the page gets the largest size by which a page
    begins where this one does, and that is not larger than what fits.

    Args:
        start: how many items stand before the page.
        count: how many items fit, from 1 up.
    """
    size = next(size for size in range(count, 0, -1) if start % size == 0)
    return start // size + 1, size


def excerpt(content: str) -> str:
    """Return the beginning of a message's text, without its tags: as safe as HTML as the whole."""
    text = unescape(_TAG.sub("", content[:SEARCHED]))
    shown = text[:EXCERPT_LENGTH]
    is_whole = len(content) <= SEARCHED and len(text) <= EXCERPT_LENGTH
    return escape(shown if is_whole else f"{shown}…", quote=False)


def shorten(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message, as frames show it, as an excerpt: without what hangs on it."""
    short: dict[str, Any] = {
        name: [] if name in _LISTS else None if name in QUOTES else value
        for name, value in message.items()
    }
    if isinstance(short.get("content"), str):
        short["content"] = excerpt(short["content"])
    mentions = short.get("mentions")
    if isinstance(mentions, dict) and "users" in mentions:
        short["mentions"] = {**mentions, "users": []}
    return short


def shorten_quotes(shown: Any) -> Any:
    """Return what a frame shows, with an excerpt of each message that is quoted in it."""
    if isinstance(shown, list):
        return [shorten_quotes(each) for each in shown]
    if not isinstance(shown, dict):
        return shown
    return {
        name: shorten(value)
        if name in QUOTES and isinstance(value, dict)
        else shorten_quotes(value)
        if isinstance(value, dict | list)
        else value
        for name, value in shown.items()
    }


class Budget:
    """Says how many bytes a page may have: each as many as an answer."""

    def find_limit(self) -> int | None:
        """Return how many bytes the next page may have; None for any number."""
        return find_limit()

    def spend(self, weight: int) -> None:
        """Take note of what a page has."""


class SharedBudget(Budget):
    """Says so where several pages are one answer: they share the bytes.

    Attributes:
        spent: how many they have so far.
    """

    def __init__(self) -> None:
        self.spent = 0

    def find_limit(self) -> int | None:
        """Return how many bytes are left for the next page; None for any number.

        Raises:
            Invalid: none are.
        """
        limit = find_limit()
        if limit is None:
            return None
        if self.spent >= limit:
            raise Invalid("The answer is full: ask for this in a request of its own.")
        return limit - self.spent

    def spend(self, weight: int) -> None:
        """Take note of what a page has."""
        self.spent += weight


EACH = Budget()
"""For code whose every page is an answer by itself."""

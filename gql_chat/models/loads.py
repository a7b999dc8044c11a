"""Loads: how much hangs on messages that are being loaded, and how many of them fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class TooHeavy(Exception):
    """What hangs on messages is more than may be loaded of it."""


@dataclass(slots=True)
class Load:
    """What hangs on messages while it is loaded.

    Attributes:
        limit: how many bytes it may have, about; None for any number.
        weight: how many it has, about.
        count: how many messages there are.
    """

    limit: int | None = None
    weight: int = 0
    count: int = 0


@dataclass(slots=True)
class First:
    """The first of some messages, as many as fit into an answer.

    Attributes:
        messages: the messages, each once, with their relations.
        count: how many of those that were wanted fit: at least one, if there is one.
        weight: how many bytes they have together, about; 0 where there is no limit.
    """

    messages: list[Any]
    count: int
    weight: int

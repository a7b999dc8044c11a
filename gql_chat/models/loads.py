"""Loads: what hangs on messages while it is loaded, and how much of it may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..sql.statements import Keys, Many, Statement, find_among
from ..sql.together import all_together
from .beginnings import first_attachments
from .cuts import most_receipts, newest_deliveries, newest_reactions, newest_receipts
from .mentions import has_mentions, select_shown
from .messages import Delivery
from .registry import get_model
from .weights import DELIVERY, MENTION, REACTION, RECEIPT

_LEAST_WEIGHT = 100
"""What is loaded of people is cut off at as many rows as a limit has times so many bytes."""

_HANGING = (
    "may_have_attachments",
    "may_have_receipts",
    "may_have_reactions",
    "may_have_deliveries",
    "may_have_mentions",
)

_attachments: Statement[Any] = find_among(
    lambda: get_model("MessageMediaAsset").objects.all(), "message_id"
)
_receipts: Statement[Any] = find_among(
    lambda: get_model("ReadReceipt").objects.order_by("read_at"), "message_id"
)
_reactions: Statement[Any] = find_among(
    lambda: get_model("Reaction").objects.order_by("created_at"), "message_id"
)
_deliveries: Statement[Any] = find_among(
    lambda: Delivery.objects.order_by("pk").values_list("message_id", "user_id"), "message_id"
)
_mentions: Statement[Any] = Statement(select_shown, lambda: [Many(get_model("Message")._meta.pk)])


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


def find_relations(messages: list[Any], keys: Keys, load: Load, own: list[Any]) -> list[list[Any]]:
    """Return attachments, receipts, reactions, deliveries and mentions of messages.

    Args:
        messages: the messages; what none of them can have is not read.
        keys: their keys.
        load: says how much may be loaded, and is told how much it was.
        own: ids of users whose receipts and reactions are among those loaded.

    Raises:
        TooHeavy: there is more than `load` allows.
    """
    limit, most = load.limit, most_receipts()
    relations: dict[str, tuple[Any, ...]] = {
        "may_have_attachments": (_attachments, keys)
        if limit is None
        else (first_attachments, keys, limit),
        "may_have_receipts": (_receipts, keys),
        "may_have_reactions": (_reactions, keys),
        "may_have_deliveries": (_deliveries, keys),
    }
    if has_mentions():
        relations["may_have_mentions"] = (_mentions, keys)
    if most is not None:
        # Room for those of `own`, and for one that takes the place of one that goes.
        most += len(own) + 1
        relations["may_have_receipts"] = (newest_receipts, keys, own, most)
        relations["may_have_reactions"] = (newest_reactions, keys, own, most)
        relations["may_have_deliveries"] = (newest_deliveries, keys, most)
    asked = {
        name: statement
        for name, statement in relations.items()
        if any(getattr(message, name) for message in messages)
    }
    size = None if limit is None else limit // _LEAST_WEIGHT + 1
    rows = all_together(*asked.values(), size=size)
    found = dict(zip(asked, rows, strict=True))
    several = [found.get(name, []) for name in _HANGING]
    if limit is not None and size is not None:
        attachments, receipts, reactions, deliveries, mentions = several
        weight = max((asset.weight_so_far for asset in attachments), default=0)
        if weight > limit or any(len(some) == size for some in several):
            raise TooHeavy
        load.weight = (
            weight
            + RECEIPT * len(receipts)
            + REACTION * len(reactions)
            + DELIVERY * len(deliveries)
            + MENTION * len(mentions)
        )
    return several


def count_more(relations: Mapping[Any, Any], **kinds: tuple[list[Any], Callable[..., Any]]) -> None:
    """Note of messages how many rows of some kinds there are besides those that were loaded.

    Args:
        relations: what is loaded of each message.
        kinds: by the name of the number, the rows, and what returns a row's message and the total.
    """
    for name, (rows, look) in kinds.items():
        totals = dict(map(look, rows))
        for message_id, count in Counter(look(row)[0] for row in rows).items():
            setattr(relations[message_id], name, totals[message_id] - count)

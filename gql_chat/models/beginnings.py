"""Beginnings: of what hangs on messages and may be long, no more is read than an answer may have.

Each statement takes the messages and how many bytes may be read. Of rows that have more, it finds
those up to the one that goes beyond.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, RowRange, Sum, Window

from ..sql.statements import Among, Many, One, Statement
from .messages import MessageCopy
from .registry import get_model
from .weights import ATTACHMENT, octets_of, octets_of_copy


def _select_first(model: Any, weight: Any, message_ids: Any, limit: Any) -> Any:
    """Select rows until they weigh more than a limit; each knows the weight up to it."""
    running = Window(
        Sum(weight, output_field=models.BigIntegerField()),
        order_by=["pk"],
        frame=RowRange(None, 0),
    )
    found = model.objects.filter(Among(F("message_id"), message_ids))
    return found.annotate(weight_so_far=running, weight=weight).filter(
        weight_so_far__lte=limit + F("weight")
    )


def _select_attachments(message_ids: Any, limit: Any) -> Any:
    model = get_model("MessageMediaAsset")
    return _select_first(model, octets_of(model, ATTACHMENT), message_ids, limit)


def _select_copies(message_ids: Any, limit: Any) -> Any:
    return _select_first(MessageCopy, octets_of_copy(), message_ids, limit)


def _given_limit(model: Any) -> list[Any]:
    return [Many(model._meta.get_field("message_id")), One(models.BigIntegerField())]


first_attachments: Statement[Any] = Statement(
    _select_attachments, lambda: _given_limit(get_model("MessageMediaAsset"))
)
first_copies: Statement[Any] = Statement(_select_copies, lambda: _given_limit(MessageCopy))

"""Copies: what a forward passes on, as it was when it was forwarded.

A copy is JSON text of the source's columns and of its attachments' columns. It becomes instances
again that were never saved, which the schema shows as any other message.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.db import models

from .messages import AbstractMessage, MessageCopy
from .registry import get_model

_OF_ITS_OWN = {"room", "sender", "parent_message", "forwarded_from", "content", "stream_seq"}
"""Columns of the source that a copy holds in another way, or not at all."""

_PLAIN = (str, int, float, dict, list, uuid.UUID, datetime.date, datetime.time)


def copy_source(
    forward: AbstractMessage, source: AbstractMessage, attachments: Iterable[Any]
) -> MessageCopy:
    """Return the copy that a forward keeps of its source; not saved.

    Args:
        forward: the forward.
        source: the message that it passes on.
        attachments: those of the source, in their order.
    """
    content = {
        "content": source.content,
        "is_here": source.room_id == forward.room_id,
        "message": _read(source, _OF_ITS_OWN),
        "attachments": [_read(each, {"message"}) for each in attachments],
    }
    text = orjson.dumps(content).decode()
    return MessageCopy(
        message_id=forward.pk, source=source.pk, sender_id=source.sender_id, columns=text
    )


def revive(copied: MessageCopy, forward: AbstractMessage) -> tuple[AbstractMessage, list[Any]]:
    """Return the source that a copy is of, and its attachments, as they were.

    Its room is known only if it is the room of the forward: readers of the forward are in that
    room, and need not be in another one.
    """
    content = orjson.loads(copied.columns)
    source: Any = _write(get_model("Message"), content["message"])
    source.content = content["content"]
    source.sender_id = copied.sender_id
    source.room_id = forward.room_id if content["is_here"] else None
    asset = get_model("MessageMediaAsset")
    return source, [_write(asset, each) for each in content["attachments"]]


def _read(row: models.Model, besides: set[str]) -> dict[str, Any]:
    """Return the columns of a row, as far as JSON can hold them."""
    columns = {}
    for field in row._meta.concrete_fields:
        if field.name not in besides:
            value = field.value_from_object(row)
            plain = value is None or isinstance(value, _PLAIN)
            columns[field.attname] = value if plain else field.value_to_string(row)
    return columns


def _write(model: Any, columns: Mapping[str, Any]) -> Any:
    """Return an instance with these columns; those that the model has no more are left out."""
    row = model()
    row._state.adding = False
    for field in model._meta.concrete_fields:
        if field.attname in columns:
            setattr(row, field.attname, field.to_python(columns[field.attname]))
    return row

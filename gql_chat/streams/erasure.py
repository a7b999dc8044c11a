"""Erasure: what was deleted goes out of the event log, too.

A frame of the log keeps its stream, its sequence number and its shape. Where it showed a message
that is deleted, the message stands there with `is_deleted` true, without text, attachments, or
whatever hung on it. So a resume stays without gaps, and valid.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def erase_messages(message_ids: Collection[Any], *, copies: bool = False) -> int:
    """Take messages out of every logged frame that shows them: their own, and replies' quotes.

    Call it in the transaction that deletes the messages (`transaction()`, or any `atomic` block),
    **before** their rows go, since it finds the replies by those. Their rooms are locked by then.
    It locks the frames itself, in the order of their keys, and writes them anew.

    With `ERASE_LOG` None, or without the feature `erasure`, it leaves the log alone.

    Args:
        message_ids: the keys of the messages, of one room or of several.
        copies: whether what was forwarded of them goes as well: the copies that forwards keep, in
            the log and in their table. A deletion of a message leaves copies alone.

    Returns:
        How many frames were written anew.
    """
    raise NotImplementedError


def erase_room(room_id: Any) -> int:
    """Take what the log holds of a room out of it, but for the frame that says that it is gone.

    The frames of the room's own stream go. In the streams of users its messages are erased, and
    of the room itself only its id and its type stay.

    Call it in the transaction that deletes the room, before the rows of its messages go, and after
    the event that closes the stream.

    Args:
        room_id: the room's key.

    Returns:
        How many frames went or were written anew.
    """
    raise NotImplementedError

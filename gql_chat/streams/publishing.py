"""Publishing: committed envelopes go to the hubs of this process, and over the layer to others.

The channel layer may lose them. It is a wake-up, and no more: the log has them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import router
from django.db import transaction as db_transaction

from ..models import StreamEvent
from .envelopes import Envelope, refresh, room_stream
from .outbox import running

logger = logging.getLogger("gql_chat")

LAYER_SECONDS = 2.0
"""How long the channel layer may take for an event."""


class _Capture(list[Envelope]):
    """What is committed while somebody captures it.

    Attributes:
        is_over: whether nobody looks any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_over = False
        self._thread = threading.get_ident()

    @property
    def is_lost(self) -> bool:
        """Whether what this thread adds would be lost: a context was copied, and outlives it."""
        return self.is_over or self._thread != threading.get_ident()


_captured: ContextVar[_Capture | None] = ContextVar("gql_chat_captured", default=None)


@contextmanager
def capture() -> Iterator[list[Envelope]]:
    """Collect what is committed inside instead of publishing it: the caller will."""
    captured = _Capture()
    token = _captured.set(captured)
    try:
        yield captured
    finally:
        captured.is_over = True
        _captured.reset(token)


def hand_over_after_commit(envelopes: list[Envelope], using: str) -> None:
    """Publish envelopes when the running transaction is committed, or let who captures have them.

    Args:
        envelopes: what there is to publish.
        using: the alias of the database.
    """
    # Looked up now: a shared commit comes when the operation's own scope is over.
    captured = _captured.get()
    hand_over = publish if captured is None or captured.is_lost else captured.extend
    db_transaction.on_commit(lambda: hand_over(envelopes), using=using, robust=True)


def touch(room_id: Any, user_ids: Iterable[Any] = ()) -> None:
    """Say that a room's members changed; hubs read them again unless a broadcast tells more."""
    stream, users = room_stream(room_id), {str(user_id) for user_id in user_ids}
    outbox = running()
    if outbox is not None:
        outbox.touch(stream, users)
    else:
        announce(refresh(stream, users))


def announce(envelope: Envelope) -> None:
    """Publish an envelope that is stored nowhere, after the running transaction if there is one."""
    hand_over_after_commit([envelope], router.db_for_write(StreamEvent))


Subscriber = Callable[[list[Envelope]], None]

_subscribers: list[Subscriber] = []


def subscribe(subscriber: Subscriber) -> None:
    """Hand every envelope that this process publishes to `subscriber`, from any thread."""
    _subscribers.append(subscriber)


def unsubscribe(subscriber: Subscriber) -> None:
    """Undo `subscribe`."""
    _subscribers.remove(subscriber)


def subscribers() -> list[Subscriber]:
    """Return who is subscribed."""
    return list(_subscribers)


def publish(envelopes: list[Envelope]) -> None:
    """Publish committed envelopes from synchronous code."""
    for subscriber in subscribers():
        subscriber(envelopes)
    if reaches_other_processes():
        async_to_sync(send_to_layer)(envelopes)


def reaches_other_processes() -> bool:
    """Tell whether there is a channel layer that does: the in-memory one ends at this process."""
    layer = get_channel_layer()
    return layer is not None and not isinstance(layer, InMemoryChannelLayer)


async def send_to_layer(envelopes: list[Envelope]) -> bool:
    """Ring other processes' bells; tell whether the layer took it.

    A layer that is away, or takes long, is logged: the others will look at the log.
    """
    layer = get_channel_layer()
    assert layer is not None
    try:
        # Clients of a layer try again and again by themselves: nobody shall wait for that.
        async with asyncio.timeout(LAYER_SECONDS):
            for envelope in envelopes:
                message = envelope.to_message()
                for group in envelope.groups():
                    await layer.group_send(group, message)
    except Exception as error:
        logger.warning("The channel layer did not take an event: %r", error)
        return False
    return True

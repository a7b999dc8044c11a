"""Publishing: committed envelopes go to the hubs of this process, and over the layer to others.

The channel layer may lose an envelope. It only wakes the others up: they read the log.
"""

from __future__ import annotations

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
from .deadlines import Deadline
from .envelopes import Envelope, refresh, room_stream
from .hooks import LoneHook
from .outages import layer_outages
from .outbox import running

LAYER_SECONDS = 2.0
"""How long the channel layer may take for a message."""


class _Capture(list[Envelope]):
    """The envelopes that are committed inside `capture()`.

    Attributes:
        is_over: whether the block has ended, so that its caller publishes nothing more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_over = False
        self._thread = threading.get_ident()

    @property
    def is_lost(self) -> bool:
        """Whether an envelope added now would be lost.

        It would be if the context was copied, and outlives the block or runs on another thread.
        """
        return self.is_over or self._thread != threading.get_ident()


_captured: ContextVar[_Capture | None] = ContextVar("gql_chat_captured", default=None)


@contextmanager
def capture() -> Iterator[list[Envelope]]:
    """Collect the envelopes that are committed inside; the caller publishes them afterwards."""
    captured = _Capture()
    token = _captured.set(captured)
    try:
        yield captured
    finally:
        captured.is_over = True
        _captured.reset(token)


def hand_over_after_commit(envelopes: list[Envelope], using: str) -> None:
    """Publish envelopes after the commit of the running transaction.

    Inside `capture()` they are handed to its caller instead.

    Args:
        envelopes: the envelopes.
        using: the alias of the database.
    """
    # Read the variable now: a shared commit comes when the operation has left `capture()`.
    captured = _captured.get()
    hand_over = publish if captured is None or captured.is_lost else captured.extend
    hook = LoneHook(lambda: hand_over(envelopes))
    db_transaction.on_commit(hook, using=using, robust=True)


def touch(room_id: Any, user_ids: Iterable[Any] = ()) -> None:
    """Tell hubs to read members of a room again, unless a broadcast announces their change.

    Args:
        room_id: the room.
        user_ids: the members that changed.
    """
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
    """Call `subscriber` with all envelopes that this process publishes, on any thread."""
    _subscribers.append(subscriber)


def unsubscribe(subscriber: Subscriber) -> None:
    """Stop calling a subscriber."""
    _subscribers.remove(subscriber)


def subscribers() -> list[Subscriber]:
    """Return the subscribers."""
    return list(_subscribers)


def publish(envelopes: list[Envelope]) -> None:
    """Publish committed envelopes from synchronous code."""
    for subscriber in subscribers():
        subscriber(envelopes)
    if reaches_other_processes():
        async_to_sync(send_to_layer)(envelopes)


def reaches_other_processes() -> bool:
    """Return whether the channel layer does: the in-memory one ends at this process."""
    layer = get_channel_layer()
    return layer is not None and not isinstance(layer, InMemoryChannelLayer)


async def send_to_layer(envelopes: list[Envelope], at: float | None = None) -> bool:
    """Notify other processes over the channel layer.

    A layer that fails or takes long is noted as such (`outages`), and no more: the others catch up
    from the log.

    Args:
        envelopes: the envelopes.
        at: when they were published, in seconds since the epoch of the clock, if the others are to
            know how late they are notified.

    Returns:
        Whether the layer took every envelope.
    """
    layer = get_channel_layer()
    assert layer is not None
    try:
        # Clients of a layer retry for long by themselves, and the sender must not wait for that.
        async with Deadline(LAYER_SECONDS) as deadline:
            for envelope in envelopes:
                message = envelope.to_message()
                if at is not None:
                    message["at"] = at
                for group in envelope.groups():
                    await layer.group_send(group, message)
                    deadline.go_on()
    except Exception as error:
        layer_outages.note_failure(error)
        return False
    layer_outages.note_success()
    return True

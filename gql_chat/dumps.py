"""Dumps: what `loaddata` may bring in of chat, and what of it belongs to another history.

The event log is no data. It is what clients may still ask for of what they missed, and names users
by keys that mean others here. So it does not arrive; the positions of the streams do, and clients
that resume are told to fetch afresh.
"""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakValueDictionary

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import Signal, receiver

from .models import (
    Epoch,
    Membership,
    StreamEvent,
    UserStream,
)

history_loaded = Signal()
"""Sent after the commit that brought in streams of another history, once, by `loaddata`.

Argument: `using`, the database. The sender is `UserStream`.
"""


class _Load:
    """A load that is not committed yet; it is gone with its transaction.

    Args:
        using: the database.
    """

    def __init__(self, using: str) -> None:
        self.using = using

    def end(self) -> None:
        """Say that it is done. Places that clients have are not those of this history."""
        Epoch.objects.db_manager(self.using).renew()
        history_loaded.send(sender=UserStream, using=self.using)


class _Loads(threading.local):
    """The loads of each thread, by database: kept alive by the commit that they wait for."""

    def __init__(self) -> None:
        self.under_way: WeakValueDictionary[str, _Load] = WeakValueDictionary()


_loads = _Loads()


@receiver(post_save, sender=StreamEvent, dispatch_uid="gql_chat.event_loaded")
def refuse_log(
    sender: type[StreamEvent], instance: StreamEvent, raw: bool, using: str, **kwargs: Any
) -> None:
    """Delete a row of the log that a fixture brings in."""
    if raw:
        instance.delete(using=using)


@receiver(post_save, sender=Membership, dispatch_uid="gql_chat.membership_loaded")
@receiver(post_save, sender=UserStream, dispatch_uid="gql_chat.position_loaded")
def follow_load(sender: Any, raw: bool, using: str, **kwargs: Any) -> None:
    """Say, once for all that a fixture brings in, that streams go on from another history."""
    if raw and using not in _loads.under_way:
        load = _loads.under_way[using] = _Load(using)
        transaction.on_commit(load.end, using=using)

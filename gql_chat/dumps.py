"""Dumps: `loaddata` brings the rows of the chat in, but not the event log of another history.

The log serves clients that resume. Its payloads name users by primary keys, which mean other users
in another database. So `loaddata` does not bring it in. It does bring in the sequence numbers of
the streams, and clients that resume are told to fetch afresh.
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
    EventSubject,
    Membership,
    StreamEvent,
    UserStream,
)

history_loaded = Signal()
"""Sent once, after the commit in which `loaddata` brought in streams of another history.

Argument: `using`, the alias of the database. The sender is `UserStream`.
"""


class _Load:
    """A load that is not committed yet. It is dropped with its transaction.

    Args:
        using: the alias of the database.
    """

    def __init__(self, using: str) -> None:
        self.using = using

    def end(self) -> None:
        """Renew the epoch: the sequence numbers that clients have are of another history."""
        Epoch.objects.db_manager(self.using).renew()
        history_loaded.send(sender=UserStream, using=self.using)


class _Loads(threading.local):
    """The loads of each thread, by database. The `on_commit` hook of a load keeps it alive."""

    def __init__(self) -> None:
        self.under_way: WeakValueDictionary[str, _Load] = WeakValueDictionary()


_loads = _Loads()


@receiver(post_save, sender=StreamEvent, dispatch_uid="gql_chat.event_loaded")
@receiver(post_save, sender=EventSubject, dispatch_uid="gql_chat.subject_loaded")
def refuse_log(sender: Any, instance: Any, raw: bool, using: str, **kwargs: Any) -> None:
    """Delete a row of the log, or a subject of one, that a fixture brings in."""
    if raw:
        instance.delete(using=using)


@receiver(post_save, sender=Membership, dispatch_uid="gql_chat.membership_loaded")
@receiver(post_save, sender=UserStream, dispatch_uid="gql_chat.position_loaded")
def follow_load(sender: Any, raw: bool, using: str, **kwargs: Any) -> None:
    """Note, once for each transaction, that a fixture brings in streams of another history."""
    if raw and using not in _loads.under_way:
        load = _loads.under_way[using] = _Load(using)
        transaction.on_commit(load.end, using=using)

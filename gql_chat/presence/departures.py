"""Departures: when users were last there. They are written for many users at once.

A socket that closes costs no statement of its own: its hub collects the users whose last socket has
closed, and writes them down together. What a killed process could not say, the leases of its
sessions say when they are deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, router, transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from ..conf import chat_settings
from ..models import IdleSocket, Presence, get_model
from ..models.accounts import accounts, active
from ..sessions import chat_sockets, find_dead
from .leases import get_grace, holders

_AT_ONCE = 1000
_ATTEMPTS = 3


def note_departures(departed: Mapping[str, datetime]) -> None:
    """Write down when the last sockets of users closed. What is known of later stays.

    A constant number of statements for each thousand users.

    Args:
        departed: when, by the users' ids as strings. Users who are gone are left out.
    """
    key: Any = get_user_model()._meta.pk
    times = {key.to_python(user_id): at for user_id, at in departed.items()}
    ids = sorted(times)  # in one order, so that two who write do not wait for each other
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        for attempt in range(_ATTEMPTS):
            try:
                _write({user_id: times[user_id] for user_id in some})
                break
            except IntegrityError:
                # An account was deleted meanwhile; it is not found the next time.
                if attempt + 1 == _ATTEMPTS:
                    raise


def _write(times: Mapping[Any, datetime]) -> None:
    using = router.db_for_write(Presence)
    with transaction.atomic(using=using):
        known = dict(
            Presence.objects.using(using)
            .filter(user_id__in=list(times))
            .values_list("user_id", "departed_at")
        )
        # Who is being erased is deactivated first, and nothing is written of them any more.
        there = accounts().filter(pk__in=list(times), **active())
        there_ids = set(there.values_list("pk", flat=True))
        Presence.objects.using(using).bulk_create(
            [
                Presence(user_id=user_id, departed_at=at)
                for user_id, at in times.items()
                if user_id in there_ids and ((last := known.get(user_id)) is None or last < at)
            ],
            update_conflicts=True,
            unique_fields=["user"],
            update_fields=["departed_at"],
        )


def tidy() -> None:
    """Keep what dead sessions say, before they are deleted; delete what outlived its socket.

    Three statements where there is nothing to do.
    """
    model = get_model("Session")
    using = router.db_for_write(model)
    dead = chat_sockets(find_dead().using(using)).order_by().values("user_id")
    last = dict(dead.annotate(at=Max("alive_at")).values_list("user_id", "at"))
    if last:
        note_departures(last)
    now = timezone.now()
    # A holder's row must outlive its sessions: without it they would count by their own lease.
    kept = 2 * timedelta(seconds=chat_settings.INACTIVITY_THRESHOLD) + get_grace()
    holders().filter(alive_at__lt=now - kept).delete()
    _delete_idle()


def _delete_idle() -> None:
    """Delete the rows of idle sockets that are no more."""
    sessions = get_model("Session").objects.filter(channel_name=OuterRef("channel_name"))
    idle = IdleSocket.objects.using(router.db_for_write(IdleSocket))
    # A socket whose session was deleted by mistake brings it back with its next heartbeat.
    old = timezone.now() - 2 * timedelta(seconds=chat_settings.INACTIVITY_THRESHOLD)
    idle.filter(~Exists(sessions), since__lt=old).delete()

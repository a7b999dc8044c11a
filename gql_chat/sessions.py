"""Sessions of sockets: the process that holds a socket keeps its session alive, or ends it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, QuerySet
from django.utils import timezone

from . import streams
from .conf import chat_settings
from .errors import RETRY_AFTER, RateLimited
from .models import get_model
from .models.accounts import active
from .sql.statements import (
    Among,
    Many,
    One,
    Statement,
    Update,
)

TOOL_PREFIX = "graphql."
"""The beginning of the channel names of the GraphQL endpoint's sockets."""

_active_users: Statement[Any] = Statement(
    lambda ids: (
        get_user_model()._default_manager.filter(Among(F("pk"), ids), **active()).only("pk")
    ),
    lambda: [Many(get_user_model()._meta.pk)],
)


def _select_named(channel_names: Any, now: Any) -> Any:
    sessions = get_model("Session").objects.filter(Among(F("channel_name"), channel_names))
    return sessions, {"alive_at": now}


# One parameter, however many sockets a process holds.
_alive_at = Update(
    _select_named,
    lambda: [
        Many(get_model("Session")._meta.get_field("channel_name")),
        One(get_model("Session")._meta.get_field("alive_at")),
    ],
)


def keep_alive(channel_names: Iterable[str]) -> None:
    """Renew the leases of these sessions: their sockets are open, heartbeat or not."""
    _alive_at.run(channel_names, timezone.now())


def check_count(count: int) -> None:
    """Refuse a further socket of a user who has so many.

    Raises:
        RateLimited: that is `MAX_SESSIONS_PER_USER` already.
    """
    limit = chat_settings.MAX_SESSIONS_PER_USER
    if limit is not None and count >= limit:
        raise RateLimited(
            {"message": f"At most {limit} sockets are allowed.", "retry_after": RETRY_AFTER}
        )


def connected(users: QuerySet[Any]) -> QuerySet[Any]:
    """Return the users among these who have an open socket of chat, in any process."""
    since = timezone.now() - timedelta(seconds=chat_settings.INACTIVITY_THRESHOLD)
    open_ones = chat_sockets(get_model("Session").objects.filter(alive_at__gte=since))
    return users.filter(pk__in=open_ones.values("user_id"))


def chat_sockets(found: QuerySet[Any]) -> QuerySet[Any]:
    """Return the sessions among these that are sockets of chat, and no tools of the endpoint."""
    return found.exclude(channel_name__startswith=TOOL_PREFIX)


def are_elsewhere(hubs: Iterable[str], since: datetime) -> bool:
    """Return whether a process with none of these hubs has renewed a session since then.

    Args:
        hubs: the names of hubs, with which the channel names of their sockets begin.
        since: the time.
    """
    found = get_model("Session").objects.filter(
        alive_at__gte=since, channel_name__regex=r"^[0-9a-f]{32}\."
    )
    for hub in hubs:
        found = found.exclude(channel_name__startswith=f"{hub}.")
    return bool(found.exists())


def find_dead() -> Any:
    """Return the sessions that neither their client nor their process has kept alive."""
    since = timezone.now() - timedelta(seconds=chat_settings.INACTIVITY_THRESHOLD)
    return get_model("Session").objects.filter(alive_at__lt=since, last_seen__lt=since)


def delete_dead() -> int:
    """Delete dead sessions; return how many rows were deleted."""
    deleted: int = find_dead().delete()[0]
    return deleted


def find_inactive(user_ids: Iterable[str]) -> set[str]:
    """Return the users among these whose accounts are gone or deactivated, in one query."""
    wanted = set(user_ids)
    return wanted - {str(user.pk) for user in _active_users.all(wanted)}


def fingerprint(session_key: str) -> str:
    """Return the hash that names a login session between processes: its key is a secret."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def announce_sign_out(user_id: Any, session_key: str | None = None) -> None:
    """Make every process close the sockets of a user.

    Args:
        user_id: the user.
        session_key: the login session, if only the sockets opened with that one are to close.
    """
    login = None if session_key is None else fingerprint(session_key)
    streams.announce(
        streams.Envelope(streams.user_stream(user_id), 0, "", "", {"signed_out": login})
    )

"""Statuses: what the database says of the presence of users, as anybody may see it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from ..models import IdleSocket, Presence, get_model
from ..models.accounts import accounts
from ..sessions import TOOL_PREFIX
from .leases import find_limits, get_grace
from .visibility import hiding, lapsed

ONLINE, AWAY, OFFLINE = STATUSES = ("online", "away", "offline")

_AT_ONCE = 1000
"""How many users a statement names."""


@dataclass(frozen=True, slots=True)
class Status:
    """The presence of a user at a time.

    Attributes:
        user_id: the user's primary key.
        status: `online`; `away`, if all sockets of the user say that nobody sits there; `offline`.
        last_seen: when somebody was last there, to the minute; None if nobody knows, or may know.
        until: when the status has to be read again though nothing happens; None for never.
        is_sure: whether it holds. It may not where the last session is gone: a moment later its
            departure is written down, and then the user is online until `until`.
    """

    user_id: Any
    status: str
    last_seen: datetime | None = None
    until: datetime | None = field(default=None, compare=False)
    is_sure: bool = field(default=True, compare=False)


@dataclass(slots=True)
class _Sockets:
    """What the sessions of a user say together.

    Attributes:
        seen_at: when they were last heard of.
        active_at: when an active one that is held was last heard of; None where none is active.
        idle_since: since when the last one of those that are held has been idle.
    """

    seen_at: datetime | None = None
    active_at: datetime | None = None
    idle_since: datetime | None = None


def read_statuses(user_ids: Iterable[Any]) -> dict[str, Status]:
    """Read the presence of users.

    Three statements for each thousand users.

    Args:
        user_ids: their primary keys, as strings or as the column has them.

    Returns:
        The status of each, by the id as a string. A user who does not exist is offline.
    """
    key: Any = get_user_model()._meta.pk
    wanted = list(dict.fromkeys(map(key.to_python, user_ids)))
    found: dict[str, Status] = {}
    for some in _chunks(wanted):
        found.update(_read(some))
    return found


def _chunks(ids: list[Any]) -> Iterator[list[Any]]:
    rest = iter(ids)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _read(ids: list[Any]) -> Iterator[tuple[str, Status]]:
    # The departures are read last: a socket that closes meanwhile is found in one of the two.
    now, sockets = timezone.now(), _read_sockets(ids)
    kept = {
        user_id: (invisible_since, departed_at)
        for user_id, invisible_since, departed_at in Presence.objects.using(
            router.db_for_write(Presence)
        )
        .filter(user_id__in=ids)
        .values_list("user_id", "invisible_since", "departed_at")
    }
    closed = set(accounts().filter(hiding(), pk__in=ids).values_list("pk", flat=True))
    for user_id in ids:
        if user_id in closed:
            status = Status(user_id, OFFLINE)
        else:
            status = _judge(user_id, now, sockets.get(user_id), *kept.get(user_id, (None, None)))
        yield str(user_id), status


def _read_sockets(ids: list[Any]) -> dict[Any, _Sockets]:
    model = get_model("Session")
    _, alive_since = find_limits(timezone.now())
    idle = IdleSocket.objects.filter(
        channel_name=OuterRef("channel_name"), user_id=OuterRef("user_id")
    )
    rows = (
        model.objects.using(router.db_for_write(model))
        .filter(user_id__in=ids)
        .annotate(is_lapsed=lapsed(), idle_since=Subquery(idle.values("since")[:1]))
        .values_list("user_id", "channel_name", "last_seen", "alive_at", "is_lapsed", "idle_since")
    )
    found: dict[Any, _Sockets] = defaultdict(_Sockets)
    for user_id, channel_name, last_seen, alive_at, is_lapsed, idle_since in rows:
        if channel_name.startswith(TOOL_PREFIX):
            continue  # a tool shows no messages: nobody sits there
        sockets = found[user_id]
        sockets.seen_at = _later(sockets.seen_at, last_seen)
        if is_lapsed or alive_at < alive_since:
            sockets.seen_at = _later(sockets.seen_at, alive_at)
        elif idle_since is None:
            sockets.active_at = _later(sockets.active_at, last_seen)
        else:
            sockets.idle_since = _later(sockets.idle_since, idle_since)
    return found


def _judge(
    user_id: Any,
    now: datetime,
    sockets: _Sockets | None,
    invisible_since: datetime | None,
    departed_at: datetime | None,
) -> Status:
    """Return the status of a user who does not hide it for good."""
    if invisible_since is not None:
        return Status(user_id, OFFLINE, _to_minute(invisible_since))
    if sockets is not None and sockets.active_at is not None:
        return Status(user_id, ONLINE, _to_minute(sockets.active_at))
    if sockets is not None and sockets.idle_since is not None:
        return Status(user_id, AWAY, _to_minute(sockets.idle_since))
    if departed_at is not None and departed_at + get_grace() > now:
        return Status(user_id, ONLINE, _to_minute(departed_at), departed_at + get_grace())
    seen_at = departed_at
    if sockets is not None and sockets.seen_at is not None:
        seen_at = _later(departed_at, sockets.seen_at)
    return Status(user_id, OFFLINE, _to_minute(seen_at), is_sure=sockets is not None)


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _to_minute(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(second=0, microsecond=0)

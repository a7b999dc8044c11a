"""Leases: the holder of sockets says that it is there, with one row, however many it holds."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import router
from django.db.models import QuerySet
from django.utils import timezone

from ..conf import chat_settings
from ..models import SocketHolder

RENEWED = 1 / 4
"""Which part of the grace passes until a holder renews its row."""

LAPSED = 3 / 4
"""Which part of the grace passes until a row that is not renewed has lapsed. The rest is for the
look that notices."""


def get_grace() -> timedelta:
    """Return for how long a user is shown as online of whom nothing says so any more."""
    return timedelta(seconds=chat_settings.PRESENCE_GRACE)


class Outage:
    """Knows whether the database was away, and others could not renew their leases either.

    When it is back, the rows of all holders look lapsed, until each has renewed its own. So for the
    time of one grace those count that were there before. A process that has no lease knows of no
    outage.

    All hubs of a process share it; every value of it is replaced whole.
    """

    def __init__(self) -> None:
        self._renewed: dict[str, datetime] = {}
        self._lenient_since: datetime | None = None
        self._lenient_until: datetime | None = None

    def note(self, name: str, now: datetime) -> None:
        """Note that a holder of this process has renewed its lease."""
        last = self._renewed.get(name)
        if last is not None and self._was_away(last, now):
            since = self._since(last)
            if self._lenient_since is not None and self._is_lenient(now):
                since = min(since, self._lenient_since)
            self._lenient_since, self._lenient_until = since, now + get_grace()
        self._renewed = {**self._renewed, name: now}

    def forget(self, name: str) -> None:
        """Forget a holder that holds nothing, and has no lease until it does."""
        self._renewed = {key: at for key, at in self._renewed.items() if key != name}

    def find_since(self, now: datetime) -> datetime:
        """Return the time since which a lease must have been renewed for its sockets to count."""
        since = self._since(now)
        last = max(self._renewed.values(), default=None)
        if last is not None and self._was_away(last, now):
            since = min(since, self._since(last))
        if self._lenient_since is not None and self._is_lenient(now):
            since = min(since, self._lenient_since)
        return since

    def _is_lenient(self, now: datetime) -> bool:
        return self._lenient_until is not None and now < self._lenient_until

    @staticmethod
    def _since(now: datetime) -> datetime:
        return now - get_grace() * LAPSED

    @staticmethod
    def _was_away(last: datetime, now: datetime) -> bool:
        return now - last > get_grace() * (LAPSED - RENEWED)


outage = Outage()
"""What this process knows of outages."""


def find_limits(now: datetime) -> tuple[datetime, datetime]:
    """Return since when holders, and since when sessions, must have renewed their leases.

    Args:
        now: the time by which this is asked.
    """
    since = outage.find_since(now)
    lost = (now - get_grace() * LAPSED) - since
    return since, now - timedelta(seconds=chat_settings.INACTIVITY_THRESHOLD) - lost


def holders() -> QuerySet[SocketHolder]:
    """Return the holders, as the database has them that is written."""
    return SocketHolder.objects.using(router.db_for_write(SocketHolder))


def renew_lease(name: str) -> None:
    """Say that a holder is there, and with it all its sockets. One statement.

    Args:
        name: the holder's name.
    """
    now = timezone.now()
    if not holders().filter(name=name).update(alive_at=now):
        holders().bulk_create([SocketHolder(name=name, alive_at=now)], ignore_conflicts=True)
    outage.note(name, now)


def forget_holder(name: str) -> None:
    """Note that a holder of this process renews its lease no more, since it holds nothing."""
    outage.forget(name)


def release_lease(name: str) -> None:
    """Delete the row of a holder that holds nothing: a lease that lapses would outlive it.

    A socket that opens there next would look lapsed until the holder has renewed its row. If the
    row goes only after that, the sessions' own leases count until the next renewal.

    Args:
        name: the holder's name.
    """
    holders().filter(name=name).delete()


def find_holders() -> set[str]:
    """Return the names of the holders that are there."""
    since, _ = find_limits(timezone.now())
    return set(holders().filter(alive_at__gte=since).values_list("name", flat=True))

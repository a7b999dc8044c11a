"""Times: which of them a database and every zone can hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MARGIN = timedelta(days=1)

EARLIEST = datetime.min.replace(tzinfo=UTC) + _MARGIN
LATEST = datetime.max.replace(tzinfo=UTC) - _MARGIN


def check_time(moment: datetime) -> datetime:
    """Return a time that can be stored, read and shown in any zone: in UTC, if it has a zone.

    Python's times end with the years 1 and 9999, so one at their very ends has no counterpart in
    some zones: there databases, Django and Python itself fail. PostgreSQL knows no zone that is
    sixteen hours from UTC or more, as the texts of clients may name one.

    Args:
        moment: the time; without a zone it is judged as one in UTC.

    Raises:
        ValueError: it is too close to an end.
    """
    try:
        aware = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        aware = datetime.min.replace(tzinfo=UTC)
    if not EARLIEST <= aware <= LATEST:
        raise ValueError(f"A time from {EARLIEST.date()} to {LATEST.date()} is needed.")
    return aware if moment.tzinfo else moment

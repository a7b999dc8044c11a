"""Times: the range that every database and every time zone can hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MARGIN = timedelta(days=1)

EARLIEST = datetime.min.replace(tzinfo=UTC) + _MARGIN
LATEST = datetime.max.replace(tzinfo=UTC) - _MARGIN


def check_time(moment: datetime) -> datetime:
    """Return a time that can be stored, read and shown in any zone: in UTC, if it has a zone.

    Python's times go from the year 1 to 9999. A time at one of the ends has no counterpart in some
    zones, so databases, Django and Python itself fail at it. PostgreSQL also knows no zone that is
    sixteen hours or more from UTC, which the text of a client may name. Hence the time in UTC.

    Args:
        moment: the time; without a zone it is checked as a time in UTC.

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

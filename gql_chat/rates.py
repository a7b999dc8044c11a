"""Rates: how much a user may do in a time, over all sockets and processes.

A row of the database (`models.Allowance`) says what a user has left, so it is right for any number
of processes, and a connection that is closed and opened again changes nothing about it.

An event must not cost a statement. So a process has a budget for each user who is connected to it:

- a twentieth of the rate is the process's own to give. A user who sends little costs the database
  nothing;
- beyond it the process takes a tenth of what the rate allows out of the database at once, and gives
  that. A user who sends without end costs a statement for every 200 events, by default.

So a user may send as much as the rate allows, and a twentieth of it more for each process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

from django.db import DatabaseError, connections, router

from .conf import chat_settings
from .errors import NotAuthenticated, RateLimited, refers_to_nothing
from .limits import Rate
from .models import Allowance

EVENTS = "events"
"""The kind of allowance that events are taken out of."""

ROOMS = "rooms"
"""The kind that rooms are taken out of which a user makes or joins."""

FINDS = "finds"
"""The kind that searches for people are taken out of."""

SOCKETS = "sockets"
"""The kind whose row is locked while a user's sockets are counted. Nothing is taken out of it."""

OWN_PART = 20
"""Which part of a rate a process gives by itself."""

LEASED_PART = 10
"""Which part it takes out of the database at once."""

PATIENCE = 50
"""How many events over the rate are answered with an error until a client is given up."""

BYTES = 16 * 1024
"""An event counts once more for so many bytes."""

_SWEEP_SECONDS = 60.0
_SKEW_SECONDS = 60.0  # the clocks of servers differ
_EPSILON = 1e-4
_ATTEMPTS = 3


class Ignored(RateLimited):
    """The client goes on above the rate, whatever it is told."""


def too_many(
    wait: float, error: type[RateLimited] = RateLimited, *, what: str = "events"
) -> RateLimited:
    """Return the error for a client that has to wait.

    Args:
        wait: for how many seconds. They are rounded up: a client that waits as long as told is not
            refused again.
        error: the class of the error.
        what: what there was too much of, in the plural.
    """
    retry_after = max(math.ceil(wait * 1000), 1) / 1000
    return error({"message": f"Too many {what} in too short a time.", "retry_after": retry_after})


# In the database


@dataclass(frozen=True, slots=True)
class Grant:
    """What was taken out of an allowance.

    Attributes:
        count: how many; 0 for none.
        wait: in how many seconds all that was asked for will be there; 0 if some was taken.
    """

    count: int
    wait: float = 0.0


def take(user_id: Any, kind: str, rate: Rate, least: int = 1, most: int = 1) -> Grant:
    """Take something out of an allowance, in the transaction that is running or in one of its own.

    Others who do so at the same time wait for that transaction. If it is undone, so is this.

    Args:
        user_id: the user.
        kind: the kind of allowance.
        rate: how much it holds, and how fast it fills up.
        least: less than that is not taken.
        most: nor is more.

    Raises:
        NotAuthenticated: there is no such user any more.
    """
    connection = connections[router.db_for_write(Allowance)]
    key = Allowance._meta.get_field("user").target_field.get_db_prep_value(user_id, connection)
    speed = rate["events"] / rate["seconds"]
    most = min(most, rate["events"])
    least = min(least, most)
    count, left = most, 0.0
    for _ in range(_ATTEMPTS):
        if _take(connection, key, kind, count / speed, rate["seconds"]):
            return Grant(count)
        left = _read_left(connection, key, kind, rate)
        # Rounding must not make less of a whole one.
        count = min(most, math.floor(left + _EPSILON))
        if count < least:
            break
    return Grant(0, max(0.0, (most - left) / speed))


def lock(user_id: Any, kind: str) -> tuple[str, list[Any]]:
    """Return the statement that locks an allowance until the transaction ends, with its parameters.

    It makes the row if there is none. Later statements read what others have left.
    """
    connection = connections[router.db_for_write(Allowance)]
    key = Allowance._meta.get_field("user").target_field.get_db_prep_value(user_id, connection)
    table = Allowance._meta.db_table
    sql = (
        f"INSERT INTO {table} (user_id, kind, full_at) VALUES (%s, %s, 0) "
        f"ON CONFLICT (user_id, kind) DO UPDATE SET full_at = {table}.full_at"
    )
    return sql, [key, kind]


def find_full() -> Any:
    """Return the rows that are as good as none: those of allowances that are full."""
    return Allowance.objects.filter(full_at__lt=time.time() - _SKEW_SECONDS)


def _take(connection: Any, key: Any, kind: str, cost: float, capacity: float) -> bool:
    """Put off the moment from which an allowance is full, if that is not too far off then."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(
                _take_sql(connection.vendor), [key, kind, cost, cost, cost, capacity + _EPSILON]
            )
            return cursor.fetchone() is not None
        except DatabaseError as error:
            if refers_to_nothing(error):
                raise NotAuthenticated("Your account is not active.") from error
            raise


def _read_left(connection: Any, key: Any, kind: str, rate: Rate) -> float:
    """Return how many there are in an allowance now."""
    now = _now(connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT full_at - {now} FROM {Allowance._meta.db_table} "
            "WHERE user_id = %s AND kind = %s",
            [key, kind],
        )
        row = cursor.fetchone()
    missing = max(0.0, row[0]) if row else 0.0
    return rate["events"] - missing * rate["events"] / rate["seconds"]


@cache
def _take_sql(vendor: str) -> str:
    table, now = Allowance._meta.db_table, _now(vendor)
    greatest = "MAX" if vendor == "sqlite" else "GREATEST"
    begins = f"{greatest}({table}.full_at, {now})"
    return (
        f"INSERT INTO {table} (user_id, kind, full_at) VALUES (%s, %s, {now} + %s) "
        f"ON CONFLICT (user_id, kind) DO UPDATE SET full_at = {begins} + %s "
        f"WHERE {begins} + %s <= {now} + %s RETURNING id"
    )


def _now(vendor: str) -> str:
    """Return the SQL for the seconds since 1970. Servers' clocks differ; a database has one."""
    if vendor == "sqlite":
        return "((julianday('now') - 2440587.5) * 86400.0)"
    return "EXTRACT(EPOCH FROM clock_timestamp())::float8"


# In a process


class Budget:
    """What a process may give a user of the events that `USER_RATE_LIMIT` allows.

    Any thread may call any method.

    Args:
        user_id: the user.
        clock: returns seconds that only grow.

    Attributes:
        used_at: when something was last asked of it.
    """

    __slots__ = (
        "_at",
        "_blocked_until",
        "_clock",
        "_exhausted",
        "_leased",
        "_leasing",
        "_lock",
        "_own",
        "_refused",
        "_user_id",
        "used_at",
    )

    def __init__(self, user_id: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._user_id = user_id
        self._clock = clock
        self._lock = Lock()
        self._leasing = Lock()
        self._own: float | None = None
        self._at = self.used_at = clock()
        self._leased = 0
        self._exhausted = False
        self._blocked_until = 0.0
        self._refused = 0

    def check(self, cost: int = 1) -> bool:
        """Take events out of what is at hand; return whether there were so many. Else, `lease`.

        Args:
            cost: how many events.

        Raises:
            RateLimited: the user is over the rate; `detail` says for how long.
            Ignored: that was said too often.
        """
        rate = chat_settings.USER_RATE_LIMIT
        if rate is None:
            return True
        with self._lock:
            return self._check(min(cost, rate["events"]), rate)

    def _check(self, cost: int, rate: Rate) -> bool:
        now = self.used_at = self._clock()
        if now < self._blocked_until:
            raise self._refuse(now)
        most = rate["events"] // OWN_PART
        gained = (now - self._at) * most / rate["seconds"]
        self._own = most if self._own is None else min(most, self._own + gained)
        self._at = now
        if self._own >= cost:
            self._own -= cost
        elif self._leased >= cost:
            self._leased -= cost
        else:
            return False
        self._refused = 0
        return True

    def lease(self, cost: int = 1) -> None:
        """Take events out of what the database has for the user; see `check`.

        For a thread that may ask the database.

        Raises:
            RateLimited, Ignored: as `check` does.
            NotAuthenticated: there is no such user any more.
        """
        with self._leasing:
            if self.check(cost):
                return  # what another thread has just taken is enough
            rate = chat_settings.USER_RATE_LIMIT
            if rate is None:
                return
            cost = min(cost, rate["events"])
            part = max(cost, rate["events"] // LEASED_PART)
            # A refused user gets nothing until there is a whole part again. Otherwise a client that
            # just goes on would be let through now and then, and never be given up.
            grant = take(
                self._user_id, EVENTS, rate, least=part if self._exhausted else cost, most=part
            )
            with self._lock:
                self._exhausted = not grant.count
                if grant.count:
                    self._leased += grant.count - cost
                    self._refused = 0
                    return
                now = self._clock()
                self._blocked_until = now + grant.wait
                raise self._refuse(now)

    def spend(self, cost: int = 1) -> None:
        """Take events, wherever they are; for a thread that may ask the database.

        Raises:
            RateLimited, Ignored, NotAuthenticated: as `lease` does.
        """
        if not self.check(cost):
            self.lease(cost)

    def _refuse(self, now: float) -> RateLimited:
        self._refused += 1
        error = Ignored if self._refused > PATIENCE else RateLimited
        return too_many(self._blocked_until - now, error)


class Budgets:
    """The budgets of a process.

    One is kept until its user could send everything again. So a user who connects again finds the
    same one.

    Args:
        clock: returns seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[str, Budget] = {}
        self._swept_at = clock()

    def find(self, user_id: Any) -> Budget:
        """Return the budget of a user."""
        key = str(user_id)
        with self._lock:
            self._sweep()
            budget = self._kept.get(key)
            if budget is None:
                budget = self._kept[key] = Budget(user_id, self._clock)
            return budget

    def _sweep(self) -> None:
        now = self._clock()
        if now < self._swept_at + _SWEEP_SECONDS:
            return
        self._swept_at = now
        rate = chat_settings.USER_RATE_LIMIT
        since = now - (0.0 if rate is None else rate["seconds"])
        self._kept = {key: each for key, each in self._kept.items() if each.used_at > since}


_budgets = Budgets()


def get_budget(user_id: Any) -> Budget:
    """Return what this process may give a user, the same for all sockets of the user here."""
    return _budgets.find(user_id)


def get_cost(size: int) -> int:
    """Return how many events an event of so many characters counts for."""
    return 1 + size // BYTES

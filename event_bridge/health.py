"""Health: whether this process lives, and whether it can serve.

Four things are checked, each apart and with a bound in time:

| check | `ok` if |
|---|---|
| `database` | the primary database answers |
| `migrations` | it has the migrations of the apps whose models chat uses |
| `layer` | the channel layer takes a message; one that ends at this process always does |
| `hub` | the hub of the event loop does its periodic work, or nobody is connected |

`live` asks the hub alone: a database that is away is no reason to restart a process. `ready` asks
all. A process is ready without the channel layer, too: chat goes on by the log then. If all workers
left their load balancer because Redis is away, nobody could chat at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from gql_chat import readiness
from gql_chat.errors import Unavailable

from .hub import find_hub
from .questions import Question

logger = logging.getLogger("event_bridge")

CHECK_SECONDS = 2.0
"""How long a check may take until what it asks counts as down."""

KEPT_SECONDS = 1.0
"""How long an answer is kept: this bounds what a health view costs, however often it is asked."""

LIVE: Final = ("hub",)
"""The checks of `live`."""

READY: Final = ("database", "migrations", "layer", "hub")
"""The checks of `ready`."""

NEEDED: Final = ("database", "migrations", "hub")
"""Those without which a process is not ready."""


@dataclass(slots=True, frozen=True)
class Report:
    """The outcome of some checks.

    Attributes:
        states: `ok` or `down`, by the name of the check.
        needed: the checks without which all is down.
    """

    states: dict[str, str]
    needed: Collection[str]

    @property
    def status(self) -> str:
        """`ok`, `down`, or `degraded` if only that is down which is not needed."""
        down = {name for name, state in self.states.items() if state != "ok"}
        if down & set(self.needed):
            return "down"
        return "degraded" if down else "ok"

    @property
    def http_status(self) -> int:
        """503 if it is down, else 200."""
        return 503 if self.status == "down" else 200

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain objects: names and states, and nothing that says more."""
        return {"status": self.status, "checks": self.states}


class Health:
    """The checks of a process."""

    def __init__(self) -> None:
        self._is_migrated = False
        self._down: set[str] = set()
        self._questions: dict[str, Question[None]] = {
            "database": Question(readiness.ask_database, KEPT_SECONDS),
            "migrations": Question(self._check_migrations, KEPT_SECONDS),
            "layer": Question(readiness.ask_layer, KEPT_SECONDS),
        }

    async def report(self, checks: Collection[str], needed: Collection[str]) -> Report:
        """Make checks at the same time. It takes `CHECK_SECONDS` at most, and never raises.

        Args:
            checks: the names of the checks.
            needed: those without which all is down.
        """
        states = await asyncio.gather(*(self._find_state(name) for name in checks))
        return Report(dict(zip(checks, states, strict=True)), needed)

    async def _find_state(self, name: str) -> str:
        problem: Exception | None = None
        try:
            if name == "hub":
                _check_hub()
            else:
                await self._questions[name].answer(CHECK_SECONDS)
        except Exception as error:
            problem = error
        self._tell(name, problem)
        return "ok" if problem is None else "down"

    def _tell(self, name: str, problem: Exception | None) -> None:
        """Log the reason once when a check fails, and once when it succeeds again."""
        if problem is not None and name not in self._down:
            self._down.add(name)
            logger.warning("Health: %s is down: %r", name, problem, extra={"check": name})
        elif problem is None and name in self._down:
            self._down.discard(name)
            logger.warning("Health: %s is ok again.", name, extra={"check": name})

    def _check_migrations(self) -> None:
        # The code of a process does not change: once no migration is missing, none will be.
        if not self._is_migrated:
            readiness.check_migrations()
            self._is_migrated = True


def _check_hub() -> None:
    hub = find_hub()
    if hub is not None and not hub.is_sound:
        raise Unavailable("The periodic work of the hub has ended.")


health = Health()
"""The health of this process."""

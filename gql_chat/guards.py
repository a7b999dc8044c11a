"""The guard: one per event loop; it ends connections whose login has ended.

It has a thread of its own. So a store of sessions that hangs delays neither the events of rooms nor
the reading of the log.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from .errors import ChatError
from .failures import bare, outline
from .logins import (
    Judgement,
    Login,
    Scope,
    ended,
    find_outage,
    find_shown,
    judge,
    unknown,
)
from .sql.threads import DatabaseThreads

logger = logging.getLogger("gql_chat")

CHECK_SECONDS = 2.0
"""Seconds between two searches for logins that are due."""

EVERY_SECONDS = 30.0
"""Seconds after which a login is due again."""

ANSWER_SECONDS = 5.0
"""How long `check` waits for an answer; then the store is taken to be away."""

AT_ONCE = 200
"""How many logins are judged together at most. One call of `check` waits for no more than these."""

LONGEST_TIMER = 24 * 60 * 60.0
"""The longest timer. It then starts again: the event loop's clock drifts from the wall clock."""


@dataclass(slots=True)
class _Watched:
    """A login that is watched.

    Attributes:
        end: called when it has ended.
        due: when it is judged next, by the event loop's clock.
        timer: calls when the login expires; None if it never does.
    """

    end: Callable[[], None]
    due: float
    timer: asyncio.TimerHandle | None = None


class Guard:
    """Judges the logins of an event loop's connections, on request and regularly."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads = DatabaseThreads(1)
        self._watched: dict[Login, _Watched] = {}
        self._asked: dict[Login, asyncio.Future[ChatError | None]] = {}
        self._answering: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        self._sought: set[asyncio.Future[Exception | None]] = set()
        self._is_away = False

    # On request

    async def check(self, login: Login) -> None:
        """Judge a login now. Calls that come at the same time are answered together.

        Raises:
            NotAuthenticated: it has ended.
            Unavailable: the store of its session does not answer.
        """
        if login.is_expired:
            raise ended()
        if login.store is None:
            return
        answer = self._asked.get(login)
        if answer is None:
            answer = self._asked[login] = self._loop.create_future()
            if self._answering is None:
                self._answering = self._loop.create_task(self._answer())
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                problem = await asyncio.shield(answer)
        except TimeoutError as error:
            self._note(error)
            problem = unknown()
        if problem is not None:
            raise problem

    async def _answer(self) -> None:
        try:
            while asked := [login for login, _ in zip(self._asked, range(AT_ONCE), strict=False)]:
                # Taken out before the judging: a call that comes during it gets a judgement of
                # its own, which knows what has happened until that call.
                answers = {login: self._asked.pop(login) for login in asked}
                judgement = await self._judge(asked)
                for login, answer in answers.items():
                    if login in judgement.ended:
                        answer.set_result(ended())
                    else:
                        answer.set_result(unknown() if login in judgement.unknown else None)
        finally:
            self._answering = None
            self._rest()

    async def misses_login(self, scope: Scope) -> bool:
        """Return whether an anonymous connection may have a login in a store that is away."""
        shown = find_shown(scope)
        if shown is None:
            return False
        if len(self._sought) >= AT_ONCE:
            return True  # the store hangs: do not queue every client that tries again
        job = self._threads.run(find_outage, shown)
        self._sought.add(job)
        job.add_done_callback(self._found)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                problem = await asyncio.shield(job)
        except TimeoutError as error:
            problem = error
        if problem is not None:
            self._note(problem)
        return problem is not None

    def _found(self, job: asyncio.Future[Exception | None]) -> None:
        self._sought.discard(job)
        self._rest()

    # Regularly

    def watch(self, login: Login, end: Callable[[], None]) -> None:
        """Call `end` within a minute after a login has ended, until `forget`.

        A login that cannot end costs nothing.
        """
        if login.store is None and login.expires_at is None:
            return
        # Thousands connect at once after a restart. A random delay spreads their judgements.
        delay = random.random() * EVERY_SECONDS if login.is_proven else 0.0
        self._watched[login] = _Watched(end, self._loop.time() + delay)
        self._set_timer(login)
        if self._checking is None:
            self._checking = self._loop.create_task(self._check_regularly())

    def forget(self, login: Login) -> None:
        """Stop watching a login."""
        watched = self._watched.pop(login, None)
        if watched is not None and watched.timer is not None:
            watched.timer.cancel()
        self._rest()

    def _rest(self) -> None:
        if not self._watched:
            if self._checking is not None:
                self._checking.cancel()
                self._checking = None
            # The thread finishes its queue and ends; the next job starts another. While a search
            # hangs it is kept, so that no second thread hangs beside it.
            if not self._sought:
                self._threads.close()

    def _set_timer(self, login: Login) -> None:
        watched = self._watched.get(login)
        if watched is None or login.expires_at is None:
            return
        left = login.expires_at - time.time()
        if left <= 0:
            watched.end()
        else:
            delay = min(left, LONGEST_TIMER)
            watched.timer = self._loop.call_later(delay, self._set_timer, login)

    async def _check_regularly(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._check_due()
            except Exception as error:
                logger.error("Logins could not be checked.", exc_info=bare(error))

    async def _check_due(self) -> None:
        """Judge the logins that are due."""
        now = self._loop.time()
        due = [
            login
            for login, watched in self._watched.items()
            if watched.due <= now and login.store is not None
        ]
        for start in range(0, len(due), AT_ONCE):
            judgement = await self._judge(due[start : start + AT_ONCE])
            for login in judgement.ended:
                if (watched := self._watched.get(login)) is not None:
                    watched.end()

    # Judging

    async def _judge(self, logins: list[Login]) -> Judgement:
        try:
            judgement = await self._threads.run(judge, logins)
        except Exception as error:
            logger.error("Logins could not be judged.", exc_info=bare(error))
            judgement = Judgement(set(), set(logins), error)
        self._note(judgement.problem)
        due = self._loop.time() + EVERY_SECONDS
        for login in logins:
            if (watched := self._watched.get(login)) is not None:
                watched.due = due
        return judgement

    def _note(self, problem: Exception | None) -> None:
        """Log when logins cannot be judged any more, and when they can again."""
        if problem is not None and not self._is_away:
            said = outline(problem)
            logger.warning("Logins cannot be judged: %s. Until they can, none ends.", said)
        elif problem is None and self._is_away:
            logger.warning("Logins are judged again.")
        self._is_away = problem is not None


_guards: WeakKeyDictionary[asyncio.AbstractEventLoop, Guard] = WeakKeyDictionary()


def get_guard() -> Guard:
    """Return the guard of the running event loop."""
    loop: Any = asyncio.get_running_loop()
    guard = _guards.get(loop)
    if guard is None:
        guard = _guards[loop] = Guard(loop)
    return guard

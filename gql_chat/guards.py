"""The guard: one per event loop; ends what was opened with a login that has ended.

It has a thread of its own: a store of sessions that hangs keeps nobody else waiting, neither an
event of a room nor a look at the log.
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

LOOK_SECONDS = 2.0
"""How often it is looked whose turn it is."""

EVERY_SECONDS = 30.0
"""How often a login is judged of which nobody asks meanwhile."""

ANSWER_SECONDS = 5.0
"""How long who asks waits; then the store is taken to be away."""

AT_ONCE = 200
"""How many logins are judged together: who asks waits for no more than these."""

LONGEST_TIMER = 24 * 60 * 60.0
"""An event loop's clock and the one of the wall drift apart, so a long timer is set again."""


@dataclass(slots=True)
class _Watched:
    """A login that is watched.

    Attributes:
        end: what to do when it has ended.
        due: when it is judged next, by the event loop's clock.
        timer: rings when its time is over, where it has one.
    """

    end: Callable[[], None]
    due: float
    timer: asyncio.TimerHandle | None = None


class Guard:
    """Judges the logins of an event loop's connections, when asked and by itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads = DatabaseThreads(1)
        self._watched: dict[Login, _Watched] = {}
        self._asked: dict[Login, asyncio.Future[ChatError | None]] = {}
        self._answering: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._sought: set[asyncio.Future[Exception | None]] = set()
        self._is_away = False

    # Who asks

    async def check(self, login: Login) -> None:
        """Judge a login now. Those who ask at the same time are answered together.

        Raises:
            NotAuthenticated: it has ended.
            Unavailable: whoever knows that is away.
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
                # Who asks from here on is answered by what holds later.
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
        """Tell whether an anonymous connection may only seem so, since its store is away."""
        shown = find_shown(scope)
        if shown is None:
            return False
        if len(self._sought) >= AT_ONCE:
            return True  # clients come again and again, and a store that hangs answers none of them
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

    # What is watched

    def watch(self, login: Login, end: Callable[[], None]) -> None:
        """Call `end` when a login has ended, within a minute, until it is forgotten.

        One with nothing to judge costs nothing.
        """
        if login.store is None and login.expires_at is None:
            return
        # Thousands come at once after a restart: their turns do not.
        delay = random.random() * EVERY_SECONDS if login.is_proven else 0.0
        self._watched[login] = _Watched(end, self._loop.time() + delay)
        self._set_timer(login)
        if self._looking is None:
            self._looking = self._loop.create_task(self._look_again_and_again())

    def forget(self, login: Login) -> None:
        """Watch a login no more."""
        watched = self._watched.pop(login, None)
        if watched is not None and watched.timer is not None:
            watched.timer.cancel()
        self._rest()

    def _rest(self) -> None:
        if not self._watched:
            if self._looking is not None:
                self._looking.cancel()
                self._looking = None
            # It does what waits, and starts again when it is needed. Not beside one that hangs.
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

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
            except Exception:
                logger.exception("Logins could not be looked at.")

    async def _look(self) -> None:
        """Judge those whose turn it is."""
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
            logger.exception("Logins could not be judged.")
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
            logger.warning("Logins cannot be judged: %r. Until they can, none ends.", problem)
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

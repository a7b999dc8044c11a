"""The guard: whom it judges when, and what it does while a store does not answer."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gql_chat import guards
from gql_chat.errors import NotAuthenticated, Unavailable
from gql_chat.guards import Guard
from gql_chat.logins import Judgement, Login
from tests.timing import PATIENCE, eventually


class Judge:
    """Judges as the test says, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[Login]] = []
        self.ended: set[Login] = set()
        self.free = threading.Event()
        self.free.set()

    def __call__(self, logins: list[Login]) -> Judgement:
        self.asked.append(list(logins))
        assert self.free.wait(PATIENCE)
        return Judgement(self.ended & set(logins), set())


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Judge]:
    """What judges in place of the stores and the database."""
    judge = Judge()
    monkeypatch.setattr(guards, "judge", judge)
    monkeypatch.setattr(guards, "CHECK_SECONDS", 0.01)
    yield judge
    judge.free.set()


@pytest.fixture
def make_login() -> Any:
    """Makes logins that have a session."""
    from django.contrib.sessions.backends.db import SessionStore

    return lambda: Login(1, SessionStore, "k" * 32)


async def test_those_who_ask_at_the_same_time_are_judged_together(
    judge: Judge, make_login: Any
) -> None:
    guard = Guard(asyncio.get_running_loop())
    held = [make_login() for _ in range(50)]
    judge.ended = set(held[:5])
    judge.free.clear()

    first = asyncio.create_task(guard.check(held[0]))
    await eventually(lambda: len(judge.asked) == 1, "the first is judged")
    others = [asyncio.create_task(guard.check(login)) for login in held]
    await asyncio.sleep(0)
    judge.free.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)

    # What is asked while one is judged is answered by what holds later.
    assert judge.asked == [held[:1], held]
    assert [isinstance(result, NotAuthenticated) for result in results] == [True] * 6 + [False] * 45


async def test_who_asks_does_not_wait_for_ever_for_a_store_that_hangs(
    judge: Judge, make_login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "ANSWER_SECONDS", 0.01)
    guard = Guard(asyncio.get_running_loop())
    login = make_login()
    judge.free.clear()

    for _ in range(3):
        with pytest.raises(Unavailable):
            await guard.check(login)
    judge.free.set()
    monkeypatch.setattr(guards, "ANSWER_SECONDS", PATIENCE)

    await guard.check(login)
    assert len(judge.asked) <= 3  # who gave up has left nothing behind


async def test_a_store_that_hangs_is_not_asked_by_ever_more_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clients that seem anonymous come again and again, while nobody is signed in."""
    free, asked, threads = threading.Event(), [], set()

    def find_outage(shown: Any) -> None:
        asked.append(shown)
        threads.add(threading.get_ident())
        assert free.wait(PATIENCE)

    monkeypatch.setattr(guards, "find_outage", find_outage)
    monkeypatch.setattr(guards, "find_shown", lambda scope: scope["shown"])
    monkeypatch.setattr(guards, "ANSWER_SECONDS", 0.001)
    guard = Guard(asyncio.get_running_loop())

    for _ in range(5):
        coming = (guard.misses_login({"shown": object()}) for _ in range(guards.AT_ONCE // 4))
        assert all(await asyncio.gather(*coming))
    free.set()
    await eventually(lambda: len(asked) >= guards.AT_ONCE, "the store has answered")
    assert len(threads) == 1
    # By now that thread may have ended: the next who comes has another.
    monkeypatch.setattr(guards, "ANSWER_SECONDS", PATIENCE)
    assert not await guard.misses_login({"shown": object()})

    assert len(asked) == guards.AT_ONCE + 1


async def test_each_login_is_judged_once_in_a_while_and_spread_out(
    judge: Judge, make_login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "CHECK_SECONDS", 3600)  # the test checks, and nothing beside it
    clock = Clock(asyncio.get_running_loop())
    guard = Guard(clock)  # type: ignore[arg-type]
    held = [make_login() for _ in range(1000)]
    for login in held:
        guard.watch(login, lambda: None)

    for _ in range(round(guards.EVERY_SECONDS) + 1):
        await guard._check_due()
        clock.now += 1
    assert len(judge.asked) > 20
    assert max(map(len, judge.asked)) <= guards.AT_ONCE
    judged = [login for batch in judge.asked for login in batch]
    assert len(judged) == len(held)
    assert set(judged) == set(held)

    # A heartbeat counts as well.
    del judge.asked[:]
    clock.now += guards.EVERY_SECONDS
    await asyncio.gather(*(guard.check(login) for login in held))
    del judge.asked[:]
    await guard._check_due()
    assert judge.asked == []
    for login in held:
        guard.forget(login)


class Clock:
    """An event loop whose clock is the test's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)


async def test_a_login_that_is_forgotten_is_not_ended(judge: Judge, make_login: Any) -> None:
    guard = Guard(asyncio.get_running_loop())
    stays, goes = make_login(), make_login()
    told: list[Login] = []
    for login in (stays, goes):
        login.is_proven = False  # judged by the next look
        guard.watch(login, lambda login=login: told.append(login))
    judge.ended = {stays, goes}
    judge.free.clear()

    await eventually(lambda: bool(judge.asked), "both are judged")
    guard.forget(goes)
    judge.free.set()
    await eventually(lambda: bool(told), "one is ended")

    assert set(told) == {stays}
    guard.forget(stays)


async def test_a_login_without_a_session_ends_by_its_timer_alone(judge: Judge) -> None:
    guard = Guard(asyncio.get_running_loop())
    told: list[str] = []
    lasting, ending = (
        Login(1, expires_at=time.time() + 3600),
        Login(1, expires_at=time.time() + 0.05),
    )

    guard.watch(lasting, lambda: told.append("lasting"))
    guard.watch(ending, lambda: told.append("ending"))

    await eventually(lambda: bool(told), "one has ended")
    assert told == ["ending"]
    assert judge.asked == []
    for login in (lasting, ending):
        guard.forget(login)


async def test_a_timer_that_rings_before_the_clock_of_the_wall_is_set_again(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "LONGEST_TIMER", 0.01)
    guard = Guard(asyncio.get_running_loop())
    told: list[float] = []
    login = Login(1, expires_at=time.time() + 0.1)

    guard.watch(login, lambda: told.append(time.time()))

    await eventually(lambda: bool(told), "it has ended")
    assert told[0] >= (login.expires_at or 0)
    guard.forget(login)


async def test_nothing_runs_where_nothing_is_watched(judge: Judge, make_login: Any) -> None:
    guard = Guard(asyncio.get_running_loop())
    before = set(asyncio.all_tasks())
    login = make_login()

    guard.watch(Login(1), lambda: None)
    assert set(asyncio.all_tasks()) == before
    guard.watch(login, lambda: None)
    assert set(asyncio.all_tasks()) != before
    guard.forget(login)

    await eventually(lambda: set(asyncio.all_tasks()) == before, "the guard rests")

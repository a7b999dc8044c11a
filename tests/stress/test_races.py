"""Every race, hundreds of times: no operation fails that would succeed in some order.

``CHAT_RACE_ROUNDS`` says how many rounds each has.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack

import pytest

from tests.configuration import Configuration
from tests.conftest import Users
from tests.servers import ChatProcess
from tests.stress.conftest import APPLICATION
from tests.stress.deadlocks import Deadlocks
from tests.stress.journal import Journal
from tests.stress.racers import Lane
from tests.stress.races import RACES, a_room_goes_while_a_member_catches_up
from tests.stress.scenario import TROUBLE
from tests.stress.stored import check_streams, read

ROUNDS = int(os.environ.get("CHAT_RACE_ROUNDS", "20"))

#: Races at the same time, each with users of its own.
LANES = 4
USERS = 6


@pytest.fixture(scope="module")
def chats(
    configuration: Configuration, committed_database: None, request: pytest.FixtureRequest
) -> Iterator[list[ChatProcess]]:
    """Two processes, or one on SQLite."""
    if configuration.database == "sqlite":
        environment: Mapping[str, str] = dict(os.environ)
    else:
        environment = request.getfixturevalue("shared_environment")
    with ExitStack() as stack:
        yield [
            stack.enter_context(ChatProcess(environment, APPLICATION))
            for _ in range(1 if configuration.database == "sqlite" else 2)
        ]


@pytest.fixture
async def lanes(chats: list[ChatProcess], users: Users) -> AsyncIterator[list[Lane]]:
    """Lanes with users of their own; a failure of any ends all."""
    journal = Journal()
    urls = [chat.url for chat in chats]
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(LANES):
            made = await asyncio.to_thread(users.make, *["racer"] * USERS)
            names = {user.get_username(): user.pk for user in made}
            found.append(await stack.enter_async_context(Lane(names, urls, journal)))
        yield found


@pytest.mark.parametrize("name", RACES)
async def test_nothing_fails_that_would_succeed_in_some_order(
    name: str, lanes: list[Lane], chats: list[ChatProcess], configuration: Configuration
) -> None:
    deadlocks = Deadlocks(configuration.postgres)

    async def run(place: int) -> None:
        for number in range(place, ROUNDS, LANES):
            if lanes[0].journal.violations:
                return
            await RACES[name](lanes[place], number)

    await asyncio.gather(*(run(place) for place in range(LANES)))

    await _check(lanes[0].journal, deadlocks, chats)


async def test_a_room_goes_while_a_member_catches_up(
    lanes: list[Lane], chats: list[ChatProcess], configuration: Configuration
) -> None:
    deadlocks = Deadlocks(configuration.postgres)

    for _ in range(max(1, ROUNDS // 20)):
        await asyncio.gather(*(a_room_goes_while_a_member_catches_up(lane) for lane in lanes[:2]))

    await _check(lanes[0].journal, deadlocks, chats)


async def _check(journal: Journal, deadlocks: Deadlocks, chats: list[ChatProcess]) -> None:
    """Fail with what must not be: an answer, a gap in a stream, a deadlock, a traceback."""
    await read(lambda: check_streams(journal))
    deadlocks.check(journal)
    for chat in chats:
        if found := TROUBLE.search(chat.log):
            start = max(0, found.start() - 500)
            journal.violate("log", chat.log[start : found.end() + 1500])
    lines = [f"[{violation.invariant}] {violation.what}" for violation in journal.violations]
    assert not lines, "\n".join(lines)

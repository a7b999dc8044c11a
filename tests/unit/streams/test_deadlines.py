"""Deadlines: hanging ends, being late does not."""

import asyncio
import time

import pytest

from gql_chat.streams import Deadline, deadlines
from tests.timing import PATIENCE


async def test_work_that_hangs_is_ended() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(PATIENCE), Deadline(0.1):
            await asyncio.Event().wait()


async def test_work_that_is_done_ends_nothing_later() -> None:
    async with Deadline(0.1):
        await asyncio.sleep(0)
    # No timer is left that could end what comes next.
    await asyncio.sleep(0.3)


async def test_an_error_and_a_cancellation_pass_through() -> None:
    with pytest.raises(LookupError):
        async with Deadline(1):
            raise LookupError

    async def work() -> None:
        async with Deadline(PATIENCE):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def turn_slowly(count: int) -> None:
    """Let the loop be late at each of so many turns."""
    for _ in range(count):
        time.sleep(2.5 * deadlines.PAUSE)  # noqa: ASYNC251 (it makes the loop late)
        await asyncio.sleep(0)


async def test_a_loop_that_is_late_puts_it_off() -> None:
    async with Deadline(3 * deadlines.PAUSE):
        await turn_slowly(4)  # more than three times as long


async def test_a_loop_that_is_late_puts_it_off_not_for_ever() -> None:
    async def be_late() -> None:
        async with Deadline(2 * deadlines.PAUSE):
            await turn_slowly(10_000)

    with pytest.raises(TimeoutError):
        await be_late()


async def test_each_part_of_the_work_has_its_time() -> None:
    async with asyncio.timeout(PATIENCE), Deadline(2 * deadlines.PAUSE) as deadline:
        for _ in range(6):
            await asyncio.sleep(deadlines.PAUSE)
            deadline.go_on()

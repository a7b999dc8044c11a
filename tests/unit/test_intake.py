"""The intake knows what is under way, and how much more may be."""

import asyncio
from typing import Any

import pytest

from event_bridge.intake import Intake


class Work:
    """Jobs that are done when the test says so.

    Attributes:
        jobs: what was queued, in order.
        answered: the numbers of the jobs that were answered.
    """

    def __init__(self, limit: int = 3) -> None:
        self.intake = Intake(limit)
        self.jobs: list[asyncio.Future[int]] = []
        self.answered: list[int] = []

    def queue(self, count: int = 1) -> None:
        for _ in range(count):
            job = asyncio.get_running_loop().create_future()
            self.jobs.append(job)
            self.intake.add(job, self.answer)

    def answer(self, job: asyncio.Future[Any]) -> None:
        self.answered.append(self.jobs.index(job))

    def end(self, *numbers: int) -> None:
        for number in numbers:
            self.jobs[number].set_result(number)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_frame_is_answered_when_its_work_is_done() -> None:
    work = Work()
    work.queue(2)

    work.end(0)
    await settle()
    assert work.answered == [0]

    work.end(1)
    await work.intake.finish()
    assert work.answered == [0, 1]


async def test_more_may_come_until_as_many_are_under_way_as_may_be() -> None:
    work = Work(limit=3)
    work.queue(2)
    await work.intake.free()
    work.queue()

    free = asyncio.create_task(work.intake.free())
    await settle()
    assert not free.done()

    work.end(0)
    await free
    assert work.answered == [0]


async def test_finishing_waits_for_all_and_for_their_answers() -> None:
    work = Work()
    work.queue(2)
    finish = asyncio.create_task(work.intake.finish())

    work.end(1)
    await settle()
    assert not finish.done()

    work.end(0)
    await finish
    assert work.answered == [1, 0]


async def test_finishing_waits_for_what_comes_meanwhile() -> None:
    work = Work()
    work.queue()
    finish = asyncio.create_task(work.intake.finish())
    await settle()
    work.queue()

    work.end(0)
    await settle()
    assert not finish.done()

    work.end(1)
    await finish
    assert work.answered == [0, 1]


async def test_where_nothing_is_under_way_nobody_waits() -> None:
    intake = Intake(limit=1)

    # A coroutine that never waits ends at its first step.
    for waiting in (intake.free(), intake.finish()):
        with pytest.raises(StopIteration):
            waiting.send(None)


async def test_work_that_fails_is_answered_too() -> None:
    work = Work()
    work.queue()

    work.jobs[0].set_exception(RuntimeError("broken"))
    await work.intake.finish()

    assert work.answered == [0]
    assert isinstance(work.jobs[0].exception(), RuntimeError)

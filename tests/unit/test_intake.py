"""The intake begins with frames in order, and with the next once the work of one is queued."""

import asyncio
from typing import Any

import pytest

from event_bridge.intake import Intake
from tests.timing import eventually


class Work:
    """Frames that are answered when the test says so.

    Attributes:
        begun: the frames that were begun, in order.
        answered: those that were answered.
    """

    def __init__(self, limit: int = 3) -> None:
        self.intake = Intake(self.answer, asyncio.create_task, limit)
        self.begun: list[str | None] = []
        self.answered: list[str | None] = []
        self.may_queue: dict[str, asyncio.Event] = {}
        self.may_end: dict[str, asyncio.Event] = {}
        self.alone: set[str] = set()

    def hold(self, *frames: str) -> None:
        for frame in frames:
            self.may_end[frame] = asyncio.Event()

    async def answer(self, frame: Any) -> None:
        self.begun.append(frame)
        if frame in self.alone:
            await self.intake.earlier()
        if frame in self.may_queue:
            await self.may_queue[frame].wait()
        if frame not in self.alone:
            self.intake.queued()
        if frame in self.may_end:
            await self.may_end[frame].wait()
        self.answered.append(frame)

    async def take(self, *frames: str) -> None:
        for frame in frames:
            await self.intake.take(frame)


async def test_the_next_frame_is_begun_while_one_is_under_way() -> None:
    work = Work()
    work.hold("a", "b")

    await work.take("a", "b")

    assert (work.begun, work.answered) == (["a", "b"], [])
    work.may_end["a"].set()
    work.may_end["b"].set()
    await work.intake.finish()
    assert work.answered == ["a", "b"]


async def test_none_is_begun_before_the_work_of_the_one_before_is_queued() -> None:
    work = Work()
    work.may_queue["a"] = asyncio.Event()

    taking = asyncio.create_task(work.take("a", "b"))
    await eventually(lambda: bool(work.begun), "the first frame is begun")
    await asyncio.sleep(0)
    assert work.begun == ["a"]

    work.may_queue["a"].set()
    await taking
    await work.intake.finish()
    assert work.begun == ["a", "b"]


async def test_no_more_are_under_way_than_may_be() -> None:
    work = Work(limit=3)
    work.hold("a", "b", "c")
    await work.take("a", "b", "c")

    taking = asyncio.create_task(work.take("d"))
    await asyncio.sleep(0)
    assert work.begun == ["a", "b", "c"]

    work.may_end["a"].set()
    await taking
    assert work.begun == ["a", "b", "c", "d"]
    work.may_end["b"].set()
    work.may_end["c"].set()
    await work.intake.finish()


async def test_what_waits_for_earlier_frames_is_answered_after_them() -> None:
    work = Work()
    work.hold("a", "b")
    work.alone = {"c"}
    await work.take("a", "b")

    taking = asyncio.create_task(work.take("c"))
    await eventually(lambda: "c" in work.begun, "the third frame is begun")
    assert not taking.done()
    work.may_end["b"].set()
    await asyncio.sleep(0)
    work.may_end["a"].set()
    await taking

    assert work.answered == ["b", "a", "c"]


async def test_a_frame_that_fails_lets_the_next_one_come() -> None:
    async def fail(frame: str | None) -> None:
        raise RuntimeError(frame)

    failed: list[Any] = []

    def spawn(work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda done: failed.append(str(done.exception())))
        return task

    intake = Intake(fail, spawn)
    await intake.take("a")
    await intake.take("b")
    await intake.finish()

    assert failed == ["a", "b"]


async def test_whoever_is_no_frame_of_it_may_say_that_work_is_queued() -> None:
    work = Work()
    work.may_queue["a"] = asyncio.Event()
    taking = asyncio.create_task(work.take("a"))
    await eventually(lambda: bool(work.begun), "the frame is begun")

    work.intake.queued()
    await asyncio.sleep(0)

    assert not taking.done()
    work.may_queue["a"].set()
    await taking
    await work.intake.finish()


@pytest.mark.parametrize("count", [1, 20])
async def test_frames_are_begun_and_answered_in_their_order(count: int) -> None:
    work = Work()
    frames = [str(number) for number in range(count)]

    await work.take(*frames)
    await work.intake.finish()

    assert work.begun == work.answered == frames

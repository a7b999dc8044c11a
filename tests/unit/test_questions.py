"""Questions: one thread asks, all who want to know get its answer, and nobody waits for ever."""

import asyncio
import itertools
import threading
from collections.abc import Iterator

import pytest

from event_bridge.questions import Question
from tests.timing import PATIENCE

KEPT = 3600.0


class Oracle:
    """Answers with the number of the question, when it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.asked += 1
        if not self.may_answer.wait(PATIENCE):
            raise AssertionError("it hangs for ever")
        if self.error is not None:
            raise self.error
        return self.asked


@pytest.fixture
def oracle() -> Iterator[Oracle]:
    oracle = Oracle()
    yield oracle
    oracle.may_answer.set()


async def test_an_answer_is_kept_for_all_who_ask_in_the_meantime(oracle: Oracle) -> None:
    question = Question(oracle, KEPT)

    together = await asyncio.gather(*(question.answer(PATIENCE) for _ in range(5)))

    assert together == [1] * 5
    assert await question.answer(PATIENCE) == 1
    assert oracle.asked == 1


async def test_it_is_asked_again_when_the_answer_is_old(oracle: Oracle) -> None:
    question = Question(oracle, 0.0)

    assert [await question.answer(PATIENCE) for _ in range(3)] == [1, 2, 3]


async def test_an_error_is_an_answer(oracle: Oracle) -> None:
    oracle.error = LookupError("no")
    question = Question(oracle, KEPT)

    for _ in range(3):
        with pytest.raises(LookupError):
            await question.answer(PATIENCE)
    assert oracle.asked == 1


async def test_while_it_hangs_nobody_asks_again_and_nobody_waits_long(oracle: Oracle) -> None:
    oracle.may_answer.clear()
    question = Question(oracle, 0.0)
    threads = threading.active_count()

    for _ in range(3):
        with pytest.raises(TimeoutError):
            await question.answer(0.01)
    assert oracle.asked == 1
    assert threading.active_count() <= threads + 1

    oracle.may_answer.set()
    async with asyncio.timeout(PATIENCE):
        for _ in itertools.count():
            if await question.answer(PATIENCE) > 1:
                break


async def test_who_stops_waiting_stops_nobody_else(oracle: Oracle) -> None:
    oracle.may_answer.clear()
    question = Question(oracle, KEPT)
    other = asyncio.create_task(question.answer(PATIENCE))
    one = asyncio.create_task(question.answer(PATIENCE))
    await asyncio.sleep(0)

    one.cancel()
    await asyncio.wait({one})
    oracle.may_answer.set()

    assert await other == 1


def test_event_loops_share_it(oracle: Oracle) -> None:
    question = Question(oracle, KEPT)

    assert [asyncio.run(question.answer(PATIENCE)) for _ in range(2)] == [1, 1]
    assert oracle.asked == 1


def test_a_loop_that_is_closed_while_it_hangs_is_looked_for_no_more(oracle: Oracle) -> None:
    oracle.may_answer.clear()
    question = Question(oracle, KEPT)
    with pytest.raises(TimeoutError):
        asyncio.run(question.answer(0.01))

    oracle.may_answer.set()

    assert asyncio.run(question.answer(PATIENCE)) == 1

"""Questions to what may hang: each is asked by one thread at a time, and its answer is kept."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from django.db import connections

T = TypeVar("T")


class Question(Generic[T]):
    """A question that is asked at most once in a while, however many want to know.

    The thread that asks is its own, and ends with the answer. While it hangs nobody else asks, so a
    server that hangs holds one thread. All event loops of the process share a question.

    Args:
        ask: asks; returns the answer or raises.
        seconds: how long an answer is kept.
    """

    def __init__(self, ask: Callable[[], T], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = threading.Lock()
        self._asking: Future[T] | None = None
        self._asked_at = float("-inf")

    async def answer(self, seconds: float) -> T:
        """Return the answer, which is as old as it may be at most.

        Args:
            seconds: how long to wait for it.

        Raises:
            TimeoutError: there is none yet.
            Exception: what `ask` raised.
        """
        asking = asyncio.wrap_future(self._start())
        try:
            done, _ = await asyncio.wait({asking}, timeout=seconds)
            if not done:
                raise TimeoutError(f"There was no answer within {seconds} seconds.")
            return asking.result()
        finally:
            asking.cancel()  # the thread goes on, and has forgotten this event loop

    def _start(self) -> Future[T]:
        with self._lock:
            asking = self._asking
            if asking is not None:
                is_fresh = time.monotonic() - self._asked_at < self._seconds
                if is_fresh or not asking.done():
                    return asking
            asking = self._asking = Future()
            asking.set_running_or_notify_cancel()  # so that nobody who waits can cancel it
            self._asked_at = time.monotonic()
            threading.Thread(
                target=self._work, args=(asking,), name="chat-question", daemon=True
            ).start()
            return asking

    def _work(self, asking: Future[T]) -> None:
        try:
            try:
                answer = self._ask()
            finally:
                connections.close_all()
        except BaseException as error:
            asking.set_exception(error)
        else:
            asking.set_result(answer)

"""The scenario of presence: many sockets watch the same few users, and are told of changes."""

from __future__ import annotations

import asyncio
import time

from benchmarks.client import PATIENCE, RefusedError, crowd
from benchmarks.results import Metrics
from benchmarks.scenarios import create_group, percentile, stopwatch
from benchmarks.servers import Target


async def presence(target: Target, first: int, *, sockets: int, watched: int) -> Metrics:
    """One group; all others in it watch a few members, who turn invisible one after the other.

    `subscribes_per_s`; `told_per_s` while they change; `p50_ms` and `p99_ms` from a change until
    the last watcher has it. A hub reads changes five times a second at most: none is quicker.

    Args:
        target: where.
        first: the first of the users.
        sockets: how many there are, those who are watched among them.
        watched: how many are watched: at most 200. Each changes once.
    """
    async with crowd(target.urls, range(first, first + sockets)) as members:
        await create_group(members)
        subjects, watchers = members[:watched], members[watched:]
        named = {"users": [subject.user_id for subject in subjects]}
        with stopwatch(target) as subscribing:
            await asyncio.gather(
                *(
                    watcher.ask("presence.subscribe", named, "presence.dispatch")
                    for watcher in watchers
                )
            )
        told, done = 0, asyncio.Event()

        def take(frame: bytes) -> None:
            nonlocal told
            if frame.startswith(b'{"error"'):
                raise RefusedError(frame.decode())
            told += 1
            if told == len(watchers):
                done.set()

        for watcher in watchers:
            watcher.sink = take
        times = []
        with stopwatch(target) as telling:
            for subject in subjects:
                told = 0
                done.clear()
                start = time.perf_counter()
                subject.send("presence.set", {"status": "invisible"})
                async with asyncio.timeout(PATIENCE):
                    await done.wait()
                times.append(time.perf_counter() - start)
    subscribed, rates = subscribing.per(len(watchers)), telling.per(watched * len(watchers))
    return {
        "subscribes_per_s": subscribed["per_s"],
        "told_per_s": rates.pop("per_s"),
        "p50_ms": percentile(times, 0.5),
        "p99_ms": percentile(times, 0.99),
        **rates,
    }

"""The scenarios of reading and attention: reading a large room, mentioning it, its members."""

from __future__ import annotations

import asyncio
import statistics
import time

from benchmarks.client import PATIENCE, crowd
from benchmarks.results import Metrics
from benchmarks.scenarios import (
    WORDS,
    Deliveries,
    ask_often,
    create_group,
    percentile,
    stopwatch,
    talk,
)
from benchmarks.servers import Target


async def read(target: Target, first: int, *, sockets: int, unread: int) -> Metrics:
    """One group with unread messages; its members read it by marker, one after the other.

    `reads_per_s`, where every socket is told of every reading; `read_ms` until the reader knows
    what is left.

    Args:
        target: where.
        first: the first of the users.
        sockets: how many there are; in a room of more than 100 nobody is told.
        unread: how many messages are said before.
    """
    async with crowd(target.urls, range(first, first + sockets)) as members:
        room = await create_group(members)
        await talk(target, [members[:1]], [room], unread)
        members[0].sink = None
        asked = {"room_id": room}
        for member in members:  # which has all messages before the answer
            await member.ask("room.info", asked, "roominfo.dispatch")
        times = []
        with stopwatch(target) as watch:
            for member in members[1:]:
                start = time.perf_counter()
                await member.ask("room.read", asked, "unread.dispatch")
                times.append(time.perf_counter() - start)
    rates = watch.per(len(times))
    return {"reads_per_s": rates.pop("per_s"), "read_ms": statistics.median(times) * 1e3, **rates}


async def mention(target: Target, first: int, *, sockets: int, messages: int) -> Metrics:
    """One group; its owner says something that calls the whole room, when all have the last one.

    `mentions_per_s`; `p50_ms` and `p99_ms` until the slowest member has a message.
    """
    async with crowd(target.urls, range(first, first + sockets)) as members:
        room = await create_group(members)
        deliveries = Deliveries(members)
        calling = {"mentions": {"room": True}}
        with stopwatch(target) as watch:
            async with asyncio.timeout(PATIENCE):
                for number in range(messages):
                    tag, arrived = deliveries.expect(number, sockets)
                    said = {"room_id": room, "content": tag + WORDS, "extra_fields": calling}
                    members[0].send("message.send", said)
                    await arrived.wait()
    rates = watch.per(messages)
    return {
        "mentions_per_s": rates.pop("per_s"),
        "p50_ms": percentile(deliveries.latencies, 0.5),
        "p99_ms": percentile(deliveries.latencies, 0.99),
        **rates,
    }


async def members(target: Target, first: int, *, sockets: int, repeats: int) -> Metrics:
    """A member of a group asks for the first page of its members, and finds one by name.

    `members_ms`, `search_ms`.
    """
    async with crowd(target.urls, range(first, first + sockets)) as everybody:
        room = await create_group(everybody)
        asker = everybody[-1]
        page = {"room_id": room, "paginate": {"size": 50}}
        answer = "roommembers.dispatch"
        return {
            "members_ms": await ask_often(asker, repeats, "room.members", page, answer),
            "search_ms": await ask_often(
                asker, repeats, "room.members", {**page, "query": "user"}, answer
            ),
        }

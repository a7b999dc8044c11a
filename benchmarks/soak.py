"""A long mixed load: does what a process holds grow, and does it become slower?

`python -m benchmarks soak`, or `make soak`. Two workers on PostgreSQL and Redis serve groups that
talk without a pause. In each group some acknowledge, read and react, some never acknowledge
anything, and some lose their connection again and again and resume. Every few seconds it is
counted what was delivered and what the processes hold. What is flat at the end as it was at the
beginning may go on for ever.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import orjson
import psutil
import psycopg
import redis
import uvloop

from benchmarks import report
from benchmarks.client import RefusedError, Socket, crowd, open_socket
from benchmarks.environments import WORK
from benchmarks.results import ROOT, Metrics, Result
from benchmarks.scenarios import WORDS, create_group, percentile
from benchmarks.servers import Target, Workshop
from benchmarks.sites.frames import FIRST_USER

COMMITTED = Path("benchmarks/results/soak.json")

WATCHED = "benchmarks.sites.ours.watched:application"

#: Less is no soak that others may rely on.
MINUTES = 10

GROUPS = 10
#: Members of a group by what they do; the first of them sends as well.
DILIGENT, LAZY, RESTLESS = 8, 8, 4
GROUP = DILIGENT + LAZY + RESTLESS

#: A diligent member acknowledges and reads so many messages at a time.
AT_ONCE = 10

#: Seconds that a restless one stays connected, and stays away.
STAY, AWAY = 8.0, 1.0

#: Into so many parts the time is divided; the first is for what is set up once.
PARTS = 10

#: What is shown of each part.
SHOWN = {
    "messages_per_s": "messages/s",
    "operations_per_s": "operations/s",
    "resumes_per_s": "resumes/s",
    "p50_ms": "p50, ms",
    "p99_ms": "p99, ms",
    "worker_mib": "workers, MiB",
    "tasks": "tasks",
    "threads": "threads",
    "files": "open files",
    "connections": "connections to PostgreSQL",
    "redis_mib": "Redis, MiB",
}


def main(arguments: Sequence[str]) -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmarks soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"{MINUTES} by default")
    chosen = parser.parse_args(arguments)
    whole = chosen.minutes >= MINUTES
    path = ROOT / COMMITTED if whole else WORK / "soak.json"
    result = Result.begin(1)
    result.benches["soak"] = {"parts": measure(chosen.minutes * 60)}
    result.write(path)
    result = Result.parse(path.read_text())
    if whole:
        report.fill_in_pages(sections(result))
    sys.stdout.write(soak_table(result) + f"\nResults: {path}.\n")
    return 0


def measure(seconds: float) -> list[Metrics]:
    """Return what was measured in each part of so many seconds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        # PostgreSQL may run as another user, who has to reach what is in it.
        Path(directory).chmod(0o755)
        with Workshop(Path(directory), GROUPS * GROUP) as shop:
            database = shop.postgres_database("soak")
            with shop.workers(2, database, "pubsub", name="soak", application=WATCHED) as target:
                outside = Outside(target, database["CHAT_TEST_DSN"], shop.redis.url)
                return uvloop.run(Soak(target, outside, seconds).run())


@dataclass
class Outside:
    """What is seen of the processes from outside.

    Attributes:
        target: the workers.
        dsn: the connection string of the database.
        redis_url: the address of Redis.
    """

    target: Target
    dsn: str
    redis_url: str

    def look(self) -> Metrics:
        """Return what the processes hold now."""
        workers = [psutil.Process(pid) for pid in self.target.pids["worker"]]
        told = [self._ask(url) for url in self.target.urls]
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
        with redis.Redis.from_url(self.redis_url) as server:
            used: Any = server.info("memory")
        return {
            "worker_mib": sum(worker.memory_info().rss for worker in workers) / 2**20,
            "files": sum(worker.num_fds() for worker in workers),
            "tasks": sum(each["tasks"] for each in told),
            "threads": sum(each["threads"] for each in told),
            "connections": row[0] if row else 0,
            "redis_mib": used["used_memory"] / 2**20,
        }

    @staticmethod
    def _ask(url: str) -> dict[str, int]:
        with urlopen(f"http://{urlsplit(url).netloc}/", timeout=60) as answer:
            found: dict[str, int] = orjson.loads(answer.read())
        return found


@dataclass
class Counts:
    """What happened in a part of the time."""

    messages: int = 0
    operations: int = 0
    resumes: int = 0
    latencies: list[float] = field(default_factory=list)


class Soak:
    """One run.

    Args:
        target: the workers.
        outside: what is seen of them from outside.
        seconds: how long it takes.
    """

    def __init__(self, target: Target, outside: Outside, seconds: float) -> None:
        self._target = target
        self._outside = outside
        self._seconds = seconds
        self._counts = Counts()

    async def run(self) -> list[Metrics]:
        """Let all groups talk; return what was measured in each part."""
        parts: list[Metrics] = []
        async with AsyncExitStack() as stack:
            groups = []
            for number in range(GROUPS):
                first = FIRST_USER + number * GROUP
                members = await stack.enter_async_context(
                    crowd(self._target.urls, range(first, first + GROUP))
                )
                groups.append(Group(number, members, self._target.urls, self._counts))
            async with asyncio.TaskGroup() as tasks:
                for group in groups:
                    await group.meet()
                    group.begin(tasks)
                parts += [await self._part() for _ in range(PARTS)]
                for group in groups:
                    group.end()
        return parts

    async def _part(self) -> Metrics:
        counts = self._counts
        counts.messages = counts.operations = counts.resumes = 0
        counts.latencies.clear()
        began = time.perf_counter()
        await asyncio.sleep(self._seconds / PARTS)
        spent = time.perf_counter() - began
        part = {
            "messages_per_s": counts.messages / spent,
            "operations_per_s": counts.operations / spent,
            "resumes_per_s": counts.resumes / spent,
        }
        if counts.latencies:
            part["p50_ms"] = percentile(counts.latencies, 0.5)
            part["p99_ms"] = percentile(counts.latencies, 0.99)
        part |= await asyncio.to_thread(self._outside.look)
        return part


class Group:
    """Members of a group: they talk, and do with what is said as is their way.

    Args:
        number: of the group.
        members: their sockets; `RESTLESS` of them are closed and opened anew all the time.
        urls: the sockets of the workers.
        counts: counts what happens.
    """

    def __init__(
        self, number: int, members: Sequence[Socket], urls: Sequence[str], counts: Counts
    ) -> None:
        self._number = number
        self._diligent = members[:DILIGENT]
        self._lazy = members[DILIGENT : DILIGENT + LAZY]
        self._restless = members[DILIGENT + LAZY :]
        self._members = members
        self._urls = urls
        self._counts = counts
        self._room = ""
        self._heard: dict[Socket, list[str]] = {socket: [] for socket in self._diligent}
        self._said = asyncio.Event()
        self._over = asyncio.Event()

    async def meet(self) -> None:
        """Make the group's room."""
        self._room = await create_group(self._members)
        for socket in self._members:
            socket.sink = _refuse_errors
        for socket in self._diligent:
            socket.sink = self._hear(socket)

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Let everybody do what they do, until `end`."""
        for work in (self._talk(), *(self._come_and_go(socket) for socket in self._restless)):
            tasks.create_task(work)

    def end(self) -> None:
        """Let everybody finish what they are about, and do nothing more."""
        self._over.set()

    async def _talk(self) -> None:
        """Let the diligent send in turn, each when the sender before has got their message."""
        number = 0
        while not self._over.is_set():
            sender = self._diligent[number % DILIGENT]
            number += 1
            began = time.perf_counter()
            self._said.clear()
            sender.send("message.send", {"room_id": self._room, "content": WORDS})
            await self._said.wait()
            self._counts.latencies.append(time.perf_counter() - began)
            self._counts.messages += 1

    def _hear(self, socket: Socket) -> Any:
        """Return what takes the frames of a diligent member."""
        heard = self._heard[socket]

        def take(raw: bytes) -> None:
            _refuse_errors(raw)
            if not raw.startswith(b'{"eventType":"message.dispatch"'):
                return
            message = orjson.loads(raw)["data"]
            if message["sender"]["id"] == socket.user_id:
                self._said.set()
                return
            heard.append(message["id"])
            if len(heard) >= AT_ONCE:
                ids = {"message_id": heard[:]}
                socket.send("message.acknowledged", ids)
                socket.send("message.read", ids)
                like = {"type": "add", "message_id": heard[0], "reaction_content": "👍"}
                socket.send("message.react", like)
                self._counts.operations += 3
                heard.clear()

        return take

    async def _come_and_go(self, socket: Socket) -> None:
        """Lose the connection again and again, and ask for what was missed."""
        place = self._members.index(socket)
        reached: dict[str, int] = {}
        # Not all at the same time.
        turn = self._number * RESTLESS + place % RESTLESS
        await self._rest(STAY * turn / (GROUPS * RESTLESS))
        socket.close()
        while not self._over.is_set():
            await self._rest(AWAY)
            socket = Socket(socket.user_id, _raise)
            try:
                await open_socket(socket, self._urls[place % len(self._urls)])
                data = await socket.ask("session.resume", {"streams": reached}, "session.resumed")
                reached = {name: stream["seq"] for name, stream in data["streams"].items()}
                self._counts.resumes += 1
                socket.sink = _refuse_errors
                await self._rest(STAY)
            finally:
                socket.close()

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until all is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()


def _refuse_errors(raw: bytes) -> None:
    if raw.startswith(b'{"error"'):
        raise RefusedError(raw.decode())


def _raise(error: Exception) -> None:
    raise error


def trend(parts: Sequence[Metrics], metric: str) -> float | None:
    """Return how many times as much of something there is at the end as at the beginning.

    The medians of the last third and of the first third are compared, without the first part.
    """
    values = [part[metric] for part in parts[1:] if metric in part]
    third = max(1, len(values) // 3)
    if not values or not (before := statistics.median(values[:third])):
        return None
    return statistics.median(values[-third:]) / before


def soak_table(result: Result) -> str:
    """Return what there was of each thing, part by part, and whether it is flat."""
    parts = result.benches["soak"]["parts"]
    rows = []
    for metric, shown in SHOWN.items():
        ratio = trend(parts, metric)
        cells = [report.number(part[metric]) if metric in part else "" for part in parts]
        rows.append([shown, *cells, "" if ratio is None else f"**{ratio:.2f}**"])
    header = ["", *(str(number) for number in range(1, len(parts) + 1)), "last third to first"]
    return report.table(header, rows)


def sections(result: Result | None) -> dict[str, str]:
    """Return what `docs/benchmarks.md` shows of a result."""
    if result is None:
        return {"soak": "Not measured yet: `make soak` fills it in."}
    return {"soak": f"{soak_table(result)}\n\n{report.machine_line(result)}"}


def read_committed() -> Result | None:
    """Return the result in this directory, or None where there is none."""
    path = ROOT / COMMITTED
    return Result.parse(path.read_text()) if path.exists() else None

"""The scenarios: what sockets do with one target, and what a client sees of it.

Each takes the target and the first of the users it may use, and returns metrics by name.
Rates are per second of wall time, times are in milliseconds unless a name says otherwise.
What sockets do between themselves is over before a metric is taken.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import orjson
import psycopg

from benchmarks.client import PATIENCE, RefusedError, Socket, crowd
from benchmarks.population import Population
from benchmarks.results import Metrics
from benchmarks.servers import Target

#: What messages say after their tag: as long as people's messages are.
WORDS = " " + "lorem ipsum " * 5

#: Members of the groups of `chatter`.
GROUP = 10

#: How many messages are under way at once in `fanout`, and operations in `reacts`.
WINDOW = 8


class Deliveries:
    """Counts frames that carry a tag, until each has arrived everywhere.

    A tag is a `#` and `WIDTH` digits at the beginning of a message's content.
    """

    WIDTH = 9

    def __init__(self, sockets: Sequence[Socket]) -> None:
        self.count = 0
        self.latencies: list[float] = []
        self._left: dict[bytes, int] = {}
        self._sent_at: dict[bytes, float] = {}
        self._arrived: dict[bytes, asyncio.Event] = {}
        for socket in sockets:
            socket.sink = self._take

    def expect(self, number: int, copies: int) -> tuple[str, asyncio.Event]:
        """Return the tag to send now, and what is set when so many sockets have it."""
        tag = b"#%0*d" % (self.WIDTH, number)
        self._left[tag] = copies
        self._sent_at[tag] = time.perf_counter()
        arrived = self._arrived[tag] = asyncio.Event()
        return tag.decode(), arrived

    def _take(self, frame: bytes) -> None:
        start = frame.find(b"#")
        tag = frame[start : start + 1 + self.WIDTH]
        if tag not in self._left:
            if frame.startswith(b'{"error"'):
                raise RefusedError(frame.decode())
            return
        self.count += 1
        self._left[tag] -= 1
        if self._left[tag] == 0:
            del self._left[tag]
            self.latencies.append(time.perf_counter() - self._sent_at.pop(tag))
            self._arrived.pop(tag).set()


class Stopwatch:
    """How long a block took.

    Attributes:
        seconds: of wall time.
        cpu: seconds of processor time that each tier of the target used.
    """

    seconds: float
    cpu: dict[str, float]

    def per(self, count: int) -> Metrics:
        """Return the rate of `count` events, and what each tier's processors spent on one."""
        spent = {f"{tier}_us": 1e6 * used / count for tier, used in self.cpu.items()}
        return {"per_s": count / self.seconds, **spent}


@contextmanager
def stopwatch(target: Target) -> Iterator[Stopwatch]:
    """Measure a block."""
    watch = Stopwatch()
    before = target.cpu_seconds()
    start = time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - start
    watch.cpu = {tier: after - before[tier] for tier, after in target.cpu_seconds().items()}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies, in milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1e3


async def _create(socket: Socket, members: Sequence[Socket], data: dict[str, Any]) -> str:
    """Create a room; return its id when all members know it."""
    socket.send("room.create", data)
    created = [await member.next("roomcreate.dispatch") for member in members]
    room_id: str = created[0]["data"]["id"]
    return room_id


async def create_group(members: Sequence[Socket]) -> str:
    """Create a group of all these, the first its owner; return its id when all know it."""
    owner, *others = members
    data = {
        "type": "GroupChat",
        "name": "group",
        "participants": [member.user_id for member in others],
        "extra_fields": {"max_participants": len(members)},
    }
    return await _create(owner, members, data)


async def fanout(target: Target, first: int, *, sockets: int, messages: int) -> Metrics:
    """One channel; its owner sends, `WINDOW` messages under way at once.

    `deliveries_per_s`; `p50_ms` and `p99_ms` until the slowest subscriber has a message.
    """
    async with crowd(target.urls, range(first, first + sockets)) as members:
        owner, *others = members
        channel = {
            "type": "Channel",
            "name": "channel",
            "subscribers": [member.user_id for member in others],
            "extra_fields": {"max_subscribers": sockets},
        }
        room = await _create(owner, members, channel)
        deliveries = Deliveries(members)
        window = asyncio.Semaphore(WINDOW)
        arrivals: list[asyncio.Task[None]] = []

        async def send(number: int) -> None:
            tag, arrived = deliveries.expect(number, sockets)
            owner.send("message.send", {"room_id": room, "content": tag + WORDS})
            await arrived.wait()
            window.release()

        with stopwatch(target) as watch:
            async with asyncio.timeout(PATIENCE):
                for number in range(messages):
                    await window.acquire()
                    arrivals.append(asyncio.create_task(send(number)))
                await asyncio.gather(*arrivals)
    rates = watch.per(messages)
    return {
        "sockets": sockets,
        "messages_per_s": rates.pop("per_s"),
        "deliveries_per_s": deliveries.count / watch.seconds,
        "p50_ms": percentile(deliveries.latencies, 0.5),
        "p99_ms": percentile(deliveries.latencies, 0.99),
        **rates,
    }


async def chatter(target: Target, first: int, *, sockets: int, messages: int) -> Metrics:
    """Groups of ten; in each the next message is sent when all have the last one.

    `messages` are sent in each group, by its members in turn.
    """
    async with crowd(target.urls, range(first, first + sockets)) as everybody:
        groups = [everybody[start : start + GROUP] for start in range(0, sockets, GROUP)]
        rooms = [await create_group(members) for members in groups]
        return await talk(target, groups, rooms, messages)


async def talk(
    target: Target, groups: Sequence[Sequence[Socket]], rooms: Sequence[str], messages: int
) -> Metrics:
    """Let every group send so many messages, one after the other."""
    deliveries = Deliveries([socket for members in groups for socket in members])

    async def in_turn(place: int) -> None:
        members = groups[place]
        for number in range(messages):
            tag, arrived = deliveries.expect(place * messages + number, len(members))
            sender = members[number % len(members)]
            sender.send("message.send", {"room_id": rooms[place], "content": tag + WORDS})
            await arrived.wait()

    with stopwatch(target) as watch:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(in_turn(place) for place in range(len(groups))))
    rates = watch.per(messages * len(groups))
    return {
        "messages_per_s": rates.pop("per_s"),
        "deliveries_per_s": deliveries.count / watch.seconds,
        "p50_ms": percentile(deliveries.latencies, 0.5),
        "p99_ms": percentile(deliveries.latencies, 0.99),
        **rates,
    }


async def reacts(target: Target, first: int, *, sockets: int, messages: int) -> Metrics:
    """One group: messages by all in turn, then everybody else reacts to some, then reads them.

    `messages_per_s`, `reactions_per_s`, `receipts_per_s`: the same sockets, as many operations of
    each, the same number of them under way, and every operation tells all members.
    """
    async with crowd(target.urls, range(first, first + sockets)) as members:
        room = await create_group(members)
        sending = {"room_id": room, "content": WORDS}
        turns = [members[number % sockets] for number in range(messages * (sockets - 1))]
        talking = [(member, "message.send", sending) for member in turns]
        dispatches: list[bytes] = []
        said = await _operate(target, members, talking, copies=sockets, witness=dispatches.append)
        sent = [orjson.loads(frame)["data"] for frame in dispatches[-messages:]]
        others = [
            (member, message["id"])
            for message in sent
            for member in members
            if member.user_id != message["sender"]["id"]
        ]
        like = {"type": "add", "reaction_content": "👍"}
        reacting = [
            (member, "message.react", {**like, "message_id": message}) for member, message in others
        ]
        reading = [(member, "message.read", {"message_id": message}) for member, message in others]
        reacted = await _operate(target, members, reacting, copies=sockets)
        read = await _operate(target, members, reading, copies=sockets)
    return {
        "messages_per_s": said["per_s"],
        "reactions_per_s": reacted["per_s"],
        "receipts_per_s": read["per_s"],
    }


#: A socket, an event and its data.
Operation = tuple[Socket, str, dict[str, Any]]


async def _operate(
    target: Target,
    sockets: Sequence[Socket],
    operations: Sequence[Operation],
    *,
    copies: int,
    witness: Callable[[bytes], None] = lambda frame: None,
) -> Metrics:
    """Run operations, `WINDOW` under way at once, until all have been told of all.

    Args:
        target: where.
        sockets: all sockets that are told something.
        operations: what they do.
        copies: how many sockets are told of an operation.
        witness: takes every frame that the first socket gets.
    """
    window = asyncio.Semaphore(WINDOW)
    done = asyncio.Event()
    heard = 0

    def take(frame: bytes) -> None:
        nonlocal heard
        if frame.startswith(b'{"error"'):
            raise RefusedError(frame.decode())
        heard += 1
        if heard % copies == 0:
            window.release()
        if heard == len(operations) * copies:
            done.set()

    def take_as_witness(frame: bytes) -> None:
        witness(frame)
        take(frame)

    for socket in sockets:
        socket.sink = take
    sockets[0].sink = take_as_witness
    with stopwatch(target) as watch:
        async with asyncio.timeout(PATIENCE):
            for socket, event_type, data in operations:
                await window.acquire()
                socket.send(event_type, data)
            await done.wait()
    return watch.per(len(operations))


async def connect(target: Target, first: int, *, sockets: int) -> Metrics:
    """Sockets are opened, 50 at a time, and stay: `connects_per_s`, `kib_per_socket`.

    The memory is only true on a process that has served nobody before.
    """
    before = target.memory()
    async with AsyncExitStack() as stack:
        with stopwatch(target) as watch:
            await stack.enter_async_context(crowd(target.urls, range(first, first + sockets)))
        rates = watch.per(sockets)
        grown = (target.memory() - before) / 1024 / sockets
    return {"connects_per_s": rates.pop("per_s"), "kib_per_socket": grown, **rates}


async def heartbeats(target: Target, first: int, *, sockets: int, beats: int) -> Metrics:
    """Every socket sends heartbeats, the next when the last is answered: `heartbeats_per_s`."""

    async def beat(socket: Socket) -> None:
        for _ in range(beats):
            socket.send("session.heartbeat")
            await socket.next("status")

    async with crowd(target.urls, range(first, first + sockets)) as members:
        with stopwatch(target) as watch:
            await asyncio.gather(*(beat(member) for member in members))
    rates = watch.per(sockets * beats)
    return {"heartbeats_per_s": rates.pop("per_s"), **rates}


async def rooms(
    target: Target, first: int, *, count: int, messages: int, repeats: int, anew: bool = True
) -> Metrics:
    """A user in `count` rooms lists them, looks at one, and pages through its `messages`.

    With `anew` the rooms are made first; without it they are there from an earlier run.
    """
    async with crowd(target.urls, (first, first + 1)) as members:
        asker = members[0]
        if anew:
            made = [await create_group(members) for _ in range(count)]
            for room in made:
                await _say(asker, room)
            for _ in range(messages):
                await _say(asker, made[0])
        listed = await asker.ask("room.list", {}, "roomlist.dispatch")
        assert len(listed) == count
        # The one with the most messages had the last one.
        return await look_around(asker, listed[0]["id"], repeats)


async def _say(socket: Socket, room: str) -> None:
    await socket.ask("message.send", {"room_id": room, "content": WORDS}, "message.dispatch")


#: Messages of a page.
PAGE = 50


async def look_around(asker: Socket, room: str, repeats: int) -> Metrics:
    """Ask for the list of rooms, a room and its newest page: `list_ms`, `info_ms`, `page_ms`."""
    page = {"room_id": room, "paginate": {"page": 1, "size": PAGE}}
    return {
        "list_ms": await ask_often(asker, repeats, "room.list", {}, "roomlist.dispatch"),
        "page_ms": await ask_often(asker, repeats, "room.messages", page, "roommessages.dispatch"),
        "info_ms": await ask_often(
            asker, repeats, "room.info", {"room_id": room}, "roominfo.dispatch"
        ),
    }


async def ask_often(
    asker: Socket, repeats: int, event_type: str, data: dict[str, Any], answer: str
) -> float:
    """Return the median time of an answer, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        await asker.ask(event_type, data, answer)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


async def history(target: Target, turn: int, *, population: Population, messages: int) -> Metrics:
    """Members of ten loaded groups connect, talk, react, read, look around and resume.

    Args:
        target: where the population is loaded.
        turn: which ten groups: each turn takes others.
        population: what is loaded.
        messages: how many are sent in each group.
    """
    places = range(turn * GROUP, (turn + 1) * GROUP)
    chosen = list(itertools.islice(population.member_ids(), places.start, places.stop))
    ids = [user for members in chosen for user in members]
    rooms = [str(population.room_id(place)) for place in places]
    async with AsyncExitStack() as stack:
        with stopwatch(target) as opening:
            sockets = await stack.enter_async_context(crowd(target.urls, ids))
        groups = [sockets[start : start + GROUP] for start in range(0, len(sockets), GROUP)]
        said = await talk(target, groups, rooms, messages)
        reacting, reading = await _find_messages(groups, rooms)
        reacted = await _operate(target, sockets, reacting, copies=GROUP)
        read = await _operate(target, sockets, reading, copies=GROUP)
        asker = sockets[0]
        asker.sink = None
        looked = await look_around(asker, rooms[0], repeats=10)
        resumed = await _resume(asker)
    return {
        "connects_per_s": len(sockets) / opening.seconds,
        "messages_per_s": said["messages_per_s"],
        "reactions_per_s": reacted["per_s"],
        "receipts_per_s": read["per_s"],
        **looked,
        "resume_ms": resumed,
    }


async def _find_messages(
    groups: Sequence[Sequence[Socket]], rooms: Sequence[str]
) -> tuple[list[Operation], list[Operation]]:
    """Return a reaction to, and a reading of, the newest page of each group, by one each."""
    reacting: list[Operation] = []
    reading: list[Operation] = []
    for members, room in zip(groups, rooms, strict=True):
        members[0].sink = None
        asked = {"room_id": room, "paginate": {"page": 1, "size": PAGE}}
        page = await members[0].ask("room.messages", asked, "roommessages.dispatch")
        for number, message in enumerate(page["data"]["messages"]):
            others = [m for m in members if m.user_id != message["sender"]["id"]]
            other = others[number % len(others)]
            like = {"type": "add", "message_id": message["id"], "reaction_content": "👍"}
            # Some of the loaded ones have a receipt or a reaction already.
            if not message["reactions"]:
                reacting.append((other, "message.react", like))
            if not message["read_receipts"]:
                reading.append((other, "message.read", {"message_id": message["id"]}))
    return reacting, reading


async def _resume(asker: Socket, repeats: int = 10) -> float:
    """Return the median time of resuming with one frame missed in each stream."""
    start = await asker.ask("session.resume", {"streams": {}}, "session.resumed")
    missed = {name: max(place["seq"] - 1, 0) for name, place in start["streams"].items()}
    return await ask_often(asker, repeats, "session.resume", {"streams": missed}, "session.resumed")


async def depth(
    target: Target, turn: int, *, population: Population, deep: str, repeats: int
) -> Metrics:
    """A member of the group with the longest history pages through it.

    Args:
        target: where the population is loaded.
        turn: ignored; every turn asks the same.
        population: what is loaded.
        deep: the message before which its oldest page lies.
        repeats: how often each page is asked for.
    """
    room = str(population.room_id(0))
    user = next(population.member_ids())[0]
    cursor = {"room_id": room, "paginate": {"before": deep, "size": PAGE}}
    async with crowd(target.urls, [user]) as (asker,):
        looked = await look_around(asker, room, repeats)
        oldest = await ask_often(asker, repeats, "room.messages", cursor, "roommessages.dispatch")
    return {"page_ms": looked["page_ms"], "oldest_page_ms": oldest}


async def page(target: Target, first: int, *, messages: int, repeats: int) -> Metrics:
    """A member of a group pages through what all said, some of it read and reacted to.

    `page_ms`, and what each tier's processors spent on a page.
    """
    async with crowd(target.urls, range(first, first + GROUP)) as members:
        room = await create_group(members)
        await talk(target, [members], [room], messages)
        reacting, reading = await _find_messages([members], [room])
        await _operate(target, members, reacting, copies=GROUP)
        await _operate(target, members, reading, copies=GROUP)
        asker = members[0]
        asker.sink = None
        asked = {"room_id": room, "paginate": {"page": 1, "size": PAGE}}
        # Others' last frames are on their way still, and the first page is asked for in vain.
        await ask_often(asker, 1, "room.messages", asked, "roommessages.dispatch")
        with stopwatch(target) as watch:
            took = await ask_often(asker, repeats, "room.messages", asked, "roommessages.dispatch")
    rates = watch.per(repeats)
    del rates["per_s"]
    return {"page_ms": took, **rates}


def round_trips(target: Target, count: int) -> Metrics:
    """The database at the target's url is asked for nothing, so often: `round_trip_us`."""
    times = []
    with psycopg.connect(target.urls[0], autocommit=True) as connection, stopwatch(target) as watch:
        for _ in range(count):
            start = time.perf_counter()
            connection.execute("SELECT 1")
            times.append(time.perf_counter() - start)
    rates = watch.per(count)
    del rates["per_s"]
    return {"round_trip_us": statistics.median(times) * 1e6, **rates}


Scenario = Callable[..., Awaitable[Metrics]]

"""The scenario: people and the project's code do everything at once, then all grows quiet."""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db import connection

from gql_chat.models import StreamEvent, get_model
from tests.servers import PostgresServer
from tests.stress import entitled, stored
from tests.stress.acts import Actor
from tests.stress.deadlocks import Deadlocks
from tests.stress.devices import Device, UnansweredError
from tests.stress.mirror import differences
from tests.stress.people import Person
from tests.stress.project import Project
from tests.stress.world import CAP, DOORS, FIXED, NARROW, SQUARE, World
from tests.timing import PATIENCE, STARTUP, eventually

#: How many things one person does at once, and how many threads the project's code has.
ACTORS = 2
PROJECTS = 3
#: Between two looks at what costs a query or more.
PAUSE = 0.2

#: What no log of a server may say.
TROUBLE = re.compile(r"deadlock|Traceback|could not serialize|Task exception|never awaited", re.I)


@dataclass
class Scenario:
    """One run.

    Args:
        world: people without devices, and processes.
        seconds: how long everybody acts.
        postgres: the database's server, where there is one and it is our own.
    """

    world: World
    seconds: float
    postgres: PostgresServer | None

    def __post_init__(self) -> None:
        self.deadlocks = Deadlocks(self.postgres)

    async def run(self) -> None:
        """Run it; what is wrong is in the journal."""
        world = self.world
        try:
            for person in world.people:
                for resumes in (True, True, False)[: 2 + int(person.user % 2)]:
                    await person.turn_on(resumes=resumes)
            await self._make_rooms()
            await self._act()
            await self._settle()
        finally:
            devices = [device for person in world.people for device in person.devices]
            await asyncio.gather(*(device.__aexit__() for device in devices))
        await self._leave()

    # Before

    async def _make_rooms(self) -> None:
        first, *others = self.world.people
        ids = [person.user for person in others]
        await self._make(first, FIXED, "GroupChat", "participants", ids)
        await self._make(first, FIXED, "Channel", "subscribers", ids)
        await self._make(first, DOORS, "GroupChat", "participants", ids[: len(ids) // 2])
        await self._make(first, DOORS, "GroupChat", "participants", ids[len(ids) // 3 :])
        cap = {"max_participants": CAP}
        await self._make(first, NARROW, "GroupChat", "participants", ids[: CAP - 2], **cap)
        public = {"is_public": True}
        await self._make(first, SQUARE, "Channel", "subscribers", ids[::2], **public)
        for one, other in zip(self.world.people[::2], self.world.people[1::2], strict=False):
            data = {"type": "OneToOneChat", "participants": [other.user]}
            await self._create(one, data, 2)

    async def _make(
        self, creator: Person, kind: str, type: str, members: str, ids: list[Any], **extra: Any
    ) -> None:
        made = self.world.rooms.setdefault(kind, [])
        number = len(made)
        data = {
            "type": type,
            "name": f"{kind} {number}",
            members: ids,
            "extra_fields": extra,
        }
        room_id = await self._create(creator, data, len(ids) + 1)
        made.append(room_id)
        if type == "Channel":
            leaders = [person.user for person in self.world.people[1::2]]
            change = {"room_id": room_id, "action": "add_moderator", "data": {"users": leaders}}
            await self._done(creator, "room.modify", change)

    async def _create(self, creator: Person, data: dict[str, Any], count: int) -> str:
        device = creator.devices[0]
        before = set(device.mirror.rooms)
        await self._done(creator, "room.create", data)
        await self._become(lambda: len(device.mirror.rooms) > len(before), "the room is there")
        (room_id,) = set(device.mirror.rooms) - before
        devices = [device for person in self.world.people for device in person.devices]

        def everybody_has_it() -> bool:
            return sum(room_id in each.mirror.rooms for each in devices) >= count

        await self._become(everybody_has_it, "the members have the room")
        return room_id

    async def _done(self, person: Person, event: str, data: dict[str, Any]) -> None:
        deed = await person.devices[0].request(event, data)
        self.world.journal.judge(deed, person.user)

    async def _become(
        self,
        condition: Callable[[], bool] | Callable[[], Awaitable[bool]],
        what: str,
    ) -> bool:
        """Look until a condition holds; it is a violation if that takes too long."""
        # What is broken already may never grow quiet.
        timeout = PATIENCE if self.world.journal.violations else STARTUP
        try:
            async with asyncio.timeout(timeout):
                while True:
                    found = condition()
                    if found if isinstance(found, bool) else await found:
                        return True
                    await asyncio.sleep(PAUSE)
        except TimeoutError:
            self.world.journal.violate("quiet", f"not within {timeout:g} s: {what}")
            return False

    # Everything at once

    async def _act(self) -> None:
        world = self.world
        actors: list[Actor | Project] = [
            Actor(world, person, number) for person in world.people for number in range(ACTORS)
        ]
        actors += [
            Project(world, number, locks_rows=connection.features.has_select_for_update)
            for number in range(PROJECTS)
        ]
        tasks = [asyncio.create_task(self._let(actor)) for actor in actors]
        try:
            async with asyncio.timeout(self.seconds):
                await world.over.wait()
        except TimeoutError:
            world.over.set()
        # What is under way is answered, or not: each request has its own limit.
        await asyncio.wait(tasks, timeout=2 * STARTUP)
        for task in tasks:
            if not task.done():
                world.journal.violate("answers", f"somebody is still at work: {task}")
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _let(self, actor: Actor | Project) -> None:
        try:
            await actor.act_on()
        except Exception as error:
            # Of the test itself.
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])
            self.world.journal.violate("client", f"{actor}: {error!r}\n{where}")
            raise

    # All grows quiet

    async def _settle(self) -> None:
        world = self.world
        await stored.read(self.deadlocks.note_project)
        await self._say_last_words()
        await self._grow_quiet()
        # One who comes now, and fetches everything, shows what all others ought to hold.
        fresh: dict[Person, Device] = {}
        try:
            async with asyncio.timeout(STARTUP):
                for person in world.people:
                    fresh[person] = await person.turn_on(resumes=True)
        except TimeoutError:
            world.journal.violate("quiet", "a page could not be loaded when all was quiet")
        await self._grow_quiet()
        for person, device in fresh.items():
            for held in person.devices:
                if held is not device:
                    await self._compare(person, held, device)
        await stored.read(lambda: stored.check(world))
        heads, logged, places, beginnings = await stored.read(
            lambda: (
                stored.heads(),
                entitled.read_stays(),
                entitled.read_message_places(),
                entitled.read_beginnings(),
            )
        )
        stays = entitled.stays_of(world, logged)
        entitled.check(world, heads, stays, places)
        self._check_members(stays, beginnings)
        await self._check_left_over()

    async def _say_last_words(self) -> None:
        """Every room still takes a change and a message, from somebody who leads it."""
        rooms = await stored.read(lambda: list(get_model("Room").objects.values("pk", "creator")))
        heads = await stored.read(stored.heads)
        by_id = {person.user: person for person in self.world.people}
        told = []
        for row in rooms:
            room_id = str(row["pk"])
            inside = [by_id[one] for one in heads.members if room_id in heads.members[one]]
            speaker = by_id.get(row["creator"])
            if speaker not in inside and inside:
                speaker = inside[0]
            if speaker is None or not inside:
                self.world.journal.violate("members", f"room {room_id} is empty", room_id)
                continue
            told.append(self._say_last(speaker, room_id, change=row["creator"] is not None))
        await asyncio.gather(*told)

    async def _say_last(self, speaker: Person, room_id: str, *, change: bool) -> None:
        device = speaker.devices[0]
        number, content = self.world.write(speaker.user, room_id)
        said = {
            "room_id": room_id,
            "content": content,
            "client_id": self.world.client_id(number),
        }
        try:
            if change:
                # Nobody is told of members that a plain save brings in: this shows them to all.
                data = {"property": {"preferences": {"over": number}}}
                changed = {"room_id": room_id, "action": "update", "data": data}
                deed = await device.request("room.modify", changed, [room_id])
                self.world.journal.judge(deed, speaker.user)
            deed = await device.request("message.send", said, [room_id])
        except UnansweredError:
            return
        done = self.world.journal.judge(deed, speaker.user)
        self.world.journal.texts[number].outcome = "confirmed" if done else "refused"

    async def _grow_quiet(self) -> None:
        """Wait until every device has all there is, and has acknowledged it."""
        behind: list[str] = []

        async def all_quiet() -> bool:
            behind[:] = [device.name for device in self._devices() if not device.idle]
            if behind:
                return False
            heads = await stored.read(stored.heads)
            behind[:] = [
                f"{device.name} has {stream} up to {self._place(device, stream)} of {seq}"
                for device in self._devices()
                if device.resumes
                for stream, seq in heads.expected(device.user).items()
                if self._place(device, stream) != seq
            ]
            return not behind and all(device.idle for device in self._devices())

        if not await self._become(all_quiet, "every device has everything"):
            for line in behind[:10]:
                about = re.findall(r"(?:room|user):\S+", line)
                self.world.journal.violate("reached", line, *about, line.partition("/")[0])

    def _devices(self) -> list[Device]:
        return [device for person in self.world.people for device in person.devices]

    @staticmethod
    def _place(device: Device, stream: str) -> int:
        heard = device.heard.get(stream)
        return heard.last if heard is not None else 0

    async def _compare(self, person: Person, held: Device, fresh: Device) -> None:
        """What a device holds by dispatches equals what a fresh page fetched."""
        found: list[str] = []

        def equal() -> bool:
            found[:] = self._differences(person, held, fresh)
            return not found

        # A page that never resumes cannot tell whether it has everything: it may take a while.
        if held.resumes:
            equal()
        elif not equal():
            with suppress(TimeoutError):
                await eventually(equal, "the page shows everything")
        if found:
            shown = "\n  ".join(found[:3])
            what = f"{held.name} holds what is not so ({len(found)} differences):\n  {shown}"
            self.world.journal.violate("mirror", what, held.username, found[0].partition(".")[0])

    @staticmethod
    def _differences(person: Person, held: Device, fresh: Device) -> list[str]:
        one, other = held.mirror, fresh.mirror
        if one.rooms.keys() != other.rooms.keys():
            only = one.rooms.keys() - other.rooms.keys()
            lacks = other.rooms.keys() - one.rooms.keys()
            return [f"rooms that it has and is not in: {only}; that it lacks: {lacks}"]
        found = []
        for room_id in one.rooms:
            floor = max(one.floors[room_id], other.floors[room_id])
            found += differences(
                one.state(room_id, person.user, floor),
                other.state(room_id, person.user, floor),
                room_id,
            )
        return found

    def _check_members(
        self, stays: dict[tuple[str, Any], Any], beginnings: dict[tuple[str, Any], int]
    ) -> None:
        """Who is in a room by its stream is in it, and since then."""
        for (stream, user), begun in beginnings.items():
            since = stays[stream, user].since
            if since != begun:
                what = f"{user} is in {stream} from {begun}, by the stream from {since}"
                self.world.journal.violate("members", what, stream)
        for (stream, user), times in stays.items():
            if times.since is not None and (stream, user) not in beginnings:
                what = f"{user} is not in {stream}, by the stream from {times.since}"
                self.world.journal.violate("members", what, stream)

    async def _check_left_over(self) -> None:
        """No process holds anything but its sockets and their streams."""
        left: list[str] = []

        async def nothing_left() -> bool:
            looks = await self.world.look()
            left[:] = [
                f"{name} {count}"
                for look in looks
                for name, count in look.items()
                if count and name not in ("sockets", "streams")
            ]
            sockets = sum(look["sockets"] for look in looks)
            if sockets != len(self._devices()):
                left.append(f"{sockets} sockets of {len(self._devices())} devices")
            return not left

        if not await self._become(nothing_left, "nothing is left in the processes"):
            self.world.journal.violate("left over", f"a process holds {', '.join(left)}")

    # Everybody leaves

    async def _leave(self) -> None:
        left: list[str] = []

        async def all_gone() -> bool:
            looks = await self.world.look()
            left[:] = [f"{look}" for look in looks if any(look.values())]
            sessions = await stored.read(get_model("Session").objects.count)
            if sessions:
                left.append(f"{sessions} sessions")
            return not left

        if not await self._become(all_gone, "everybody has left"):
            self.world.journal.violate("left over", f"after all have left: {left}")
        self.deadlocks.check(self.world.journal)
        for process in {*self.world.chats, self.world.project}:
            for found in TROUBLE.finditer(process.log):
                around = process.log[max(0, found.start() - 1000) : found.end() + 3000]
                self.world.journal.violate("server log", around)


async def last_events(stream: str, count: int = 12) -> list[str]:
    """The last frames in the log of a stream, as lines."""

    def read() -> list[str]:
        rows = StreamEvent.objects.filter(stream=stream).order_by("-seq")[:count]
        return [f"{row.seq} {row.kind} {row.change or ''} {row.payload[:160]}" for row in rows][
            ::-1
        ]

    return await stored.read(read)

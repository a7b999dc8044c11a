"""What people do: each act chooses by the person's own chance, asks, and judges the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.stress.devices import Device, UnansweredError
from tests.stress.journal import Deed
from tests.stress.people import Person, members
from tests.stress.world import DOORS, FIXED, NARROW, PASSING, SQUARE, World

FULL = "Maximum number of"
ALREADY_IN = "You are in this room already"

#: A plain member of these may be made a leader; of the others, memberships are saved stale.
LEADABLE = 2


class Actor:
    """One person who does one thing after the other.

    Args:
        world: what all actors share.
        person: who acts.
        number: of several actors of the same person, which one.
    """

    def __init__(self, world: World, person: Person, number: int) -> None:
        self.world = world
        self.person = person
        self.journal = world.journal
        self.chance = world.chance(f"{person.name} {number}")
        self.acts: dict[Callable[[], Awaitable[None]], int] = {
            self.send: 24,
            self.reply: 8,
            self.forward: 5,
            self.send_twice: 4,
            self.react: 10,
            self.edit: 7,
            self.delete: 5,
            self.delete_several: 4,
            self.read_several: 9,
            self.read_one: 3,
            self.type_in: 3,
            self.beat: 3,
            self.join: 4,
            self.leave: 3,
            self.add: 5,
            self.remove: 5,
            self.set_property: 2,
            self.set_leader: 2,
            self.create: 2,
            self.delete_room: 2,
            self.look: 3,
            self.load_page: 2,
            self.cut: 2,
        }

    async def act_on(self) -> None:
        """Act until it is over."""
        acts, weights = list(self.acts), list(self.acts.values())
        while not self.world.over.is_set():
            (act,) = self.chance.choices(acts, weights)
            try:
                await act()
            except UnansweredError:
                return
            # Others' turn, also where an act had nothing to do.
            await asyncio.sleep(0)

    async def _ask(self, device: Device, event: str, data: Any, *rooms: str) -> Deed:
        return await device.request(event, data, rooms)

    # Messages

    async def _send(self, device: Device, room_id: str, *others: str, **extra: Any) -> None:
        number, content = self.world.write(self.person.user, room_id)
        data = {
            "room_id": room_id,
            "content": content,
            "client_id": self.world.client_id(number),
            "extra_fields": extra,
        }
        deed = await self._ask(device, "message.send", data, room_id)
        named = [message_id for key, message_id in extra.items() if key.endswith("_id")]
        self._conclude(number, deed, [room_id, *others], named)

    def _conclude(
        self, number: int, deed: Deed, rooms: list[str], messages: list[str] | None = None
    ) -> None:
        entry = self.journal.texts[number]
        done = self.journal.judge(deed, self.person.user, rooms=rooms, messages=messages or [])
        # Of two that are sent at once, either may be the one that is stored.
        if done or entry.outcome == "asked":
            entry.outcome = "confirmed" if done else "refused"
        entry.doubtful = entry.doubtful or deed.repeated

    def _writable(self, device: Device) -> str | None:
        rooms = self.person.writable(device)
        return self.chance.choice(rooms)["id"] if rooms else None

    def _message(
        self, device: Device, *, mine: bool | None = None, newest: int = 30
    ) -> dict[str, Any] | None:
        rooms = self.person.rooms(device)
        if not rooms:
            return None
        room = self.chance.choice(rooms)["id"]
        found = self.person.messages(device, room, mine=mine)[-newest:]
        return self.chance.choice(found) if found else None

    async def send(self) -> None:
        """Write something."""
        device = self.person.device()
        if room_id := self._writable(device):
            await self._send(device, room_id)

    async def reply(self) -> None:
        """Answer a message in its room."""
        device = self.person.device()
        room_id = self._writable(device)
        found = self.person.messages(device, room_id) if room_id else []
        if room_id and found:
            parent = self.chance.choice(found[-10:])
            await self._send(device, room_id, parent_message_id=parent["id"])

    async def forward(self) -> None:
        """Pass a message on into another room."""
        device = self.person.device()
        source, room_id = self._message(device, newest=10), self._writable(device)
        if source and room_id:
            origin = source["room"]["id"]
            await self._send(device, room_id, origin, forwarded_from_id=source["id"])

    async def send_twice(self) -> None:
        """Send one message from two devices at once, now and then into two rooms."""
        if len(self.person.devices) < 2:
            return
        devices = self.chance.sample(self.person.devices, 2)
        rooms = [room["id"] for room in self.person.writable(devices[0])]
        if not rooms:
            return
        chosen = [self.chance.choice(rooms) for _ in devices]
        if self.chance.random() < 0.5:
            chosen[1] = chosen[0]
        number, content = self.world.write(self.person.user, *dict.fromkeys(chosen))
        client_id = self.world.client_id(number)
        deeds = await asyncio.gather(
            *(
                self._ask(
                    device,
                    "message.send",
                    {"room_id": room_id, "content": content, "client_id": client_id},
                    room_id,
                )
                for device, room_id in zip(devices, chosen, strict=True)
            )
        )
        for deed in deeds:
            self._conclude(number, deed, chosen)

    async def react(self) -> None:
        """React to a message, or take the reaction back."""
        device = self.person.device()
        message = self._message(device)
        if message is None or message["id"] in self.person.busy:
            return
        self.person.busy.add(message["id"])
        try:
            mine = [
                each["reaction_content"]
                for each in message["reactions"]
                if each["user"]["id"] == self.person.user
            ]
            data = {
                "type": "add",
                "message_id": message["id"],
                "reaction_content": f"r{self.chance.randrange(10**9)}",
            }
            await self._about(device, "message.react", data, message)
            if mine and self.chance.random() < 0.3 and message["id"] not in self.journal.doomed:
                await self._about(device, "message.react", {**data, "type": "remove"}, message)
        finally:
            self.person.busy.discard(message["id"])

    async def _about(
        self, device: Device, event: str, data: Any, *messages: dict[str, Any], **judge: Any
    ) -> bool:
        rooms = {message["room"]["id"] for message in messages}
        deed = await self._ask(device, event, data, *rooms)
        named = [message["id"] for message in messages]
        return self.journal.judge(deed, self.person.user, rooms=rooms, messages=named, **judge)

    async def edit(self) -> None:
        """Write a message of one's own anew."""
        device = self.person.device()
        message = self._message(device, mine=True)
        if message is None or message["id"] in self.person.busy:
            return
        self.person.busy.add(message["id"])
        try:
            room_id = message["room"]["id"]
            number, content = self.world.write(self.person.user, room_id, message=message["id"])
            data = {
                "action": "update",
                "message_id": message["id"],
                "extra_fields": {"content": content},
            }
            deed = await self._ask(device, "message.modify", data, room_id)
            self._conclude(number, deed, [room_id], [message["id"]])
        finally:
            self.person.busy.discard(message["id"])

    async def delete(self) -> None:
        """Delete a message of one's own."""
        device = self.person.device()
        message = self._message(device, mine=True, newest=8)
        if message is not None:
            await self._delete(device, [message])

    async def delete_several(self) -> None:
        """Delete some messages of one's own, of one room."""
        device = self.person.device()
        rooms = self.person.rooms(device)
        if rooms:
            room_id = self.chance.choice(rooms)["id"]
            found = self.person.messages(device, room_id, mine=True)[-12:]
            if found:
                await self._delete(device, self.chance.sample(found, min(len(found), 3)))

    async def _delete(self, device: Device, messages: list[dict[str, Any]]) -> None:
        ids = [message["id"] for message in messages]
        self.journal.doomed.update(ids)
        data = {"action": "delete", "message_id": ids if len(ids) > 1 else ids[0]}
        if await self._about(device, "message.modify", data, *messages):
            self.journal.deleted.update(ids)

    async def read_several(self) -> None:
        """Read the newest messages of some rooms, as one event."""
        device = self.person.device()
        found = (
            [
                message
                for room in self.chance.sample(self.person.rooms(device), 2)
                for message in self.person.messages(device, room["id"], mine=False)[-8:]
            ]
            if len(self.person.rooms(device)) > 1
            else []
        )
        if found:
            data = {"message_id": [message["id"] for message in found]}
            await self._about(device, "message.read", data, *found)

    async def read_one(self) -> None:
        """Read one message, which another device may be reading too."""
        device = self.person.device()
        message = self._message(device, mine=False)
        if message is not None:
            data = {"message_id": message["id"]}
            await self._about(device, "message.read", data, message, duplicate=True)

    async def type_in(self) -> None:
        """Be seen typing."""
        device = self.person.device()
        if room_id := self._writable(device):
            deed = await self._ask(device, "message.typing", {"room_id": room_id})
            self.journal.judge(deed, self.person.user, rooms=[room_id])

    # Rooms

    def _room(self, device: Device, *kinds: str, led: bool = False) -> dict[str, Any] | None:
        found = [
            room
            for room in self.person.rooms(device)
            if (room.get("name") or FIXED).startswith(kinds)
            and (not led or self.person.leads(room))
        ]
        return self.chance.choice(found) if found else None

    async def _do(self, device: Device, event: str, room_id: str, *rules: str, **data: Any) -> bool:
        deed = await self._ask(device, event, {"room_id": room_id, **data}, room_id)
        return self.journal.judge(deed, self.person.user, rooms=[room_id], rules=rules)

    async def join(self) -> None:
        """Come into a public channel."""
        device = self.person.device()
        away = [room for room in self.world.of_kind(SQUARE) if room not in device.mirror.rooms]
        if away:
            await self._do(device, "room.join", self.chance.choice(away), ALREADY_IN)

    async def leave(self) -> None:
        """Leave a room that others lead."""
        device = self.person.device()
        room = self._room(device, DOORS, NARROW, SQUARE)
        if room is not None and not self.person.created(room):
            self.journal.parted.add((room["id"], self.person.user))
            await self._do(device, "room.leave", room["id"])

    async def add(self) -> None:
        """Bring some others into a room that one leads."""
        device = self.person.device()
        room = self._room(device, DOORS, NARROW, SQUARE, led=True)
        if room is not None:
            inside = members(room)
            away = [one.user for one in self.world.people if one.user not in inside]
            if away:
                chosen = self.chance.sample(away, min(len(away), self.chance.choice((1, 2, 3))))
                await self._do(device, "room.add_members", room["id"], FULL, members=chosen)

    async def remove(self) -> None:
        """Put some others out of a room that one leads."""
        device = self.person.device()
        room = self._room(device, DOORS, NARROW, SQUARE, led=True)
        if room is not None:
            inside = [one for one in members(room) if one != self.person.user]
            if inside:
                chosen = self.chance.sample(inside, min(len(inside), self.chance.choice((1, 1, 2))))
                self.journal.parted.update((room["id"], user) for user in chosen)
                await self._do(device, "room.remove_members", room["id"], members=chosen)

    async def set_property(self) -> None:
        """Change what the members of a room agreed on."""
        device = self.person.device()
        room = self._room(device, FIXED, DOORS, SQUARE, led=True)
        if room is not None:
            preferences = {"colour": self.chance.randrange(10**6)}
            data = {"property": {"preferences": preferences}}
            await self._do(device, "room.modify", room["id"], action="update", data=data)

    async def set_leader(self) -> None:
        """Make somebody a leader, or a plain member again."""
        device = self.person.device()
        room = self._room(device, FIXED, DOORS, SQUARE, led=True)
        if room is None or not self.person.created(room):
            return
        people = self.world.people
        leadable = [one.user for one in people[1::LEADABLE] if one.user != self.person.user]
        user, lead = self.chance.choice(leadable), self.chance.random() < 0.6
        if not lead:
            self.journal.demoted.add((room["id"], user))
        leader = "moderator" if room["type"] == "Channel" else "admin"
        action = f"{'add' if lead else 'remove'}_{leader}"
        await self._do(device, "room.modify", room["id"], action=action, data={"users": [user]})

    async def create(self) -> None:
        """Make a room with some others."""
        others = [one.user for one in self.world.people if one is not self.person]
        if self.chance.random() < 0.5:
            data = {
                "type": "GroupChat",
                "name": f"{PASSING} {self.chance.randrange(10**6)}",
                "participants": self.chance.sample(others, 4),
            }
        else:
            data = {
                "type": "Channel",
                "name": f"{PASSING} {self.chance.randrange(10**6)}",
                "subscribers": self.chance.sample(others, 4),
            }
        device = self.person.device()
        if len(self.person.rooms(device)) < 16:
            deed = await self._ask(device, "room.create", data)
            self.journal.judge(deed, self.person.user)

    async def delete_room(self) -> None:
        """Delete a room of one's own."""
        device = self.person.device()
        room = self._room(device, PASSING, led=True)
        if room is not None and self.person.created(room):
            self.journal.doomed_rooms.add(room["id"])
            if await self._do(device, "room.modify", room["id"], action="delete"):
                self.journal.deleted.add(room["id"])

    # Looking, coming and going

    async def look(self) -> None:
        """Look at the rooms, one of them, and its messages."""
        device = self.person.device()
        deed = await self._ask(device, "room.list", {})
        self.journal.judge(deed, self.person.user)
        rooms = self.person.rooms(device)
        if rooms:
            room_id = self.chance.choice(rooms)["id"]
            await self._do(device, "room.info", room_id)
            await self._do(device, "room.messages", room_id, paginate={"page": 1, "size": 20})

    async def beat(self) -> None:
        """Send a heartbeat."""
        deed = await self._ask(self.person.device(), "session.heartbeat", {})
        self.journal.judge(deed, self.person.user)

    async def load_page(self) -> None:
        """Turn a device off, and another on."""
        if len(self.person.devices) > 1:
            device = self.person.device()
            await self.person.turn_off(device)
            await self.person.turn_on(resumes=device.resumes)

    async def cut(self) -> None:
        """Lose a connection, while all goes on."""
        await self.person.device().cut()

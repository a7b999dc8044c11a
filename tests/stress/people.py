"""People: users with several devices each, and what they know of their rooms."""

from __future__ import annotations

import itertools
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.stress.devices import Device, Frames
from tests.stress.journal import Journal
from tests.timing import STARTUP, eventually

MEMBERS = {"GroupChat": "participants", "Channel": "subscribers", "OneToOneChat": "participants"}


@dataclass(eq=False)
class Person:
    """A user.

    Attributes:
        user: their id.
        name: their username.
        urls: where the chat processes are.
        journal, frames: what all people share.
        devices: those that are on.
        retired: those that were put away, for what they were told.
        busy: messages that they are changing just now.
    """

    user: Any
    name: str
    urls: list[str]
    journal: Journal
    frames: Frames
    chance: random.Random
    devices: list[Device] = field(default_factory=list)
    retired: list[Device] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def turn_on(self, *, resumes: bool) -> Device:
        """Turn another device on; it loads its page with an empty resume."""
        number = next(self._numbers)
        # Each device has its own process, and moves on to the next when it is cut off.
        turn = number % len(self.urls)
        urls = [*self.urls[turn:], *self.urls[:turn]]
        device = Device(
            self.user, self.name, number, urls, self.journal, self.frames, resumes=resumes
        )
        self.devices.append(device)
        await device.__aenter__()
        return device

    async def turn_off(self, device: Device) -> None:
        """Turn a device off."""
        self.devices.remove(device)
        self.retired.append(device)
        # What somebody asked on it is answered first: it is on no device's account but this one's.
        with suppress(TimeoutError):  # of which the request tells
            await eventually(lambda: device.asked == 0, "all is answered", 2 * STARTUP)
        await device.__aexit__()

    def device(self) -> Device:
        """One of the devices that are on."""
        return self.chance.choice(self.devices)

    # What a device shows

    def rooms(self, device: Device, *types: str) -> list[dict[str, Any]]:
        """The rooms that a device shows, of these types or of all."""
        rooms = device.mirror.rooms.values()
        return [room for room in rooms if not types or room["type"] in types]

    def writable(self, device: Device) -> list[dict[str, Any]]:
        """The rooms that they may write in."""
        return [
            room for room in self.rooms(device) if room["type"] != "Channel" or self.leads(room)
        ]

    def leads(self, room: dict[str, Any]) -> bool:
        """Whether they lead a room, by what it shows."""
        leaders = room.get("admins") or room.get("moderators") or []
        return any(user["id"] == self.user for user in leaders)

    def created(self, room: dict[str, Any]) -> bool:
        """Whether they created a room."""
        creator = room.get("creator")
        return creator is not None and creator["id"] == self.user

    def messages(
        self, device: Device, room_id: str, *, mine: bool | None = None
    ) -> list[dict[str, Any]]:
        """The messages that a device shows of a room: all, their own, or those of others."""
        found = device.mirror.messages.get(room_id, {}).values()
        return [
            message
            for message in found
            if mine is None or (message["sender"]["id"] == self.user) is mine
        ]


def members(room: dict[str, Any]) -> list[Any]:
    """The ids of the members that a room shows."""
    return [user["id"] for user in room[MEMBERS[room["type"]]]]

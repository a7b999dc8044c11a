"""What the stress test has: people, rooms, texts, chat processes, and how to ask these."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

from tests.servers import HOST, ChatProcess
from tests.stress.devices import Frames
from tests.stress.journal import Entry, Journal
from tests.stress.people import Person
from tests.stress.texts import Texts
from tests.timing import STARTUP

# What a room's name begins with says what happens to it.

FIXED = "fixed"
"""Nobody comes or goes."""
DOORS = "doors"
"""Members come and go."""
NARROW = "narrow"
"""Members come and go, and there is no place for all."""
SQUARE = "square"
"""A public channel: everybody comes and goes as they like."""
PASSING = "passing"
"""It is made by somebody, and deleted soon."""

CAP = 6
"""How many members a narrow room may have."""


@dataclass
class World:
    """All that actors share.

    Attributes:
        seed: what all choices follow from.
        people: the users.
        chats: the processes that serve sockets.
        project: the process that project code runs in: one of those, or one without sockets.
        rooms: rooms that were made at the start, by what their names begin with.
        plain_joins, plain_removals: what plain code did with memberships: the room, the user, and
            the place, or the places before and after.
        over: set when nobody acts any more.
    """

    seed: str
    chats: list[ChatProcess]
    project: ChatProcess
    journal: Journal = field(default_factory=Journal)
    people: list[Person] = field(default_factory=list)
    rooms: dict[str, list[str]] = field(default_factory=dict)
    plain_joins: list[tuple[str, Any, int]] = field(default_factory=list)
    plain_removals: list[tuple[str, Any, int, int]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.texts = Texts(self.seed)
        self.frames = Frames(self.journal)
        self.journal.over = self.over.set

    def chance(self, name: str) -> random.Random:
        """What somebody chooses by: the same for the same seed."""
        return random.Random(f"{self.seed} {name}")

    def client_id(self, number: int) -> str:
        """The `client_id` of the message with a text."""
        return f"{self.seed}-{number}"

    def write(self, sender: Any, *rooms: str, message: str | None = None) -> tuple[int, str]:
        """Note a new text before it is sent; returns its number and the text."""
        number = self.texts.number()
        self.journal.texts[number] = Entry(number, sender, rooms, message)
        return number, self.texts.text(number)

    def of_kind(self, *kinds: str) -> list[str]:
        """The ids of the rooms of these kinds that were made at the start."""
        return [room_id for kind in kinds for room_id in self.rooms.get(kind, ())]

    async def act(self, act: str, **given: Any) -> dict[str, Any]:
        """Let the project's code do something; see `tests.site.backstage`."""
        found: dict[str, Any] = await ask(self.project, "/stress/act", {"act": act, **given})
        return found

    async def look(self) -> list[dict[str, int]]:
        """What each process holds."""
        return [await ask(chat, "/stress/look") for chat in self.chats]


async def ask(process: ChatProcess, path: str, data: Any = None) -> Any:
    """Ask a process over HTTP, and return what it answers."""
    body = json.dumps(data or {}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
    async with asyncio.timeout(STARTUP):
        reader, writer = await asyncio.open_connection(HOST, process.port)
        try:
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()
    status, _, rest = answer.partition(b"\r\n")
    if b" 200 " not in status:
        raise RuntimeError(f"{path} {data}: {status.decode()}\n{process.log[-4000:]}")
    return json.loads(rest.partition(b"\r\n\r\n")[2])

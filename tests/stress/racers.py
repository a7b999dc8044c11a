"""Racers: sockets of a few users on both processes, and a lane in which they race."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Iterable
from contextlib import AsyncExitStack, suppress
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import orjson
from django.contrib.auth import get_user_model
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from tests.stress.journal import PASSING, Deed, Journal
from tests.stress.stored import read
from tests.timing import LOOK, STARTUP

Json = dict[str, Any]

DONE = None
"""The code of an event that succeeded."""


class Racer:
    """A socket of a user that asks several things at once.

    Args:
        user: the user's id.
        name: as failures name them.
        url: where the socket is.
    """

    def __init__(self, user: Any, name: str, url: str) -> None:
        self.user = user
        self.name = name
        self._url = url
        self._socket: ClientConnection | None = None
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._socket = await connect(
            f"{self._url}?{urlencode({'user': str(self.user)})}",
            origin=f"http://{urlsplit(self._url).netloc}",  # type: ignore[arg-type]
            proxy=None,
            compression=None,
            max_queue=None,
            max_size=None,
            open_timeout=STARTUP,
            ping_interval=None,
        )
        self._reader = asyncio.get_running_loop().create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._socket is not None
        assert self._reader is not None
        await self._socket.close()
        await self._reader

    async def _read(self) -> None:
        assert self._socket is not None
        # The socket of a user who is deleted is closed.
        with suppress(ConnectionClosedError):
            async for text in self._socket:
                frame = orjson.loads(text)
                answer = self._answers.pop(frame.get("request_id"), None)
                if answer is not None:
                    answer.set_result(frame)

    async def ask(self, event: str, data: Json) -> Deed:
        """Ask; again after an error that passes.

        Raises:
            TimeoutError: there was no answer.
        """
        assert self._socket is not None
        deed = Deed(self.name, self.name, event, data)
        async with asyncio.timeout(STARTUP):
            while True:
                number = next(self._numbers)
                future = self._answers[number] = asyncio.get_running_loop().create_future()
                frame = {"event_type": event, "data": data, "request_id": number}
                await self._socket.send(orjson.dumps(frame).decode())
                deed.answer = await future
                if deed.code not in PASSING:
                    return deed
                await asyncio.sleep(LOOK)


class Lane:
    """Where a few users race, round after round. Lanes run beside each other.

    Args:
        names: the users' ids, by their names.
        urls: the sockets of the processes.
        journal: is told what must not be.

    Attributes:
        first, second: for each user a socket on each of the two processes.
    """

    def __init__(self, names: dict[str, Any], urls: list[str], journal: Journal) -> None:
        self._names = names
        self._urls = urls
        self._stack = AsyncExitStack()
        self.journal = journal
        self.first: list[Racer] = []
        self.second: list[Racer] = []

    async def __aenter__(self) -> Self:
        for sockets, url in ((self.first, self._urls[0]), (self.second, self._urls[-1])):
            for name, user in self._names.items():
                sockets.append(await self._stack.enter_async_context(Racer(user, name, url)))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def several(self, racer: Racer, count: int) -> list[Racer]:
        """Return so many more sockets of a user, on both processes in turn."""
        return [
            await self._stack.enter_async_context(
                Racer(racer.user, racer.name, self._urls[number % len(self._urls)])
            )
            for number in range(count)
        ]

    async def newcomer(self, name: str) -> Racer:
        """Return a socket of a user that nobody knows yet."""
        users = get_user_model()._default_manager
        user: Any = await read(lambda: users.create_user(name))  # type: ignore[attr-defined]
        return await self._stack.enter_async_context(Racer(user.pk, name, self._urls[0]))

    # What is done alone

    async def do(self, racer: Racer, event: str, **data: Any) -> Deed:
        """Do something that nobody races with: it succeeds."""
        deed = await racer.ask(event, data)
        self.judge(deed, {DONE})
        return deed

    async def make_room(
        self, kind: str, owner: Racer, others: Iterable[Racer] = (), **extra: Any
    ) -> str:
        """Make a room; return its id."""
        members = "subscribers" if kind == "Channel" else "participants"
        name = f"{kind} of {owner.name}"
        ids = [other.user for other in others]
        await self.do(
            owner, "room.create", type=kind, name=name, **{members: ids}, extra_fields=extra
        )
        # Nobody else makes rooms in the owner's name.
        listed = await self.do(owner, "room.list")
        assert listed.answer is not None
        rooms = (room for room in listed.answer["data"] if room["type"] == kind)
        room_id: str = max(rooms, key=lambda room: str(room["created_at"]))["id"]
        return room_id

    async def say(self, racer: Racer, room_id: str, count: int = 1) -> list[str]:
        """Send messages; return their ids, the oldest first."""
        for number in range(count):
            await self.do(
                racer, "message.send", room_id=room_id, content=f"<b>{number}</b> <i>x</i>"
            )
        page = {"page": 1, "size": count}
        shown = await self.do(racer, "room.messages", room_id=room_id, paginate=page)
        assert shown.answer is not None
        return [message["id"] for message in reversed(shown.answer["data"]["data"]["messages"])]

    # What is done at once

    async def race(
        self, *deeds: tuple[Racer, str, Json, Collection[int | None]]
    ) -> list[int | None]:
        """Do things at once; return the code of each.

        Args:
            deeds: who does what, and the codes that some order of all of them explains.
        """
        done = await asyncio.gather(*(racer.ask(event, data) for racer, event, data, _ in deeds))
        for deed, (*_, codes) in zip(done, deeds, strict=True):
            self.judge(deed, codes)
        return [deed.code for deed in done]

    def judge(self, deed: Deed, codes: Collection[int | None]) -> None:
        """Note a deed, and whether it was answered as it may be."""
        self.journal.note(deed)
        if deed.code in codes:
            self.journal.done[deed.event] += deed.code is None
        else:
            allowed = ", ".join("done" if code is None else str(code) for code in codes)
            self.journal.violate("race", f"{deed}; no order explains that ({allowed})", deed.person)

    def expect(self, holds: bool, what: str) -> None:
        """Note that something must be so at the end of a round."""
        if not holds:
            self.journal.violate("race", what, *self._names)

    async def count(self, query: Callable[[], int]) -> int:
        """Return what a query of the database counts."""
        return await read(query)

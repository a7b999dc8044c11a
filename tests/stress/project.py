"""What the project's own code does meanwhile: saves, deletes, slow views, cleaning."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any

from tests.stress.acts import FULL, LEADABLE
from tests.stress.people import Person
from tests.stress.world import DOORS, FIXED, NARROW, SQUARE, World
from tests.timing import LOOK

#: How long a view holds a room's row.
SLOW = 1.0
#: How many come into a room at once.
CROWD = 4
#: How long ago somebody looked at what is saved.
STALE = 0.3

WITHOUT = frozenset(os.environ.get("CHAT_STRESS_WITHOUT", "").split(","))
"""Acts to do without, by name: to find out which one a fault needs."""


class Project:
    """One of the project's threads, which does one thing after the other.

    Args:
        world: what all actors share.
        number: which one.
        locks_rows: whether the database can lock one row.
    """

    def __init__(self, world: World, number: int, *, locks_rows: bool) -> None:
        self.world = world
        self.journal = world.journal
        self.chance: random.Random = world.chance(f"project {number}")
        acts: dict[Callable[[], Awaitable[None]], int] = {
            self.save_stale_room: 5,
            self.save_stale_membership: 4,
            self.save_stale_user_stream: 4,
            self.join: 4,
            self.crowd: 2,
            self.remove: 3,
            self.delete_messages: 3,
            self.send: 3,
            self.clean_up: 1,
            self.hold_room: 1 if locks_rows else 0,
        }
        self.acts = {act: weight for act, weight in acts.items() if act.__name__ not in WITHOUT}

    async def act_on(self) -> None:
        """Act until it is over."""
        while not self.world.over.is_set():
            (act,) = self.chance.choices(list(self.acts), list(self.acts.values()))
            await act()
            # The project is not all that goes on.
            await asyncio.sleep(LOOK)

    async def _act(self, act: str, **given: Any) -> dict[str, Any]:
        answer = await self.world.act(act, **given)
        self.journal.done[f"project: {act}"] += 1
        if "done" in answer:
            done: dict[str, Any] = answer["done"]
            return done
        about = str(given.get("room", ""))
        rules = (FULL,) if act == "join" else ()
        gone = about in self.journal.doomed_rooms or act in ("send", "join", "remove")
        if answer.get("refused") == 4004 and gone:
            return {}
        if answer.get("refused") in (4002, 4003) and (
            act == "send" or any(rule in answer["detail"] for rule in rules)
        ):
            return {}
        self.journal.violate("project", f"{act} {given}: {answer}", about)
        return {}

    def _person(self) -> Person:
        return self.chance.choice(self.world.people)

    def _any_room(self, person: Person) -> str | None:
        rooms = person.rooms(person.device()) if person.devices else []
        return self.chance.choice(rooms)["id"] if rooms else None

    async def save_stale_room(self) -> None:
        """Save a room as it was a moment ago."""
        if room_id := self._any_room(self._person()):
            await self._act("save_stale_room", room=room_id, pause=self._moment())

    async def save_stale_membership(self) -> None:
        """Save a membership as it was a moment ago: of one whose role nobody changes."""
        person = self.chance.choice(self.world.people[::LEADABLE])
        if room_id := self._any_room(person):
            given = {"room": room_id, "user": person.user, "pause": self._moment()}
            await self._act("save_stale_membership", **given)

    async def save_stale_user_stream(self) -> None:
        """Save the place of a user's stream as it was a moment ago."""
        given = {"user": self._person().user, "pause": self._moment()}
        await self._act("save_stale_user_stream", **given)

    def _moment(self) -> float:
        return self.chance.uniform(0, STALE)

    def _place(self) -> tuple[str, Any]:
        room_id = self.chance.choice(self.world.of_kind(DOORS, NARROW, SQUARE))
        # The first of the people made these rooms, and stays.
        return room_id, self.chance.choice(self.world.people[1:]).user

    async def join(self) -> None:
        """Make somebody a member by a plain save."""
        await self._join(*self._place())

    async def crowd(self) -> None:
        """Make several users members by plain saves at once, where there is no place for all."""
        room_id = self.chance.choice(self.world.of_kind(NARROW))
        chosen = self.chance.sample(self.world.people[1:], CROWD)
        await asyncio.gather(*(self._join(room_id, person.user) for person in chosen))

    async def _join(self, room_id: str, user: Any) -> None:
        done = await self._act("join", room=room_id, user=user)
        if done.get("joined") is not None:
            self.world.plain_joins.append((room_id, user, done["joined"]))

    async def remove(self) -> None:
        """End a membership by a plain delete."""
        room_id, user = self._place()
        self.journal.parted.add((room_id, user))
        done = await self._act("remove", room=room_id, user=user)
        if "after" in done:
            self.world.plain_removals.append((room_id, user, done["before"], done["after"]))

    async def delete_messages(self) -> None:
        """Delete messages by plain deletes."""
        person = self._person()
        room_id = self._any_room(person)
        if room_id is None or not person.devices:
            return
        found = person.messages(person.device(), room_id)
        if found:
            chosen = self.chance.sample(found, min(len(found), 2))
            ids = [message["id"] for message in chosen]
            self.journal.doomed.update(ids)
            at_once = self.chance.random() < 0.5
            await self._act("delete_messages", messages=ids, at_once=at_once)
            self.journal.deleted.update(ids)

    async def send(self) -> None:
        """Send a message on behalf of somebody."""
        person = self._person()
        rooms = person.writable(person.device()) if person.devices else []
        if rooms:
            room_id = self.chance.choice(rooms)["id"]
            number, content = self.world.write(person.user, room_id)
            client_id = self.world.client_id(number)
            given = {"room": room_id, "user": person.user, "content": content}
            done = await self._act("send", client_id=client_id, **given)
            outcome = "confirmed" if "message" in done else "refused"
            self.journal.texts[number].outcome = outcome

    async def clean_up(self) -> None:
        """Clean up what is over."""
        await self._act("clean_up")

    async def hold_room(self) -> None:
        """Hold the row of a room, as a slow view does."""
        room_id = self.chance.choice(self.world.of_kind(FIXED, DOORS))
        await self._act("hold_room", room=room_id, seconds=SLOW)

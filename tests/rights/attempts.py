"""What comes of each cell of the table, and that nothing else does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from gql_chat import streams
from gql_chat.streams import Envelope
from tests.conftest import Orm
from tests.rights import writes
from tests.rights.cases import CASES, Data
from tests.rights.rehearsal import DONE
from tests.rights.table import expected
from tests.rights.world import World

#: Events of which the table has only whether the room is in the answer.
LISTS = {"room.list", "notification.list", "saved.list", "unread.list", "mention.list", "user.find"}
Cell = tuple[str, str, str]


def cells(world: World, roles: Iterable[str]) -> Iterator[tuple[Cell, Data]]:
    """Every event, case and role of a world, and the data that is sent.

    A cell in which there is nothing of the kind to try is left out.
    """
    roles = tuple(roles)
    for event, cases in CASES.items():
        for what, build in cases.items():
            for role in roles:
                data = build(world, role)
                if data is not None:
                    yield (event, what, role), data


def outcome_of_error(error: Any) -> str:
    """What an error says: its code, or that the rehearsal came to its end."""
    if error["code"] == DONE:
        return "ok" if error["detail"]["told"] else "nothing"
    return str(error["code"])


def outcome_of_answer(event: str, world: World, data: Any) -> str:
    """What an answer says of the room."""
    if event not in LISTS:
        return "ok"
    if event == "user.find":
        return "shown" if '"username"' in json.dumps(data) else "absent"
    return "shown" if world.room_id in json.dumps(data) else "absent"


class Judge:
    """Compares what came of each cell with the table, and with what was written and sent.

    Attributes:
        world: where the cells are tried.
        wrong: a line for each cell that is not as it should be.
        count: how many cells were tried.
    """

    def __init__(self, world: World, orm: Orm) -> None:
        self.world = world
        self.wrong: list[str] = []
        self.count = 0
        self._orm = orm
        self._told: list[Envelope] = []
        orm(writes.take)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear all that this process publishes."""
        hear = self._told.extend
        streams.subscribe(hear)
        try:
            yield
        finally:
            streams.unsubscribe(hear)

    def judge(self, cell: Cell, outcome: str, meant: str | None = None) -> None:
        """Judge what came of a cell; `meant` stands for another outcome than the table's."""
        self.count += 1
        event, what, role = cell
        meant = meant or expected(event, what, self.world.kind, role)
        problems = []
        if outcome != meant:
            problems.append(f"{outcome} instead of {meant}")
        if written := self._orm(writes.take):
            problems.append(f"wrote {', '.join(sorted(set(written)))}")
        # That somebody is there is said of the people themselves, not of what they try.
        if told := [each for each in self._told if not each.stream.startswith("presence:")]:
            problems.append(f"told {[(each.stream, each.kind) for each in told]}")
        self._told.clear()
        if problems:
            self.wrong.append(f"{event}, {what}: {role}: {'; '.join(problems)}")

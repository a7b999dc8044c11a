"""The endpoint's subscriptions with the client that tools use: `graphql-ws` from npm."""

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from gql_chat.models import GroupChat
from gql_chat.operations import EventHandler
from tests.conftest import Orm
from tests.endpoint.conftest import MakeGroup
from tests.endpoint.tools import PATH, sign_in
from tests.node import packages
from tests.servers import HOST, ChatThread
from tests.timing import STARTUP

FOLDER = packages.FOLLOWER


class Follower:
    """A process of Node that follows rooms and tells what it hears."""

    def __init__(self, port: int, session: str, rooms: dict[str, GroupChat]) -> None:
        given = {
            "url": f"ws://{HOST}:{port}{PATH}",
            "cookie": f"sessionid={session}",
            "rooms": {name: str(room.pk) for name, room in rooms.items()},
        }
        self._process = subprocess.Popen(
            ["node", "follow.mjs", json.dumps(given)],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[Any] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))

    def next(self) -> Any:
        """Take what it says next."""
        return self._lines.get(timeout=STARTUP)

    def hears(self, *expected: tuple[str, int, str]) -> None:
        """It hears exactly these messages next: of each room in order, rooms in any order."""
        got: dict[str, list[Any]] = {}
        for _ in expected:
            line = self.next()
            got.setdefault(line["name"], []).append((line["seq"], line["content"]))
        wanted: dict[str, list[Any]] = {}
        for name, *rest in expected:
            wanted.setdefault(name, []).append(tuple(rest))
        assert got == wanted

    def stop(self, name: str) -> None:
        """End a subscription."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()

    def close(self) -> list[Any]:
        """Let it end; returns what it said that nobody has taken."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            assert self._process.wait(STARTUP) == 0
        finally:
            self._process.kill()
            self._process.wait()
        self._reader.join(STARTUP)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return list(self._lines.queue)


@pytest.fixture
def server(committed_database: None) -> Iterator[ChatThread]:
    """A server of its own, to be stopped and started again."""
    with ChatThread() as server:
        yield server


def test_graphql_ws_follows_ends_and_goes_on_where_it_was(
    server: ChatThread, staff: AbstractUser, make_group: MakeGroup, orm: Orm
) -> None:
    packages.need(FOLDER)
    rooms = {name: make_group(staff, name=name) for name in ("one", "other")}

    def say(name: str, *contents: str) -> None:
        for content in contents:
            orm(EventHandler(staff.pk).send_message, rooms[name].pk, content)

    say("one", "missed")
    follower = Follower(server.port, sign_in(orm, staff), rooms)
    try:
        # What was missed, then what is live, each room to its own subscription.
        assert follower.next() == {"connected": True}
        follower.hears(("one", 1, "missed"))
        say("other", "live")
        say("one", "live too")
        follower.hears(("other", 1, "live"), ("one", 2, "live too"))

        # The server goes, chat goes on elsewhere, the server is back: no gap and no repeat.
        server.stop()
        say("one", "while it was away")
        say("other", "while it was away", "again")
        server.start()
        assert follower.next() == {"connected": True}
        follower.hears(
            ("one", 3, "while it was away"),
            ("other", 2, "while it was away"),
            ("other", 3, "again"),
        )

        # One ends, the other goes on.
        follower.stop("one")
        assert follower.next() == {"name": "one", "complete": True}
        say("one", "unheard")
        say("other", "heard")
        follower.hears(("other", 4, "heard"))

        # Who loses the right hears why.
        orm(type(staff)._default_manager.filter(pk=staff.pk).update, is_staff=False)
        say("other", "secret")
        assert follower.next() == {"name": "other", "codes": [4002]}
        assert follower.next() == {"name": "other", "complete": True}
    finally:
        left = follower.close()
    assert left == []

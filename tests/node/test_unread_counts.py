"""The TypeScript that counts what is unread counts what the server does: a story, played to it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Users
from tests.exports import CLIENTS
from tests.node.packages import FOLDER, need, run
from tests.unit.test_unread_counts import Device, Story

#: What is done, who does it, which message, and how: see `Story.act`.
STORY = [
    ("send", 0, 2, False),
    ("read", 1, 1, False),
    ("send", 2, 1, False),
    ("receipt", 1, 4, True),
    ("delete", 0, 0, False),
    ("delete", 2, 3, False),
    ("mark", 1, 1, False),
    ("receipt", 1, 2, False),
    ("send", 0, 0, False),
    ("leave", 1, 0, False),
    ("send", 0, 1, False),
    ("join", 1, 0, False),
    ("send", 2, 0, False),
    ("read", 1, 0, True),
    ("send", 0, 0, False),
]


class Recorder(Device):
    """A device that keeps what it is sent."""

    def take_all(self) -> list[Any]:
        """Follow the log; returns the frames."""
        frames: list[Any] = []
        take, self.counts.take = self.counts.take, frames.append
        self.follow(order=False)
        self.counts.take = take
        return frames


@pytest.mark.django_db
def test_the_compiled_client_counts_what_the_server_does(users: Users, tmp_path: Path) -> None:
    need()
    story = Story(users)
    bob = Recorder(story.users[1], story.room)
    room = str(story.room.pk)
    parts: list[Any] = [{"answer": bob._ask({}), "frames": [], "all": True}]
    expected: list[list[int] | None] = [[0, 0]]
    for what, who, number, flag in STORY:
        story.act(what, who, number, flag)
        is_in = story.reading[1] is not None
        answer = bob._ask({"room_id": room} if is_in else {})
        parts.append({"answer": answer, "frames": bob.take_all(), "all": False})
        expected.append([story.unread(1)] * 2 if is_in else None)
    me = {"id": bob.user.pk, "username": bob.user.username}
    file = tmp_path / "story.json"
    file.write_text(json.dumps({"me": me, "room": room, "story": parts}, default=str))
    run("tsc", "--project", str(CLIENTS), "--outDir", str(tmp_path))

    played = run(
        "node", str(FOLDER / "count_unread.mjs"), str(tmp_path / "unread_counts.js"), str(file)
    )

    found = json.loads(played)
    assert len(found) == len(expected)
    # Out of the room a socket would hear nothing of it, and the count does not matter.
    known = [(was, meant) for was, meant in zip(found, expected, strict=True) if meant is not None]
    assert [was for was, _ in known] == [meant for _, meant in known]
    assert len({count for count, _ in found}) > 3

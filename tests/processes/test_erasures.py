"""A user is erased by a command, beside several chat processes; the command is killed midway."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from gql_chat.models import Message
from tests.client import Frame
from tests.conftest import Connect, Orm, Users
from tests.processes.test_two_processes import Processes, person_at
from tests.servers import ROOT
from tests.timing import STARTUP
from tests.wire.resuming import follow, of_room
from tests.wire.rooms import Person, group, say

LAST = "usererase.dispatch"


def erase(environment: Mapping[str, str], user: Any, until: str | None = None) -> int:
    """Run the command in batches of two; kill it when it has said this, if it is given.

    Returns:
        The exit code.
    """
    command = ["erase_user", str(user.pk), "--by=id", "--messages=delete", "--batch=2"]
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "django", *command],
        cwd=ROOT,
        env={**environment, "DJANGO_SETTINGS_MODULE": "tests.site.settings"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if until is not None and line.startswith(until):
                process.kill()
                break
        return process.wait(STARTUP)


async def frames_until_the_last(person: Person) -> list[Frame]:
    """All frames up to the one that says that the user is gone."""
    frames: list[Frame] = []
    while not frames or frames[-1]["eventType"] != LAST:
        frames.append(await person.next())
    return frames


async def test_a_killed_erasure_is_finished_by_the_next_and_told_once(
    two_processes: Processes,
    shared_environment: Mapping[str, str],
    connect: Connect,
    users: Users,
    orm: Orm,
) -> None:
    one, other = two_processes
    alice, bob, carol = [
        await person_at(process, user, connect)
        for process, user in zip((one, other, other), users.make("a", "b", "c"), strict=True)
    ]
    room = await group(bob, alice, carol)
    ids = [(await say(bob, room, f"{n}", alice, carol))["id"] for n in range(12)]
    for person in (alice, carol):
        await follow(person)

    killed = await asyncio.to_thread(erase, shared_environment, bob.user, "messages: 4 so far")
    left = orm(Message.objects.filter(pk__in=ids).count)
    done = await asyncio.to_thread(erase, shared_environment, bob.user)

    assert (killed, done) == (-9, 0)
    assert 0 < left <= 8
    assert await bob.client.closed() == 4001
    told, others = [await frames_until_the_last(person) for person in (alice, carol)]
    assert told == others
    seqs = [frame["seq"] for frame in told if frame["stream"] == of_room(room)]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    deleted = [
        message_id
        for frame in told
        if frame["eventType"] == "messagemodification.dispatch"
        for message_id in frame["data"]["message_ids"]
    ]
    assert sorted(deleted) == sorted(ids)
    assert [frame["eventType"] for frame in told[-3:]] == [
        "roomremovemembers.dispatch",
        "roomupdate.dispatch",
        LAST,
    ]
    assert told[-2]["data"]["creator"] == alice.shown
    await alice.nothing()
    await carol.nothing()

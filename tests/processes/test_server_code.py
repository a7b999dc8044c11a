"""Chat from a process that holds no socket, as a task or a command is."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping

from gql_chat.models import StreamEvent
from tests.conftest import Connect, Orm, Users
from tests.processes.test_two_processes import Processes, person_at
from tests.servers import ROOT
from tests.timing import STARTUP
from tests.wire.rooms import everybody_gets, nobody_gets_anything

#: What a worker of a task queue does, in synchronous code and in a coroutine.
WORK = """
import asyncio, sys
import django
django.setup()
from django.db import transaction
from gql_chat import add_members, asend_message, create_room, send_message
alice, bob, carol = sys.argv[1:]
with transaction.atomic():
    room = create_room("GroupChat", creator=alice, name="Orders", members=[bob])
    send_message(room, "One", sender=alice)
try:
    with transaction.atomic():
        send_message(room, "Never", sender=alice)
        raise LookupError
except LookupError:
    pass
asyncio.run(asend_message(room, "Two", sender=carol, as_system=True))
add_members(room, [carol], by=alice)
"""


async def test_a_process_without_sockets_is_heard_on_every_other(
    two_processes: Processes,
    shared_environment: Mapping[str, str],
    connect: Connect,
    users: Users,
    orm: Orm,
) -> None:
    one, other = two_processes
    named = users.make("alice", "bob", "carol")
    alice, bob, carol = [
        await person_at(process, user, connect)
        for process, user in zip((one, other, other), named, strict=True)
    ]

    # The connection of Django's thread for coroutines ends with the process: Django closes those
    # of requests only.
    warnings = ["-W", "error", "-W", "ignore::ResourceWarning"]
    worker = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, *warnings, "-c", WORK, *(str(user.pk) for user in named)],
        cwd=ROOT,
        env={**shared_environment, "DJANGO_SETTINGS_MODULE": "tests.site.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=STARTUP,
    )
    assert (worker.returncode, worker.stderr) == (0, "")

    room = await everybody_gets("roomcreate.dispatch", alice, bob)
    for content, sender in (("One", alice), ("Two", carol)):
        message = await everybody_gets("message.dispatch", alice, bob)
        assert (message["content"], message["sender"]["id"]) == (content, sender.id)
    added = await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    assert (added["new_members"], added["added_by"]) == ([carol.name], alice.name)
    await nobody_gets_anything(alice, bob, carol)

    log = StreamEvent.objects.filter(stream=f"room:{room['id']}").order_by("seq")
    kinds = orm(lambda: list(log.values_list("kind", flat=True)))
    assert kinds == ["RoomCreated", "MessageSent", "MessageSent", "MembersAdded"]

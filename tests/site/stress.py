"""The ASGI application of the test project as the stress test runs it.

Two paths are added, for that test alone: ``/stress/look`` reports what the process still holds,
``/stress/act`` runs project code in it (`tests.site.backstage`). With ``CHAT_STRESS_FAULT`` the
process brings one of the faults back that the stress test has to find (`tests.stress.faults`).
"""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from tests.site.asgi import application as chat

# isort: split
# They import models, which need the set-up that the line above made.
from event_bridge.hub import hub as hubs
from tests.site import backstage

Scope = dict[str, Any]

#: A project's views run in threads of their own.
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="view")

if fault := os.environ.get("CHAT_STRESS_FAULT"):
    import_module(f"tests.stress.faults.{fault}").bring_back()


async def application(scope: Scope, receive: Any, send: Any) -> None:
    """Serve chat, and the two paths of the stress test."""
    path = scope.get("path", "")
    if scope["type"] != "http" or not path.startswith("/stress/"):
        await chat(scope, receive, send)
        return
    asked = json.loads(await _body(receive) or b"{}")
    if path == "/stress/look":
        answer: Any = look()
    else:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(_threads, lambda: backstage.perform(**asked))
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def look() -> dict[str, int]:
    """Count what the process holds; in a quiet moment all but sockets and streams is nothing.

    It reads private attributes on purpose: one that is renamed has to be renamed here, and the
    stress test fails until it is.
    """
    found = dict.fromkeys(("sockets", "streams", *LEFT), 0)
    for hub in list(hubs._hubs.values()):
        sockets = {socket for each in hub.registry.subscribers.values() for socket in each}
        found["sockets"] += len(sockets)
        found["streams"] += len(hub.registry.streams)
        found["opening"] += len(hub.readings)
        found["stash"] += hub.readings.kept_frames
        found["left"] += hub.readings.kept_departures
        found["refreshing"] += len(hub.sequencer.paused)
        found["jobs"] += _jobs(hub.threads)
        found["wake-ups"] += hub.layer.waiting
        for stream in hub.registry.streams.values():
            found["late"] += len(stream.late)
            found["early"] += len(stream.early or ())
            found["entering"] += len(stream.entering)
            found["catching up"] += int(stream.catching_up)
        for socket in sockets:
            found["unsent"] += socket.outbox.size
            found["sending"] += int(socket.outbox._task is not None)
            found["intake"] += len(socket.intake._jobs)
            found["held"] += len(socket._held)
            found["resuming"] += int(socket.resumption is not None)
    return found


def _jobs(threads: Any) -> int:
    """How many jobs wait, for a thread or at the gate of a room, and how many places are taken."""
    count = 0
    for crew in {threads._crew, threads._for_locks}:
        if crew._shift is not None:
            count += crew._shift.jobs.qsize()
            if (gate := crew._shift.gate) is not None:
                count += sum(gate._taken.values()) + sum(map(len, gate._lines.values()))
    return count


LEFT = (
    "opening",
    "stash",
    "left",
    "refreshing",
    "jobs",
    "wake-ups",
    "late",
    "early",
    "entering",
    "catching up",
    "unsent",
    "sending",
    "intake",
    "held",
    "resuming",
)
"""What is to be nothing when all is quiet."""

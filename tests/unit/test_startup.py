"""What a process does when it starts, seen in a process that starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.servers import ROOT

#: Starts the test project as a server does, then runs events; tells how often documents were
#: parsed and validated in each part of its life.
STARTED = """
import json
from collections import Counter

import graphql

phase, counted = "starting", Counter()


def count(name):
    function = getattr(graphql, name)

    def counting(*args, **kwargs):
        counted[f"{name} while {phase}"] += 1
        return function(*args, **kwargs)

    setattr(graphql, name, counting)


# Before the package imports them.
count("parse")
count("validate")

from tests.site import asgi

phase = "running"

from django.contrib.auth import get_user_model
from django.core.management import call_command

from event_bridge.operations import events, lifecycle
from gql_chat.schema import Context

call_command("migrate", verbosity=0)
alice, bob = (get_user_model().objects.create(username=name) for name in ("alice", "bob"))


def run(user, table, event_type, /, **data):
    return table.find(event_type, data).run(data, Context(user.pk))


for _ in range(2):
    run(alice, lifecycle(), "open", channel_name="a socket")
    run(alice, lifecycle(), "heartbeat", channel_name="a socket")
    run(alice, lifecycle(), "close", channel_name="a socket")
    room, told = run(
        alice, events(), "room.create", type="GroupChat", name="group", participants=[bob.pk]
    )
    _, (sent,) = run(alice, events(), "message.send", room_id=room["id"], content="hello")
    message_id = json.loads(sent.payload)["message"]["id"]
    run(bob, events(), "message.read", message_id=message_id)
    run(bob, events(), "message.acknowledged", message_id=message_id)
    run(bob, events(), "message.react", type="add", message_id=message_id, reaction_content="+1")
    run(bob, events(), "room.list")
    run(bob, events(), "room.messages", room_id=room["id"])

print(json.dumps(counted))
"""


def test_documents_are_prepared_once_when_the_process_starts(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CHAT_TEST_DATABASE": "sqlite",
        "CHAT_TEST_FILE": str(tmp_path / "chat.sqlite3"),
        "CHAT_TEST_LAYER": "memory",
        "DJANGO_SETTINGS_MODULE": "tests.site.settings",
    }

    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )

    counted = json.loads(done.stdout)
    assert counted.keys() == {"parse while starting", "validate while starting"}
    assert counted["parse while starting"] == counted["validate while starting"]
    # Each operation of an event, what sockets ask for by themselves, and each kind of dispatch.
    assert counted["parse while starting"] > 30


def test_setting_up_a_project_does_not_wait_for_the_schema() -> None:
    # A command such as `migrate` needs none, and importing it takes longer than all the rest.
    look = "import sys, django; django.setup(); print({'strawberry', 'graphql'} & {*sys.modules})"

    done = subprocess.run(
        [sys.executable, "-c", look],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "benchmarks.sites.ours.settings"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )

    assert done.stdout == "set()\n"

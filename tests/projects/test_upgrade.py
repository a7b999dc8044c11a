"""A database of before: chats whose two users are a text, and a log that has no subjects yet."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.servers import ROOT

#: Goes to the version before, writes what it wrote, and migrates as far as it is told.
SCRIPT = """
import json, sys
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

def at(name):
    targets = [node for node in MigrationExecutor(connection).loader.graph.leaf_nodes()]
    targets = [(app, name if app == "gql_chat" and name else node) for app, node in targets]
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps

def seen(apps):
    names = {user.pk: user.username for user in apps.get_model("auth.User").objects.all()}
    rooms = apps.get_model("gql_chat.Room").objects.filter(type="OneToOneChat")
    return sorted(
        sorted(names[key] for key in (room.pair_first_id, room.pair_second_id)) for room in rooms
    )

apps = at("0003_act_as")
users = apps.get_model("auth.User").objects
people = {name: users.create(username=name) for name in ("alice", "bob", "carol", "dave")}
key = {name: str(user.pk) for name, user in people.items()}
Room, Membership = apps.get_model("gql_chat.Room"), apps.get_model("gql_chat.Membership")
for pair, members in json.loads(sys.argv[1]):
    text = ":".join(key.get(name, name) for name in pair)
    room = Room.objects.create(type="OneToOneChat", pair=text)
    for name in members:
        Membership.objects.create(room=room, user=people[name])
Room.objects.create(
    type="GroupChat", max_participants=5, join_approval_required=False, group_locked=False
)
try:
    apps = at(None)
except ValueError as error:
    print(json.dumps({"refused": str(error)}))
    sys.exit()
found = {"chats": seen(apps)}
apps = at("0003_act_as")
named = {str(value): name for name, value in key.items()}
found["back"] = sorted(
    sorted(named[part] for part in room.pair.split(":"))
    for room in apps.get_model("gql_chat.Room").objects.exclude(pair=None)
)
found["again"] = seen(at(None))
print(json.dumps(found))
"""

#: Chats, forgets what the migrations after 0007 brought, migrates anew, and deletes.
ERASURE = """
import json
import django
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from gql_chat.models import MessageCopy, StreamEvent, get_model
from gql_chat.operations import EventHandler

def logged(text):
    return StreamEvent.objects.filter(payload__contains=text).count()

def shown(message_id):
    from gql_chat.models.relations import load_messages
    (message,) = load_messages(get_model("Message").objects.filter(pk=message_id))
    source = message.relations.forwarded_from
    return source and source.content

call_command("migrate", verbosity=0)
users = get_user_model()._default_manager
alice, bob = (users.create_user(name) for name in ("alice", "bob"))
alices, bobs = EventHandler(alice.pk), EventHandler(bob.pk)
room = alices.create_room("GroupChat", name="group", members=[bob.pk])
other = alices.create_room("GroupChat", name="other", members=[bob.pk])
sent = alices.send_message(room.pk, "secret")
bobs.send_message(room.pk, "reply", parent_message_id=sent.message_id)
bobs.send_message(other.pk, "elsewhere", parent_message_id=sent.message_id)
forward = bobs.send_message(other.pk, forwarded_from_id=sent.message_id)
bobs.add_reaction(sent.message_id, "+1")
kept = alices.send_message(room.pk, "kept")

call_command("migrate", "gql_chat", "0007_longer_streams", verbosity=0)
call_command("migrate", verbosity=0)
found = {"before": [logged("secret") > 3, logged("kept"), MessageCopy.objects.count()]}
found["forward"] = shown(forward.message_id)
numbers = list(StreamEvent.objects.order_by("pk").values_list("stream", "seq"))
alices.delete_messages([sent.message_id])
found["after"] = [logged("kept"), shown(forward.message_id)]
secrets = StreamEvent.objects.filter(payload__contains="secret")
found["left"] = [json.loads(frame.payload)["message"]["id"] for frame in secrets]
found["forwards"] = [str(forward.message_id)]
left = list(StreamEvent.objects.order_by("pk").values_list("stream", "seq"))
found["numbers"] = left[:len(numbers)] == numbers
print(json.dumps(found))
"""


@pytest.fixture
def environment(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The environment of a process that has an empty database."""
    found = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.site.settings"}
    found |= {"CHAT_TEST_PROJECT": "plain", "CHAT_TEST_FILE": str(tmp_path / "chat.sqlite3")}
    if os.environ["CHAT_TEST_DATABASE"] == "sqlite":
        yield found
        return
    request.getfixturevalue("configuration")
    dsn = make_conninfo(os.environ["CHAT_TEST_DSN"], dbname="postgres")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE chat_before")
        yield {**found, "CHAT_TEST_DSN": make_conninfo(dsn, dbname="chat_before")}
        connection.execute("DROP DATABASE chat_before WITH (FORCE)")


def run(environment: dict[str, str], script: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def upgrade(environment: dict[str, str], chats: list[Any]) -> Any:
    return run(environment, SCRIPT, json.dumps(chats))


def test_chats_keep_their_two_users_there_and_back(environment: dict[str, str]) -> None:
    chats = [
        (("alice", "bob"), ("bob", "alice")),
        # It was loaded from elsewhere: who is in it says who they are, not the text.
        (("123", "456"), ("carol", "dave")),
        # One of them is in it no more, which no code of the package's leaves behind.
        (("alice", "carol"), ("carol",)),
        (("alice", "dave"), ()),
    ]

    found = upgrade(environment, chats)

    pairs = [["alice", "bob"], ["alice", "carol"], ["alice", "dave"], ["carol", "dave"]]
    assert found == {"chats": pairs, "back": pairs, "again": pairs}


@pytest.mark.parametrize(
    ("chats", "problem"),
    [
        (
            [(("alice", "bob"), ("alice", "bob")), (("1", "999"), ("bob", "alice"))],
            "One-to-one chats have the same two users: ",
        ),
        ([(("alice", "999"), ("alice",))], "One-to-one chats have not two users: "),
    ],
)
def test_chats_that_are_not_those_of_two_are_named(
    chats: list[Any], problem: str, environment: dict[str, str]
) -> None:
    assert problem in upgrade(environment, chats)["refused"]


def test_what_was_sent_before_the_log_had_an_index_is_erased(environment: dict[str, str]) -> None:
    """Forwards of then have no copy: they show their source for as long as it is there.

    Their frames keep what they pass on, as those of other forwards do.
    """
    found = run(environment, ERASURE)

    assert found["before"] == [True, 1, 0]
    assert found["forward"] == "secret"
    assert found["after"] == [1, None]
    assert found["left"] == found["forwards"]
    assert found["numbers"]

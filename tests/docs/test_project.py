"""The examples of the documentation as one project: migrated as a project does, and talked to."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.client import Client
from tests.configuration import Configuration
from tests.servers import ROOT, ChatProcess

#: Does what docs/swapping.md tells a project to do; prints the ids of three users.
SET_UP = """
import django, json
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
call_command("makemigrations", "shop", "teams", verbosity=0)
call_command("migrate", verbosity=0)
call_command("makemigrations", check=True, dry_run=True, verbosity=0)
call_command("check", fail_level="WARNING")
create = get_user_model().objects.create_user
print(json.dumps([create(name).pk for name in ("alice", "bob", "carol")]))
"""


class Project:
    """The project: its server, and the ids of its users."""

    def __init__(self, server: ChatProcess, users: dict[str, int]) -> None:
        self.server = server
        self.users = users


@pytest.fixture(scope="module")
def project(
    configuration: Configuration, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """The examples with their migrations made, on a database of their own."""
    if configuration.database != "sqlite":
        pytest.skip("the project has a database of its own: one run of it is enough, on SQLite")
    directory = tmp_path_factory.mktemp("project")
    examples = directory / "examples"
    shutil.copytree(ROOT / "docs" / "examples", examples)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.docs.example_settings",
        "CHAT_TEST_FILE": str(directory / "chat.sqlite3"),
        "PYTHONPATH": os.pathsep.join([str(examples), str(ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SET_UP],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pks = json.loads(done.stdout.splitlines()[-1])
    with ChatProcess(environment) as server:
        yield Project(server, dict(zip(("alice", "bob", "carol"), pks, strict=True)))


class Visitor:
    """A user of the project on one socket."""

    def __init__(self, pk: int, client: Client) -> None:
        self.pk = pk
        self.client = client
        self.send = client.send
        self.expect = client.expect
        self.error = client.error


@pytest.fixture
async def visitors(project: Project) -> AsyncIterator[list[Visitor]]:
    """Alice, Bob and Carol, each greeted by the project's consumer."""
    async with AsyncExitStack() as stack:
        found = []
        for name, pk in project.users.items():
            client = await stack.enter_async_context(Client(project.server.url, pk))
            assert await client.expect("shop.hello") == {"username": name}
            found.append(Visitor(pk, client))
        yield found


async def group(creator: Visitor, *members: Visitor, **fields: Any) -> dict[str, Any]:
    participants = [member.pk for member in members]
    data = {"name": "group", "participants": participants, "extra_fields": fields}
    await creator.send("room.create", {"type": "GroupChat", **data})
    room: dict[str, Any] = {}
    for each in (creator, *members):
        room = await each.expect("roomcreate.dispatch")
    return room


async def test_a_client_writes_what_the_message_type_declares(visitors: list[Visitor]) -> None:
    alice, bob, _ = visitors
    room = await group(alice, bob)

    extra = {"priority": "high", "expires_at": "2030-01-01T00:00:00Z"}
    data = {"room_id": room["id"], "content": "Fire", "extra_fields": extra}
    await alice.send("message.send", data)

    message = await bob.expect("message.dispatch")
    assert await alice.expect("message.dispatch") == message
    assert message["priority"] == "high"
    assert message["expires_at"] == "2030-01-01T00:00:00.000000Z"

    change = {"message_id": message["id"], "extra_fields": {"priority": "normal"}}
    await alice.send("message.modify", {"action": "update", **change})
    edited = (await bob.expect("messagemodification.dispatch"))["message"]
    assert (edited["priority"], edited["content"]) == ("normal", "Fire")


async def test_an_attachment_has_what_its_type_declares(visitors: list[Visitor]) -> None:
    alice, bob, _ = visitors
    room = await group(alice, bob)
    link = {"media_url": "https://x.test/a", "media_type": "image", "mime_type": "image/png"}

    media = [{**link, "width": 640, "height": 480}, link]
    data = {"room_id": room["id"], "content": "", "extra_fields": {"media": media}}
    await alice.send("message.send", data)
    message = await bob.expect("message.dispatch")
    assert [(each["width"], each["height"]) for each in message["attachments"]] == [
        (640, 480),
        (None, None),
    ]
    await alice.expect("message.dispatch")

    for wrong, named in (
        ({"width": "wide"}, "extra_fields.media.0.width"),
        ({"width": -1}, "extra_fields.media.0.width"),
    ):
        data["extra_fields"] = {"media": [{**link, **wrong}]}
        await alice.send("message.send", data)
        assert named in await alice.error(4003)
    await bob.client.nothing()


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"priority": 7}, "extra_fields.priority"),
        ({"priority": ["high"]}, "extra_fields.priority"),
        ({"priority": "highest"}, "extra_fields.priority"),
        ({"priority": None}, "extra_fields.priority"),
        ({"expires_at": "tomorrow"}, "extra_fields.expires_at"),
        ({"content": "again"}, "extra_fields.content"),
        *(
            ({name: value}, f"extra_fields.{name}")
            for name, value in [
                ("id", "00000000-0000-4000-8000-000000000000"),
                ("sender", 1),
                ("sender_id", 1),
                ("room", "00000000-0000-4000-8000-000000000000"),
                ("room_id", "00000000-0000-4000-8000-000000000000"),
                ("is_deleted", True),
                ("is_edited", True),
                ("is_forwarded", True),
                ("created_at", "2030-01-01T00:00:00Z"),
                ("updated_at", "2030-01-01T00:00:00Z"),
                ("delivered_to", ["bob"]),
            ]
        ),
    ],
)
async def test_what_is_wrong_or_not_declared_is_refused_by_name(
    visitors: list[Visitor], extra: dict[str, Any], named: str
) -> None:
    alice, bob, _ = visitors
    room = await group(alice, bob)

    data = {"room_id": room["id"], "content": "x", "extra_fields": extra}
    await alice.send("message.send", data)

    assert (await alice.error(4003)).keys() == {named}
    await bob.client.nothing()


async def test_what_may_only_be_set_at_first_is_refused_on_editing(
    visitors: list[Visitor],
) -> None:
    alice, bob, _ = visitors
    room = await group(alice, bob)
    await alice.send("message.send", {"room_id": room["id"], "content": "x"})
    message = await alice.expect("message.dispatch")
    await bob.expect("message.dispatch")

    for extra in ({"expires_at": "2030-01-01T00:00:00Z"}, {"content": None}, {}):
        change = {"message_id": message["id"], "extra_fields": extra}
        await alice.send("message.modify", {"action": "update", **change})
        assert any("extra_fields" in name for name in await alice.error(4003))
    await bob.client.nothing()


async def test_rooms_have_what_their_type_declares_and_others_have_not(
    visitors: list[Visitor],
) -> None:
    alice, bob, _ = visitors
    room = await group(alice, bob, colour="red")
    assert room["colour"] == "red"

    change = {"room_id": room["id"], "action": "update", "data": {"colour": "blue"}}
    await alice.send("room.modify", change)
    assert (await bob.expect("roomupdate.dispatch"))["colour"] == "blue"
    await alice.expect("roomupdate.dispatch")

    await alice.send("room.modify", {**change, "data": {"colour": "x" * 17}})
    assert (await alice.error(4003)).keys() == {"data.colour"}

    pair = {"participants": [bob.pk], "extra_fields": {"colour": "red"}}
    await alice.send("room.create", {"type": "OneToOneChat", **pair})
    assert (await alice.error(4003)).keys() == {"extra_fields.colour"}
    await bob.client.nothing()


async def test_rules_let_users_set_a_column_too(visitors: list[Visitor]) -> None:
    alice, *_ = visitors
    news = {"type": "Channel", "name": "news", "extra_fields": {"colour": "red"}}
    await alice.send("room.create", news)
    room = await alice.expect("roomcreate.dispatch")
    assert room["colour"] == "red"

    change = {"room_id": room["id"], "action": "update", "data": {"colour": "blue"}}
    await alice.send("room.modify", change)
    assert (await alice.error(4003)).keys() == {"data.colour"}


async def test_a_users_own_type_shows_wherever_users_are_nested(visitors: list[Visitor]) -> None:
    alice, bob, _ = visitors
    room = await group(alice, bob)
    shown = {"id": alice.pk, "username": "alice", "avatar": f"https://shop.example/{alice.pk}.png"}

    assert room["creator"] == room["participants"][0] == room["admins"][0] == shown
    await bob.send("message.send", {"room_id": room["id"], "content": "first"})
    first = await alice.expect("message.dispatch")
    await bob.expect("message.dispatch")
    await alice.send(
        "message.react", {"type": "add", "message_id": first["id"], "reaction_content": "+"}
    )
    reacted = (await bob.expect("reaction.dispatch"))["message"]
    await alice.expect("reaction.dispatch")
    assert reacted["reactions"][0]["user"] == shown
    await alice.send("message.read", {"message_id": first["id"]})
    assert (await bob.expect("readreceipt.dispatch"))["read_receipts"][0]["reader"] == shown


async def test_a_join_waits_until_an_admin_approves(visitors: list[Visitor]) -> None:
    alice, bob, carol = visitors
    room = await group(alice, bob, join_approval_required=True)

    await carol.send("room.join", {"room_id": room["id"]}, request_id="ask")
    await carol.client.success(request_id="ask")
    asked = await alice.expect("joinrequest.dispatch")
    assert asked["room_id"] == room["id"]
    assert asked["user"]["username"] == "carol"

    approval = {"room_id": room["id"], "user_id": carol.pk}
    await bob.send("room.approve_join", approval)
    await bob.error(4002)
    await alice.send("room.approve_join", approval)
    for each in visitors:
        assert (await each.expect("roomaddmembers.dispatch"))["new_members"] == ["carol"]
    await alice.send("room.approve_join", approval)
    await alice.error(4004)


async def test_a_group_that_needs_no_approval_refuses_as_ever(visitors: list[Visitor]) -> None:
    alice, bob, carol = visitors
    room = await group(alice, bob)

    await carol.send("room.join", {"room_id": room["id"]})

    assert await carol.error(4003) == "Ask an admin to add you to the group"


async def test_the_operations_of_all_handlers_are_there_at_once(visitors: list[Visitor]) -> None:
    alice, bob, _ = visitors
    room = await group(alice, bob)

    await alice.send("message.send", {"room_id": room["id"], "content": "Buy now!"})
    assert await alice.error(4003) == {"content": "No advertising here."}
    poll = {"room_id": room["id"], "question": "Lunch?", "options": ["soup", "noodles"]}
    await alice.send("poll.open", poll)
    assert (await bob.expect("poll.dispatch"))["opened_by"]["username"] == "alice"

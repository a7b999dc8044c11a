"""What stands in the logs: nothing that people write to each other, and no token."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections, transaction
from django.db.models.signals import post_save
from django.test import Client as Browser
from websockets.exceptions import WebSocketException

from gql_chat import operations
from gql_chat.models import get_model
from gql_chat.schema import Context, get_schema
from gql_chat.signals import notification_created
from tests import frames
from tests.client import Client
from tests.conftest import ChatWith, Connect, Orm, Users
from tests.endpoint.tools import SEND, Subscriber, Tool
from tests.servers import ChatThread
from tests.timing import PATIENCE
from tests.wire.attempts import quoting, reaction, update
from tests.wire.rooms import NOWHERE, Person, Room, everybody_gets, group, people, say

CANARY = "canary-5f0c1a"
TOKEN = "token-9b3d77"

#: Of others, who log what they handle at DEBUG, and say so: Django's SQL, and what servers and
#: clients of WebSockets and the client of Redis have on their wires. docs/deployment.md names them.
NOT_OURS = ("django.db.backends", "websockets", "uvicorn", "push_response")


class Recorder(logging.Handler):
    """Keeps all that is logged, with tracebacks and with what handlers find in a record."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        text = f"{record.name}: {logging.Formatter().format(record)} {record.__dict__!r}"
        self.lines.append((record.name, text))

    def find(self, *secrets: str) -> list[str]:
        """Return the lines of the package, of Django and of others that have a secret in them."""
        return [
            line
            for name, line in self.lines
            if not name.startswith(NOT_OURS) and any(secret in line for secret in secrets)
        ]

    def names(self) -> set[str]:
        """Return the names of the loggers that said something."""
        return {name for name, _ in self.lines}


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Records all loggers there are, at DEBUG."""
    recorder = Recorder()
    found = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    before = [(logger, logger.level, logger.disabled) for logger in found]
    for logger in found:
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
        if logger is logging.root or not logger.propagate:
            logger.addHandler(recorder)
    yield recorder
    for logger, level, disabled in before:
        logger.setLevel(level)
        logger.disabled = disabled
        logger.removeHandler(recorder)


# What goes wrong, by a word in the content


class Handler(operations.EventHandler):
    """Fails wherever a project's code can, with an error that quotes."""

    def sanitize(self, content: str) -> str:
        """Fail to clean."""
        if "fail-sanitize" in content:
            raise ValueError(f"cannot clean {content!r}")
        return super().sanitize(content)

    def validate_message(self, message: Any) -> None:
        """Fail to judge, or afterwards."""
        content = message.content
        if "fail-validate" in content:
            try:
                raise KeyError(content)
            except KeyError as error:
                raise RuntimeError(content, message) from error
        if "fail-commit" in content:

            def fail() -> None:
                raise RuntimeError(content)

            transaction.on_commit(fail)


def fail_to_follow(instance: Any, **_: Any) -> None:
    """A receiver of `post_save` that quotes."""
    if "fail-receiver" in instance.content:
        raise RuntimeError(f"no push for {instance.content!r} of {instance!r}")


def fail_to_push(event: Any, **_: Any) -> None:
    """A receiver of the package's signal that quotes."""
    raise LookupError(event.message.content, event)


@pytest.fixture
def failing(chat_with: ChatWith) -> Iterator[None]:
    """A project whose code fails."""
    chat_with(EVENT_HANDLER_CLASS=Handler, LOCK_TIMEOUT=0.3)
    post_save.connect(fail_to_follow, sender=get_model("Message"))
    notification_created.connect(fail_to_push)
    yield
    post_save.disconnect(fail_to_follow, sender=get_model("Message"))
    notification_created.disconnect(fail_to_push)


#: Triggers by which the database fails with an error that quotes what shall be stored, if it can.
TRIGGERS = {
    "postgresql": """
        CREATE FUNCTION pg_temp_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.content LIKE '%fail-database%' THEN
                RAISE EXCEPTION 'refused: %', NEW.content;
            ELSIF NEW.content LIKE '%fail-cancel%' THEN
                RAISE EXCEPTION 'cancelled: %', NEW.content USING ERRCODE = '57014';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER canary BEFORE INSERT ON {table} FOR EACH ROW
            EXECUTE FUNCTION pg_temp_refuse();
    """,
    "sqlite": """
        CREATE TRIGGER canary BEFORE INSERT ON {table} WHEN NEW.content LIKE '%fail-database%'
            OR NEW.content LIKE '%fail-cancel%' BEGIN SELECT json_extract(NEW.content, '$'); END;
    """,
}
UNDO = {
    "postgresql": "DROP FUNCTION pg_temp_refuse CASCADE",
    "sqlite": "DROP TRIGGER canary",
}


@pytest.fixture
def refusing(orm: Orm) -> Iterator[None]:
    """A database that fails at some contents."""

    def execute(sql: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("{table}", get_model("Message")._meta.db_table))

    orm(execute, TRIGGERS[connection.vendor])
    yield
    orm(execute, UNDO[connection.vendor])


async def fails(person: Person, event_type: str, data: Any) -> int:
    """Send what fails in whatever way; returns the code."""
    await person.send(event_type, data)
    frame = await person.next()
    code: int = frame["error"]["code"]
    return code


def content(word: str = "") -> str:
    return f"<b>{CANARY}</b> {word}"


async def test_nothing_that_people_write_is_logged_whatever_goes_wrong(
    recorder: Recorder, failing: None, refusing: None, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob)
    message = await say(alice, room, content(), bob)
    named = {"room_id": room["id"]}
    media = {"media_url": CANARY, "media_type": CANARY, "mime_type": CANARY, "caption": CANARY * 99}

    # What a client writes wrongly.
    for data in (
        {**named, "content": [CANARY]},
        {**named, "content": CANARY * 1000},
        {**named, "content": "", "extra_fields": {CANARY: CANARY}},
        {**named, "content": CANARY, "extra_fields": {"media": [media, CANARY]}},
        {**named, "content": f"{CANARY}\0"},
        {"room_id": CANARY, "content": CANARY},
        {**named, "content": CANARY, "client_id": CANARY * 10},
        {**named, "content": f"<b>{'<i>' * 200}{CANARY}"},
    ):
        assert await fails(alice, "message.send", data) == 4003
    assert await fails(alice, "message.react", reaction(message["id"], CANARY * 10)) == 4003
    assert await fails(alice, "message.modify", update(message["id"], CANARY * 1000)) == 4003
    assert await fails(alice, "room.messages", {**named, "paginate": CANARY}) == 4003
    await alice.send(CANARY, {CANARY: CANARY})
    assert await alice.next() == {"error": "invalid event type"}
    for text in (f"{{{CANARY}", f'["{CANARY}"]', '{"event_type": 1}', f'{{"{CANARY}": 1}}'):
        await alice.client.send_raw(text)
        await alice.error(4003)
    await alice.client.send_raw(CANARY.encode())
    await alice.error(4003)

    # What they may not do, and what is there already.
    assert await fails(carol, "message.send", {**named, "content": content()}) == 4002
    assert await fails(alice, "message.send", {"room_id": NOWHERE, "content": content()}) == 4004
    gone = quoting(room, "parent_message_id", {"id": NOWHERE}) | {"content": content()}
    assert await fails(alice, "message.send", gone) == 4004
    await bob.send("message.react", reaction(message["id"], CANARY))
    await everybody_gets("reaction.dispatch", alice, bob)
    assert await fails(bob, "message.react", reaction(message["id"], CANARY)) == 4005

    # What fails in the project's code, and in the database.
    for word in ("fail-sanitize", "fail-validate", "fail-receiver", "fail-database", "fail-cancel"):
        sent = {**named, "content": content(word)}
        assert await fails(alice, "message.send", sent) in (4006, 4503)
    await say(alice, room, content("fail-commit"), bob)
    await edit(alice, message["id"], content("changed"), bob)

    assert recorder.find(CANARY) == []
    said = "\n".join(line for _, line in recorder.lines)
    for part in (
        "An operation failed.",
        "A hook failed that ran after a commit",
        "A receiver of a signal failed",
        "The database did not answer",
        "RuntimeError",
        "ValueError",
    ):
        assert part in said


async def edit(person: Person, message_id: str, content: str, *others: Person) -> None:
    await person.send("message.modify", update(message_id, content))
    await everybody_gets("messagemodification.dispatch", person, *others)


async def test_nothing_of_what_waits_for_a_locked_room_is_logged(
    recorder: Recorder, failing: None, connect: Connect, users: Users, orm: Orm
) -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite locks no rooms")
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    def hold(held: asyncio.Event, loop: asyncio.AbstractEventLoop, done: Any) -> None:
        with transaction.atomic():
            get_model("Room").objects.select_for_update().get(pk=room["id"])
            loop.call_soon_threadsafe(held.set)
            asyncio.run_coroutine_threadsafe(done.wait(), loop).result(PATIENCE)
        connections.close_all()

    held, done, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    holding = asyncio.create_task(asyncio.to_thread(hold, held, loop, done))
    await asyncio.wait_for(held.wait(), PATIENCE)
    sent = {"room_id": room["id"], "content": content()}
    assert await fails(alice, "message.send", sent) == 4503
    done.set()
    await holding

    assert recorder.find(CANARY) == []


async def test_nothing_of_it_is_logged_at_the_graphql_endpoint(
    recorder: Recorder,
    failing: None,
    refusing: None,
    connect: Connect,
    users: Users,
    orm: Orm,
    chat: ChatThread,
) -> None:
    root = users("root", is_superuser=True)
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    browser = Browser()
    orm(browser.force_login, root)
    session = browser.cookies[django_settings.SESSION_COOKIE_NAME].value
    tool = Tool(chat.port, session)
    as_alice = {"X-Chat-Act-As": str(alice.id)}

    words = ("", "fail-sanitize", "fail-validate", "fail-receiver", "fail-database", "fail-commit")
    for word in words:
        input = {"room_id": room["id"], "content": content(word)}
        await asyncio.to_thread(tool.post, SEND, {"input": input}, as_alice)
        literal = f'input: {{room_id: "{room["id"]}", content: "{content(word)}"}}'
        query = f"mutation {{ send_message({literal}) {{ seq }} }}"
        await asyncio.to_thread(tool.post, query, None, as_alice)
    for query in (
        f'{{ message_records(filters: {{text: "{CANARY}"}}) {{ total_count }} }}',
        f'{{ room(input: {{room_id: "{CANARY}"}}) {{ id }} }}',
        f'{{ nothing(x: "{CANARY}") }} # {CANARY}',
        f'{{ "{CANARY}" }}',
    ):
        for headers in ({}, as_alice):
            await asyncio.to_thread(tool.post, query, None, headers)
    # Code of the project's runs operations by the schema, too.
    failed = orm(_execute, alice.id, {"room_id": room["id"], "content": content("fail-validate")})
    assert failed.errors
    async with Subscriber(chat.port, session, {"act_as": alice.id}) as socket:
        await socket.init()
        await socket.start("1", SEND, input={"room_id": room["id"], "content": content()})
        assert (await socket.data("1"))["send_message"]["seq"]

    assert recorder.find(CANARY) == []
    assert "gql_chat.audit" in recorder.names()
    assert any("acts as user" in line for _, line in recorder.lines)


def _execute(user_id: Any, input: Any) -> Any:
    return get_schema().execute_sync(
        SEND, variable_values={"input": input}, context_value=Context(user_id)
    )


# Tokens


async def test_no_token_is_logged_by_us(
    recorder: Recorder, chat: ChatThread, users: Users, orm: Orm
) -> None:
    browser = Browser()
    alice = users("alice")
    orm(browser.force_login, alice)
    session = browser.cookies[django_settings.SESSION_COOKIE_NAME].value
    query = f"{chat.url}?token={TOKEN}"
    ways: list[dict[str, Any]] = [
        {"url": query},
        {"url": f"{query}&user={alice.pk}"},
        {"url": chat.url, "subprotocols": ["bearer", TOKEN]},
        {"url": chat.url, "headers": {"Authorization": f"Bearer {TOKEN}"}},
        {"url": chat.url, "headers": {"Cookie": f"sessionid={TOKEN}"}},
        {"url": chat.url, "headers": {"Cookie": f"sessionid={session}"}},
        {"url": query, "origin": "https://evil.example"},
        {"url": f"{query}".replace("/messaging/", "/nowhere/")},
    ]
    for way in ways:
        try:
            async with Client(greeted=False, **way) as client:
                await client.send_raw(json.dumps({"event_type": "room.list"}))
                await client.send_raw("{")
                await client.heartbeat()
        except (AssertionError, WebSocketException):
            pass  # it was refused, in one way or another
    # A login that ends, and the key of its session.
    async with Client(chat.url, headers={"Cookie": f"sessionid={session}"}) as client:
        orm(browser.logout)
        assert await client.closed() == 4001

    assert recorder.find(TOKEN, session) == []
    assert any(name.startswith("uvicorn") for name in recorder.names())
    frames.record.clear()  # of most of these sockets nobody read an answer


# What code finds in objects of ours that it logs


async def test_objects_of_ours_do_not_show_what_people_write(
    connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    room: Room = await group(alice)
    message = await say(alice, room, content())
    row = orm(get_model("Message").objects.get, pk=message["id"])

    assert CANARY in row.content
    assert CANARY not in f"{row} {row!r} {[row]!r}"

"""PROTOCOL 4: the content is cleaned, in bounded time, and keeps nobody else waiting."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gql_chat.conf import chat_settings
from gql_chat.sanitize import clean
from tests.conftest import Connect, Orm, Users
from tests.timing import PATIENCE
from tests.wire.rooms import NOWHERE, everybody_gets, group, people, say, stored

HOSTILE = {
    "again": "".join(f"<li><i id={number}>x" for number in range(600)),
    "formatting": "<b><i><p>" * 1000,
    "depth": "<span>" * 1600,
    "attributes": "<b " + " ".join(chr(0x4E00 + number) for number in range(4000)) + ">",
    "ampersands": "&" * 10_000,
    "paragraphs": "<p>" * 3000,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_markup_is_refused_and_nothing_is_stored(
    name: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "<b>kept</b>", bob)
    before = stored(orm, room)

    data = {"room_id": room["id"], "content": HOSTILE[name]}
    assert (await alice.refused(4003, "message.send", data)).keys() == {"content"}
    change = {"action": "update", "message_id": message["id"]}
    data = {**change, "extra_fields": {"content": HOSTILE[name]}}
    assert (await alice.refused(4003, "message.modify", data)).keys() == {"content"}

    assert stored(orm, room) == before
    await say(alice, room, "<b>and on</b>", bob)


async def test_the_longest_length_holds_for_what_comes_out(
    connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    message = await say(alice, room, "&" * 2000)
    assert message["content"] == "&amp;" * 2000
    before = stored(orm, room)
    data = {"room_id": room["id"], "content": "&" * 2001}
    assert (await alice.refused(4003, "message.send", data)).keys() == {"content"}
    change = {"action": "update", "message_id": message["id"]}
    data = {**change, "extra_fields": {"content": "&" * 2001}}
    assert (await alice.refused(4003, "message.modify", data)).keys() == {"content"}

    assert stored(orm, room) == before


async def test_a_number_that_is_too_long_for_python_is_no_error_of_ours(
    connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    message = await say(alice, room, f"<b id='&#{'1' * 5000};'>x</b>")

    assert message["content"] == f'<b id="&amp;#{"1" * 5000};">x</b>'


async def test_what_is_wrong_with_markup_is_told_after_what_is_checked_first(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob)
    message = await say(alice, room, "hello", bob)

    data = {"room_id": NOWHERE, "content": HOSTILE["depth"]}
    await alice.refused(4004, "message.send", data)
    await carol.refused(4002, "message.send", {**data, "room_id": room["id"]})
    change = {"action": "update", "extra_fields": {"content": HOSTILE["depth"]}}
    await alice.refused(4004, "message.modify", {**change, "message_id": NOWHERE})
    await bob.refused(4002, "message.modify", {**change, "message_id": message["id"]})


class Cleaner:
    """The cleaning of contents with "wait" in them, which goes on when the test says so."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, content: str) -> str:
        if "wait" in content:
            self.begun.set()
            assert self.go_on.wait(PATIENCE)
        return clean(content)


@pytest.fixture
def cleaner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cleaner]:
    """What `EventHandler.sanitize` does in the server of this test."""
    cleaner = Cleaner()

    def sanitize(self: Any, content: str) -> str:
        return cleaner(content)

    monkeypatch.setattr(chat_settings.load("EVENT_HANDLER_CLASS"), "sanitize", sanitize)
    yield cleaner
    cleaner.go_on.set()


async def test_while_one_content_is_cleaned_everybody_else_goes_on(
    connect: Connect, users: Users, cleaner: Cleaner
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    await alice.send("message.send", {"room_id": room["id"], "content": "<b>wait</b>"})
    assert await asyncio.to_thread(cleaner.begun.wait, PATIENCE)
    await bob.heartbeat()
    await say(bob, room, "plain, in the same room", alice)
    await bob.ask("room.list")
    cleaner.go_on.set()

    message = await everybody_gets("message.dispatch", alice, bob)
    assert message["content"] == "<b>wait</b>"


async def test_while_an_edit_is_cleaned_everybody_else_goes_on(
    connect: Connect, users: Users, cleaner: Cleaner
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "first", bob)

    data = {"message_id": message["id"], "extra_fields": {"content": "<b>wait</b>"}}
    await alice.send("message.modify", {"action": "update", **data})
    assert await asyncio.to_thread(cleaner.begun.wait, PATIENCE)
    await bob.heartbeat()
    await say(bob, room, "plain, in the same room", alice)
    cleaner.go_on.set()

    edited = await everybody_gets("messagemodification.dispatch", alice, bob)
    assert edited["message"]["content"] == "<b>wait</b>"


async def test_what_a_client_sends_after_markup_comes_after_it(
    connect: Connect, users: Users, cleaner: Cleaner
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    contents = ["plain", "<b>wait</b>", "plain again", "<i>markup again</i>", "the end"]

    for content in contents:
        await alice.send("message.send", {"room_id": room["id"], "content": content})
    assert await asyncio.to_thread(cleaner.begun.wait, PATIENCE)
    cleaner.go_on.set()

    got = [(await bob.expect("message.dispatch"))["content"] for _ in contents]
    assert got == contents


async def test_sockets_that_write_markup_at_the_same_time_have_each_its_own_text(
    connect: Connect, users: Users
) -> None:
    writers = await people(connect, users, *(f"writer{number}" for number in range(8)))
    rooms = [await group(writer) for writer in writers]

    async def write(place: int) -> list[str]:
        writer, room = writers[place], rooms[place]
        paragraph = f"<p>{writer.name} " + "<b>{n}</b> and so on, <i>and</i> so on</p>"
        text = "".join(paragraph.replace("{n}", str(number)) for number in range(100))
        assert len(text) > 5000
        wrong = []
        for _ in range(8):
            message = await say(writer, room, text)
            wrong += [message["content"]] if message["content"] != text else []
        return wrong

    assert await asyncio.gather(*(write(place) for place in range(8))) == [[]] * 8

"""Answers and frames that would be too large: pages end early, and lists show less."""

from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from event_bridge.outbox import BACKLOG, Outbox
from gql_chat.models import get_model
from gql_chat.operations import EventHandler
from tests.client import Client
from tests.conftest import Connect, Orm, Users
from tests.timing import eventually
from tests.wire.messages import configure
from tests.wire.rooms import Person, Room, group, people

#: What the client library of Python takes unless it is told otherwise.
LARGEST = 2**20

NOTE = "n" * 100_000


def write(orm: Orm, room: Room, sender: Person, count: int, note: str = NOTE) -> list[str]:
    """Store messages of much metadata, of which no frame tells; return their ids, newest first."""

    def store() -> list[str]:
        stored = []
        for number in range(count):
            message = get_model("Message").objects.create(
                room_id=room["id"], sender=sender.user, content=str(number)
            )
            get_model("MessageMediaAsset").objects.create(
                message=message,
                media_url="https://files.example.com/cat.png",
                media_type="image",
                mime_type="image/png",
                metadata={"note": note},
            )
            stored.append(str(message.pk))
        return stored[::-1]

    return orm(store)


async def connected(connect: Connect, person: Person) -> Person:
    """One more socket of a person, of a client that takes no frame above a mebibyte."""
    return Person(person.user, await connect(person.user, max_size=LARGEST))


async def page(person: Person, room: Room, **paginate: Any) -> Any:
    return await person.ask("room.messages", {"room_id": room["id"], "paginate": paginate})


def ids(page: Any) -> list[str]:
    return [message["id"] for message in page["data"]["messages"]]


async def test_a_client_that_pages_on_gets_everything_in_frames_of_a_mebibyte(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    everything = write(orm, room, alice, 24)
    reader = await connected(connect, bob)

    numbered: list[str] = []
    number, size = 1, 50
    while number is not None:
        found = await page(reader, room, page=number, size=size)
        assert ids(found)
        numbered += ids(found)
        number, size = found["next_page_number"], found["size"]
    older, newer = [everything[0]], [everything[-1]]
    while True:
        found = await page(reader, room, before=older[-1], size=50)
        older += ids(found)
        if not found["has_next"]:
            break
    while True:
        found = await page(reader, room, after=newer[0], size=50)
        newer = ids(found) + newer
        if not found["has_previous"]:
            break
    whole = await reader.ask("room.messages", {"room_id": room["id"]})

    assert numbered == older == newer == everything
    assert ids(whole) == everything[: len(ids(whole))] != []


async def test_a_message_that_is_too_large_by_itself_is_a_page(
    connect: Connect, users: Users, orm: Orm, settings: Settings
) -> None:
    configure(settings, MAX_ANSWER_BYTES=50_000)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    everything = write(orm, room, alice, 3)

    first = await page(bob, room, page=1, size=50)
    second = await page(bob, room, page=first["next_page_number"], size=first["size"])

    assert (ids(first), first["size"]) == ([everything[0]], 1)
    assert ids(second) == [everything[1]]
    assert first["data"]["messages"][0]["attachments"][0]["metadata"] == {"note": NOTE}


async def test_a_page_of_forwards_is_as_large_as_what_they_pass_on(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    (source,) = write(orm, await group(alice), alice, 1, note="n" * 300_000)

    def forward() -> list[str]:
        sender = EventHandler(alice.user.pk)
        sent = [sender.send_message(room["id"], forwarded_from_id=UUID(source)) for _ in range(9)]
        return [str(each.message_id) for each in sent][::-1]

    everything = orm(forward)
    reader = await connected(connect, bob)

    found: list[str] = []
    cursor: dict[str, Any] = {"page": 1}
    while cursor:
        shown = await page(reader, room, **cursor, size=50)
        assert 1 <= len(ids(shown)) <= 3
        found += ids(shown)
        cursor = {"before": found[-1]} if shown["has_next"] else {}

    assert found == everything


async def test_what_waits_is_told_in_a_mebibyte_and_the_rest_in_pages(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    everything = write(orm, room, alice, 25)
    reader = await connected(connect, bob)

    waiting = reader.client.notifications[room["id"]]
    told = [each["message"]["id"] for each in waiting][::-1]
    paged: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        found = await reader.ask("notification.list", {"paginate": {**cursor, "size": 50}})
        shown = found["data"]["notifications"]
        paged += [each["message"]["id"] for each in shown]
        if not found["has_next"]:
            break
        cursor = {"before": shown[-1]["id"]}

    assert told == everything[: len(told)]
    assert 5 < len(told) < 25
    assert paged == everything


async def test_the_list_of_rooms_shows_excerpts_where_it_would_be_too_large(
    connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    rooms = [await group(alice, name=f"group {number}") for number in range(5)]
    for room in rooms:
        write(orm, room, alice, 1, note="n" * 300_000)
    lister = await connected(connect, alice)

    listed = await lister.ask("room.list")

    assert [room["id"] for room in listed] == [room["id"] for room in rooms[::-1]]
    assert [room["last_message"]["content"] for room in listed] == ["0"] * 5
    assert [room["last_message"]["attachments"] for room in listed] == [[]] * 5


async def test_several_frames_tell_of_many_large_messages(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    everything = write(orm, room, alice, 25)
    sender, reader = await connected(connect, alice), await connected(connect, bob)
    await sender.send("session.resume", {"streams": {}})
    stream = f"room:{room['id']}"
    place = (await sender.expect("session.resumed"))["streams"][stream]["seq"]
    await alice.close()
    await bob.close()

    await reader.send("message.acknowledged", {"message_id": everything})
    arrived = await _take(sender, "messagedelivered.dispatch", everything)
    await reader.send("message.read", {"message_id": everything})
    seen = await _take(sender, "readreceipt.dispatch", everything)
    mine = await _take(reader, "readreceipt.dispatch", everything)

    assert len(arrived) > 1
    assert len(seen) == len(mine) > 1
    assert [frame["seq"] for frame in seen] == list(range(place + 1, place + 1 + len(seen)))
    await sender.nothing()
    await reader.nothing()


async def _take(person: Person, event_type: str, ids: list[str]) -> list[Any]:
    """Take frames that tell of these messages, each once; return them."""
    frames: list[Any] = []
    told: list[str] = []
    while len(told) < len(ids):
        frame = await person.next()
        assert frame["eventType"] == event_type
        frames.append(frame)
        told += [each["id"] for each in frame["data"]]
    assert told == ids
    return frames


# Clients that do not read


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much waited for clients, each time that a page or a message was written."""
    found: list[int] = []
    write = Outbox.write

    def note(outbox: Outbox, text: str) -> None:
        write(outbox, text)
        if text.startswith(('{"eventType":"roommessages', '{"eventType":"message.dispatch')):
            found.append(outbox.size)

    monkeypatch.setattr(Outbox, "write", note)
    return found


#: Far more of them than the buffers between two sockets of one machine take.
PAGES = 150
SIZE = 256 * 1024


async def test_the_requests_of_a_client_that_does_not_read_wait(
    sizes: list[int], connect: Connect, users: Users, orm: Orm, settings: Settings
) -> None:
    """It asks for large pages, on and on. They are made when it takes them."""
    configure(settings, MAX_ANSWER_BYTES=SIZE)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    newest = write(orm, room, alice, 4)[:2]
    # Compressed, these pages would fit into any buffer.
    slow: Client = await connect(bob.user, compression=None)
    sizes.clear()
    asked = {"room_id": room["id"], "paginate": {"page": 1, "size": 50}}

    slow.pause_reading()
    for number in range(PAGES):
        await slow.send("room.messages", asked, request_id=number)
    await eventually(lambda: max(sizes, default=0) > BACKLOG, "answers wait")
    made = 0
    while made != len(sizes):
        made = len(sizes)
        # Others are served meanwhile, and in that time no page is made any more.
        for _ in range(20):
            await alice.ask("room.list")

    assert made < PAGES
    # With what was under way when the first had to wait; far less than closes the socket.
    assert max(sizes) <= BACKLOG + 9 * SIZE
    slow.resume_reading()
    for number in range(PAGES):
        answer = await slow.expect("roommessages.dispatch", request_id=number)
        assert ids(answer) == newest
    await slow.nothing()


async def test_a_client_that_does_not_read_may_go(
    sizes: list[int], connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    write(orm, room, alice, 12)
    slow: Client = await connect(alice.user, compression=None)
    sizes.clear()

    slow.pause_reading()
    for _ in range(60):
        await slow.send("room.messages", {"room_id": room["id"]})
    await eventually(lambda: max(sizes, default=0) > BACKLOG, "answers wait")
    await slow.abort()

    def is_left() -> bool:
        return orm(get_model("Session").objects.filter(user=alice.user).count) == 1

    await eventually(is_left, "the server has noticed")
    await alice.nothing()


async def test_a_replay_waits_for_a_client_that_does_not_read(
    sizes: list[int], connect: Connect, users: Users, orm: Orm, settings: Settings
) -> None:
    configure(settings, MAX_MESSAGE_LENGTH=None)
    alice, bob = await people(connect, users, "alice", "bob")
    (carol,) = await people(connect, users, "carol")
    room = await group(alice, bob)
    stream = f"room:{room['id']}"
    await alice.close()
    await bob.close()

    def say() -> None:
        for number in range(30):
            EventHandler(alice.user.pk).send_message(room["id"], f"{number} " + "x" * 400_000)

    orm(say)
    slow: Client = await connect(bob.user, compression=None)
    sizes.clear()

    slow.pause_reading()
    await slow.send("session.resume", {"streams": {stream: 1}})
    await carol.heartbeat()
    slow.resume_reading()
    for number in range(30):
        assert (await slow.expect("message.dispatch"))["content"].startswith(f"{number} ")
    resumed = await slow.expect("session.resumed")

    assert resumed["streams"][stream] == {"seq": 31, "recovered": True}
    assert max(sizes) <= 2 * 2**20
    assert orm(get_model("Message").objects.filter(room_id=room["id"]).count) == 30

"""PROTOCOL of ``session.resume`` while others write: no gap, no repeat, one order for all."""

import asyncio

import pytest

from tests.client import Frame
from tests.conftest import Connect, Orm, Users
from tests.wire.resuming import (
    Places,
    brief,
    follow,
    of_room,
    placed,
    reached,
    resume,
    taken_until_now,
)
from tests.wire.rooms import (
    Person,
    Room,
    another_socket,
    group,
    people,
    write_unheard,
)


async def test_what_the_server_has_not_heard_of_yet_comes_once(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    orm(write_unheard, alice, room, "unheard")

    back = await another_socket(connect, bob)
    frames, answer = await resume(back, {of_room(room): 1})
    # The server may have noticed by itself in between; then it was live, without a place, before.
    replayed = [frame for frame in frames if "seq" in frame]
    assert brief(replayed) == [("message.dispatch", of_room(room), 2)]
    assert answer[of_room(room)] == {"seq": 2, "recovered": True}

    # The next message makes the server notice, for sockets that did not resume.
    await alice.send("message.send", {"room_id": room["id"], "content": "heard"})
    for socket in (alice, bob):
        messages = [await socket.expect("message.dispatch") for _ in range(2)]
        assert [message["content"] for message in messages] == ["unheard", "heard"]
    assert brief([await back.next()]) == [("message.dispatch", of_room(room), 3)]
    await back.nothing()


async def test_what_the_server_has_not_heard_of_yet_comes_without_a_replay_too(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    orm(write_unheard, alice, room, "unheard")

    frames, answer = await resume(bob, {})

    # An open socket gets everything: what the server had not brought by then comes after the
    # answer. It may have noticed by itself in between; then it was live before.
    place = 1 + len(frames)
    assert not any("seq" in frame for frame in frames)
    assert answer[of_room(room)] == {"seq": place, "recovered": True}
    await alice.send("message.send", {"room_id": room["id"], "content": "heard"})
    assert brief([await bob.next() for _ in range(3 - place)]) == [
        ("message.dispatch", of_room(room), seq) for seq in range(place + 1, 4)
    ]
    await bob.nothing()


async def chatter(sender: Person, rooms: list[Room], count: int) -> None:
    """Send many messages without waiting for anything."""
    for number in range(count):
        room = rooms[number % len(rooms)]
        data = {"room_id": room["id"], "content": f"{sender.name} {number}"}
        await sender.send("message.send", data)


@pytest.mark.parametrize("name_streams", [True, False])
async def test_there_is_no_gap_and_no_repeat_while_others_write(
    name_streams: bool, connect: Connect, users: Users
) -> None:
    alice, bob, carol, dave = await people(connect, users, "alice", "bob", "carol", "dave")
    rooms = [await group(alice, bob, carol, dave) for _ in range(3)]
    senders, count = (alice, carol, dave), 15
    places = {of_room(room): 1 for room in rooms}

    async def come_and_go() -> list[tuple[Person, list[Frame], Places]]:
        """Resume on one new socket after the other, in the midst of it all."""
        visits = []
        for _ in range(6):
            socket = await another_socket(connect, bob)
            frames, answer = await resume(socket, places if name_streams else {})
            visits.append((socket, frames, reached(answer)))
        return visits

    *_, visits = await asyncio.gather(
        *(chatter(sender, rooms, count) for sender in senders), come_and_go()
    )

    written = len(senders) * count // len(rooms)
    for sender in senders:
        await taken_until_now(sender)
    for socket, frames, end in visits:
        before, after = placed(frames), placed(await taken_until_now(socket))
        for name, start in places.items():
            # With an empty map, what is live while the server reads comes before its answer.
            replayed = end[name] - start if name_streams else len(before[name])
            assert before[name] == list(range(end[name] - replayed + 1, end[name] + 1))
            assert after[name] == list(range(end[name] + 1, written + 2))


LOADS = 60


async def test_a_page_that_loads_in_the_midst_of_it_gets_nothing_old_and_loses_nothing(
    connect: Connect, users: Users
) -> None:
    """A room in which much is written, and one page after the other that asks for no replay.

    Where the server is ahead of what it read for a new socket, it brings the user up.
    """
    alice, bob, carol, dave = await people(connect, users, "alice", "bob", "carol", "dave")
    room = await group(alice, bob, carol, dave)
    await follow(alice)
    await bob.close()
    places: dict[str, int] = {}
    told, done = [1], asyncio.Event()

    async def watch() -> None:
        """Note the place of each message, and how far things have certainly come."""
        while (frame := await alice.next())["data"].get("content") != "the end":
            places[frame["data"]["id"]] = frame["seq"]
            told[0] = frame["seq"]
        places[frame["data"]["id"]] = frame["seq"]

    def place_of(frame: Frame) -> int:
        return places[frame["data"]["id"]]

    async def load() -> None:
        begun = told[0]
        page = await another_socket(connect, bob)
        before, answer = await resume(page, {})
        start = answer[of_room(room)]["seq"]
        after = [await page.next() for _ in range(5)]
        await page.close()
        visits.append((begun, before, start, after))

    visits: list[tuple[int, list[Frame], int, list[Frame]]] = []

    async def come_and_go() -> None:
        for _ in range(LOADS):
            await load()
        done.set()

    watching = asyncio.create_task(watch())
    writers = [await another_socket(connect, person) for person in (carol, dave)]
    await asyncio.gather(*(chat_alone(writer, room, done) for writer in writers), come_and_go())
    await carol.send("message.send", {"room_id": room["id"], "content": "the end"})
    await watching

    for begun, before, start, after in visits:
        assert not any("seq" in frame for frame in before)
        assert start >= begun
        # What came before the answer was live: nothing older than the page, and without a gap.
        seen = [place_of(frame) for frame in before]
        assert seen == list(range(start - len(seen) + 1, start + 1))
        assert all(place > begun for place in seen)
        assert [frame["seq"] for frame in after] == list(range(start + 1, start + 6))
        assert [place_of(frame) for frame in after] == [frame["seq"] for frame in after]


async def chat_alone(sender: Person, room: Room, done: asyncio.Event) -> None:
    """Send one message after the other, each when the one before has come back."""
    while not done.is_set():
        await sender.send("message.send", {"room_id": room["id"], "content": sender.name})
        while (await sender.next())["data"]["content"] != sender.name:
            pass


async def test_all_sockets_see_one_order(connect: Connect, users: Users) -> None:
    everybody = await people(connect, users, "alice", "bob", "carol", "dave")
    room = await group(*everybody)
    for person in everybody:
        await follow(person)

    await asyncio.gather(*(chatter(person, [room], 10) for person in everybody))

    first, *others = [await taken_until_now(person) for person in everybody]
    # Behind every answer to a sender stands what others have sent meanwhile.
    for index, person in enumerate(everybody):
        rest = await taken_until_now(person)
        (first if index == 0 else others[index - 1]).extend(rest)
    assert [frame["seq"] for frame in first] == list(range(2, 42))
    for other in others:
        assert other == first

"""PROTOCOL of ``session.resume``: what was missed, in order, and places on all that follows."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command

from gql_chat.models import StreamEvent, get_model
from tests.conftest import Connect, Orm, Users
from tests.servers import KINDS, chosen_kind
from tests.wire.resuming import (
    brief,
    follow,
    of_room,
    of_user,
    reached,
    resume,
    resume_with_epoch,
)
from tests.wire.rooms import (
    Person,
    Room,
    another_socket,
    channel,
    everybody_gets,
    group,
    modify,
    one_to_one,
    people,
    say,
    write_unheard,
)


def prune(stream: str, until: int) -> None:
    StreamEvent.objects.filter(stream=stream, seq__lte=until).delete()


# Places


async def test_an_empty_map_replays_nothing_and_names_every_stream(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    rooms = [await group(alice, bob), await one_to_one(alice, bob), await channel(alice, bob)]
    await group(alice)
    await say(bob, rooms[0], "hello", alice)

    frames, answer = await resume(bob, {})

    assert frames == []
    assert answer == {
        of_user(bob): {"seq": 0, "recovered": True},
        of_room(rooms[0]): {"seq": 2, "recovered": True},
        of_room(rooms[1]): {"seq": 1, "recovered": True},
        of_room(rooms[2]): {"seq": 1, "recovered": True},
    }
    await alice.nothing()


async def test_frames_carry_their_places_from_then_on_to_this_socket_alone(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    beside = await another_socket(connect, bob)
    room = await group(alice, bob, beside)
    await follow(bob)

    for number, sender in enumerate((alice, bob)):
        await sender.send("message.send", {"room_id": room["id"], "content": str(number)})
        message = await everybody_gets("message.dispatch", alice, beside)
        assert await bob.next() == {
            "eventType": "message.dispatch",
            "data": message,
            "stream": of_room(room),
            "seq": number + 2,
        }
    # What nobody stores has no place, and neither has a private answer.
    await alice.send("message.typing", {"room_id": room["id"]})
    assert (await bob.next()).keys() == {"eventType", "data"}
    await bob.send("room.list")
    assert (await bob.next()).keys() == {"eventType", "data"}
    await bob.send("message.send", {"room_id": room["id"], "content": ""})
    assert (await bob.next()).keys() == {"error"}


async def test_every_kind_of_frame_has_its_place_and_is_replayed_as_it_was(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob)
    where = {"room_id": room["id"]}
    places = await follow(bob)

    message = await say(alice, room, "hello", bob)
    which = {"message_id": message["id"]}
    mine = await say(bob, room, "mine", alice)
    await bob.send("message.read", which)
    await everybody_gets("readreceipt.dispatch", alice, bob)
    await bob.send("message.react", {**which, "type": "add", "reaction_content": "+"})
    await everybody_gets("reaction.dispatch", alice, bob)
    changes = {"extra_fields": {"content": "changed"}}
    await alice.send("message.modify", {**which, "action": "update", **changes})
    await everybody_gets("messagemodification.dispatch", alice, bob)
    gone = await say(alice, room, "gone", bob)
    await alice.send("message.modify", {"message_id": gone["id"], "action": "delete"})
    await everybody_gets("messagemodification.dispatch", alice, bob)
    await alice.send("message.acknowledged", {"message_id": mine["id"]})
    await bob.expect("messagedelivered.dispatch")
    await alice.send("room.add_members", {**where, "members": [carol.id]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    await modify(alice, room, "update", {"name": "new"}, bob, carol)
    await carol.send("room.leave", where)
    await everybody_gets("roomremovemembers.dispatch", alice, bob)
    other = await group(alice, bob)
    await alice.send("room.remove_members", {"room_id": other["id"], "members": [bob.id]})
    await bob.expect("roomexit.dispatch")

    seen = [frame for frame in bob.client.taken if "seq" in frame]
    assert len(seen) == 13
    frames, answer = await resume(await another_socket(connect, bob), places)

    # A message that was deleted since stands in its place without what it said.
    blank = {**gone, "is_deleted": True, "content": ""}
    expected = [
        {**frame, "data": blank if frame["data"] == gone else frame["data"]}
        for frame in seen
        # The room that bob is out of again is not replayed, what told him so is.
        if frame["stream"] != of_room(other)
    ]
    assert frames == expected
    assert answer == {
        of_user(bob): {"seq": 2, "recovered": True},
        of_room(room): {"seq": 11, "recovered": True},
    }


async def test_a_frame_that_was_missed_comes_once_and_live_frames_follow(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, other = await group(alice, bob), await group(alice, bob)
    places = await follow(bob)
    await bob.close()
    for content in ("one", "two"):
        await say(alice, room, content)
        await say(alice, other, content)

    back = await another_socket(connect, bob)
    frames, answer = await resume(back, places)

    assert brief(frames) == [
        ("message.dispatch", of_room(place), seq) for seq in (2, 3) for place in (room, other)
    ]
    assert [frame["data"]["content"] for frame in frames] == ["one", "one", "two", "two"]
    assert reached(answer) == {of_user(bob): 0, of_room(room): 3, of_room(other): 3}
    await say(alice, room, "three", back)
    assert brief(back.client.taken[-1:]) == [("message.dispatch", of_room(room), 4)]

    # Up to date, there is nothing to replay.
    frames, answer = await resume(back, {**reached(answer), of_room(room): 4})
    assert frames == []
    await back.nothing()


async def test_each_stream_is_replayed_from_where_the_client_has_it(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    for number in range(3):
        await say(alice, room, str(number), bob)

    for seq in range(5):
        frames, answer = await resume(await another_socket(connect, bob), {of_room(room): seq})
        assert [frame["seq"] for frame in frames] == list(range(seq + 1, 5))
        assert answer[of_room(room)] == {"seq": 4, "recovered": True}


# Rooms that come and go


async def test_a_room_that_is_not_named_is_replayed_from_where_the_user_joined(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    known, older = await group(alice, bob), await group(alice)
    await say(alice, older, "before")
    places = await follow(bob)
    await bob.close()

    new = await group(alice)
    await say(alice, new, "not yet")
    for room in (older, new):
        await alice.send("room.add_members", {"room_id": room["id"], "members": [bob.id]})
        await alice.expect("roomaddmembers.dispatch")
        await say(alice, room, "after")
    await alice.send("room.create", {"type": "OneToOneChat", "participants": [bob.id]})
    pair = await alice.expect("roomcreate.dispatch")

    frames, answer = await resume(await another_socket(connect, bob), places)

    assert brief(frames) == [
        ("roomaddmembers.dispatch", of_room(older), 3),
        ("message.dispatch", of_room(older), 4),
        ("roomaddmembers.dispatch", of_room(new), 3),
        ("message.dispatch", of_room(new), 4),
        ("roomcreate.dispatch", of_room(pair), 1),
    ]
    rooms = {of_room(room) for room in (known, older, new, pair)}
    assert answer.keys() == {of_user(bob), *rooms}
    assert all(stream["recovered"] for stream in answer.values())


async def test_a_stream_of_the_user_that_is_not_named_is_not_replayed(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, other = await group(alice, bob), await group(alice, bob)
    await alice.send("room.remove_members", {"room_id": other["id"], "members": [bob.id]})
    await bob.expect("roomexit.dispatch")

    frames, answer = await resume(await another_socket(connect, bob), {of_room(room): 1})

    assert frames == []
    assert answer[of_user(bob)] == {"seq": 1, "recovered": True}


async def test_a_room_that_is_gone_says_so_and_nothing_of_it_is_replayed(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    deleted, removed, left = [await group(alice, bob) for _ in range(3)]
    places = await follow(bob)
    for room in (deleted, removed, left):
        await say(alice, room, "before", bob)
    await bob.send("room.leave", {"room_id": left["id"]})
    await bob.expect("roomexit.dispatch")
    await alice.expect("roomremovemembers.dispatch")
    await bob.close()
    await alice.send("room.modify", {"room_id": deleted["id"], "action": "delete"})
    await alice.expect("roomdelete.dispatch")
    await alice.send("room.remove_members", {"room_id": removed["id"], "members": [bob.id]})
    await alice.expect("roomremovemembers.dispatch")
    await say(alice, removed, "after")

    frames, answer = await resume(await another_socket(connect, bob), places)

    assert brief(frames) == [
        ("roomexit.dispatch", of_user(bob), 1),
        ("roomexit.dispatch", of_user(bob), 2),
    ]
    assert answer == {
        of_user(bob): {"seq": 2, "recovered": True},
        **{of_room(room): {"gone": True} for room in (deleted, removed, left)},
    }


async def test_what_happened_while_the_user_was_out_is_not_replayed(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    data = {"room_id": room["id"], "members": [bob.id]}
    places = await follow(bob)
    await bob.close()
    await say(alice, room, "before")
    await alice.send("room.remove_members", data)
    await alice.expect("roomremovemembers.dispatch")
    await say(alice, room, "secret")
    await alice.send("room.add_members", data)
    await alice.expect("roomaddmembers.dispatch")
    await say(alice, room, "after")

    frames, answer = await resume(await another_socket(connect, bob), places)

    assert brief(frames) == [
        ("roomexit.dispatch", of_user(bob), 1),
        ("roomaddmembers.dispatch", of_room(room), 5),
        ("message.dispatch", of_room(room), 6),
    ]
    assert answer[of_room(room)]["seq"] == 6


async def test_streams_of_others_are_not_to_be_had(connect: Connect, users: Users) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "stranger")
    room = await one_to_one(alice, bob)
    message = await say(alice, room, "secret", bob)
    await bob.send("message.acknowledged", {"message_id": message["id"]})
    await alice.expect("messagedelivered.dispatch")
    named = [of_room(room), of_user(alice), f"room:{uuid4()}", "room:", "user:", "", "x"]

    frames, answer = await resume(stranger, dict.fromkeys(named, 0))

    assert frames == []
    assert answer == {
        of_user(stranger): {"seq": 0, "recovered": True},
        **{name: {"gone": True} for name in named},
    }
    await say(alice, room, "more", bob)
    await stranger.nothing()


# What the log has no more


async def test_a_stream_that_the_log_no_longer_reaches_is_not_recovered(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, other = await group(alice, bob), await group(alice, bob)
    places = await follow(bob)
    await bob.close()
    for content in ("one", "two", "three"):
        await say(alice, room, content)
        await say(alice, other, content)
    orm(prune, of_room(room), 3)

    back = await another_socket(connect, bob)
    frames, answer = await resume(back, places)

    # Nothing of it rather than a part of it.
    assert brief(frames) == [("message.dispatch", of_room(other), seq) for seq in (2, 3, 4)]
    assert answer == {
        of_user(bob): {"seq": 0, "recovered": True},
        of_room(room): {"seq": 4, "recovered": False},
        of_room(other): {"seq": 4, "recovered": True},
    }
    await say(alice, room, "four", back)
    assert brief(back.client.taken[-1:]) == [("message.dispatch", of_room(room), 5)]


@pytest.mark.parametrize(("seq", "recovered"), [(1, False), (2, False), (3, True), (4, True)])
async def test_only_what_the_client_has_not_got_needs_to_be_in_the_log(
    seq: int, recovered: bool, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    for content in ("one", "two", "three"):
        await say(alice, room, content, bob)
    orm(prune, of_room(room), 3)

    frames, answer = await resume(await another_socket(connect, bob), {of_room(room): seq})

    assert answer[of_room(room)] == {"seq": 4, "recovered": recovered}
    assert [frame["seq"] for frame in frames] == ([4] if seq == 3 else [])


async def test_a_log_that_is_empty_recovers_who_missed_nothing(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await say(alice, room, "hello", bob)
    orm(prune, of_room(room), 2)

    frames, answer = await resume(bob, {of_room(room): 2})

    assert frames == []
    assert answer[of_room(room)] == {"seq": 2, "recovered": True}


# After a restore from a backup


def write(sender: Person, room: Room, count: int) -> None:
    """Store messages of which this process hears nothing."""
    for number in range(count):
        write_unheard(sender, room, f"new {number}")


def set_back(room: Room, place: int) -> None:
    """Leave of a room what a backup had of it."""
    StreamEvent.objects.filter(stream=of_room(room), seq__gt=place).delete()
    get_model("Room").objects.filter(pk=room["id"]).update(seq=place)


async def test_every_answer_carries_the_same_epoch(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    await group(alice, bob)

    *_, first = await resume_with_epoch(alice, {})
    *_, second = await resume_with_epoch(bob, {}, epoch=first)
    _, answer, third = await resume_with_epoch(bob, {of_user(bob): 0}, epoch=first)

    assert first == second == third
    assert all(stream["recovered"] for stream in answer.values())


async def test_after_a_restore_a_client_of_before_is_told_to_fetch_afresh(
    connect: Connect, users: Users, orm: Orm
) -> None:
    """The places that it has are those of other messages now; by them it would be up to date."""
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    for number in range(8):
        await say(alice, room, str(number), bob)
    await resume(alice, {})
    *_, epoch = await resume_with_epoch(bob, {})
    orm(set_back, room, 4)
    orm(write, alice, room, 7)
    orm(call_command, "renew_chat_epoch")

    # Who is here is sent away to resume, by the next look of the process.
    code = 4012 if KINDS[chosen_kind()].substitutes else 1012
    assert [await person.client.closed() for person in (alice, bob)] == [code, code]
    back = await another_socket(connect, bob)
    frames, answer, renewed = await resume_with_epoch(back, {of_room(room): 9}, epoch=epoch)

    assert frames == []
    assert renewed != epoch
    assert answer == {
        of_room(room): {"seq": 11, "recovered": False},
        of_user(bob): {"seq": 0, "recovered": False},
    }
    there = await another_socket(connect, alice)
    await say(there, room, "live", back)
    assert brief(back.client.taken[-1:]) == [("message.dispatch", of_room(room), 12)]
    frames, answer = await resume(back, {of_room(room): 10}, epoch=renewed)
    assert [frame["seq"] for frame in frames] == [11, 12]
    assert answer[of_room(room)] == {"seq": 12, "recovered": True}


@pytest.mark.parametrize("named", [True, False])
async def test_another_epoch_recovers_nothing_and_live_goes_on(
    named: bool, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, gone = await group(alice, bob), await group(alice)
    await say(alice, room, "before", bob)
    places = {of_room(room): 1, of_room(gone): 1} if named else {}

    frames, answer = await resume(bob, places, epoch="of another history")

    assert frames == []
    expected: dict[str, Any] = {
        of_room(room): {"seq": 2, "recovered": False},
        of_user(bob): {"seq": 0, "recovered": False},
    }
    assert answer == expected | ({of_room(gone): {"gone": True}} if named else {})
    await say(alice, room, "after", bob)
    assert brief(bob.client.taken[-1:]) == [("message.dispatch", of_room(room), 3)]


async def test_a_client_that_is_ahead_is_told_so_without_an_epoch_too(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    for number in range(8):
        await say(alice, room, str(number), bob, carol)
    for person in (alice, bob, carol):
        await person.close()
    orm(set_back, room, 4)
    orm(write, alice, room, 3)

    # The log has all of 5 to 7 again; for who has 8 or 9 there is nothing that follows.
    for seq, recovered in ((7, True), (8, False), (9, False)):
        back = await another_socket(connect, bob)
        frames, answer = await resume(back, {of_room(room): seq, of_user(bob): 5})
        assert frames == []
        assert answer == {
            of_room(room): {"seq": 7, "recovered": recovered},
            of_user(bob): {"seq": 0, "recovered": False},
        }
        await back.close()


# What is no resumption


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"streams": None},
        {"streams": []},
        {"streams": "all"},
        {"streams": 1},
        {"streams": dict.fromkeys(map(str, range(2001)), 0)},
        {"streams": {"room:" + "x" * 256: 0}},
        *({"streams": {}, "epoch": epoch} for epoch in (None, 1, True, [], {}, "x" * 65)),
        *({"streams": {"x": seq}} for seq in (None, "1", -1, 1.5, True, [], {}, 2**63, 10**30)),
        [],
        "streams",
        None,
    ],
)
async def test_malformed_data_is_a_validation_error_and_changes_nothing(
    data: Any, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    await bob.client.send_raw(json.dumps({"event_type": "session.resume", "data": data}))

    detail = await bob.error(4003)
    if isinstance(data, dict) and "epoch" in data:
        assert detail.keys() == {"epoch"}
    await alice.send("message.send", {"room_id": room["id"], "content": "hello"})
    assert (await bob.next()).keys() == {"eventType", "data"}


async def test_an_error_repeats_no_more_than_the_beginning_of_a_name(
    connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    detail = await alice.refused(4003, "session.resume", {"streams": {"x" * 10_000: "no place"}})

    assert list(detail) == ["streams." + "x" * 100]

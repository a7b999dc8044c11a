"""Deleting deletes: what is deleted goes out of the log and of every replay."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings
from guardian.shortcuts import assign_perm
from pytest_django import Settings

from gql_chat.models import StreamEvent, get_model
from gql_chat.operations import EventHandler
from gql_chat.streams import capture
from tests import frames
from tests.client import Frame
from tests.conftest import Connect, Orm, Users
from tests.remains import find_remains
from tests.wire.messages import (
    MESSAGE_KEYS,
    acknowledge,
    configure,
    delete,
    edit,
    media,
    react,
    read,
)
from tests.wire.resuming import follow, of_room, of_user, placed, reached, resume
from tests.wire.rooms import (
    CHANNEL,
    GROUP,
    Message,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    messages_of,
    modify,
    nobody_gets_anything,
    one_to_one,
    people,
    remove,
    room_of_type,
    say,
    stored,
    write_unheard,
)

#: Tables in which soft deletion leaves a text, by design.
ROWS = {"Message", "MessageMediaAsset"}


@pytest.fixture
def secret() -> str:
    """A text that no other test writes."""
    return f"secret-{uuid4().hex}"


@pytest.fixture(params=[False, True], ids=["hard", "soft"])
def soft(request: pytest.FixtureRequest, settings: Settings) -> bool:
    """Whether messages that are deleted are hidden only; the test runs with both."""
    configure(settings, MESSAGE_SOFT_DELETE=request.param)
    hidden: bool = request.param
    return hidden


@pytest.fixture
def plain() -> Iterator[None]:
    """No features: the documented protocol alone, by whose contract frames are validated."""
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ()}):
        judge = frames.make_validator()
        yield
    if judge is not None:
        frames.check(frames.record.copy(), judge)
        judge.close()
    frames.record.clear()


def delete_unheard(person: Person, message: Message) -> None:
    """Delete a message, of which this process hears nothing."""
    with capture():
        key = get_model("Message")._meta.pk.to_python(message["id"])
        EventHandler(person.id).delete_messages([key])


def remains(text: str, *, soft: bool = False) -> list[str]:
    own = {base for base in ROWS if soft}
    return find_remains(text, {get_model(name).__name__ for name in own} | own)


def gapless(frames: list[Frame]) -> bool:
    return all(seqs == list(range(seqs[0], seqs[-1] + 1)) for seqs in placed(frames).values())


def shown(frames: list[Frame], message_id: str) -> list[Message]:
    """Every message of that id in frames, at whatever depth."""
    found: list[Message] = []
    waiting: list[Any] = [frame["data"] for frame in frames]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("id") == message_id and "content" in value:
                found.append(value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found


# Who may


@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_a_leader_deletes_what_others_wrote(
    room_type: str, soft: bool, connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(room_type, alice, bob, carol)
    leaders = "admin" if room_type == GROUP else "moderator"
    await modify(alice, room, f"add_{leaders}", {"users": [bob.id]}, bob, carol)
    hers, his = (
        await say(alice, room, "hers", bob, carol),
        await say(bob, room, "his", alice, carol),
    )

    for leader, message in ((bob, hers), (alice, his)):
        others = [person for person in (alice, bob, carol) if person is not leader]
        answer = await delete(leader, message["id"], *others)
        assert answer["message_ids"] == [message["id"]]
        assert answer["deleted_by"] == leader.name
    assert await messages_of(carol, room) == []


async def test_a_leader_deletes_messages_of_several_people_at_once(
    connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    ids = [
        (await say(each, room, "x", *({alice, bob, carol} - {each})))["id"]
        for each in (alice, bob, carol)
    ]

    await bob.refused(4002, "message.modify", {"action": "delete", "message_id": ids})
    assert (await delete(alice, ids, bob, carol))["message_ids"] == ids


@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_who_holds_the_permission_deletes_what_others_wrote(
    room_type: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(room_type, alice, bob)
    ids = [(await say(alice, room, str(number), bob))["id"] for number in range(3)]
    data = {"action": "delete", "message_id": ids[0]}
    await bob.refused(4002, "message.modify", data)

    right = {"users": [bob.id], "permission": ["can_delete_messages"]}
    await modify(alice, room, "add_permission", right, bob)
    assert (await delete(bob, ids[:2], alice))["deleted_by"] == bob.name

    await modify(alice, room, "remove_permission", right, bob)
    await bob.refused(4002, "message.modify", {**data, "message_id": ids[2]})
    await nobody_gets_anything(alice, bob)


async def test_of_two_neither_deletes_what_the_other_wrote(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)
    message = await say(bob, room, "his", alice)
    chat = orm(get_model("Room").objects.get, pk=room["id"])
    orm(assign_perm, "can_delete_messages", alice.user, chat)

    await alice.refused(4002, "message.modify", {"action": "delete", "message_id": message["id"]})

    right = {"users": [bob.id], "permission": ["can_delete_messages"]}
    data = {"room_id": room["id"], "action": "add_permission", "data": right}
    await alice.refused(4003, "room.modify", data)


async def test_leading_one_room_gives_no_right_in_another(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    hers, his = await group(alice, bob), await group(bob, alice)
    ids = [(await say(bob, room, "x", alice))["id"] for room in (hers, his)]
    before = stored(orm, hers, his)

    # In her own room she may; in his she may not, whichever is named first.
    for named in (ids, ids[::-1]):
        await alice.refused(4002, "message.modify", {"action": "delete", "message_id": named})
    await bob.refused(4003, "message.modify", {"action": "delete", "message_id": ids})

    assert stored(orm, hers, his) == before


# What goes


async def everything_about(
    alice: Person, bob: Person, room: Room, secret: str
) -> tuple[Message, Message]:
    """Let all happen to a message of alice's that can happen; the message, and a reply to it."""
    picture = {"media": [media(caption=secret, metadata={"of": secret})]}
    message = await say(alice, room, secret, bob, extra_fields=picture)
    reply = await say(bob, room, "I see", alice, extra_fields={"parent_message_id": message["id"]})
    await acknowledge(bob, message)
    await alice.expect("messagedelivered.dispatch")
    await acknowledge(alice, reply)  # shows alice's message in bob's own stream
    await bob.expect("messagedelivered.dispatch")
    await read(bob, message)
    await everybody_gets("readreceipt.dispatch", alice, bob)
    await read(alice, reply)
    await everybody_gets("readreceipt.dispatch", alice, bob)
    await react(bob, message, "!", alice)
    await react(alice, reply, "?", bob)
    await edit(alice, message["id"], f"{secret} again", bob)
    await edit(bob, reply["id"], "I saw", alice)
    return message, reply


async def test_a_deleted_message_is_in_no_replay_and_in_no_table(
    soft: bool, connect: Connect, users: Users, orm: Orm, secret: str
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message, reply = await everything_about(alice, bob, room, secret)
    assert orm(remains, secret, soft=soft)

    await delete(alice, message["id"], bob)

    assert orm(remains, secret, soft=soft) == []
    for person in (alice, bob):
        late = await another_socket(connect, person)
        replayed, answer = await resume(late, {of_room(room): 0, of_user(person): 0})
        assert all(stream["recovered"] for stream in answer.values())
        assert gapless(replayed)
        assert secret not in json.dumps(replayed)
        of_message = shown(replayed, message["id"])
        assert len(of_message) >= 8
        for each in of_message:
            assert each.keys() == MESSAGE_KEYS
            assert each["is_deleted"] is True
            assert (each["content"], each["attachments"], each["reactions"]) == ("", [], [])
            assert each["sender"] == message["sender"]
        # All else is as it was.
        assert {each["content"] for each in shown(replayed, reply["id"])} == {"I see", "I saw"}
    first = [frame for frame in replayed if frame["eventType"] == "message.dispatch"]
    assert [frame["seq"] for frame in first] == [2, 3]


async def test_a_deleted_reply_leaves_no_quote_that_would_outlive_the_quoted(
    soft: bool, connect: Connect, users: Users, orm: Orm, secret: str
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message, reply = await everything_about(alice, bob, room, secret)

    await delete(bob, reply["id"], alice)
    await delete(alice, message["id"], bob)

    assert orm(remains, secret, soft=soft) == []


async def test_what_plain_code_deletes_goes_too(
    connect: Connect, users: Users, orm: Orm, secret: str
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message, _ = await everything_about(alice, bob, room, secret)

    orm(get_model("Message").objects.filter(pk=message["id"]).delete)

    told = await everybody_gets("messagemodification.dispatch", alice, bob)
    assert told["deleted_by"] == "system"
    assert orm(remains, secret) == []


async def test_a_forward_stays_as_the_copy_that_it_is(
    connect: Connect, users: Users, orm: Orm, secret: str
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    here, there = await group(alice, bob), await group(bob, carol)
    message = await say(alice, here, secret, bob)
    forward = await say(bob, there, "", carol, extra_fields={"forwarded_from_id": message["id"]})

    await delete(alice, message["id"], bob)
    late = await another_socket(connect, carol)
    replayed, _ = await resume(late, {of_room(there): 0})
    (dispatch,) = [frame for frame in replayed if frame["eventType"] == "message.dispatch"]
    assert dispatch["data"] == forward
    assert orm(remains, secret) == ["MessageCopy.columns", "StreamEvent.payload"]

    await delete(bob, forward["id"], carol)
    assert orm(remains, secret) == []


async def test_who_resumes_just_after_a_deletion_that_the_hub_has_not_heard_of(
    connect: Connect, users: Users, orm: Orm, secret: str
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await follow(bob)
    places = reached((await resume(alice, {}))[1])
    orm(write_unheard, alice, room, secret)
    (message,) = await messages_of(alice, room)
    orm(delete_unheard, alice, message)
    late = await another_socket(connect, bob)

    replayed, _ = await resume(late, {of_room(room): places[of_room(room)]})

    assert [frame["eventType"] for frame in replayed] == [
        "message.dispatch",
        "messagemodification.dispatch",
    ]
    assert secret not in json.dumps(replayed)


async def test_of_a_deleted_room_only_its_end_is_left(
    connect: Connect, users: Users, orm: Orm, secret: str
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room, other = await group(alice, bob, carol, name=secret[:60]), await group(alice, bob)
    kept = await say(alice, other, "kept", bob)
    await remove(alice, room, carol, bob)
    message, _ = await everything_about(alice, bob, room, secret)
    # One frame that shows messages of both rooms.
    seen = await say(alice, room, secret, bob)
    await acknowledge(bob, kept, seen)
    await alice.expect("messagedelivered.dispatch")
    await modify(alice, room, "update", {"description": secret}, bob)

    await alice.send("room.modify", {"room_id": room["id"], "action": "delete"})
    await everybody_gets("roomdelete.dispatch", alice, bob)

    assert orm(remains, secret[:60]) == []
    left = StreamEvent.objects.filter(stream=of_room(room))
    assert orm(lambda: [event.kind for event in left]) == ["RoomDeleted"]
    for person in (alice, bob, carol):
        late = await another_socket(connect, person)
        replayed, answer = await resume(late, {of_room(room): 0, of_user(person): 0})
        assert answer[of_room(room)] == {"gone": True}
        assert answer[of_user(person)]["recovered"] is True
        assert gapless(replayed)
        assert secret[:60] not in json.dumps(replayed)
        if person is alice:
            assert {each["content"] for each in shown(replayed, kept["id"])} == {"kept"}
            assert {each["is_deleted"] for each in shown(replayed, message["id"])} == {True}


async def test_somebody_who_is_out_of_a_room_is_not_replayed_what_their_messages_answered(
    connect: Connect, users: Users, secret: str
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room, other = await group(alice, bob), await group(alice, bob)
    replies = []
    for each in (room, other):
        question = await say(alice, each, secret, bob)
        quoting = {"parent_message_id": question["id"]}
        replies.append(await say(bob, each, "his", alice, extra_fields=quoting))
    await acknowledge(alice, *replies)
    live = await bob.expect("messagedelivered.dispatch")
    assert [each["parent_message"]["content"] for each in live] == [secret, secret]

    await remove(alice, room, bob)

    late = await another_socket(connect, bob)
    replayed, _ = await resume(late, {of_user(bob): 0, of_room(other): 0})
    (delivered,) = [f["data"] for f in replayed if f["eventType"] == "messagedelivered.dispatch"]
    assert [each["content"] for each in delivered] == ["his", "his"]
    assert delivered[0]["parent_message"] is None
    assert delivered[1]["parent_message"]["content"] == secret


# Settings


async def test_the_log_may_keep_what_was_said(
    settings: Settings, connect: Connect, users: Users, orm: Orm, secret: str
) -> None:
    configure(settings, ERASE_LOG=None)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, secret, bob)

    await delete(alice, message["id"], bob)

    assert orm(remains, secret) == ["StreamEvent.payload"]


@pytest.mark.parametrize("setting", ["deleted", "edited"])
async def test_an_edit_may_take_what_was_said_before_out_of_the_log(
    setting: str, settings: Settings, connect: Connect, users: Users, orm: Orm, secret: str
) -> None:
    configure(settings, ERASE_LOG=setting)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message, reply = await everything_about(alice, bob, room, secret)
    picture = {"caption": secret, "metadata": {"of": secret}}

    edited = (await edit(alice, message["id"], "harmless", bob))["message"]

    late = await another_socket(connect, bob)
    replayed, _ = await resume(late, {of_room(room): 0, of_user(bob): 0})
    assert gapless(replayed)
    contents = {each["content"] for each in shown(replayed, message["id"])}
    if setting == "deleted":
        assert contents == {secret, f"{secret} again", "harmless"}
        return
    assert contents == {"", "harmless"}
    for each in shown(replayed, message["id"]):
        # An edit leaves the rest of a message as it is, and so does this.
        assert (each["is_edited"], each["is_deleted"]) == (True, False)
        assert {name: each["attachments"][0][name] for name in picture} == picture
    assert {each["content"] for each in shown(replayed, reply["id"])} == {"", "I saw"}
    assert shown(replayed, message["id"])[0].keys() == edited.keys()


async def test_without_the_feature_the_protocol_is_the_documented_one(
    plain: None, connect: Connect, users: Users, orm: Orm, secret: str
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    hers, his = await say(alice, room, secret, bob), await say(bob, room, "his", alice)

    await alice.refused(4002, "message.modify", {"action": "delete", "message_id": his["id"]})
    right = {"users": [bob.id], "permission": ["can_delete_messages"]}
    data = {"room_id": room["id"], "action": "add_permission", "data": right}
    await alice.refused(4003, "room.modify", data)

    answer = await delete(alice, hers["id"], bob)
    assert answer == {"status": "successful", "action": "delete", "message_ids": [hers["id"]]}
    assert orm(remains, secret) == ["StreamEvent.payload"]
    # A forward is a copy all the same.
    other = await one_to_one(bob, alice)
    forward = await say(bob, other, "", alice, extra_fields={"forwarded_from_id": his["id"]})
    assert forward["forwarded_from"] == {**his, "room": {"id": None}}

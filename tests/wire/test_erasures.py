"""A user is erased from chat, or an account is deleted: what others are shown of it."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from gql_chat import aexport_user, erase_user
from gql_chat.models import Membership, StreamEvent, get_model
from gql_chat.models.accounts import accounts, nobody_key
from tests.client import Frame
from tests.conftest import Connect, Orm, Users
from tests.wire.resuming import follow, of_room, of_user, resume, taken_until_now
from tests.wire.rooms import (
    Message,
    Person,
    Room,
    another_socket,
    channel,
    everybody_gets,
    group,
    messages_of,
    modify,
    nobody_gets_anything,
    one_to_one,
    people,
    say,
    wire_id,
)

MEDIA = {
    "media_url": "https://files.example/secret.png",
    "media_type": "image",
    "mime_type": "image/png",
}

#: Who frames show where an erased user was.
NOBODY = {
    "id": wire_id(nobody_key()),
    "username": "",
    "email": "",
    "first_name": "",
    "last_name": "",
}


def erase(orm: Orm, person: Person, messages: str = "keep", **options: Any) -> dict[str, int]:
    """Erase somebody from chat."""
    return orm(erase_user, person.user.pk, messages, **options)


def kinds(frames: list[Frame]) -> list[str]:
    """What frames are called."""
    return [frame["eventType"] for frame in frames]


def data_of(frames: list[Frame], kind: str) -> list[Any]:
    """The data of those of the frames that are called so."""
    return [frame["data"] for frame in frames if frame["eventType"] == kind]


async def talk(alice: Person, bob: Person, room: Room) -> tuple[Message, Message]:
    """Let bob say something with a picture, and alice something that bob reads and likes."""
    own = await say(bob, room, "bob's own words", alice, extra_fields={"media": [MEDIA]})
    other = await say(alice, room, "from alice", bob)
    await bob.send("message.acknowledged", {"message_id": other["id"]})
    await alice.expect("messagedelivered.dispatch")
    await bob.send("message.read", {"message_id": other["id"]})
    await everybody_gets("readreceipt.dispatch", alice, bob)
    data = {"type": "add", "message_id": other["id"], "reaction_content": "+1"}
    await bob.send("message.react", data)
    await everybody_gets("reaction.dispatch", alice, bob)
    return own, other


async def test_kept_messages_show_nobody_and_nothing_else_is_left(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    own, other = await talk(alice, bob, room)

    erase(orm, bob)

    frames = await taken_until_now(alice)
    assert kinds(frames) == [
        "messagemodification.dispatch",
        "roomremovemembers.dispatch",
        "usererase.dispatch",
    ]
    shown = frames[0]["data"]["message"]
    assert shown == {**own, "sender": NOBODY, "updated_at": shown["updated_at"]}
    assert shown["attachments"][0]["media_url"] == MEDIA["media_url"]
    assert frames[1]["data"]["removed_members"] == [bob.name]
    assert frames[1]["data"]["removed_by"] == "system"
    told = {"room_id": room["id"], "user_id": bob.id, "messages": "keep"}
    assert frames[2]["data"] == told
    newest, oldest = await messages_of(alice, room)
    assert oldest == shown
    assert newest == other
    assert bob.name not in json.dumps([newest, oldest])
    assert await bob.client.closed() == 4001


async def test_blanked_messages_have_no_content(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    own, _ = await talk(alice, bob, room)

    erase(orm, bob, "blank")

    frames = await taken_until_now(alice)
    (shown,) = data_of(frames, "messagemodification.dispatch")
    assert shown["action"] == "update"
    message = shown["message"]
    assert message["id"] == own["id"]
    assert (message["content"], message["attachments"]) == ("", [])
    assert message["sender"] == NOBODY
    assert not message["is_deleted"]
    assert (await messages_of(alice, room))[1] == message


async def test_deleted_messages_are_told_as_message_modify_tells_them(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    own, other = await talk(alice, bob, room)
    reply = {"extra_fields": {"parent_message_id": own["id"]}}
    answer = await say(alice, room, "indeed", bob, **reply)

    erase(orm, bob, "delete")

    frames = await taken_until_now(alice)
    assert data_of(frames, "messagemodification.dispatch") == [
        {
            "status": "successful",
            "action": "delete",
            "message_ids": [own["id"]],
            "deleted_by": "system",
        }
    ]
    newest, oldest = await messages_of(alice, room)
    assert oldest == other
    assert newest == {**answer, "parent_message": None}


@pytest.mark.parametrize("make", [group, channel])
async def test_a_room_of_an_erased_creator_is_told_who_leads_it_now(
    connect: Connect, users: Users, orm: Orm, make: Any
) -> None:
    alice, bob, carol, dave = await people(connect, users, "alice", "bob", "carol", "dave")
    room = await make(alice, bob, carol, dave)
    leaders = "admins" if make is group else "moderators"
    await modify(alice, room, f"add_{leaders[:-1]}", {"users": [dave.id]}, bob, carol, dave)

    erase(orm, alice)

    for person in (bob, carol, dave):
        frames = await taken_until_now(person)
        assert kinds(frames) == [
            "roomremovemembers.dispatch",
            "roomupdate.dispatch",
            "usererase.dispatch",
        ]
        assert frames[1]["data"]["creator"] == dave.shown
        assert frames[1]["data"][leaders] == [dave.shown]
    await modify(dave, room, "update", {"name": "Dave's"}, bob, carol)


async def test_a_chat_of_two_goes_and_an_empty_room_too(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    pair = await one_to_one(alice, bob)
    alone = await group(bob)
    for number in range(5):
        await say(bob, pair, f"{number}", alice)

    erase(orm, bob, batch=2)

    frames = await taken_until_now(alice)
    assert kinds(frames) == ["messagemodification.dispatch"] * 2 + ["roomdelete.dispatch"]
    assert frames[-1]["data"] == {"room_id": pair["id"]}
    assert await alice.ask("room.list") == []
    assert not orm(get_model("Room").objects.filter(pk__in=[pair["id"], alone["id"]]).exists)


async def test_a_room_that_the_user_has_left_loses_the_name_too(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await talk(alice, bob, room)
    await bob.send("room.leave", {"room_id": room["id"]})
    await bob.expect("roomexit.dispatch")
    await alice.expect("roomremovemembers.dispatch")

    erase(orm, bob)

    frames = await taken_until_now(alice)
    assert set(kinds(frames)) == {"messagemodification.dispatch", "usererase.dispatch"}
    shown = await messages_of(alice, room)
    assert shown[1]["sender"] == NOBODY
    assert bob.name not in json.dumps(shown)


async def test_who_resumes_is_shown_no_name_and_misses_nothing(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    known = await follow(carol)
    room = await group(alice, bob, carol)
    await carol.close()
    await say(bob, room, "kept", alice)
    other = await say(alice, room, "from alice", bob)
    await bob.send("message.read", {"message_id": other["id"]})
    await everybody_gets("readreceipt.dispatch", alice, bob)

    erase(orm, bob)
    again = await another_socket(connect, carol)
    frames, answer = await resume(again, {**known, of_room(room): 0})

    assert answer[of_room(room)]["recovered"]
    assert [frame["seq"] for frame in frames if frame["stream"] == of_room(room)] == list(
        range(1, answer[of_room(room)]["seq"] + 1)
    )
    text = json.dumps(frames)
    assert bob.name not in text
    assert bob.user.email not in text
    assert "kept" in text
    (sent, _) = data_of(frames, "message.dispatch")
    assert sent["sender"] == NOBODY
    (read,) = data_of(frames, "readreceipt.dispatch")
    assert read["read_receipts"] == []


@pytest.mark.parametrize(
    ("messages", "left"), [("keep", True), ("blank", False), ("delete", False)]
)
async def test_the_log_holds_what_is_kept_and_no_name(
    connect: Connect, users: Users, orm: Orm, messages: str, left: bool
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await talk(alice, bob, room)

    erase(orm, bob, messages)

    def logged() -> str:
        rows = StreamEvent.objects.filter(stream__in=[of_room(room), of_user(alice)])
        return "\n".join(rows.values_list("payload", flat=True))

    text = orm(logged)
    assert bob.name not in text
    assert bob.user.email not in text
    assert ("bob's own words" in text) is left
    assert (MEDIA["media_url"] in text) is left
    assert not orm(StreamEvent.objects.filter(stream=of_user(bob)).exists)


async def test_what_was_quoted_of_the_user_shows_no_name_elsewhere(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room, elsewhere = await group(alice, bob), await group(alice, carol)
    own = await say(bob, room, "quotable", alice)
    passed = {"extra_fields": {"forwarded_from_id": own["id"]}}
    forward = await say(alice, elsewhere, "", carol, **passed)
    assert forward["forwarded_from"]["sender"] == bob.shown

    erase(orm, bob)

    told = {"room_id": elsewhere["id"], "user_id": bob.id, "messages": "keep"}
    assert await carol.expect("usererase.dispatch") == told
    (shown,) = await messages_of(carol, elsewhere)
    assert shown["forwarded_from"]["sender"] == NOBODY
    assert shown["forwarded_from"]["content"] == "quotable"
    assert bob.name not in json.dumps(shown)
    rows = StreamEvent.objects.filter(stream=of_room(elsewhere))
    assert bob.name not in "".join(orm(lambda: list(rows.values_list("payload", flat=True))))


@pytest.mark.parametrize("messages", ["blank", "delete"])
async def test_what_others_passed_on_goes_with_what_the_user_wrote(
    connect: Connect, users: Users, orm: Orm, messages: str
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room, elsewhere = await group(alice, bob), await group(alice, carol)
    media = {"extra_fields": {"media": [MEDIA]}}
    own = await say(bob, room, "quotable", alice, **media)
    passed = {"extra_fields": {"forwarded_from_id": own["id"]}}
    await say(alice, elsewhere, "look", carol, **passed)

    erase(orm, bob, messages)

    await taken_until_now(carol)
    (shown,) = await messages_of(carol, elsewhere)
    rows = StreamEvent.objects.filter(stream=of_room(elsewhere))
    text = json.dumps([shown, *orm(lambda: list(rows.values_list("payload", flat=True)))])
    assert shown["content"] == "look"
    for gone in (bob.name, "quotable", MEDIA["media_url"]):
        assert gone not in text


async def test_others_go_on_with_kept_messages(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    own = await say(bob, room, "kept", alice, carol)
    erase(orm, bob)
    await taken_until_now(alice)
    await taken_until_now(carol)
    name = {"message_id": own["id"]}

    await alice.send("message.acknowledged", name)
    await alice.nothing()
    await alice.send("message.read", name)
    await everybody_gets("readreceipt.dispatch", alice, carol)
    for kind in ("add", "remove"):
        await carol.send("message.react", {**name, "type": kind, "reaction_content": "+1"})
        reacted = await everybody_gets("reaction.dispatch", alice, carol)
        assert reacted["message"]["sender"] == NOBODY
    reply = await say(alice, room, "re", carol, extra_fields={"parent_message_id": own["id"]})
    assert reply["parent_message"]["sender"] == NOBODY
    forward = await say(alice, room, "", carol, extra_fields={"forwarded_from_id": own["id"]})
    assert forward["forwarded_from"]["sender"] == NOBODY
    for action in ({"action": "delete"}, {"action": "update", "extra_fields": {"content": "x"}}):
        await carol.refused(4002, "message.modify", {**name, **action})
    (listed,) = await alice.ask("room.list")
    assert listed["unread_count"] == 0
    (listed,) = await carol.ask("room.list")
    assert listed["unread_count"] == 3
    await nobody_gets_anything(alice, carol)


async def test_an_erased_account_is_out_and_its_row_can_go(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    own = await say(bob, room, "kept", alice)

    erase(orm, bob)
    await taken_until_now(alice)
    assert await bob.client.closed() == 4001
    refused = await connect(bob.user, greeted=False)
    assert await refused.closed() == 4001
    orm(lambda: accounts().get(pk=bob.user.pk).delete())

    assert [message["id"] for message in await messages_of(alice, room)] == [own["id"]]
    await nobody_gets_anything(alice)


async def test_a_user_who_goes_on_sending_is_erased_all_the_same(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    async def go_on() -> None:
        # Until the socket is closed, or its answers end.
        with suppress(AssertionError, ConnectionClosed):
            while True:
                await say(bob, room, "more", alice)

    await say(bob, room, "first", alice)
    sending = asyncio.create_task(go_on())
    await asyncio.to_thread(erase, orm, bob, "delete", batch=3)
    await sending

    assert not orm(get_model("Message").objects.filter(room_id=room["id"]).exists)
    assert not orm(Membership.objects.filter(user_id=bob.user.pk).exists)


async def test_coroutines_take_an_export_line_by_line(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    own, other = await talk(alice, bob, room)

    lines = [json.loads(line) async for line in aexport_user(bob.user)]

    of_kind: dict[str, list[Any]] = {}
    for line in lines:
        of_kind.setdefault(line["kind"], []).append(line)
    (message,) = of_kind["message"]
    assert (message["id"], message["content"]) == (own["id"], "bob's own words")
    assert message["attachments"][0]["media_url"] == MEDIA["media_url"]
    (found,) = of_kind["room"]
    assert (found["id"], found["role"]) == (room["id"], "member")
    for kind in ("read_receipt", "delivery", "reaction"):
        assert [line["message_id"] for line in of_kind[kind]] == [other["id"]]
    assert len(of_kind["session"]) == 1
    assert of_kind["user"][0]["username"] == bob.name
    assert "from alice" not in json.dumps(lines)

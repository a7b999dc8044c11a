"""What the ORM, the admin or an account that goes takes away, as clients see it."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from gql_chat.models import Membership, StreamEvent, get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.resuming import brief, follow, of_room, of_user, resume
from tests.wire.rooms import (
    another_socket,
    channel,
    everybody_gets,
    group,
    nobody_gets_anything,
    one_to_one,
    people,
    say,
)


def delete_account(user_id: Any) -> None:
    get_user_model()._default_manager.get(pk=user_id).delete()


async def test_messages_that_plain_code_deletes_go_from_open_clients(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    rooms = [await group(alice, bob), await channel(alice, bob)]
    said = [await say(alice, room, f"{n}", bob) for room in rooms for n in range(3)]
    kept = await say(alice, rooms[0], "kept", bob)

    orm(get_model("Message").objects.filter(pk__in=[message["id"] for message in said]).delete)

    told = [await everybody_gets("messagemodification.dispatch", alice, bob) for _ in rooms]
    assert {frame["action"] for frame in told} == {"delete"}
    assert sorted(each for frame in told for each in frame["message_ids"]) == sorted(
        message["id"] for message in said
    )
    page = (await bob.ask("room.messages", {"room_id": rooms[0]["id"]}))["data"]
    assert [message["id"] for message in page["messages"]] == [kept["id"]]
    await nobody_gets_anything(alice, bob)


@pytest.mark.parametrize("make", [group, channel])
async def test_an_account_that_goes_leaves_its_rooms_to_the_others(
    connect: Connect, users: Users, orm: Orm, make: Any
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await make(alice, bob, carol)
    pair = await one_to_one(alice, bob)
    said = [await say(alice, room, f"{n}", bob, carol) for n in range(2)]

    orm(delete_account, alice.user.pk)

    seen: dict[str, list[tuple[str, Any]]] = {}
    for person in (bob, carol):
        for _ in range(5 if person is bob else 4):
            frame = await person.next()
            seen.setdefault(person.name, []).append((frame["eventType"], frame["data"]))
    kinds = {name: sorted(kind for kind, _ in frames) for name, frames in seen.items()}
    in_the_room = [
        "messagemodification.dispatch",
        "roomremovemembers.dispatch",
        "roomupdate.dispatch",
        "usererase.dispatch",
    ]
    assert kinds[carol.name] == in_the_room
    assert kinds[bob.name] == sorted([*in_the_room, "roomdelete.dispatch"])
    data = dict(seen[bob.name])
    assert data["roomdelete.dispatch"] == {"room_id": pair["id"]}
    removal = data["roomremovemembers.dispatch"]
    assert removal["removed_members"] == [alice.name]
    assert removal["removed_by"] == "system"
    assert removal["room"]["creator"] == bob.shown
    leaders = "admins" if make is group else "moderators"
    assert removal["room"][leaders] == [bob.shown]
    assert data["roomupdate.dispatch"] == removal["room"]
    erased = {"room_id": room["id"], "user_id": alice.id, "messages": "delete"}
    assert data["usererase.dispatch"] == erased
    assert sorted(data["messagemodification.dispatch"]["message_ids"]) == sorted(
        message["id"] for message in said
    )
    # Who took over may manage it.
    await bob.send("room.modify", {"room_id": room["id"], "action": "delete"})
    await everybody_gets("roomdelete.dispatch", bob, carol)


async def test_an_account_that_goes_takes_its_name_out_of_the_log(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room, elsewhere = await group(alice, bob), await group(alice, carol)
    own = await say(bob, room, "bob's own words", alice)
    await say(alice, elsewhere, "", carol, extra_fields={"forwarded_from_id": own["id"]})
    other = await say(alice, room, "from alice", bob)
    await bob.send("message.acknowledged", {"message_id": other["id"]})
    await alice.expect("messagedelivered.dispatch")

    orm(delete_account, bob.user.pk)

    def logged(*streams: str) -> str:
        rows = StreamEvent.objects.filter(stream__in=streams)
        return "\n".join(rows.values_list("payload", flat=True))

    assert orm(logged, of_user(bob)) == ""
    text = orm(logged, of_room(room), of_room(elsewhere), of_user(alice))
    assert "from alice" in text
    for gone in (bob.name, bob.user.email, "bob's own words"):
        assert gone not in text


async def test_who_resumes_hears_what_plain_code_deleted(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    left, gone, kept = [await group(alice, bob) for _ in range(3)]
    message = await say(alice, kept, "hello", bob)
    known = await follow(bob)
    await bob.close()

    def delete() -> None:
        Membership.objects.filter(room_id=left["id"], user_id=bob.user.pk).delete()
        get_model("Room").objects.get(pk=gone["id"]).delete()
        get_model("Message").objects.get(pk=message["id"]).delete()

    orm(delete)
    again = await another_socket(connect, bob)

    frames, answer = await resume(again, known)

    assert answer[of_room(left)] == answer[of_room(gone)] == {"gone": True}
    assert answer[of_room(kept)]["recovered"]
    assert answer[of_user(bob)]["recovered"]
    assert sorted(frame["eventType"] for frame in frames) == [
        "messagemodification.dispatch",
        "roomexit.dispatch",
    ], brief(frames)


async def test_whom_the_orm_brings_back_hears_the_room_again(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    def leave_and_come_back() -> None:
        memberships = Membership.objects.filter(room_id=room["id"], user_id=bob.user.pk)
        memberships.delete()
        get_model("Room").objects.get(pk=room["id"]).participants.add(bob.user)

    orm(leave_and_come_back)
    await bob.expect("roomexit.dispatch")
    await alice.expect("roomremovemembers.dispatch")

    await say(alice, room, "welcome back", bob)

"""What is shown to those who have left, and to those whom plain code made members."""

import pytest
from guardian.models import UserObjectPermission

from gql_chat.models import Membership, get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.attempts import SECRET, reaction, update
from tests.wire.rooms import (
    CHANNEL,
    GROUP,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    modify,
    nobody_gets_anything,
    people,
    remove,
    room_of_type,
    say,
    write_unheard,
)

# Those who are out


async def leave(person: Person, room: Room, *others: Person) -> None:
    """Go out of a room; the others, who must be all its members, hear it."""
    await person.send("room.leave", {"room_id": room["id"]})
    await person.expect("roomexit.dispatch")
    await everybody_gets("roomremovemembers.dispatch", *others)


@pytest.mark.parametrize("how", ["removed", "left"])
@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_who_is_out_of_a_room_hears_nothing_of_it_any_more(
    room_type: str, how: str, connect: Connect, users: Users
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(room_type, alice, bob, carol)
    if room_type == CHANNEL:
        await modify(alice, room, "add_moderator", {"users": [bob.id]}, bob, carol)
    his = await say(bob, room, "his", alice, carol)
    tablet = await another_socket(connect, bob)
    if how == "removed":
        await remove(alice, room, bob, carol)
    else:
        await leave(bob, room, alice, carol)
    await tablet.expect("roomexit.dispatch")

    # All that happens to a room, also to what they wrote there themselves.
    message = await say(alice, room, SECRET, carol)
    await alice.send("message.typing", {"room_id": room["id"]})
    await everybody_gets("messagetyping.dispatch", alice, carol)
    await alice.send("message.modify", update(message["id"]))
    await everybody_gets("messagemodification.dispatch", alice, carol)
    await carol.send("message.read", {"message_id": his["id"]})
    await everybody_gets("readreceipt.dispatch", alice, carol)
    await carol.send("message.react", reaction(his["id"]))
    await everybody_gets("reaction.dispatch", alice, carol)
    await carol.send("message.acknowledged", {"message_id": [his["id"], message["id"]]})
    delivered = await alice.expect("messagedelivered.dispatch")
    assert [each["id"] for each in delivered] == [message["id"]]
    await modify(alice, room, "update", {"name": SECRET}, carol)
    await alice.send("message.modify", {"action": "delete", "message_id": message["id"]})
    await everybody_gets("messagemodification.dispatch", alice, carol)

    await nobody_gets_anything(bob, tablet, alice, carol)
    late = await another_socket(connect, bob)
    assert late.client.notifications == {}
    assert await late.ask("room.list") == []


@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_what_waited_for_somebody_goes_with_their_membership(
    room_type: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await room_of_type(room_type, alice, bob)
    if room_type == CHANNEL:
        await modify(alice, room, "add_moderator", {"users": [bob.id]}, bob)
    his = await say(bob, room, "his", alice)
    await say(alice, room, SECRET, bob)
    await alice.send("message.react", reaction(his["id"]))
    await everybody_gets("reaction.dispatch", alice, bob)
    await remove(alice, room, bob)

    late = await another_socket(connect, bob)
    assert late.client.notifications == {}
    rows = get_model("ChatNotification").objects.filter(room_id=room["id"])
    assert orm(lambda: [user for row in rows for user in row.recipients]) == [alice.user]


async def test_a_former_member_is_told_nothing_when_they_resume(
    connect: Connect, users: Users
) -> None:
    alice, mallory = await people(connect, users, "alice", "mallory")
    room, other = await group(alice, mallory), await group(alice)
    await say(alice, room, SECRET, mallory)
    await remove(alice, room, mallory)
    await say(alice, room, SECRET)
    await say(alice, other, SECRET)

    late = await another_socket(connect, mallory)
    named = {f"room:{each['id']}": 0 for each in (room, other)}
    await late.send("session.resume", {"streams": named})

    answer = await late.expect("session.resumed")
    assert {answer["streams"][stream]["gone"] for stream in named} == {True}
    await late.nothing()


@pytest.mark.parametrize("how", ["removed", "left"])
@pytest.mark.parametrize("role", ["leader", "holder"])
@pytest.mark.parametrize("room_type", [GROUP, CHANNEL])
async def test_who_is_out_of_a_room_keeps_no_role_and_no_permission_also_if_they_return(
    room_type: str, role: str, how: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await room_of_type(room_type, alice, bob)
    people_named = "participants" if room_type == GROUP else "subscribers"
    permissions = [f"can_add_new_{people_named}", f"can_remove_{people_named}"]
    if room_type == CHANNEL:
        permissions.append("can_send_messages")
    held = UserObjectPermission.objects.filter(user_id=bob.id, object_pk=room["id"])
    if role == "leader":
        action = "add_admin" if room_type == GROUP else "add_moderator"
        await modify(alice, room, action, {"users": [bob.id]}, bob)
    else:
        data = {"users": [bob.id], "permission": permissions}
        await modify(alice, room, "add_permission", data, bob)
    assert orm(held.count) == len(permissions)

    if how == "removed":
        await remove(alice, room, bob)
    else:
        await leave(bob, room, alice)
    assert orm(held.count) == 0

    await alice.send("room.add_members", {"room_id": room["id"], "members": [bob.id]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)
    assert orm(held.count) == 0
    membership = Membership.objects.filter(user_id=bob.id, room_id=room["id"])
    assert orm(lambda: membership.get().role) == "member"
    named = {"room_id": room["id"]}
    await bob.refused(4002, "room.add_members", {**named, "members": [carol.id]})
    await bob.refused(4002, "room.remove_members", {**named, "members": [alice.id]})
    await bob.refused(4002, "room.modify", {**named, "action": "update", "data": {"name": "x"}})
    if room_type == CHANNEL:
        await bob.refused(4002, "message.send", {**named, "content": "hello"})
    await nobody_gets_anything(alice, bob, carol)


# Members whom plain code makes


async def test_who_is_made_a_member_by_plain_code_hears_nothing_from_before(
    connect: Connect, users: Users, orm: Orm
) -> None:
    """The server has yet to hear of what was written before."""
    alice, bob = await people(connect, users, "alice", "bob")
    for _ in range(3):
        room = await group(alice)
        for number in range(3):
            orm(write_unheard, alice, room, f"{SECRET} {number}")
        orm(Membership.objects.create, room_id=room["id"], user=bob.user)
        await alice.send("message.send", {"room_id": room["id"], "content": "after"})

        heard = [await alice.expect("message.dispatch") for _ in range(4)]
        assert [message["content"] for message in heard][3] == "after"
        assert (await bob.expect("message.dispatch"))["content"] == "after"
    await nobody_gets_anything(alice, bob)

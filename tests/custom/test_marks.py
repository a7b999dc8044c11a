"""Rows of a project's that refer to rows of chat: whatever ends, ends with them."""

import pytest

from gql_chat.models import Delivery, Membership, get_model
from tests.conftest import Connect, Orm, Users
from tests.site.marks.models import Mark
from tests.timing import eventually
from tests.wire.rooms import everybody_gets, group, people, say


@pytest.mark.parametrize("way", ["leave", "remove"])
async def test_a_marked_membership_ends(connect: Connect, users: Users, orm: Orm, way: str) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    membership = orm(Membership.objects.get, room_id=room["id"], user_id=bob.id)
    mark = orm(Mark.objects.create, membership=membership)

    if way == "leave":
        await bob.send("room.leave", {"room_id": room["id"]})
    else:
        await alice.send("room.remove_members", {"room_id": room["id"], "members": [bob.id]})

    await bob.expect("roomexit.dispatch")
    await everybody_gets("roomremovemembers.dispatch", alice, carol)
    assert not orm(Mark.objects.filter(pk=mark.pk).exists)


async def test_what_is_marked_of_a_message_goes_with_it(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "hello", bob)
    notification = orm(get_model("ChatNotification").objects.get, message_id=message["id"])
    made = [orm(Mark.objects.create, notification=notification)]
    await bob.send("message.acknowledged", {"message_id": message["id"]})
    await alice.expect("messagedelivered.dispatch")
    await bob.send("message.read", {"message_id": message["id"]})
    await everybody_gets("readreceipt.dispatch", alice, bob)
    await bob.send(
        "message.react", {"type": "add", "message_id": message["id"], "reaction_content": "+1"}
    )
    await everybody_gets("reaction.dispatch", alice, bob)
    for name, model in (
        ("delivery", Delivery),
        ("receipt", get_model("ReadReceipt")),
        ("reaction", get_model("Reaction")),
    ):
        marked = orm(model.objects.get, message_id=message["id"])
        made.append(orm(Mark.objects.create, **{name: marked}))
    await bob.send(
        "message.react", {"type": "remove", "message_id": message["id"], "reaction_content": "+1"}
    )
    await everybody_gets("reaction.dispatch", alice, bob)
    await alice.send("message.modify", {"action": "delete", "message_id": message["id"]})
    await everybody_gets("messagemodification.dispatch", alice, bob)

    left = Mark.objects.filter(pk__in=[mark.pk for mark in made])
    assert not orm(left.exists)


async def test_a_marked_session_ends(connect: Connect, users: Users, orm: Orm) -> None:
    (alice,) = await people(connect, users, "alice")
    sessions = get_model("Session").objects.filter(user_id=alice.id)
    mark = orm(lambda: Mark.objects.create(session=sessions.get()))

    await alice.close()

    await eventually(lambda: not orm(Mark.objects.filter(pk=mark.pk).exists), "the mark to go")

"""Who is in whose contacts, by docs/examples/contacts: whom people may write to first, and add."""

from typing import Any

from docs.examples.contacts.models import Contact
from tests.conftest import ChatWith, Connect, Orm, Users
from tests.wire.rooms import (
    NOBODY,
    Person,
    everybody_gets,
    group,
    nobody_gets_anything,
    one_to_one,
    people,
    say,
)

HANDLER = "docs.examples.contacts.permissions.PermissionHandler"


def pair_with(user: Any) -> dict[str, Any]:
    return {"type": "OneToOneChat", "participants": [user]}


def let_write(orm: Orm, owner: Person, *others: Person) -> None:
    """Put others among the contacts of somebody."""
    contacts = [Contact(owner=owner.user, user=other.user) for other in others]
    orm(Contact.objects.bulk_create, contacts)


async def test_people_write_first_to_those_who_let_them(
    connect: Connect, users: Users, chat_with: ChatWith, orm: Orm
) -> None:
    chat_with(PERMISSION_HANDLER_CLASS=HANDLER)
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    let_write(orm, bob, alice)

    await alice.refused(4002, "room.create", pair_with(carol.id))
    await bob.refused(4002, "room.create", pair_with(alice.id))
    chat = await one_to_one(alice, bob)
    # Who is written to may answer: that is not writing first.
    await say(bob, chat, "Hello", alice)

    room = await group(alice, bob)
    both = {"room_id": room["id"], "members": [bob.id, carol.id]}
    await alice.refused(4002, "room.add_members", both)
    await nobody_gets_anything(alice, bob, carol)

    let_write(orm, carol, alice)
    await alice.send("room.add_members", both)
    added = await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    assert added["new_members"] == [carol.name]


async def test_nobody_learns_who_is_there(
    connect: Connect, users: Users, chat_with: ChatWith
) -> None:
    chat_with(PERMISSION_HANDLER_CLASS=HANDLER, HIDE_FORBIDDEN=True)
    alice, carol = await people(connect, users, "alice", "carol")
    room = await group(alice)

    for user in (carol.id, NOBODY):
        for event, data in (
            ("room.create", pair_with(user)),
            ("room.add_members", {"room_id": room["id"], "members": [user]}),
            ("room.remove_members", {"room_id": room["id"], "members": [user]}),
        ):
            assert await alice.refused(4004, event, data) == "There is no such user."

"""Errors: their order, and that nothing comes of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.conftest import Connect, Orm, Users
from tests.wire.attempts import EVENTS, SECRET, Data, reaction, update
from tests.wire.rooms import (
    CHANNEL,
    GROUP,
    NOWHERE,
    Person,
    Room,
    channel,
    group,
    nobody_gets_anything,
    one_to_one,
    people,
    say,
    stored,
)


@dataclass
class World:
    """What the events of the table below are about, seen by their sender, `dave`.

    Attributes:
        near: a group that dave is a plain member of.
        own: a group that dave leads.
        own_channel: a channel that dave leads.
        pair: dave's chat with alice.
        far, far_pair, far_channel: rooms that dave is not in.
        hers: alice's message in `near`.
        mine: dave's message in `own`.
        other: dave's message in `pair`.
        hidden: alice's message in `far`.
    """

    alice: Person
    bob: Person
    dave: Person
    near: Room
    own: Room
    own_channel: Room
    pair: Room
    far: Room
    far_pair: Room
    far_channel: Room
    hers: str
    mine: str
    other: str
    hidden: str

    @property
    def rooms(self) -> list[Room]:
        """All rooms."""
        mine = [self.near, self.own, self.own_channel, self.pair]
        return [*mine, self.far, self.far_pair, self.far_channel]


async def make_world(connect: Connect, users: Users) -> World:
    alice, bob, dave = await people(connect, users, "alice", "bob", "dave")
    near, own = await group(alice, dave), await group(dave, alice)
    pair, far = await one_to_one(dave, alice), await group(alice, bob)
    return World(
        alice=alice,
        bob=bob,
        dave=dave,
        near=near,
        own=own,
        own_channel=await channel(dave, alice),
        pair=pair,
        far=far,
        far_pair=await one_to_one(alice, bob),
        far_channel=await channel(alice, bob),
        hers=(await say(alice, near, "hers", dave))["id"],
        mine=(await say(dave, own, "mine", alice))["id"],
        other=(await say(dave, pair, "other", alice))["id"],
        hidden=(await say(alice, far, SECRET, bob))["id"],
    )


NO_USER = 2**31 - 1
#: Nobody has it: a number above those that a database knows, or the UUID that is this number.
BEYOND = get_user_model()._meta.pk.to_python(2**70)
Row = tuple[int, Callable[[World], Data]]


def send(room: Room | str, content: Any = "hello", **extra_fields: Any) -> Data:
    """The data of a ``message.send``."""
    return {**at(room), "content": content, "extra_fields": extra_fields}


def at(room: Room | str, **data: Any) -> Data:
    """Data that names a room, or an id."""
    return {"room_id": room if isinstance(room, str) else room["id"], **data}


def change(room: Room | str, action: str, **data: Any) -> Data:
    """The data of a ``room.modify``."""
    return at(room, action=action, data=data)


def create(type: str, **data: Any) -> Data:
    """The data of a ``room.create``."""
    return {"type": type, **data}


#: Frames with two faults each, and the code of the one that counts: shape (4003) before existence
#: (4004) before permission (4002) before rules (4003).
TABLE: dict[str, list[Row]] = {
    "message.send": [
        (4003, lambda w: send(NOWHERE, content=5)),
        (4003, lambda w: send(NOWHERE, sender=1)),
        (4003, lambda w: send(NOWHERE, parent_message_id="x")),
        (4003, lambda w: {**send(NOWHERE), "client_id": 5}),
        (4003, lambda w: {**send(NOWHERE), "client_id": ""}),
        (4003, lambda w: {**send(NOWHERE), "client_id": "x" * 65}),
        (4003, lambda w: {**send(w.far), "client_id": "x" * 65}),
        (4003, lambda w: send(NOWHERE, media=[{"media_url": "https://example.com"}])),
        (4003, lambda w: {"content": "hello"}),
        (4004, lambda w: send(NOWHERE, "")),
        (4004, lambda w: send(w.far, parent_message_id=NOWHERE)),
        (4004, lambda w: send(w.far, forwarded_from_id=NOWHERE)),
        (4004, lambda w: send(w.near, parent_message_id=w.hers, forwarded_from_id=NOWHERE)),
        (4004, lambda w: send(w.near, parent_message_id=w.hidden, forwarded_from_id=NOWHERE)),
        (4002, lambda w: send(w.far, "")),
        (4002, lambda w: send(w.far, parent_message_id=w.hers, forwarded_from_id=w.hers)),
        (4002, lambda w: send(w.near, "", parent_message_id=w.hidden)),
        (4002, lambda w: send(w.near, forwarded_from_id=w.hidden, parent_message_id=w.hers)),
        (4003, lambda w: send(w.near, "")),
        (4003, lambda w: send(w.near, forwarded_from_id=w.hers, parent_message_id=w.hers)),
    ],
    **{
        event: [
            (4003, lambda w: {"message_id": [NOWHERE, "x"]}),
            (4003, lambda w: {"message_id": [w.hidden, None]}),
            (4004, lambda w: {"message_id": [w.hidden, NOWHERE]}),
            (4004, lambda w: {"message_id": [w.hers, NOWHERE]}),
            (4002, lambda w: {"message_id": [w.hers, w.hidden]}),
            (4002, lambda w: {"message_id": w.hidden}),
        ]
        for event in ("message.acknowledged", "message.read")
    },
    "message.react": [
        (4003, lambda w: reaction(NOWHERE, "")),
        (4003, lambda w: reaction(w.hidden, "x" * 129)),
        (4003, lambda w: reaction(NOWHERE, "", "remove")),
        (4003, lambda w: reaction(w.hidden, "x" * 129, "remove")),
        (4003, lambda w: reaction(NOWHERE, type="toggle")),
        (4004, lambda w: reaction(NOWHERE)),
        (4004, lambda w: reaction(NOWHERE, type="remove")),
        (4002, lambda w: reaction(w.hidden)),
        (4002, lambda w: reaction(w.hidden, type="remove")),
        (4004, lambda w: reaction(w.hers, type="remove")),
    ],
    "message.typing": [
        (4003, lambda w: at(NOWHERE, is_typing=5)),
        (4003, lambda w: at(w.far, is_typing="yes")),
        (4004, lambda w: at(NOWHERE)),
        (4002, lambda w: at(w.far)),
    ],
    "message.modify": [
        (4003, lambda w: update(NOWHERE, 5)),
        (4003, lambda w: update(w.hidden, "x", sender=1)),
        (4003, lambda w: {"action": "delete", "message_id": [w.hidden, NOWHERE, "x"]}),
        (4003, lambda w: {"action": "pin", "message_id": NOWHERE}),
        (4004, lambda w: update(NOWHERE, "")),
        (4004, lambda w: {"action": "delete", "message_id": [w.hidden, NOWHERE]}),
        (4002, lambda w: update(w.hidden, "")),
        (4002, lambda w: update(w.hers, "")),
        (4002, lambda w: {"action": "delete", "message_id": [w.mine, w.hers]}),
        (4002, lambda w: {"action": "delete", "message_id": [w.mine, w.hidden]}),
        (4003, lambda w: update(w.mine, "")),
        (4003, lambda w: {"action": "delete", "message_id": [w.mine, w.other]}),
    ],
    "room.create": [
        (4003, lambda w: create("Forum", name="x", participants=[NO_USER])),
        (4003, lambda w: create(GROUP, name=5, participants=[NO_USER])),
        (4003, lambda w: create(GROUP, participants=[NO_USER])),
        (4003, lambda w: create(GROUP, name="x", participants=["nobody", NO_USER])),
        (4003, lambda w: create(GROUP, name="x", participants=[NO_USER], extra_fields={"id": 1})),
        (4004, lambda w: create("OneToOneChat", participants=[NO_USER, w.alice.id])),
        (
            4004,
            lambda w: create(
                GROUP, name="x", participants=[NO_USER], extra_fields={"max_participants": 1}
            ),
        ),
        (4003, lambda w: create("OneToOneChat", participants=[w.bob.id, w.alice.id])),
        (
            4003,
            lambda w: create(
                CHANNEL, name="x", subscribers=[w.bob.id], extra_fields={"max_subscribers": 1}
            ),
        ),
        (4005, lambda w: create("OneToOneChat", participants=[w.alice.id])),
    ],
    "room.info": [
        (4003, lambda w: at("x")),
        (4004, lambda w: at(NOWHERE)),
        (4002, lambda w: at(w.far)),
    ],
    "room.messages": [
        (4003, lambda w: at(NOWHERE, paginate={"page": 0, "size": 1})),
        (4003, lambda w: at(NOWHERE, paginate={"page": 1})),
        (4003, lambda w: at(w.far, paginate=5)),
        (4004, lambda w: at(NOWHERE)),
        (4002, lambda w: at(w.far)),
    ],
    "room.join": [
        (4003, lambda w: at("x")),
        (4004, lambda w: at(NOWHERE)),
        (4003, lambda w: at(w.far)),
        (4003, lambda w: at(w.far_pair)),
        (4003, lambda w: at(w.far_channel)),
    ],
    "room.leave": [
        (4003, lambda w: at("x")),
        (4004, lambda w: at(NOWHERE)),
        (4002, lambda w: at(w.far)),
        (4002, lambda w: at(w.far_pair)),
        (4003, lambda w: at(w.pair)),
    ],
    **{
        event: [
            (4003, lambda w: at(NOWHERE, members=["nobody"])),
            (4003, lambda w: at(w.far, members=[str(BEYOND), "no user id"])),
            (4004, lambda w: at(w.far, members=[str(BEYOND), w.bob.id])),
            (4003, lambda w: at(w.far, members=[w.bob.id, None])),
            (4003, lambda w: at(NOWHERE)),
            (4004, lambda w: at(NOWHERE, members=[w.bob.id])),
            (4004, lambda w: at(w.far, members=[w.bob.id, NO_USER])),
            (4004, lambda w: at(w.pair, members=[NO_USER])),
            (4002, lambda w: at(w.far, members=[w.bob.id])),
            (4002, lambda w: at(w.far_pair, members=[w.bob.id])),
            (4002, lambda w: at(w.near, members=[w.bob.id])),
            (4003, lambda w: at(w.pair, members=[w.bob.id])),
        ]
        for event in ("room.add_members", "room.remove_members")
    },
    "room.modify": [
        (4003, lambda w: change(NOWHERE, "update", name=5)),
        (4003, lambda w: change(NOWHERE, "update", id=1)),
        (4003, lambda w: change(NOWHERE, "rename", name="x")),
        (4003, lambda w: change(NOWHERE, "add_admin", users=["nobody"])),
        (4003, lambda w: change(w.far, "remove_moderator", users=["nobody"])),
        (4003, lambda w: change(NOWHERE, "add_permission", users=[NO_USER])),
        (4003, lambda w: change(NOWHERE, "add_permission", users=["nobody"], permission=["x"])),
        (4004, lambda w: change(NOWHERE, "update", name="x")),
        (4004, lambda w: at(NOWHERE, action="delete")),
        (4004, lambda w: change(w.far, "add_admin", users=[NO_USER])),
        (4004, lambda w: change(w.own, "add_moderator", users=[NO_USER])),
        (4004, lambda w: change(w.far, "remove_permission", users=[NO_USER], permission=["x"])),
        (4002, lambda w: change(w.far, "update", is_public=True)),
        (4002, lambda w: change(w.near, "update", is_public=True)),
        (4002, lambda w: change(w.near, "update", name="")),
        (4002, lambda w: at(w.near, action="delete")),
        (4002, lambda w: change(w.far, "add_moderator", users=[w.bob.id])),
        (4002, lambda w: change(w.near, "add_moderator", users=[w.dave.id])),
        (4002, lambda w: change(w.near, "add_permission", users=[w.dave.id], permission=["x"])),
        (4003, lambda w: change(w.own, "update", name="")),
        (4003, lambda w: change(w.own, "update", is_public=True)),
        (4003, lambda w: change(w.own, "add_moderator", users=[w.alice.id])),
        (4003, lambda w: change(w.own_channel, "add_admin", users=[w.alice.id])),
        (4003, lambda w: change(w.own, "add_permission", users=[w.alice.id], permission=["x"])),
        (4003, lambda w: change(w.own, "add_permission", users=[w.alice.id], permission=[])),
    ],
}


def test_the_table_has_every_event() -> None:
    assert set(TABLE) == set(EVENTS)


@pytest.mark.parametrize("event", EVENTS)
async def test_of_two_faults_the_first_in_the_order_of_checks_is_named_and_nothing_comes_of_it(
    event: str, connect: Connect, users: Users, orm: Orm
) -> None:
    world = await make_world(connect, users)
    before = stored(orm, *world.rooms)
    expected, answered = [], []

    for code, build in TABLE[event]:
        data = build(world)
        await world.dave.send(event, data)
        frame = await world.dave.next()
        assert SECRET not in json.dumps(frame)
        expected.append((code, data))
        answered.append((frame.get("error", {}).get("code"), data))

    assert answered == expected
    assert stored(orm, *world.rooms) == before
    await nobody_gets_anything(world.alice, world.bob, world.dave)


@pytest.mark.parametrize("event", EVENTS)
async def test_every_event_needs_the_fields_that_it_is_about(
    event: str, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    for data in ({}, {"room_id": None, "message_id": None, "type": None, "action": None}):
        await alice.refused(4003, event, data)
    for no_object in (None, 5, "x", [], [{}]):
        await alice.client.send_raw(json.dumps({"event_type": event, "data": no_object}))
        await alice.error(4003)

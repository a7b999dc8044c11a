"""PROTOCOL of ``room.create``: the three types, who is told, and what is refused."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractUser

from gql_chat.models import Membership, get_model
from gql_chat.models.rules import GroupRules
from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import (
    FULL,
    NOBODY,
    NOWHERE,
    NUMBERED,
    WRITINGS,
    another_socket,
    channel,
    create,
    everybody_gets,
    group,
    one_to_one,
    people,
)

USER = {"id", "username", "email", "first_name", "last_name"}
ROOM = {"type", "id", "created_at", "updated_at", "property", "member_count", "read_markers"}
NAMED = ROOM | {"name", "description", "avatar", "creator", "history"}
GROUP = NAMED | {
    "participants",
    "admins",
    "max_participants",
    "join_approval_required",
    "group_locked",
}
CHANNEL = NAMED | {"subscribers", "moderators", "max_subscribers", "is_public"}


def rooms_of(user: AbstractUser) -> int:
    return Membership.objects.filter(user=user).count()


async def test_a_one_to_one_chat_has_the_documented_fields(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")

    room = await one_to_one(alice, bob)

    assert room.keys() == ROOM | {"participants"}
    assert room["type"] == "OneToOneChat"
    assert room["property"] == {"preferences": {}}
    assert room["participants"] == [alice.shown, bob.shown]


async def test_a_group_has_the_documented_fields_and_defaults(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")

    room = await create(alice, "GroupChat", {"name": "team", "participants": [bob.id]}, bob)

    assert room.keys() == GROUP
    assert room["type"] == "GroupChat"
    assert room["name"] == "team"
    assert (room["description"], room["avatar"]) == (None, None)
    assert room["creator"] == alice.shown
    assert room["participants"] == [alice.shown, bob.shown]
    assert room["admins"] == [alice.shown]
    assert room["max_participants"] == 100
    assert room["join_approval_required"] is False
    assert room["group_locked"] is False
    assert room["history"] == "shared"
    assert room["property"] == {"preferences": {}}


async def test_a_channel_has_the_documented_fields_and_defaults(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")

    room = await create(alice, "Channel", {"name": "news", "subscribers": [bob.id]}, bob)

    assert room.keys() == CHANNEL
    assert room["type"] == "Channel"
    assert room["name"] == "news"
    assert (room["description"], room["avatar"]) == (None, None)
    assert room["creator"] == alice.shown
    assert room["subscribers"] == [alice.shown, bob.shown]
    assert room["moderators"] == [alice.shown]
    assert room["max_subscribers"] == 300
    assert room["is_public"] is False
    assert room["history"] == "shared"
    assert room["property"] == {"preferences": {}}


async def test_times_are_utc_with_a_trailing_z(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")

    room = await group(alice)

    for name in ("created_at", "updated_at"):
        assert room[name].endswith("Z")
        assert "+" not in room[name]


@pytest.mark.parametrize(
    ("type", "fields"),
    [
        (
            "GroupChat",
            {
                "avatar": "https://example.com/team.png",
                "max_participants": 5,
                "join_approval_required": True,
                "group_locked": True,
            },
        ),
        (
            "Channel",
            {"avatar": "http://example.com/news.png", "max_subscribers": 7, "is_public": True},
        ),
    ],
)
async def test_extra_fields_are_set(
    type: str, fields: dict[str, Any], connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    given = {**fields, "property": {"preferences": {"colour": "red", "tags": [1, {"a": None}]}}}

    room = await create(
        alice, type, {"name": "n", "description": "about it", "extra_fields": given}
    )

    assert {name: room[name] for name in fields} == fields
    assert room["description"] == "about it"
    assert room["property"] == given["property"]
    assert await alice.ask("room.info", {"room_id": room["id"]}) == room


async def test_preferences_of_a_one_to_one_chat_are_set(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    extra = {"property": {"preferences": {"muted": True}}}

    data = {"participants": [bob.id], "extra_fields": extra}
    room = await create(alice, "OneToOneChat", data, bob)

    assert room["property"] == {"preferences": {"muted": True}}


async def test_every_socket_of_every_initial_member_is_told_and_nobody_else(
    connect: Connect, users: Users
) -> None:
    alice, bob, stranger = await people(connect, users, "alice", "bob", "stranger")
    alice_too = await another_socket(connect, alice)
    bob_too = await another_socket(connect, bob)

    await group(alice, alice_too, bob, bob_too)

    await stranger.nothing()
    await alice.nothing()


@pytest.mark.parametrize(
    ("type", "members"), [("GroupChat", "participants"), ("Channel", "subscribers")]
)
async def test_members_are_optional_and_doubles_and_oneself_count_once(
    type: str, members: str, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    doubled = [bob.id, str(bob.id), alice.id, bob.id]

    alone = await create(alice, type, {"name": "n"})
    together = await create(alice, type, {"name": "n", members: doubled}, bob)

    assert alone[members] == [alice.shown]
    assert together[members] == [alice.shown, bob.shown]


@pytest.mark.parametrize("write", WRITINGS)
@pytest.mark.parametrize(
    ("type", "members"),
    [("OneToOneChat", "participants"), ("GroupChat", "participants"), ("Channel", "subscribers")],
)
async def test_a_user_id_is_a_number_or_a_string(
    type: str, members: str, write: Any, connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")

    data = {"name": "n", members: [write(bob.id)]}
    room = await create(alice, type, data, bob)

    assert room[members] == [alice.shown, bob.shown]


@pytest.mark.parametrize(
    ("type", "members"),
    [("OneToOneChat", "participants"), ("GroupChat", "participants"), ("Channel", "subscribers")],
)
@pytest.mark.parametrize("write", WRITINGS)
async def test_an_unknown_user_is_not_found_and_nothing_is_stored(
    type: str, members: str, write: Any, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    named = [write(NOBODY)] if type == "OneToOneChat" else [bob.id, write(NOBODY)]

    await alice.refused(4004, "room.create", {"type": type, "name": "n", members: named})

    await bob.nothing()
    assert orm(rooms_of, alice.user) == orm(rooms_of, bob.user) == 0


@pytest.mark.parametrize(
    "user_id",
    [None, True, 1.5, "", "bob", "1.5", [], {}, [1], "\0", NOWHERE if NUMBERED else "7"],
)
@pytest.mark.parametrize(
    ("type", "members"),
    [("OneToOneChat", "participants"), ("GroupChat", "participants"), ("Channel", "subscribers")],
)
async def test_a_malformed_user_id_is_a_validation_error(
    type: str, members: str, user_id: Any, connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.refused(4003, "room.create", {"type": type, "name": "n", members: [user_id]})

    assert orm(rooms_of, alice.user) == 0


@pytest.mark.parametrize("user_id", [-1, 0, 2**63, "9" * 40] if NUMBERED else [0, 2**63])
async def test_a_number_that_no_user_can_have_is_not_found(
    user_id: Any, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    data = {"type": "GroupChat", "name": "n", "participants": [user_id]}

    await alice.refused(4004, "room.create", data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="no type"),
        pytest.param({"type": None}, id="null type"),
        pytest.param({"type": 1}, id="number as type"),
        pytest.param({"type": "Forum", "name": "n"}, id="unknown type"),
        pytest.param({"type": "Room", "name": "n"}, id="the abstract type"),
        pytest.param({"type": "groupchat", "name": "n"}, id="type in lower case"),
        pytest.param({"type": "OneToOneChat"}, id="pair without participants"),
        pytest.param({"type": "OneToOneChat", "participants": None}, id="pair with null"),
        pytest.param({"type": "OneToOneChat", "participants": []}, id="pair of one"),
        pytest.param({"type": "GroupChat"}, id="no name"),
        pytest.param({"type": "GroupChat", "name": None}, id="null name"),
        pytest.param({"type": "GroupChat", "name": ""}, id="empty name"),
        pytest.param({"type": "GroupChat", "name": 5}, id="number as name"),
        pytest.param({"type": "GroupChat", "name": "x" * 65}, id="long name"),
        pytest.param({"type": "Channel", "name": ""}, id="channel with empty name"),
        pytest.param({"type": "Channel", "name": "x" * 65}, id="channel with long name"),
        pytest.param({"type": "GroupChat", "name": "n", "description": 1}, id="description"),
        pytest.param({"type": "GroupChat", "name": "n", "participants": "all"}, id="text"),
        pytest.param({"type": "GroupChat", "name": "n", "participants": {}}, id="object"),
        pytest.param({"type": "GroupChat", "name": "n", "extra_fields": []}, id="extra_fields"),
    ],
)
async def test_a_wrong_field_is_a_validation_error(
    data: dict[str, Any], connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")

    assert await alice.refused(4003, "room.create", data)

    assert orm(rooms_of, alice.user) == 0


async def test_a_room_of_a_type_without_a_name_may_have_one(
    connect: Connect, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    monkeypatch.setattr(GroupRules, "named", False)
    members = {"participants": [bob.id]}

    for given, stored in (({}, ""), ({"name": None}, ""), ({"name": "x" * 64}, "x" * 64)):
        room = await create(alice, "GroupChat", {**members, **given}, bob)
        assert room["name"] == stored
    for name in ("", " ", "x" * 65):
        data = {"type": "GroupChat", "name": name, **members}
        detail = await alice.refused(4003, "room.create", data)
        assert detail.keys() == {"name"}
    await bob.nothing()


@pytest.mark.parametrize("type", ["GroupChat", "Channel"])
@pytest.mark.parametrize("name", ["x", "ü" * 64, "👩‍👩‍👧"])
async def test_a_name_has_1_to_64_characters(
    type: str, name: str, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")

    room = await create(alice, type, {"name": name})

    assert room["name"] == name


@pytest.mark.parametrize(
    ("type", "fields"),
    [
        ("GroupChat", {"max_participants": 0}),
        ("GroupChat", {"max_participants": -1}),
        ("GroupChat", {"max_participants": None}),
        ("GroupChat", {"max_participants": "5"}),
        ("GroupChat", {"max_participants": 1.5}),
        ("GroupChat", {"max_participants": True}),
        ("GroupChat", {"max_participants": 2**31}),
        ("GroupChat", {"group_locked": "yes"}),
        ("GroupChat", {"group_locked": None}),
        ("GroupChat", {"join_approval_required": 1}),
        ("GroupChat", {"avatar": "javascript:alert(1)"}),
        ("GroupChat", {"avatar": "no link"}),
        ("GroupChat", {"avatar": 1}),
        ("GroupChat", {"avatar": "https://example.com/" + "x" * 2000}),
        ("GroupChat", {"max_subscribers": 5}),
        ("GroupChat", {"is_public": True}),
        ("GroupChat", {"creator": 1}),
        ("GroupChat", {"id": str(uuid4())}),
        ("GroupChat", {"created_at": "2020-01-01T00:00:00Z"}),
        ("GroupChat", {"seq": 7}),
        ("GroupChat", {"type": "Channel"}),
        ("GroupChat", {"property": []}),
        ("GroupChat", {"property": {"preferences": []}}),
        ("GroupChat", {"property": {"preferences": {}, "room": "x"}}),
        ("Channel", {"max_subscribers": 0}),
        ("Channel", {"max_subscribers": None}),
        ("Channel", {"is_public": None}),
        ("Channel", {"max_participants": 5}),
        ("Channel", {"group_locked": True}),
    ],
)
async def test_a_wrong_extra_field_is_a_validation_error(
    type: str, fields: dict[str, Any], connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")

    assert await alice.refused(
        4003, "room.create", {"type": type, "name": "n", "extra_fields": fields}
    )

    assert orm(rooms_of, alice.user) == 0


@pytest.mark.parametrize(
    ("type", "members", "cap"),
    [
        ("GroupChat", "participants", "max_participants"),
        ("Channel", "subscribers", "max_subscribers"),
    ],
)
async def test_the_cap_counts_the_creator(
    type: str, members: str, cap: str, connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    extra = {cap: 2}

    fits = await create(alice, type, {"name": "n", members: [bob.id], "extra_fields": extra}, bob)
    refused = await alice.refused(
        4003,
        "room.create",
        {"type": type, "name": "n", members: [bob.id, carol.id], "extra_fields": extra},
    )

    assert fits[cap] == 2
    assert refused == FULL[type]
    await bob.nothing()
    await carol.nothing()
    assert orm(rooms_of, alice.user) == 1


@pytest.mark.parametrize("write", WRITINGS)
async def test_nobody_chats_with_themselves(write: Any, connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.refused(
        4003, "room.create", {"type": "OneToOneChat", "participants": [write(alice.id)]}
    )


async def test_a_one_to_one_chat_has_exactly_one_other(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")

    for named in ([bob.id, carol.id], [alice.id, bob.id]):
        await alice.refused(4003, "room.create", {"type": "OneToOneChat", "participants": named})

    await bob.nothing()


async def test_a_second_one_to_one_chat_is_a_conflict_that_names_the_first(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await one_to_one(alice, bob)

    for asking, other in ((alice, bob), (bob, alice)):
        detail = await asking.refused(
            4005, "room.create", {"type": "OneToOneChat", "participants": [other.id]}
        )
        assert "Chat already exists" in detail.values()
        assert detail["room_id"] == room["id"]

    await alice.nothing()
    assert orm(rooms_of, alice.user) == orm(rooms_of, bob.user) == 1


async def test_after_a_one_to_one_chat_was_deleted_there_can_be_a_new_one(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    first = await one_to_one(alice, bob)
    await bob.send("room.modify", {"room_id": first["id"], "action": "delete"})
    await everybody_gets("roomdelete.dispatch", alice, bob)

    second = await one_to_one(bob, alice)

    assert second["id"] != first["id"]


async def test_racing_creations_give_one_chat(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    racers = [
        (await another_socket(connect, user), other)
        for user, other in ((alice, bob), (bob, alice)) * 3
    ]

    await asyncio.gather(
        *(
            racer.send("room.create", {"type": "OneToOneChat", "participants": [other.id]})
            for racer, other in racers
        )
    )
    room = await everybody_gets("roomcreate.dispatch", alice, bob)

    conflicts = 0
    for racer, _ in racers:
        # The frame and the error, which stand in no order, or the frame alone.
        frames = [await racer.next()]
        await racer.send("room.list")
        while frames[-1].get("eventType") != "roomlist.dispatch":
            frames.append(await racer.next())
        kinds = [frame.get("eventType", frame.get("error")) for frame in frames[:-1]]
        assert kinds.count("roomcreate.dispatch") == 1
        errors = [kind for kind in kinds if kind != "roomcreate.dispatch"]
        assert [(error["code"], error["detail"]["room_id"]) for error in errors] in (
            [],
            [(4005, room["id"])],
        )
        conflicts += len(errors)
        assert [found["id"] for found in frames[-1]["data"]] == [room["id"]]
    assert conflicts == len(racers) - 1
    assert orm(rooms_of, alice.user) == orm(rooms_of, bob.user) == 1


async def test_creating_gives_the_creator_the_role_and_the_permissions(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    rooms = {
        "GroupChat": await group(alice, bob),
        "Channel": await channel(alice, bob),
    }

    for type, room in rooms.items():
        found = orm(get_model(type).objects.get, pk=room["id"])
        for permission in found.rules.permissions:
            assert orm(alice.user.has_perm, permission, found)
            assert not orm(bob.user.has_perm, permission, found)

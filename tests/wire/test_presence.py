"""Presence on the wire: who is there is told to whoever watches and may know."""

from typing import Any

import pytest

from gql_chat.models import Membership
from tests.conftest import ChatWith, Connect, Orm, Users
from tests.wire.rooms import (
    NOBODY,
    NOWHERE,
    WRITINGS,
    Person,
    another_socket,
    channel,
    group,
    people,
    remove,
)

SUBSCRIBE, UNSUBSCRIBE, SET = "presence.subscribe", "presence.unsubscribe", "presence.set"


@pytest.fixture(autouse=True)
def _soon(chat_with: ChatWith) -> None:
    """Let nobody wait long until somebody who has gone is offline."""
    chat_with(PRESENCE_GRACE=2)


async def watch(person: Person, **named: Any) -> dict[Any, str]:
    """Watch users or rooms; returns the status of each by the snapshot."""
    await person.send(SUBSCRIBE, named)
    return statuses(await person.expect("presence.dispatch"), snapshot=True)


async def news(person: Person) -> dict[Any, str]:
    """Take the next frame of changes; returns the status of each in it."""
    return statuses(await person.expect("presence.dispatch"), snapshot=False)


def statuses(data: dict[str, Any], *, snapshot: bool) -> dict[Any, str]:
    """The status of each user in a frame."""
    assert data.keys() == {"users", "snapshot"}
    assert data["snapshot"] is snapshot
    for user in data["users"]:
        assert user.keys() == {"user_id", "status", "last_seen"}
        assert user["last_seen"] is None or user["last_seen"].endswith(":00.000000Z")
    return {user["user_id"]: user["status"] for user in data["users"]}


async def done(person: Person, event_type: str, data: Any = None) -> None:
    """Send an event that has no answer of its own, and take its confirmation."""
    await person.client.send(event_type, data, request_id="done")
    await person.success(request_id="done")


# Watching


async def test_a_watcher_is_told_who_is_there_and_who_comes_and_goes(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    await group(alice, bob)

    assert await watch(alice, users=[bob.id]) == {bob.id: "online"}
    await bob.close()
    assert await news(alice) == {bob.id: "offline"}
    again = Person(bob.user, await connect(bob.user))
    assert await news(alice) == {bob.id: "online"}
    await alice.nothing()
    await again.nothing()


async def test_a_room_stands_for_its_members(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await channel(alice, bob)

    found = await watch(alice, rooms=[room["id"].upper()])

    assert found == {alice.id: "online", bob.id: "online"}
    await bob.close()
    assert await news(alice) == {bob.id: "offline"}


@pytest.mark.parametrize("written", WRITINGS)
async def test_ids_are_written_as_anywhere(connect: Connect, users: Users, written: Any) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    await group(alice, bob)

    assert await watch(alice, users=[written(bob.id)]) == {bob.id: "online"}


async def test_the_snapshot_carries_the_request_id(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    await group(alice, bob)

    await alice.client.send(SUBSCRIBE, {"users": [bob.id]}, request_id="r")
    frame = await alice.next()

    assert (frame["eventType"], frame["request_id"]) == ("presence.dispatch", "r")
    await alice.client.send(UNSUBSCRIBE, None, request_id="s")
    assert await alice.next() == {"status": "success", "request_id": "s"}


async def test_whoever_has_another_socket_stays_online(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    await group(alice, bob, carol)
    other = await another_socket(connect, bob)
    assert await watch(alice, users=[bob.id, carol.id]) == {bob.id: "online", carol.id: "online"}

    await bob.close()
    await carol.close()

    assert await news(alice) == {carol.id: "offline"}
    await other.close()
    assert await news(alice) == {bob.id: "offline"}


async def test_nobody_is_told_who_has_unsubscribed(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    await watch(alice, users=[bob.id, carol.id])
    await watch(bob, rooms=[room["id"]])
    await watch(bob, users=[alice.id])

    await done(alice, UNSUBSCRIBE, {"users": [str(bob.id)]})
    await done(bob, UNSUBSCRIBE, {"rooms": [room["id"]]})
    await carol.send(SET, {"status": "invisible"})

    assert await news(alice) == {carol.id: "offline"}
    await bob.nothing()
    await done(alice, UNSUBSCRIBE)
    await carol.send(SET, {"status": "auto"})
    await carol.send("session.heartbeat")
    await carol.success()
    await bob.close()
    await alice.nothing()


# Away and invisible


async def test_a_user_is_away_when_all_sockets_say_so(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    await group(alice, bob)
    other = await another_socket(connect, bob)
    await watch(alice, users=[bob.id])

    await bob.send("session.heartbeat", {"active": False})
    await bob.success()
    await alice.nothing()
    await other.send("session.heartbeat", {"active": False})
    await other.success()

    assert await news(alice) == {bob.id: "away"}
    for _ in range(2):
        await other.send("session.heartbeat")  # says nothing of it
        await other.success()
    await other.send("session.heartbeat", {"active": True})
    await other.success()
    assert await news(alice) == {bob.id: "online"}


@pytest.mark.parametrize("active", [None, 1, "no", []])
async def test_a_heartbeat_says_yes_or_no(connect: Connect, users: Users, active: Any) -> None:
    (alice,) = await people(connect, users, "alice")

    detail = await alice.refused(4003, "session.heartbeat", {"active": active})

    assert detail == {"active": "True or false is needed."}
    await alice.send("session.heartbeat", {"active": True, "more": 1})
    await alice.success()


async def test_the_invisible_look_offline_to_everybody(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    await group(alice, bob, carol)
    await watch(alice, users=[bob.id])

    await bob.send(SET, {"status": "invisible"})

    assert await news(alice) == {bob.id: "offline"}
    assert await watch(carol, users=[bob.id]) == {bob.id: "offline"}
    other = await another_socket(connect, bob)
    await other.send("session.heartbeat", {"active": False})
    await other.success()
    await other.close()
    await bob.send(SET, {"status": "auto"})
    assert await news(alice) == {bob.id: "online"}
    assert await news(carol) == {bob.id: "online"}


@pytest.mark.parametrize("data", [{}, {"status": "away"}, {"status": None}, {"status": ["auto"]}])
async def test_only_what_may_be_shown_is_set(connect: Connect, users: Users, data: Any) -> None:
    (alice,) = await people(connect, users, "alice")

    assert "status" in await alice.refused(4003, SET, data)


# Who may look


async def test_who_shares_no_room_sees_nothing(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob)
    await group(carol)

    await carol.refused(4002, SUBSCRIBE, {"users": [bob.id]})
    await alice.refused(4002, SUBSCRIBE, {"users": [bob.id, carol.id]})
    await carol.refused(4002, SUBSCRIBE, {"rooms": [room["id"]]})
    assert await watch(carol, users=[carol.id]) == {carol.id: "online"}
    await bob.send(SET, {"status": "invisible"})
    await bob.nothing()
    await bob.close()
    assert await watch(alice, rooms=[room["id"]]) == {alice.id: "online", bob.id: "offline"}
    await carol.nothing()


async def test_unknown_ones_are_not_found(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    await alice.refused(4004, SUBSCRIBE, {"users": [bob.id, NOBODY]})
    await alice.refused(4004, SUBSCRIBE, {"rooms": [room["id"], NOWHERE]})


async def test_forbidden_ones_may_be_hidden(
    connect: Connect, users: Users, chat_with: ChatWith
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice)
    chat_with(HIDE_FORBIDDEN=True)

    await bob.refused(4004, SUBSCRIBE, {"users": [alice.id]})
    await bob.refused(4004, SUBSCRIBE, {"rooms": [room["id"]]})


async def test_a_right_that_ends_ends_what_is_told(connect: Connect, users: Users) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    await watch(bob, users=[carol.id])
    await watch(alice, rooms=[room["id"]])

    await remove(alice, room, bob, carol)

    # Whom one sees no more looks like one who hides.
    assert await news(bob) == {carol.id: "offline"}
    assert await news(alice) == {bob.id: "offline"}
    await carol.send(SET, {"status": "invisible"})
    assert await news(alice) == {carol.id: "offline"}
    await bob.nothing()
    await bob.refused(4002, SUBSCRIBE, {"users": [carol.id]})


async def test_whoever_comes_into_a_room_is_seen_there(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice)
    await watch(alice, rooms=[room["id"]])

    await alice.send("room.add_members", {"room_id": room["id"], "members": [bob.id]})
    await alice.expect("roomaddmembers.dispatch")
    assert await news(alice) == {bob.id: "online"}

    # Plain code brings no frame.
    orm(Membership.objects.create, room_id=room["id"], user=carol.user)
    assert await news(alice) == {carol.id: "online"}


async def test_a_deleted_room_stands_for_nobody(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await watch(bob, rooms=[room["id"]])

    await alice.send("room.modify", {"room_id": room["id"], "action": "delete"})
    await bob.expect("roomdelete.dispatch")

    assert set((await news(bob)).values()) == {"offline"}
    await bob.refused(4004, SUBSCRIBE, {"rooms": [room["id"]]})


# Shapes and bounds

SHAPES: list[Any] = [
    None,
    [],
    {},
    {"users": None},
    {"users": []},
    {"rooms": []},
    {"users": [None]},
    {"users": 1},
    {"users": [[1]]},
    {"rooms": ["x"]},
    {"rooms": NOWHERE},
    {"users": [1], "rooms": [NOWHERE]},
    {"users": [{}], "rooms": {}},
]


@pytest.mark.parametrize("data", SHAPES)
async def test_what_is_malformed_is_refused(connect: Connect, users: Users, data: Any) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.refused(4003, SUBSCRIBE, data)


@pytest.mark.parametrize(
    "data", [{"users": 1}, {"users": [None]}, {"rooms": [{}]}, {"users": [True]}, {"rooms": ["x"]}]
)
async def test_a_malformed_unsubscribe_is_refused(
    connect: Connect, users: Users, data: Any
) -> None:
    (alice,) = await people(connect, users, "alice")

    await alice.refused(4003, UNSUBSCRIBE, data)


async def test_everything_has_a_bound(connect: Connect, users: Users, chat_with: ChatWith) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    everybody = [alice.id, bob.id, carol.id]
    chat_with(MAX_PRESENCE_USERS=2, MAX_PRESENCE_ROOMS=1, MAX_WATCHED_USERS=2)

    assert "users" in await alice.refused(4003, SUBSCRIBE, {"users": everybody})
    assert "rooms" in await alice.refused(4003, SUBSCRIBE, {"rooms": [room["id"], NOWHERE]})
    assert "rooms" in await alice.refused(4003, SUBSCRIBE, {"rooms": [room["id"]]})
    assert "users" in await alice.refused(4003, UNSUBSCRIBE, {"users": everybody})
    await watch(alice, users=everybody[:2])
    await watch(alice, users=everybody[1:2])
    assert "users" in await alice.refused(4003, SUBSCRIBE, {"users": everybody[2:]})
    await done(alice, UNSUBSCRIBE, {"users": everybody[:1]})
    await watch(alice, users=everybody[2:])


async def test_without_the_feature_there_is_nothing_of_it(
    connect: Connect, users: Users, chat_with: ChatWith
) -> None:
    (alice,) = await people(connect, users, "alice")
    chat_with(FEATURES=())

    for event_type in (SUBSCRIBE, UNSUBSCRIBE, SET):
        await alice.send(event_type, {"users": [alice.id], "status": "invisible"})
        assert await alice.next() == {"error": "invalid event type"}
    await alice.send("session.heartbeat", {"active": False})
    await alice.success()

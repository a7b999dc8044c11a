"""PROTOCOL of sessions: one row per socket, for as long as it is open, and never more than that."""

from datetime import UTC, datetime
from typing import Any

import pytest
from guardian.utils import get_anonymous_user

from gql_chat.models import get_model
from tests.client import Client
from tests.conftest import Connect, Orm, Users
from tests.timing import eventually
from tests.wire.rooms import Person, another_socket, group, people, say

LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def sessions(person: Person) -> Any:
    return get_model("Session").objects.filter(user=person.user).order_by("pk")


def channels(person: Person) -> set[str]:
    return set(sessions(person).values_list("channel_name", flat=True))


async def test_every_socket_is_a_session(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    await another_socket(connect, alice)

    assert len(orm(channels, alice)) == 2
    assert len(orm(channels, bob)) == 1
    assert orm(channels, alice).isdisjoint(orm(channels, bob))


@pytest.mark.parametrize("end", [Client.close, Client.abort])
async def test_a_session_ends_with_its_socket(
    end: Any, connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    stays = orm(channels, alice)
    other = await another_socket(connect, alice)
    assert len(orm(channels, alice)) == 2

    await end(other.client)

    await eventually(lambda: orm(channels, alice) == stays, "the session of the socket is gone")
    await alice.nothing()


async def test_who_is_turned_away_has_no_session(connect: Connect, orm: Orm) -> None:
    anonymous = orm(get_anonymous_user)
    nobody = await connect(anonymous, greeted=False)

    assert await nobody.closed() == 4001
    assert not orm(get_model("Session").objects.filter(user=anonymous).exists)


async def test_a_heartbeat_moves_the_time_of_its_own_session(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    (own,) = orm(channels, alice)
    beside = await another_socket(connect, alice)
    for person in (alice, bob):
        orm(sessions(person).update, last_seen=LONG_AGO)

    await alice.heartbeat()

    times = dict(orm(list, sessions(alice).values_list("channel_name", "last_seen")))
    assert times.pop(own) > LONG_AGO
    assert list(times.values()) == [LONG_AGO]
    assert orm(sessions(bob).get).last_seen == LONG_AGO
    await beside.nothing()


async def test_a_socket_whose_session_is_gone_hears_everything_and_has_one_again(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    before = orm(channels, bob)

    orm(sessions(bob).delete)

    await say(alice, room, "hello", bob)
    await say(bob, room, "hello back", alice)
    # A heartbeat brings the row back.
    await bob.heartbeat()
    assert orm(channels, bob) == before


async def test_a_socket_that_never_sends_a_heartbeat_hears_everything(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    orm(sessions(bob).update, last_seen=LONG_AGO, alive_at=LONG_AGO)

    await say(alice, room, "hello", bob)

"""Rows of users are deleted while they and others are at work: no deletion fails."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models.signals import pre_delete

from gql_chat import rates
from gql_chat.errors import ChatError
from gql_chat.models import GroupChat, Membership, Room, UserStream
from gql_chat.models.deletions import Deletion
from gql_chat.models.holds import accounts_of, hold_accounts
from gql_chat.operations import EventHandler
from tests.conftest import Users
from tests.servers import PostgresServer
from tests.unit.accounts.remains import left_of
from tests.unit.making import race

ROUNDS = int(os.environ.get("CHAT_TEST_ROUNDS", 5))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_accounts_go_while_they_make_join_and_are_brought_into_rooms(
    users: Users, committed_database: None, postgres: PostgresServer
) -> None:
    began = len(postgres.log)
    (owner,) = users.make("owner")
    channel = EventHandler(owner.pk).create_room(
        "Channel", name="channel", fields={"is_public": True}
    )
    for number in range(ROUNDS):
        both = users.make("first", "second")
        ids = [user.pk for user in both]
        rooms = [
            EventHandler(key).create_room("GroupChat", name="group", members=ids) for key in ids
        ]

        def act(key: Any, ids: list[Any] = ids, rooms: Any = rooms, number: int = number) -> None:
            acts: list[Callable[[], Any]] = [
                lambda: EventHandler(key).create_room("GroupChat", name="new", members=ids),
                lambda: EventHandler(key).create_room("OneToOneChat", members=[owner.pk]),
                lambda: EventHandler(key).join_room(channel.pk),
                lambda: EventHandler(key).open_session(f"{number}.{key}"),
                lambda: rates.Budget(key).lease(),
                lambda: EventHandler(key).send_message(rooms[0].pk, "hello"),
                lambda: EventHandler(owner.pk).add_members(channel.pk, ids),
                lambda: EventHandler(owner.pk).remove_members(channel.pk, ids),
            ]
            for each in acts:
                with suppress(ChatError):
                    each()

        works: list[Callable[[], Any]] = [
            lambda both=both: both[0].delete(),
            lambda ids=ids: get_user_model().objects.filter(pk=ids[1]).delete(),
            lambda act=act, ids=ids: act(ids[0]),
            lambda act=act, ids=ids: act(ids[1]),
        ]
        results = race(len(works), lambda place, works=works: works[place]() and None)

        assert [each for each in results if each is not None] == []
        assert [left_of(key) for key in ids] == [{}, {}]
    assert "deadlock detected" not in postgres.log[began:]


@pytest.mark.django_db
def test_who_comes_into_a_room_at_the_last_moment_is_gone_all_the_same(users: Users) -> None:
    alice, bob = users.make("alice", "bob")
    group = GroupChat.objects.create(name="group", creator=alice)
    key = bob.pk

    def enter(instance: Any, **_: Any) -> None:
        Membership.objects.enter(group, [instance.pk])

    pre_delete.connect(enter, sender=get_user_model())
    try:
        bob.delete()
    finally:
        pre_delete.disconnect(enter, sender=get_user_model())

    # Nobody tells who is gone: a row of their stream would refer to nobody.
    assert not UserStream.objects.filter(pk=key).exists()
    assert not Membership.objects.filter(user_id=key).exists()


@pytest.mark.django_db
def test_the_rooms_of_an_account_are_those_it_is_in_has_made_and_has_written_in(
    users: Users,
) -> None:
    alice, bob = users.make("alice", "bob")
    member, wrote = (GroupChat.objects.create(name="group", creator=alice) for _ in range(2))
    made = GroupChat.objects.create(name="group", creator=bob)
    member.participants.add(bob)
    wrote.participants.add(bob)
    EventHandler(bob.pk).send_message(wrote.pk, "hello")
    for room in (wrote, made):
        room.participants.add(alice)
        EventHandler(bob.pk).leave_room(room.pk)
    deletion = Deletion()

    hold_accounts(deletion, [bob.pk])

    assert deletion.locked == {member.pk, wrote.pk, made.pk}
    assert deletion.held == {bob.pk}


@pytest.mark.django_db
def test_a_deletion_begins_with_the_accounts_that_it_is_called_for(users: Users) -> None:
    alice, bob = users.make("alice", "bob")
    model = get_user_model()

    assert accounts_of(alice) == [alice.pk]
    both = model.objects.filter(pk__in=[alice.pk, bob.pk]).order_by("username")
    assert sorted(accounts_of(both)) == sorted([alice.pk, bob.pk])
    assert accounts_of(Room.objects.all()) == accounts_of(Room()) == accounts_of(None) == []

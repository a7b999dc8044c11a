"""What happens at the same moment, on several database threads: nothing that alone would fail."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from threading import Barrier
from typing import Any

import pytest
from django import VERSION
from django.db import (
    DatabaseError,
    connection,
    connections,
)

from gql_chat.errors import Conflict, Invalid, NotAuthenticated, NotFound, PermissionDenied
from gql_chat.models import (
    ChatNotification,
    ClientMessage,
    Delivery,
    Epoch,
    GroupChat,
    Membership,
    Message,
    OneToOneChat,
    Reaction,
    ReadReceipt,
    Room,
    StreamEvent,
    UserStream,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream, user_stream
from tests.conftest import Users
from tests.timing import PATIENCE
from tests.unit.committed import World, logged
from tests.unit.making import race

ROUNDS = 10


@pytest.fixture
def world(users: Users, committed_database: None) -> World:
    return World(users, members=7)


GONE = (NotFound, PermissionDenied)


def allow(errors: Any, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Do the work, which may raise these errors."""
    try:
        return work(*args, **kwargs)
    except errors as error:
        return error


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Race; nobody may fail."""
    results = race(count, work)
    failures = [result for result in results if isinstance(result, Exception)]
    if failures:
        raise failures[0]
    return results


@contextmanager
def isolation(level: str) -> Iterator[None]:
    """Let the transactions of this thread run at another level than the database's."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}")
    try:
        yield
    finally:
        if connection.vendor == "postgresql":
            connection.close()


# Deleting


def test_messages_are_deleted_while_members_acknowledge_them(world: World) -> None:
    for _ in range(ROUNDS):
        ids = [world.say() for _ in range(3)]

        def act(number: int, ids: list[Any] = ids) -> None:
            if number == 0:
                world.act.delete_messages(ids)
                return
            handler = EventHandler(world.members[number - 1].pk)
            for message_id in random.sample(ids, len(ids)):
                allow(NotFound, handler.acknowledge_messages, [message_id])
                allow(NotFound, handler.read_messages, [message_id])
                allow(NotFound, handler.add_reaction, message_id, "+1")

        together(len(world.members) + 1, act)

        assert not Message.objects.filter(pk__in=ids).exists()
    everything = logged(room_stream(world.group.pk))
    assert everything == list(range(1, len(everything) + 1))


def test_rooms_are_deleted_while_members_act(world: World) -> None:
    for _ in range(ROUNDS):
        room = world.make()
        ids = [world.say(room=room) for _ in range(3)]

        def act(number: int, room: Any = room, ids: list[Any] = ids) -> None:
            if number == 0:
                world.act.delete_room(room.pk)
                return
            handler = EventHandler(world.members[number - 1].pk)
            allow(GONE, handler.acknowledge_messages, ids)
            allow(GONE, handler.send_message, room.pk, "<b>late</b>")
            allow(GONE, handler.read_messages, ids)
            allow(GONE, handler.leave_room, room.pk)

        together(len(world.members) + 1, act)

        assert not Room.objects.filter(pk=room.pk).exists()
        # Of a deleted room the log keeps that it is gone.
        left = StreamEvent.objects.filter(stream=room_stream(room.pk))
        assert [event.kind for event in left] == ["RoomDeleted"]


def test_members_are_removed_while_they_acknowledge(world: World) -> None:
    for _ in range(ROUNDS):
        ids = [world.say() for _ in range(3)]
        removed = [member.pk for member in world.members[:3]]

        def act(number: int, ids: list[Any] = ids, removed: list[Any] = removed) -> None:
            if number == 0:
                world.act.remove_members(world.group.pk, removed)
                return
            handler = EventHandler(world.members[number - 1].pk)
            for message_id in ids:
                allow(PermissionDenied, handler.acknowledge_messages, [message_id])

        together(len(world.members) + 1, act)

        assert not Membership.objects.filter(room=world.group, user__in=removed).exists()
        world.group.participants.add(*removed)


def test_accounts_are_deleted_while_their_owners_act(world: World, users: Users) -> None:
    ids = [world.say() for _ in range(3)]

    for _ in range(ROUNDS):
        (owner,) = users.make("owner")
        Membership.objects.add(world.group, [owner.pk])
        acted = Barrier(3)

        def act(number: int, owner: Any = owner, acted: Barrier = acted) -> None:
            if number == 0:
                acted.wait(PATIENCE)
                owner.delete()
                return
            handler = EventHandler(owner.pk)
            ready = False
            with suppress(NotAuthenticated):
                while True:
                    handler.send_message(world.group.pk, "<b>more</b>")
                    handler.acknowledge_messages(ids)
                    handler.read_messages(ids)
                    allow(Conflict, handler.add_reaction, ids[0], str(random.random()))
                    if not ready:
                        acted.wait(PATIENCE)
                        ready = True

        key = owner.pk
        together(3, act)

        assert not Message.objects.filter(sender_id=key).exists()
    everything = logged(room_stream(world.group.pk))
    assert everything == list(range(1, len(everything) + 1))


def test_two_accounts_with_a_chat_are_deleted_at_once(world: World, users: Users) -> None:
    for _ in range(ROUNDS):
        first, second = users.make("first", "second")
        chat = OneToOneChat.objects.start(first, second)
        groups = [GroupChat.objects.create(name="g", creator=first) for _ in range(3)]
        for group in groups:
            group.participants.add(second, *world.members[:2])

        together(2, lambda number, two=(first, second): two[number].delete())

        assert not Room.objects.filter(pk=chat.pk).exists()
        assert logged(room_stream(chat.pk)) == [1]
        for group in GroupChat.objects.filter(pk__in=[group.pk for group in groups]):
            assert group.creator_id == world.members[0].pk
            assert [user.pk for user in group.admins.all()] == [world.members[0].pk]


def test_a_room_that_plain_code_deletes_twice_is_told_of_once(world: World) -> None:
    for _ in range(ROUNDS):
        room = world.make()

        together(3, lambda _, room=room: copy(room).delete())

        assert logged(room_stream(room.pk)) == [1]


def test_messages_are_deleted_while_others_quote_them(world: World) -> None:
    other = world.make()
    for _ in range(ROUNDS):
        message_id = world.say()

        def act(number: int, message_id: Any = message_id) -> None:
            if number == 0:
                world.act.delete_messages([message_id])
                return
            handler = EventHandler(world.members[number - 1].pk)
            if number % 2:
                room, quote = world.group, {"parent_message_id": message_id}
            else:
                room, quote = other, {"forwarded_from_id": message_id}
            allow(NotFound, handler.send_message, room.pk, "see", **quote)

        together(len(world.members) + 1, act)

        assert not Message.objects.filter(pk=message_id).exists()


# Once


def test_the_last_two_who_acknowledge_leave_no_notification(world: World) -> None:
    for _ in range(ROUNDS):
        message_id = world.say()
        together(
            len(world.members),
            lambda number, message_id=message_id: EventHandler(
                world.members[number].pk
            ).acknowledge_messages([message_id]),
        )
        assert not ChatNotification.objects.filter(message_id=message_id).exists()


def test_the_last_two_deliveries_that_plain_code_saves_leave_no_notification(world: World) -> None:
    for _ in range(ROUNDS):
        message_id = world.say()
        together(
            len(world.members),
            lambda number, message_id=message_id: Delivery.objects.create(
                message_id=message_id, user=world.members[number]
            ),
        )
        assert not ChatNotification.objects.filter(message_id=message_id).exists()


def test_a_sender_is_told_once_of_what_two_devices_acknowledge(world: World) -> None:
    stream = user_stream(world.alice.pk)
    bob = world.members[0]
    for said in range(1, ROUNDS * 2 + 1):
        message_id = world.say()
        together(
            4,
            lambda number, message_id=message_id: EventHandler(bob.pk).acknowledge_messages(
                [message_id]
            ),
        )
        assert logged(stream) == list(range(1, said + 1))


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_client_id_is_used_once_in_whatever_rooms(world: World, level: str) -> None:
    other = world.make()
    for number in range(ROUNDS):
        name = f"{level} {number}"

        def send(which: int, name: str = name) -> Any:
            with isolation(level):
                room = (world.group, other)[which % 2]
                return world.act.send_message(room.pk, "once", client_id=name).message_id

        ids = together(4, send)

        assert len(set(ids)) == 1
        (used,) = ClientMessage.objects.filter(sender=world.alice, client_id=name)
        assert used.message == ids[0]
    said = Message.objects.filter(room__in=[world.group, other], content="once")
    assert said.count() == ROUNDS


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_events_of_one_room_succeed_whatever_the_level(world: World, level: str) -> None:
    def act(number: int) -> list[int]:
        with isolation(level):
            handler = EventHandler(world.members[number].pk)
            return [handler.send_message(world.group.pk, f"{n}").seq for n in range(3)]

    found = together(len(world.members), act)

    everything = list(range(1, 3 * len(world.members) + 1))
    assert sorted(seq for each in found for seq in each) == everything


def test_threads_that_find_no_epoch_make_one_between_them(committed_database: None) -> None:
    for _ in range(5):
        Epoch.objects.all().delete()
        found = race(4, lambda number: Epoch.objects.read())
        assert found == [Epoch.objects.get().value] * 4


def test_several_devices_of_one_user_react_and_read_once(world: World) -> None:
    bob = world.members[0]
    for _ in range(ROUNDS):
        message_id = world.say()

        def act(number: int, message_id: Any = message_id) -> None:
            handler = EventHandler(bob.pk)
            if number % 2:
                allow(Conflict, handler.add_reaction, message_id, "+1")
            else:
                allow(Conflict, handler.read_messages, [message_id], once=True)

        together(6, act)

        assert Reaction.objects.filter(message_id=message_id, user=bob).count() == 1
        assert ReadReceipt.objects.filter(message_id=message_id, reader=bob).count() == 1


# Caps


@pytest.mark.parametrize("way", ["save", "create", "accessor", "operation"])
def test_a_cap_holds_whatever_code_adds_members(world: World, users: Users, way: str) -> None:
    for _ in range(ROUNDS):
        room = GroupChat.objects.create(name="full", creator=world.alice, max_participants=3)
        guests = users.make(*["guest"] * 4)

        def add(number: int, room: Any = room, guests: Any = guests) -> None:
            user = guests[number]
            if way == "save":
                allow(Invalid, Membership(room_id=room.pk, user=user).save)
            elif way == "create":
                allow(Invalid, Membership.objects.create, room=room, user=user)
            elif way == "accessor":
                allow(Invalid, room.participants.add, user)
            else:
                allow(Invalid, world.act.add_members, room.pk, [user.pk])

        together(len(guests), add)

        assert room.participants.count() == 3


@pytest.fixture
def deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the transactions of new connections begin as they do before Django 5.1: by reading."""
    options = {**connection.settings_dict["OPTIONS"], "transaction_mode": "DEFERRED"}
    monkeypatch.setitem(connections.settings[connection.alias], "OPTIONS", options)


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="others take turns by locks of rows")
@pytest.mark.skipif(VERSION < (5, 1), reason="no other mode: all tests of this module show it")
@pytest.mark.usefixtures("deferred")
def test_plain_code_waits_for_its_turn_whatever_its_transactions_begin_with(
    world: World, users: Users
) -> None:
    for _ in range(ROUNDS):
        guests = users.make(*["guest"] * 6)
        message_id = world.say()
        room = world.make()

        def act(
            number: int, guests: Any = guests, message_id: Any = message_id, room: Any = room
        ) -> None:
            Membership(room_id=world.group.pk, user=guests[number]).save()
            world.group.participants.add(guests[number])
            Delivery.objects.create(message_id=message_id, user=world.members[number])
            Membership.objects.get(room_id=room.pk, user=world.members[number]).delete()

        together(len(guests), act)

        assert world.group.participants.filter(pk__in=[each.pk for each in guests]).count() == 6
        assert Delivery.objects.filter(message_id=message_id).count() == 6
        room.delete()


# Positions


SAVES: dict[str, Callable[[Any], Any]] = {
    "save": lambda row: row.save(),
    "save of all columns": lambda row: row.save(
        update_fields=[field.name for field in row._meta.concrete_fields if not field.primary_key]
    ),
    "bulk_update": lambda row: type(row)._default_manager.bulk_update(
        [row],
        [field.name for field in row._meta.concrete_fields if not field.primary_key],
    ),
    "update": lambda row: (
        type(row)
        ._default_manager.filter(pk=row.pk)
        .update(
            **{
                field.attname: getattr(row, field.attname)
                for field in row._meta.concrete_fields
                if not field.primary_key
            }
        )
    ),
}


@pytest.mark.parametrize("way", SAVES.values(), ids=SAVES)
def test_a_stale_room_that_is_written_back_harms_no_room(
    world: World, way: Callable[[Any], Any]
) -> None:
    stale = [Room.objects.get(pk=world.group.pk), GroupChat.objects.get(pk=world.group.pk)]

    def act(number: int) -> list[int]:
        if number == 0:
            for _ in range(5):
                for room in stale:
                    way(room)
            return []
        handler = EventHandler(world.members[number].pk)
        return [handler.send_message(world.group.pk, "<i>text</i>").seq for _ in range(3)]

    found = together(4, act)
    for room in stale:
        way(room)
    last = world.act.send_message(world.group.pk, "after").seq

    assert sorted(seq for each in found for seq in each) == list(range(1, 10))
    assert last == 10
    assert logged(room_stream(world.group.pk)) == list(range(1, 11))


@pytest.mark.parametrize("way", SAVES.values(), ids=SAVES)
def test_a_stale_user_stream_that_is_written_back_harms_no_stream(
    world: World, way: Callable[[Any], Any]
) -> None:
    bob = world.members[0]
    handler = EventHandler(bob.pk)
    handler.acknowledge_messages([world.say()])
    stale = UserStream.objects.get(user=world.alice)
    handler.acknowledge_messages([world.say()])

    way(stale)
    handler.acknowledge_messages([world.say()])

    assert logged(user_stream(world.alice.pk)) == [1, 2, 3]


def test_a_plain_save_of_what_is_counted_writes_no_count(world: World) -> None:
    bob = world.members[0]
    world.say()
    EventHandler(bob.pk).acknowledge_messages([world.say()])
    counted: list[tuple[Any, tuple[str, ...]]] = [
        (Room.objects.get(pk=world.group.pk), ("seq", "last_activity")),
        (UserStream.objects.get(user=world.alice), ("seq",)),
        (
            Membership.objects.get(room=world.group, user=bob),
            ("joined_seq", "pending_from", "unread_from"),
        ),
    ]
    for row, columns in counted:
        stored = type(row).objects.values_list(*columns).get(pk=row.pk)
        for column in columns:
            setattr(row, column, type(row)._meta.get_field(column).get_default())
        row.save()
        assert type(row).objects.values_list(*columns).get(pk=row.pk) == stored


def test_a_stale_row_that_is_gone_does_not_come_back(world: World) -> None:
    bob = world.members[0]
    membership = Membership.objects.get(room=world.group, user=bob)
    room = Room.objects.get(pk=world.group.pk)
    world.act.remove_members(world.group.pk, [bob.pk])
    with pytest.raises(DatabaseError):
        membership.save()
    assert bob not in world.group.participants

    world.act.delete_room(world.group.pk)
    with pytest.raises(DatabaseError):
        room.save()
    assert not Room.objects.filter(pk=room.pk).exists()

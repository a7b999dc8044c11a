"""Users are erased while they and others are at work: nothing fails, and nothing is left."""

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from gql_chat import erase_user
from gql_chat.errors import (
    ChatError,
    Conflict,
    Invalid,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RateLimited,
)
from gql_chat.models import (
    ChatNotification,
    GroupChat,
    Membership,
    Message,
    OneToOneChat,
    Room,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream, user_stream
from tests.conftest import Users
from tests.timing import PATIENCE
from tests.unit.accounts.remains import left_of
from tests.unit.committed import World, logged
from tests.unit.making import race

#: Each kind of race is run so often; SQLite has one writer, so that little can meet there.
ROUNDS = int(os.environ.get("CHAT_TEST_ROUNDS", 6 if connection.vendor == "postgresql" else 2))

OUT = (NotAuthenticated, NotFound, PermissionDenied)


@pytest.fixture
def world(users: Users, committed_database: None) -> World:
    return World(users, members=4)


def together(*works: Callable[[], Any]) -> None:
    """Do all of it at the same moment; nothing may fail."""
    for result in race(len(works), lambda number: works[number]()):
        if isinstance(result, Exception):
            raise result


def is_gapless(stream: str) -> bool:
    """Whether the log of a stream has each sequence number once, in order."""
    seqs = logged(stream)
    return seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("messages", ["keep", "blank", "delete"])
def test_who_goes_on_writing_is_erased_whole(world: World, users: Users, messages: str) -> None:
    for _ in range(ROUNDS):
        (user,) = users.make("user")
        Membership.objects.add(world.group, [user.pk])
        ids = [world.say() for _ in range(2)]
        ready = Barrier(3)

        def write(user: Any = user, ids: list[Any] = ids, ready: Barrier = ready) -> None:
            handler = EventHandler(user.pk)
            is_ready = False
            with suppress(*OUT):
                while True:
                    handler.send_message(world.group.pk, "mine", client_id=None)
                    with suppress(Conflict):
                        handler.add_reaction(ids[0], "+1")
                    handler.read_messages(ids)
                    handler.acknowledge_messages(ids)
                    with suppress(RateLimited, Invalid):  # there are enough
                        handler.create_room("GroupChat", name="another")
                    if not is_ready:
                        is_ready = True
                        ready.wait(PATIENCE)

        def erase(user: Any = user, ready: Barrier = ready) -> None:
            ready.wait(PATIENCE)
            erase_user(user.pk, messages, batch=2)

        together(erase, write, write)

        assert left_of(user.pk) == {}
        assert logged(user_stream(user.pk)) == []
        kept = Message.objects.filter(room=world.group, sender=None)
        assert kept.exists() is (messages != "delete")
        assert set(kept.values_list("content", flat=True)) <= {"mine" if messages == "keep" else ""}
        kept.delete()
    assert is_gapless(world.stream)


def test_whom_others_bring_in_meanwhile_is_out_in_the_end(world: World, users: Users) -> None:
    for _ in range(ROUNDS):
        (user,) = users.make("user")
        Membership.objects.add(world.group, [user.pk])
        other = EventHandler(world.bob.pk)
        room = other.create_room("GroupChat", name="bob's")

        def add(user: Any = user, room: Any = room, other: EventHandler = other) -> None:
            with suppress(*OUT, Invalid):
                other.add_members(room.pk, [user.pk])

        def create(user: Any = user, other: EventHandler = other) -> None:
            with suppress(*OUT, Invalid):
                other.create_room("GroupChat", name="new", members=[user.pk])

        def pair(user: Any = user, other: EventHandler = other) -> None:
            with suppress(*OUT, Invalid):
                other.create_room("OneToOneChat", members=[user.pk])

        together(lambda user=user: erase_user(user.pk), add, create, pair)

        # Until deactivated accounts are refused, one may be brought in afterwards.
        user.refresh_from_db()
        assert not user.is_active
        erase_user(user.pk)
        assert left_of(user.pk) == {}


def test_an_erasure_and_the_deletion_of_its_rooms_and_messages(world: World, users: Users) -> None:
    for _ in range(ROUNDS):
        (user,) = users.make("user")
        room = world.make()
        Membership.objects.add(room, [user.pk])
        theirs = EventHandler(user.pk)
        ids = [theirs.send_message(room.pk, f"{n}").message_id for n in range(3)]
        ids += [world.say(room=room) for _ in range(3)]
        theirs.read_messages(ids)

        def delete(room: Any = room, ids: list[Any] = ids) -> None:
            for message_id in ids[3:5]:
                with suppress(NotFound):
                    world.act.delete_messages([message_id])
            world.act.delete_room(room.pk)

        def leave(room: Any = room) -> None:
            with suppress(*OUT):
                EventHandler(world.members[1].pk).leave_room(room.pk)

        together(lambda user=user: erase_user(user.pk, "blank", batch=1), delete, leave)

        assert left_of(user.pk) == {}
        assert not Room.objects.filter(pk=room.pk).exists()
        # Of its log there is left what says that it is gone.
        assert len(logged(room_stream(room.pk))) == 1


def test_others_read_react_and_forward_what_is_being_kept(world: World, users: Users) -> None:
    elsewhere = world.make()
    for _ in range(ROUNDS):
        (user,) = users.make("user")
        Membership.objects.add(world.group, [user.pk])
        theirs = EventHandler(user.pk)
        ids = [theirs.send_message(world.group.pk, f"{n}").message_id for n in range(3)]

        def act(who: Any, ids: list[Any] = ids) -> None:
            handler = EventHandler(who.pk)
            handler.acknowledge_messages(ids)
            handler.read_messages(ids)
            for message_id in ids:
                handler.add_reaction(message_id, "+1")
                handler.send_message(elsewhere.pk, forwarded_from_id=message_id)
                handler.send_message(world.group.pk, "re", parent_message_id=message_id)

        together(
            lambda user=user: erase_user(user.pk, batch=1),
            lambda act=act: act(world.bob),
            lambda act=act: act(world.members[1]),
        )

        assert left_of(user.pk) == {}
        assert Message.objects.filter(pk__in=ids, sender=None).count() == len(ids)
        for message in Message.objects.filter(pk__in=ids):
            assert message.reactions.count() == 2
            assert message.read_receipts.count() == 2
    assert is_gapless(world.stream)
    assert is_gapless(room_stream(elsewhere.pk))


def test_all_who_lead_a_room_are_erased_at_once(world: World, users: Users) -> None:
    for _ in range(ROUNDS):
        leaders = users.make("first", "second", "third")
        room = GroupChat.objects.create(name="g", creator=leaders[0])
        room.admins.add(*leaders[1:])
        room.participants.add(world.bob)

        together(*(lambda user=user: erase_user(user.pk, "delete") for user in leaders))

        room = GroupChat.objects.get(pk=room.pk)
        assert [user.pk for user in room.participants] == [world.bob.pk]
        assert [user.pk for user in room.admins] == [world.bob.pk]
        assert room.creator_id == world.bob.pk
        assert is_gapless(room_stream(room.pk))


def test_two_who_share_a_chat_are_erased_at_once(world: World, users: Users) -> None:
    for _ in range(ROUNDS):
        first, second = users.make("first", "second")
        chat = OneToOneChat.objects.start(first, second)
        for user in (first, second):
            EventHandler(user.pk).send_message(chat.pk, "hello")

        together(
            lambda user=first: erase_user(user.pk),
            lambda user=second: erase_user(user.pk, "delete"),
        )

        assert not Room.objects.filter(pk=chat.pk).exists()
        assert left_of(first.pk) == left_of(second.pk) == {}


def test_two_erasures_of_one_user_and_the_deletion_of_the_row(world: World, users: Users) -> None:
    for _ in range(ROUNDS):
        (user,) = users.make("user")
        Membership.objects.add(world.group, [user.pk])
        for number in range(4):
            EventHandler(user.pk).send_message(world.group.pk, f"{number}")
        key = user.pk

        def erase(key: Any = key) -> None:
            with suppress(NotFound):
                erase_user(key, "delete", batch=1)

        together(erase, erase, lambda user=user: user.delete())

        assert left_of(key) == {}
        assert not Message.objects.filter(room=world.group, sender_id=key).exists()
    assert is_gapless(world.stream)
    assert not ChatNotification.objects.filter(message__room=world.group, actor=None).exists()


def test_errors_of_an_erasure_are_those_of_the_chat(world: World) -> None:
    with pytest.raises(ChatError, match="messages"):
        erase_user(world.bob, "burn")

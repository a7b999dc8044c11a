"""Pins and hidden history with many at once: caps hold, and nobody slips in between."""

from typing import Any

import pytest

from gql_chat.errors import Invalid, NotFound
from gql_chat.models import GroupChat, Membership, Message, Pin, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream
from tests.conftest import Users
from tests.unit.making import race

ROUNDS = 3
MOST = 50


@pytest.fixture
def room(users: Users, committed_database: None) -> Any:
    """A group with `joined` history, and somebody who writes in it; committed."""
    made = EventHandler(users("alice").pk).create_room(
        "GroupChat", name="g", fields={"history": "joined"}
    )
    return GroupChat.objects.get(pk=made.pk)


def say(room: Any, text: str = "hello") -> Any:
    return EventHandler(room.creator_id).send_message(room.pk, text).message_id


def test_of_twenty_who_pin_at_once_one_gets_the_last_place(room: Any) -> None:
    for _ in range(MOST - 1):
        EventHandler(room.creator_id).pin_message(say(room))
    messages = [say(room) for _ in range(20)]

    results = race(20, lambda n: EventHandler(room.creator_id).pin_message(messages[n]))

    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 19
    assert all(isinstance(error, Invalid) for error in refused), refused
    assert Pin.objects.filter(room_id=room.pk).count() == MOST


def test_a_message_that_is_deleted_meanwhile_stays_unpinned(room: Any) -> None:
    for number in range(ROUNDS):
        text = f"a secret {number}"
        message = say(room, text)

        def act(number: int, message: Any = message) -> Any:
            handler = EventHandler(room.creator_id)
            return handler.delete_messages([message]) if number else handler.pin_message(message)

        pinned, deleted = race(2, act)

        assert not isinstance(deleted, Exception), deleted
        assert not isinstance(pinned, Exception) or isinstance(pinned, NotFound), pinned
        assert not Pin.objects.filter(room_id=room.pk).exists()
        assert not StreamEvent.objects.filter(
            stream=room_stream(room.pk), payload__contains=text
        ).exists()


def test_who_comes_in_while_others_write_sees_what_comes_after(room: Any, users: Users) -> None:
    for _ in range(ROUNDS):
        newcomer = users("bob")
        creator = room.creator_id

        def act(number: int, user: Any = newcomer, creator: Any = creator) -> Any:
            if number == 0:
                return EventHandler(creator).add_members(room.pk, [user.pk])
            return say(room, str(number))

        results = race(6, act)

        assert not [result for result in results if isinstance(result, Exception)]
        member = Membership.objects.get(room_id=room.pk, user_id=newcomer.pk)
        messages = Message.objects.filter(room_id=room.pk)
        after = set(messages.filter(stream_seq__gt=member.joined_seq).values_list("pk", flat=True))
        page = EventHandler(newcomer.pk).room_messages(room.pk)
        assert {message.pk for message in page.messages} == after

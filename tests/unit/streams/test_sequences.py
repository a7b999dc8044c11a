"""Sequence numbers: each stream has every one once, in the order of its log."""

import json
import threading
from typing import Any

from django.db import connections

from gql_chat.models import (
    Delivery,
    GroupChat,
    Message,
    StreamEvent,
    UserStream,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream, user_stream
from tests.conftest import Users
from tests.unit.committed import logged
from tests.unit.making import race

WRITERS = 10
EACH = 5


def test_racing_writers_leave_no_gap_no_repeat_and_one_order(users: Users, world: Any) -> None:
    writers = users.make(*["writer"] * WRITERS)
    world.group.participants.add(*writers)
    done = threading.Event()
    views: list[list[int]] = []

    def look() -> None:
        try:
            while not done.is_set():
                views.append(logged(world.stream))
        finally:
            connections.close_all()

    def write(number: int) -> list[int]:
        handler = EventHandler(writers[number].pk)
        return [handler.send_message(world.group.pk, f"{n}").seq for n in range(EACH)]

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    places = race(WRITERS, write)
    done.set()
    watcher.join()

    everything = list(range(1, WRITERS * EACH + 1))
    assert sorted(seq for own in places for seq in own) == everything
    assert all(own == sorted(own) for own in places)
    assert logged(world.stream) == everything
    # Whoever looks meanwhile sees a beginning: no later place is committed before an earlier one.
    assert all(view == everything[: len(view)] for view in views)
    # The room's history has the order of its stream.
    history = Message.objects.filter(room=world.group).order_by("created_at", "pk")
    payloads = StreamEvent.objects.filter(stream=world.stream).order_by("seq")
    assert [str(message.pk) for message in history] == [
        json.loads(event.payload)["message"]["id"] for event in payloads
    ]
    world.group.refresh_from_db()
    assert world.group.seq == len(everything)


def test_racing_events_for_several_users_neither_block_each_other_nor_leave_gaps(
    users: Users, world: Any
) -> None:
    senders, readers = users.make(*["sender"] * 3), users.make(*["reader"] * WRITERS)
    world.group.participants.add(*senders, *readers)
    messages = [
        EventHandler(sender.pk).send_message(world.group.pk, "hello").message_id
        for sender in senders
    ]

    def acknowledge(number: int) -> None:
        order = messages if number % 2 else messages[::-1]
        EventHandler(readers[number].pk).acknowledge_messages(order)

    assert race(WRITERS, acknowledge) == [None] * WRITERS

    for sender in senders:
        assert logged(user_stream(sender.pk)) == list(range(1, WRITERS + 1))
        assert UserStream.objects.get(user=sender).seq == WRITERS
    assert Delivery.objects.filter(message__in=messages).count() == 3 * WRITERS


def test_racing_writers_in_two_rooms_of_one_event_do_not_deadlock(users: Users, world: Any) -> None:
    other = GroupChat.objects.create(name="other", creator=world.alice)
    readers = users.make(*["reader"] * WRITERS)
    for room in (world.group, other):
        room.participants.add(*readers)
    handler = EventHandler(world.alice.pk)
    ids = [handler.send_message(room.pk, "hello").message_id for room in (world.group, other)]

    def read(number: int) -> None:
        EventHandler(readers[number].pk).read_messages(ids if number % 2 else ids[::-1])

    assert race(WRITERS, read) == [None] * WRITERS

    for room in (world.group, other):
        assert logged(room_stream(room.pk)) == list(range(1, WRITERS + 2))

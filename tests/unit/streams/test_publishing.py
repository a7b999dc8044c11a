"""What is published, and when."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from gql_chat import streams
from gql_chat.errors import Invalid, NotFound
from gql_chat.models import (
    Message,
    Room,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import Envelope
from tests.unit.committed import Failure, logged, of


def test_an_operation_publishes_what_it_committed(world: Any, published: list[Envelope]) -> None:
    EventHandler(world.alice.pk).send_message(world.group.pk, "hello")

    assert of(world.stream, published) == [(1, "MessageSent")]
    assert published[-1] == streams.read_log(world.stream, 0, 10)[0]


def test_a_failed_operation_stores_and_publishes_nothing(
    world: Any, published: list[Envelope]
) -> None:
    @streams.transaction()
    def fail() -> None:
        EventHandler(world.alice.pk).send_message(world.group.pk, "hello")
        world.group.participants.remove(world.bob)
        raise Failure

    with pytest.raises(Failure):
        fail()

    assert of(world.stream, published) == []
    assert logged(world.stream) == []
    assert not Message.objects.filter(room=world.group).exists()
    assert Room.objects.get(pk=world.group.pk).seq == 0
    # The place is free again.
    assert EventHandler(world.alice.pk).send_message(world.group.pk, "hello").seq == 1


def test_operations_inside_one_another_are_one(world: Any, published: list[Envelope]) -> None:
    handler = EventHandler(world.alice.pk)
    with streams.transaction() as outer:
        with streams.transaction() as inner:
            assert inner is outer is streams.current()
        handler.send_message(world.group.pk, "one")
        handler.send_message(world.group.pk, "two")
        assert of(world.stream, published) == []

    assert of(world.stream, published) == [(1, "MessageSent"), (2, "MessageSent")]


def test_an_error_in_an_inner_operation_undoes_the_outer_one(
    world: Any, published: list[Envelope]
) -> None:
    handler = EventHandler(world.alice.pk)

    @streams.transaction()
    def fail() -> None:
        handler.send_message(world.group.pk, "one")
        handler.send_message(uuid4(), "nowhere")

    with pytest.raises(NotFound):
        fail()

    assert (of(world.stream, published), logged(world.stream)) == ([], [])


def test_an_outer_transaction_publishes_when_it_commits(
    world: Any, published: list[Envelope]
) -> None:
    handler = EventHandler(world.alice.pk)
    with transaction.atomic():
        handler.send_message(world.group.pk, "one")
        with pytest.raises(Invalid):
            handler.send_message(world.group.pk, "")
        handler.send_message(world.group.pk, "two")
        assert of(world.stream, published) == []

    assert of(world.stream, published) == [(1, "MessageSent"), (2, "MessageSent")]


def test_an_outer_transaction_that_fails_publishes_nothing(
    world: Any, published: list[Envelope]
) -> None:
    @transaction.atomic
    def fail() -> None:
        EventHandler(world.alice.pk).send_message(world.group.pk, "one")
        raise Failure

    with pytest.raises(Failure):
        fail()

    assert (of(world.stream, published), logged(world.stream)) == ([], [])


def test_what_is_captured_is_left_to_the_caller(world: Any, published: list[Envelope]) -> None:
    handler = EventHandler(world.alice.pk)
    with streams.capture() as captured:
        handler.send_message(world.group.pk, "one")
        handler.type_in(world.group.pk)
    handler.send_message(world.group.pk, "two")

    assert of(world.stream, captured) == [(1, "MessageSent"), (0, "Typing")]
    assert of(world.stream, published) == [(2, "MessageSent")]


def test_what_fails_is_not_captured(world: Any) -> None:
    with streams.capture() as captured, pytest.raises(Invalid):
        EventHandler(world.alice.pk).send_message(world.group.pk, "")

    assert captured == []


def test_typing_takes_no_place(world: Any, published: list[Envelope]) -> None:
    EventHandler(world.alice.pk).type_in(world.group.pk)

    assert of(world.stream, published) == [(0, "Typing")]
    assert logged(world.stream) == []


def test_events_are_made_inside_operations_only() -> None:
    with pytest.raises(RuntimeError):
        streams.current()
    assert not streams.is_running()
    with streams.capture(), pytest.raises(RuntimeError):
        streams.current()

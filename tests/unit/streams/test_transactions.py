"""What becomes of an event whose transaction, hooks or receivers fail or are broken off."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import Context, copy_context
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models.signals import post_save

from gql_chat import streams
from gql_chat.models import (
    Membership,
    Message,
    StreamEvent,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream
from tests.unit.committed import World, logged
from tests.unit.making import race

# Hooks


def test_a_hook_that_raises_leaves_what_is_stored_answered_and_published(
    world: World, published: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    later: list[str] = []

    def fail() -> None:
        raise LookupError("the push service is away")

    class Handler(EventHandler):
        def validate_message(self, message: Any) -> None:
            transaction.on_commit(fail)
            transaction.on_commit(lambda: later.append(message.content))

    sent = Handler(world.alice.pk).send_message(world.group.pk, "stored")

    assert Message.objects.filter(pk=sent.message_id).exists()
    assert [envelope.seq for envelope in published] == [sent.seq]
    assert later == ["stored"]
    assert "test_transactions.test_a_hook_that_raises" in caplog.text
    assert "LookupError" in caplog.text


def test_what_is_broken_off_is_run_again_a_bounded_number_of_times(world: World) -> None:
    tries: list[int] = []

    def fail() -> None:
        tries.append(len(tries))
        world.say("again")
        raise streams.Again("broken off")

    with pytest.raises(streams.Again):
        streams.run(fail)

    assert len(tries) == streams.ATTEMPTS
    assert not Message.objects.filter(room=world.group).exists()


def test_what_is_broken_off_once_succeeds_unseen(world: World, published: list[Any]) -> None:
    tries: list[int] = []

    def send() -> Any:
        tries.append(len(tries))
        sent = world.act.send_message(world.group.pk, "once")
        if len(tries) < 3:
            raise streams.Again("broken off")
        return sent

    sent = streams.run(send)

    assert [message.pk for message in Message.objects.filter(room=world.group)] == [sent.message_id]
    assert [envelope.seq for envelope in published] == [1]


@pytest.mark.parametrize("name", ["sqlstate", "pgcode"])  # psycopg's, psycopg2's
def test_what_either_driver_calls_a_deadlock_is_run_again(world: World, name: str) -> None:
    class Deadlock(Exception):
        pass

    setattr(Deadlock, name, "40P01")
    tries: list[int] = []

    def send() -> Any:
        tries.append(len(tries))
        if len(tries) < 3:
            raise OperationalError("deadlock detected") from Deadlock()
        return world.say("once")

    assert streams.run(send)
    assert len(tries) == 3


# Receivers of a project's, inside an operation


@contextmanager
def receiving(receiver: Callable[[Any], Any]) -> Iterator[None]:
    """Have a receiver called with each new message, but not with those that it writes itself."""
    busy: list[Any] = []

    def receive(instance: Any, **kwargs: Any) -> None:
        if not busy:
            busy.append(instance)
            try:
                receiver(instance)
            finally:
                busy.clear()

    post_save.connect(receive, sender=Message)
    try:
        yield
    finally:
        post_save.disconnect(receive, sender=Message)


def test_what_a_receiver_rolls_back_is_not_published(world: World, published: list[Any]) -> None:
    other = world.make()
    published.clear()

    def pass_on(message: Any) -> None:
        with suppress(LookupError), transaction.atomic():
            world.say("kept", room=other)
            with suppress(LookupError), transaction.atomic():
                world.say("undone", room=other)
                world.act.delete_room(other.pk)
                raise LookupError
            world.say("undone as well", room=other)
            raise LookupError

    with receiving(pass_on):
        world.say()
    world.say("real", room=other)

    stored = set(StreamEvent.objects.values_list("stream", "seq"))
    assert [(envelope.stream, envelope.seq) for envelope in published] == [
        (room_stream(world.group.pk), 1),
        (room_stream(other.pk), 1),
    ]
    assert {(envelope.stream, envelope.seq) for envelope in published} <= stored
    assert "real" in published[1].payload


def test_a_receiver_that_rolls_back_a_part_keeps_the_rest(
    world: World, published: list[Any]
) -> None:
    other = world.make()
    published.clear()

    def pass_on(message: Any) -> None:
        with transaction.atomic():
            world.say("kept", room=other)
            with suppress(LookupError), transaction.atomic():
                world.say("undone", room=other)
                raise LookupError
        world.say("kept too", room=other)

    with receiving(pass_on):
        world.say()

    kept = [envelope for envelope in published if envelope.stream == room_stream(other.pk)]
    assert [envelope.seq for envelope in kept] == logged(room_stream(other.pk)) == [1, 2]


def test_a_room_whose_lock_was_rolled_back_is_locked_anew(world: World) -> None:
    # A position that was read with the lock is old as soon as the lock is gone.
    with streams.transaction() as outbox:
        with suppress(LookupError), transaction.atomic():
            streams.lock(world.group.pk)
            raise LookupError
        assert outbox.seq_of(world.group.pk) is None


def test_what_a_caught_error_keeps_from_being_stored_is_not_answered(
    world: World, published: list[Any]
) -> None:
    def send_and_go_on() -> Any:
        sent = world.act.send_message(world.group.pk, "never stored")
        with suppress(IntegrityError):
            Membership.objects.bulk_create([Membership(room=world.group, user=world.alice)])
        return sent

    published.clear()
    with pytest.raises(transaction.TransactionManagementError, match=r"transaction\.atomic"):
        streams.run(send_and_go_on)

    assert published == []
    assert not Message.objects.filter(room=world.group).exists()


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite ends no transaction by itself")
def test_what_postgresql_gave_up_is_not_answered(world: World, published: list[Any]) -> None:
    tries: list[int] = []

    def send_and_go_on() -> Any:
        tries.append(len(tries))
        sent = world.act.send_message(world.group.pk, "never stored")
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nowhere")
        return sent

    published.clear()
    with pytest.raises(transaction.TransactionManagementError, match=r"transaction\.atomic"):
        streams.run(send_and_go_on)

    assert published == []
    assert not Message.objects.filter(room=world.group).exists()


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite breaks no transaction off")
@pytest.mark.parametrize("code", ["40001", "40P01"])
@pytest.mark.parametrize("marked", [False, True])
def test_what_is_broken_off_in_a_receiver_that_catches_it_is_run_again(
    world: World, published: list[Any], code: str, marked: bool
) -> None:
    tries: list[int] = []

    def audit(message: Any) -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            mark = transaction.mark_for_rollback_on_error if marked else nullcontext
            with suppress(DatabaseError), mark("default"), connection.cursor() as cursor:
                cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")

    published.clear()
    with receiving(audit):
        message_id = world.say("once")

    assert [message.pk for message in Message.objects.filter(room=world.group)] == [message_id]
    assert [envelope.seq for envelope in published] == [1]
    assert len(tries) == 2


def test_a_context_that_was_copied_inside_an_operation_may_outlive_it(
    world: World, published: list[Any]
) -> None:
    # As a receiver does that hands a task to an event loop.
    other = world.make()
    published.clear()
    contexts: list[Context] = []

    def pass_on(message: Any) -> None:
        contexts.append(copy_context())

    with receiving(pass_on), streams.capture() as captured:
        streams.run(world.say)

    for context in contexts:
        context.run(world.say, "later", room=other)
        race(1, lambda _, context=context: context.run(world.say, "elsewhere", room=other))

    assert [envelope.stream for envelope in captured] == [room_stream(world.group.pk)]
    assert [envelope.seq for envelope in published] == logged(room_stream(other.pk)) == [1, 2]


def test_a_repeat_names_the_place_of_a_message_that_was_not_the_next(world: World) -> None:
    bot = EventHandler(world.members[0].pk)

    with receiving(lambda message: bot.send_message(world.group.pk, "hello yourself")):
        sent = world.act.send_message(world.group.pk, "hello", client_id="mine")
    repeat = world.act.send_message(world.group.pk, "hello", client_id="mine")

    assert sent.seq == 2
    assert (repeat.message_id, repeat.stream, repeat.seq) == (
        sent.message_id,
        sent.stream,
        sent.seq,
    )

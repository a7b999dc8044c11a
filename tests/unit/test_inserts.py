"""Rows inserted by kept SQL are those that Django would insert."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import serializers
from django.db import IntegrityError, connection, models, transaction
from django.db.models.functions import Now, Upper
from django.db.models.signals import post_save, pre_save
from django.test.utils import CaptureQueriesContext

from gql_chat.models import (
    ChatNotification,
    GroupChat,
    Message,
    ReadReceipt,
    bulk,
    get_model,
)
from gql_chat.models.inserts import _saves_plainly, insert, inserts
from tests.conftest import Users

pytestmark = pytest.mark.django_db


class World:
    """A group with a message."""

    def __init__(self, users: Users) -> None:
        self.alice, self.bob = users.make("alice", "bob")
        self.group = GroupChat.objects.create(name="group", creator=self.alice)
        self.message = self.say("first")

    def say(self, content: Any, **fields: Any) -> Message:
        return Message.objects.create(room=self.group, sender=self.alice, content=content, **fields)

    def message_to_insert(self) -> Message:
        return Message(room=self.group, sender=self.alice, content="new")


@pytest.fixture
def world(users: Users) -> World:
    return World(users)


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The signals of receipts, as they come."""
    signals: list[str] = []

    def hear_before(**kwargs: Any) -> None:
        signals.append("pre_save")

    def hear_after(created: bool, **kwargs: Any) -> None:
        signals.append(f"post_save, created: {created}")

    pre_save.connect(hear_before, sender=ReadReceipt)
    post_save.connect(hear_after, sender=ReadReceipt)
    yield signals
    pre_save.disconnect(hear_before, sender=ReadReceipt)
    post_save.disconnect(hear_after, sender=ReadReceipt)


def test_what_is_inserted_is_what_was_said(world: World) -> None:
    made = world.say("täglich 100 % ' \" \\ ☃", parent_message=world.message)

    found = Message.objects.get(pk=made.pk)
    assert {field.attname: getattr(found, field.attname) for field in Message._meta.fields} == {
        field.attname: getattr(made, field.attname) for field in Message._meta.fields
    }


def test_what_the_database_computes_is_computed(world: World) -> None:
    made = world.say(Upper(models.Value("loud")), created_at=Now())

    made.refresh_from_db()
    assert made.content == "LOUD"
    assert made.created_at >= world.message.created_at


def test_a_fixture_is_loaded_as_it_is(world: World) -> None:
    text = serializers.serialize("json", [world.message])
    Message.objects.filter(pk=world.message.pk).delete()

    for loaded in serializers.deserialize("json", text):
        loaded.save()

    assert Message.objects.get(pk=world.message.pk).content == "first"


def test_what_the_database_refuses_is_an_integrity_error(world: World) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        world.say("again", pk=world.message.pk)

    assert Message.objects.get(pk=world.message.pk).content == "first"


@pytest.mark.parametrize("count", [1, 2])
def test_rows_written_together_send_the_signals_of_each(
    count: int, world: World, heard: list[str]
) -> None:
    messages = [world.message, world.say("second")][:count]

    bulk.insert([ReadReceipt(message=message, reader=world.bob) for message in messages])

    assert heard == ["pre_save"] * count + ["post_save, created: True"] * count
    assert ReadReceipt.objects.filter(reader=world.bob).count() == count


@pytest.mark.parametrize("count", [1, 2])
def test_rows_written_together_are_one_statement(count: int, world: World) -> None:
    receipts = [
        ReadReceipt(message=message, reader=world.bob)
        for message in (world.message, world.say("second"))
    ]

    with CaptureQueriesContext(connection) as queries:
        bulk.insert(receipts[:count])

    assert len([query for query in queries if query["sql"].startswith("INSERT")]) == 1


def test_no_rows_are_no_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        bulk.insert([])

    assert len(queries) == 0


class Told:
    """What the signals of messages tell."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def hear(self, signal: str) -> Any:
        def receiver(**kwargs: Any) -> None:
            instance = kwargs.pop("instance")
            state = (instance._state.adding, instance._state.db)
            self.told.append((signal, {**kwargs, "signal": None}, state))

        return receiver


@pytest.fixture
def told() -> Iterator[Told]:
    """What the signals of messages tell."""
    told = Told()
    before, after = told.hear("pre_save"), told.hear("post_save")
    pre_save.connect(before, sender=Message)
    post_save.connect(after, sender=Message)
    yield told
    pre_save.disconnect(before, sender=Message)
    post_save.disconnect(after, sender=Message)


def test_inserting_tells_what_saving_tells(told: Told, world: World) -> None:
    told.told.clear()
    world.message_to_insert().save(force_insert=True)
    by_saving = told.told.copy()
    told.told.clear()
    inserted = world.message_to_insert()

    insert(inserted)

    assert told.told == by_saving
    assert [signal for signal, _, _ in by_saving] == ["pre_save", "post_save"]
    assert Message.objects.get(pk=inserted.pk).content == "new"
    assert ChatNotification.objects.filter(message=inserted).count() == 1


@pytest.mark.parametrize("method", ["save", "save_base", "_do_insert"])
def test_a_model_that_saves_in_its_own_way_does_so(
    method: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[Message] = []
    own = getattr(Message, method)

    def save_here(self: Message, *args: Any, **kwargs: Any) -> Any:
        saved.append(self)
        return own(self, *args, **kwargs)

    monkeypatch.setattr(Message, method, save_here)
    message = world.message_to_insert()
    _saves_plainly.cache_clear()
    try:
        insert(message)
    finally:
        _saves_plainly.cache_clear()

    assert saved == [message]
    assert Message.objects.filter(pk=message.pk).exists()


def test_a_row_without_a_key_gets_one(world: World) -> None:
    message = world.message_to_insert()
    message.pk = None

    insert(message)

    assert Message.objects.filter(pk=message.pk).exists()


def test_what_is_refused_by_the_database_spoils_the_transaction(world: World) -> None:
    message = world.message_to_insert()
    message.pk = world.message.pk

    with transaction.atomic():
        with pytest.raises(IntegrityError):
            insert(message)
        assert connection.needs_rollback
        connection.needs_rollback = False
        transaction.set_rollback(True)

    assert message._state.adding


@pytest.mark.parametrize(
    "model", ["Message", "ChatNotification", "Reaction", "ReadReceipt", "Session"]
)
def test_the_models_that_are_inserted_most_take_the_short_way(model: str) -> None:
    # Else the tests above would compare Django with itself.
    assert _saves_plainly(get_model(model))


def test_a_column_that_is_written_by_a_function_is_left_to_django() -> None:
    # A project's column of this kind has such a function on some databases.
    columns = [*Message._meta.local_concrete_fields, models.BinaryField()]

    assert inserts.find(Message, connection, columns) is None

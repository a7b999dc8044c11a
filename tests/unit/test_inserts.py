"""Rows inserted by kept SQL are those that Django would insert."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import serializers
from django.db import IntegrityError, connection, models, transaction
from django.db.models.functions import Now, Upper
from django.db.models.signals import post_save, pre_save
from django.test.utils import CaptureQueriesContext

from gql_chat.models import GroupChat, Message, ReadReceipt, bulk
from gql_chat.models.inserts import inserts
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


def test_a_column_that_is_written_by_a_function_is_left_to_django() -> None:
    # A project's column of this kind has such a function on some databases.
    columns = [*Message._meta.local_concrete_fields, models.BinaryField()]

    assert inserts.find(Message, connection, columns) is None

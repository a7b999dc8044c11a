"""Rows that are written together."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models.signals import post_save, pre_save
from django.test.utils import CaptureQueriesContext

from gql_chat.models import GroupChat, Message, ReadReceipt, bulk
from tests.conftest import Users

pytestmark = pytest.mark.django_db


class World:
    """Two messages, and who has not read them."""

    def __init__(self, users: Users) -> None:
        alice, self.bob = users.make("alice", "bob")
        group = GroupChat.objects.create(name="group", creator=alice)
        self.messages = [
            Message.objects.create(room=group, sender=alice, content=content)
            for content in ("first", "second")
        ]

    def receipts(self, count: int) -> list[ReadReceipt]:
        return [ReadReceipt(message=each, reader=self.bob) for each in self.messages[:count]]


@pytest.fixture
def world(users: Users) -> World:
    return World(users)


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The signals of receipts, as they come."""
    signals: list[str] = []

    def hear_before(**kwargs: object) -> None:
        signals.append("pre_save")

    def hear_after(created: bool, **kwargs: object) -> None:
        signals.append(f"post_save, created: {created}")

    pre_save.connect(hear_before, sender=ReadReceipt)
    post_save.connect(hear_after, sender=ReadReceipt)
    yield signals
    pre_save.disconnect(hear_before, sender=ReadReceipt)
    post_save.disconnect(hear_after, sender=ReadReceipt)


@pytest.mark.parametrize("count", [1, 2])
def test_rows_written_together_send_the_signals_of_each(
    count: int, world: World, heard: list[str]
) -> None:
    bulk.insert(world.receipts(count))

    assert heard == ["pre_save"] * count + ["post_save, created: True"] * count
    assert ReadReceipt.objects.filter(reader=world.bob).count() == count


@pytest.mark.parametrize("count", [1, 2])
def test_rows_written_together_are_one_statement(count: int, world: World) -> None:
    receipts = world.receipts(count)

    with CaptureQueriesContext(connection) as queries:
        bulk.insert(receipts)

    assert len([query for query in queries if query["sql"].startswith("INSERT")]) == 1


def test_no_rows_are_no_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        bulk.insert([])

    assert len(queries) == 0

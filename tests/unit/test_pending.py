"""What waits for a user: the newest of it, in pages, by the same work however much waits."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gql_chat.errors import Invalid, NotAuthenticated, NotFound
from gql_chat.models import (
    ChatNotification,
    Delivery,
    GroupChat,
    Membership,
    Message,
    NotificationType,
    Reaction,
)
from gql_chat.operations import EventHandler
from tests.conftest import Users
from tests.unit.answers import ask
from tests.unit.test_settings import chat

pytestmark = pytest.mark.django_db

START = timezone.now() - timedelta(days=1)


class Waiting:
    """Makes what waits for a user, all at its own time.

    Attributes:
        sender: who writes.
        reader: for whom it waits.
    """

    def __init__(self, users: Users) -> None:
        self.sender, self.reader = users.make("sender", "reader")

    def room(self) -> GroupChat:
        """A group of the two, who have been in it since before anything was said."""
        room = GroupChat.objects.create(name="group", creator=self.sender)
        room.participants.add(self.reader)
        Membership.objects.filter(room=room).update(joined_at=START, pending_from=START)
        return room

    def messages(self, room: GroupChat, times: list[datetime]) -> list[Message]:
        """Write messages into a room, one at each time."""
        messages = Message.objects.bulk_create(
            Message(room=room, sender=self.sender, content="waits", created_at=at) for at in times
        )
        ChatNotification.objects.bulk_create(
            ChatNotification(
                notification_type=NotificationType.NEW_MESSAGE,
                message=message,
                room=room,
                actor=self.sender,
                created_at=message.created_at,
            )
            for message in messages
        )
        return messages

    def reactions(self, room: GroupChat, times: list[datetime]) -> None:
        """React to messages of the reader's, at each time."""
        for at in times:
            mine = Message.objects.bulk_create(
                [Message(room=room, sender=self.reader, content="mine", created_at=START)]
            )[0]
            Reaction.objects.create(
                message=mine, user=self.sender, reaction_content="+", created_at=at
            )


def minutes(*numbers: int) -> list[datetime]:
    return [START + timedelta(minutes=number) for number in numbers]


@pytest.fixture
def waiting(users: Users) -> Waiting:
    return Waiting(users)


@pytest.fixture
def small(waiting: Waiting) -> Waiting:
    """Seven things in three rooms, mixed in time."""
    one, two, three = (waiting.room() for _ in range(3))
    waiting.messages(one, minutes(1, 4, 7))
    waiting.messages(two, minutes(2, 6))
    waiting.reactions(three, minutes(3, 5))
    return waiting


def pages(handler: EventHandler, size: int) -> Iterator[list[Any]]:
    page = handler.list_notifications(size=size)
    while True:
        yield page.notifications
        if not page.has_next:
            return
        page = handler.list_notifications(before=page.notifications[-1].pk, size=size)
        assert page.has_previous


def times(notifications: list[Any]) -> list[int]:
    return [round((each.created_at - START) / timedelta(minutes=1)) for each in notifications]


def test_a_socket_is_told_the_newest_over_all_rooms_each_rooms_oldest_first(
    small: Waiting,
) -> None:
    handler = EventHandler(small.reader.pk)
    for limit, wanted in ((None, [[1, 4, 7], [2, 6], [3, 5]]), (4, [[4, 7], [5], [6]])):
        with chat(MAX_NOTIFICATIONS=limit):
            told = handler.pending_notifications()

        assert sorted(times(each) for each in told.values()) == wanted
        assert all(each.room_id == room for room, found in told.items() for each in found)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_give_each_once_the_newest_first(small: Waiting, size: int) -> None:
    found = list(pages(EventHandler(small.reader.pk), size))

    assert [time for page in found for time in times(page)] == [7, 6, 5, 4, 3, 2, 1]
    assert all(len(page) == size for page in found[:-1])


def test_what_arrives_meanwhile_moves_nothing(small: Waiting) -> None:
    room = small.room()
    found = []
    for number, page in enumerate(pages(EventHandler(small.reader.pk), 2)):
        found += times(page)
        small.messages(room, minutes(100 + number))
        small.reactions(room, minutes(200 + number))

    assert found == [7, 6, 5, 4, 3, 2, 1]


def test_what_is_of_one_time_is_told_apart(waiting: Waiting) -> None:
    waiting.messages(waiting.room(), minutes(1, 1, 1))
    waiting.messages(waiting.room(), minutes(1, 1))

    found = [each.pk for page in pages(EventHandler(waiting.reader.pk), 2) for each in page]

    assert len(found) == len(set(found)) == 5


def test_pages_go_on_from_what_was_acknowledged_meanwhile(small: Waiting) -> None:
    third = small.sender._meta.default_manager.create_user("third@example.com")
    handler = EventHandler(small.reader.pk)
    first = handler.list_notifications(size=2).notifications
    for each in first:
        each.room.participants.add(third)
        Membership.objects.filter(user=third).update(joined_at=START)

    handler.acknowledge_messages([each.message_id for each in first])

    assert times(handler.list_notifications(before=first[-1].pk, size=2).notifications) == [5, 4]
    assert times(handler.list_notifications().notifications) == [5, 4, 3, 2, 1]


def test_a_place_that_is_nobodys_or_somebody_elses_is_unknown(small: Waiting, users: Users) -> None:
    handler = EventHandler(small.reader.pk)
    (theirs, *_) = handler.list_notifications(size=1).notifications
    late = users("late")
    theirs.room.participants.add(late)
    reaction = ChatNotification.objects.filter(recipient=small.reader).latest("created_at")

    for user, before in (
        (small.reader, uuid4()),
        (users("stranger"), theirs.pk),
        (late, theirs.pk),  # who joined after it
        (small.sender, theirs.pk),  # whose own message it is about
        (small.sender, reaction.pk),
    ):
        with pytest.raises(NotFound):
            EventHandler(user.pk).list_notifications(before=before)
    assert EventHandler(small.reader.pk).list_notifications(before=reaction.pk).notifications


def test_the_sizes_of_pages_have_their_bounds(small: Waiting) -> None:
    handler = EventHandler(small.reader.pk)
    for settings, asked, size in (
        ({"MAX_NOTIFICATIONS": 3}, None, 3),
        ({"MAX_NOTIFICATIONS": 3}, 5, 5),
        ({"MAX_NOTIFICATIONS": None, "MAX_PAGE_SIZE": 4}, None, 4),
        ({"MAX_NOTIFICATIONS": 6, "MAX_PAGE_SIZE": 4}, None, 4),
        ({"MAX_PAGE_SIZE": 4}, 5, 4),
        ({"MAX_NOTIFICATIONS": None, "MAX_PAGE_SIZE": None}, None, 7),
        ({"MAX_PAGE_SIZE": None}, 9, 9),
    ):
        with chat(**settings):
            page = handler.list_notifications(size=asked)
        assert (page.size, len(page.notifications)) == (size, min(size, 7))
        assert page.has_next == (size < 7)
        assert not page.has_previous
    with pytest.raises(Invalid):
        handler.list_notifications(size=0)


def test_without_notifications_the_page_is_empty(small: Waiting) -> None:
    with chat(ENABLE_NOTIFICATION=False):
        page = EventHandler(small.reader.pk).list_notifications(size=2)

    assert (page.notifications, page.has_next, page.has_previous) == ([], False, False)


def test_who_was_deactivated_is_told_nothing(small: Waiting) -> None:
    type(small.reader)._default_manager.filter(pk=small.reader.pk).update(is_active=False)

    with pytest.raises(NotAuthenticated):
        EventHandler(small.reader.pk).list_notifications()


def test_what_somebody_else_has_got_still_waits(small: Waiting) -> None:
    newest = EventHandler(small.reader.pk).list_notifications(size=1).notifications[0]
    Delivery.objects.bulk_create([Delivery(message=newest.message, user=small.sender)])

    assert times(EventHandler(small.reader.pk).list_notifications(size=1).notifications) == [7]


# What it costs


def steps(sql: str) -> list[tuple[str, int]]:
    """How the database runs a statement: each step, and how many rows it looked at if known."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            return [(row[-1], 0) for row in cursor.fetchall()]
        # Tables of a test are so small that reading them whole is fastest: forbid it.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("ANALYZE")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        found = cursor.fetchone()[0]
    plans, listed = [each["Plan"] for each in found], []
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", ())
        name = f"{plan['Node Type']} {plan.get('Index Name') or plan.get('Relation Name', '')}"
        removed = plan.get("Rows Removed by Filter", 0)
        listed.append((name, round((plan["Actual Rows"] + removed) * plan["Actual Loops"])))
    return listed


def test_many_waiting_cost_no_more_than_some(waiting: Waiting) -> None:
    """2,300 in one room, and as many reactions; 100 rooms in which a few wait."""
    busy = waiting.room()
    for _ in range(100):
        waiting.messages(waiting.room(), minutes(1, 2))
    handler = EventHandler(waiting.reader.pk)

    def look() -> tuple[int, list[tuple[str, int]]]:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")  # as autovacuum does by itself, some time
        oldest = handler.list_notifications(size=30).notifications[-1]
        with CaptureQueriesContext(connection) as captured:
            handler.pending_notifications()
            handler.list_notifications(before=oldest.pk, size=30)
        texts = [each["sql"] for each in captured.captured_queries]
        looks = [text for text in texts if "UNION ALL" in text]
        assert len(looks) == 2
        return len(texts), [step for text in looks for step in steps(text)]

    waiting.messages(busy, minutes(*range(10, 160)))
    waiting.reactions(busy, minutes(*range(10, 160)))
    few, _ = look()
    waiting.messages(busy, minutes(*range(200, 2350)))
    mine = Message.objects.filter(room=busy, sender=waiting.reader)
    messages = Message.objects.bulk_create(
        Message(room=busy, sender=waiting.reader, content="mine", created_at=at)
        for at in minutes(*range(200, 2350))
    )
    assert mine.count() == 2300
    ChatNotification.objects.bulk_create(
        ChatNotification(
            notification_type=NotificationType.REACTION,
            message=message,
            room=busy,
            actor=waiting.sender,
            recipient=waiting.reader,
            created_at=message.created_at,
        )
        for message in messages
    )
    many, plan = look()

    assert few == many
    assert all(rows < 1000 and not step.startswith("SCAN waiting") for step, rows in plan), plan


@pytest.mark.parametrize("letters", [10, 900, 3000])
def test_pages_end_early_where_messages_are_large(waiting: Waiting, letters: int) -> None:
    room = waiting.room()
    messages = waiting.messages(room, minutes(*range(9)))
    Message.objects.filter(pk__in=[m.pk for m in messages[::2]]).update(content="x" * letters)
    waiting.reactions(room, minutes(10, 11))

    with chat(MAX_ANSWER_BYTES=6000):
        found: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            data = {"paginate": {**cursor, "size": 4}}
            page = ask(waiting.reader, "notification.list", data)
            shown = [each["id"] for each in page["data"]["notifications"]]
            assert shown
            found += shown
            if not page["has_next"]:
                break
            cursor = {"before": shown[-1]}
        told = EventHandler(waiting.reader.pk).pending_notifications()

    everything = EventHandler(waiting.reader.pk).list_notifications(size=100).notifications
    assert found == [str(each.pk) for each in everything]
    assert len(everything) == 11
    (newest,) = told.values()
    assert [each.pk for each in newest[::-1]] == [each.pk for each in everything[: len(newest)]]
    assert 0 < len(newest) < 11


def test_one_large_message_with_many_reactions_counts_as_often(
    waiting: Waiting, users: Users
) -> None:
    room = waiting.room()
    mine = Message.objects.create(room=room, sender=waiting.reader, content="x" * 2000)
    for user in users.make(*["member"] * 6):
        room.participants.add(user)
        Reaction.objects.create(message=mine, user=user, reaction_content="+")

    with chat(MAX_ANSWER_BYTES=12_000):
        page = EventHandler(waiting.reader.pk).list_notifications(size=10)

    assert 1 < len(page.notifications) < 6
    assert page.has_next


def test_long_texts_are_weighed_before_they_are_read(waiting: Waiting) -> None:
    room = waiting.room()
    waiting.messages(room, minutes(*range(8)))
    Message.objects.filter(room=room).update(content="x" * 300_000)
    handler = EventHandler(waiting.reader.pk)

    with chat(MAX_MESSAGE_LENGTH=None):
        with CaptureQueriesContext(connection) as captured:
            told = handler.pending_notifications()
        page = handler.list_notifications(size=50)
        older = handler.list_notifications(before=page.notifications[-1].pk, size=50)

    assert [len(each) for each in told.values()] == [3]
    assert (len(page.notifications), len(older.notifications)) == (3, 3)
    assert page.has_next
    # With one that finds how long the texts are.
    assert len(captured) == 1 + 1 + 5

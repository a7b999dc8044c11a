"""`manage.py prune_chat`."""

from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from gql_chat.models import Delivery, EventSubject, GroupChat, Message, StreamEvent, get_model
from tests.conftest import Users

pytestmark = pytest.mark.django_db


def log(seq: int, age: timedelta) -> StreamEvent:
    """Write an event of a certain age."""
    return StreamEvent.objects.create(
        stream="room:a", seq=seq, kind="Typing", payload="{}", created_at=timezone.now() - age
    )


def prune(batch: int = 5000) -> str:
    """Run the command; return what it says."""
    out = StringIO()
    call_command("prune_chat", batch=batch, stdout=out)
    return out.getvalue()


def test_events_older_than_the_retention_go_in_batches(settings: Settings) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"EVENT_LOG_RETENTION": 3600}
    for seq in range(1, 6):
        log(seq, timedelta(hours=2))
    young = log(6, timedelta(minutes=5))

    said = prune(batch=2)

    assert list(StreamEvent.objects.all()) == [young]
    assert "event log: 2 deleted so far" in said
    assert "event log: 5 deleted\n" in said


def test_what_finds_old_events_goes_with_them(settings: Settings) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"EVENT_LOG_RETENTION": 3600}
    events = [log(seq, timedelta(hours=2)) for seq in (1, 2, 3)]
    young = log(4, timedelta(minutes=5))
    for event in (*events, young):
        EventSubject.objects.create(event=event, subject=uuid4())

    prune(batch=2)

    assert [each.event for each in EventSubject.objects.all()] == [young]


def test_without_a_retention_the_log_is_kept(settings: Settings) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"EVENT_LOG_RETENTION": None}
    old = log(1, timedelta(days=1000))

    assert "kept for ever" in prune()
    assert list(StreamEvent.objects.all()) == [old]


def test_sessions_without_a_process_go(users: Users) -> None:
    sessions = get_model("Session").objects
    long_ago = timezone.now() - timedelta(hours=1)
    alice = users("alice")
    for number in range(3):
        sessions.create(
            user=alice, channel_name=f"gone {number}", last_seen=long_ago, alive_at=long_ago
        )
    vouched = sessions.create(user=alice, channel_name="silent", last_seen=long_ago)

    said = prune(batch=2)

    assert "sessions: 2 deleted so far" in said
    assert "sessions: 3 deleted\n" in said
    assert list(sessions.all()) == [vouched]


def test_notifications_that_wait_for_nobody_go(users: Users) -> None:
    alice, bob = users.make("alice", "bob")
    room = GroupChat.objects.create(name="g", creator=alice)
    room.participants.add(bob)
    done = [Message.objects.create(room=room, sender=alice, content="done") for _ in range(3)]
    Message.objects.create(room=room, sender=alice, content="waiting")
    # Written in bulk, so without the signal that would end the notification.
    Delivery.objects.bulk_create([Delivery(message=message, user=bob) for message in done])

    said = prune(batch=2)

    assert "notifications: 2 deleted so far" in said
    assert "notifications: 3 deleted\n" in said
    (left,) = get_model("ChatNotification").objects.all()
    assert left.message.content == "waiting"


def test_a_batch_has_at_least_one_row() -> None:
    with pytest.raises(CommandError, match="--batch"):
        prune(batch=0)


def test_a_batch_fits_into_a_statement_of_any_sqlite() -> None:
    with pytest.raises(CommandError, match="from 1 to 30000"):
        prune(batch=30_001)

"""The signal that push services build on."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings
from pytest_django import DjangoCaptureOnCommitCallbacks

from gql_chat.events import MessageReacted, MessageSent
from gql_chat.models import ChatNotification, GroupChat, Message, Reaction, Session
from gql_chat.operations import EventHandler
from gql_chat.signals import notification_created

Commit = DjangoCaptureOnCommitCallbacks


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """What a receiver is told."""
    calls: list[dict[str, Any]] = []

    def note(**arguments: Any) -> None:
        calls.append(arguments)

    notification_created.connect(note)
    yield calls
    notification_created.disconnect(note)


def test_a_message_is_told_of_after_the_commit(
    group: GroupChat,
    alice: Any,
    bob: Any,
    carol: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    group.participants.add(carol)
    Session.objects.create(user=bob, channel_name="bob's")
    Session.objects.create(user=alice, channel_name="alice's")
    with django_capture_on_commit_callbacks(execute=True):
        EventHandler(alice.pk).send_message(group.pk, "Hello")
        assert told == []

    (call,) = told
    notification = ChatNotification.objects.get()
    assert call["notification"] == notification
    assert call["sender"] is ChatNotification
    assert set(call["recipients"]) == {bob, carol}
    assert set(call["connected"]) == {bob}
    assert isinstance(call["event"], MessageSent)
    assert call["event"].message == notification.message


def test_a_reaction_is_told_of(
    message: Message,
    alice: Any,
    bob: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        EventHandler(bob.pk).add_reaction(message.pk, "+")
        # One's own reaction notifies nobody.
        EventHandler(alice.pk).add_reaction(message.pk, "+")

    (call,) = told
    assert list(call["recipients"]) == [alice]
    assert isinstance(call["event"], MessageReacted)
    assert call["event"].message == message


def test_rows_that_the_orm_writes_are_told_of(
    group: GroupChat,
    alice: Any,
    bob: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        message = Message.objects.create(room=group, sender=alice, content="x")
        Reaction.objects.create(message=message, user=bob, reaction_content="+")

    assert [call["notification"].notification_type for call in told] == ["NEW_MESSAGE", "REACTION"]


def test_without_notifications_nobody_is_told(
    group: GroupChat,
    alice: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    with (
        override_settings(REALTIME_CHAT_MESSAGING={"ENABLE_NOTIFICATION": False}),
        django_capture_on_commit_callbacks(execute=True),
    ):
        EventHandler(alice.pk).send_message(group.pk, "Hello")

    assert told == []


def test_a_receiver_that_looks_at_nothing_costs_no_query(
    group: GroupChat,
    alice: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        EventHandler(alice.pk).send_message(group.pk, "Hello")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        for callback in callbacks:
            callback()
    assert len(told) == 1
    assert queries.captured_queries == []


def test_where_nobody_listens_nothing_is_planned(
    group: GroupChat, alice: Any, django_capture_on_commit_callbacks: Commit
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        EventHandler(alice.pk).send_message(group.pk, "Hello")

    # The one that publishes.
    assert len(callbacks) == 1


def test_a_receiver_that_fails_is_logged_and_changes_nothing(
    group: GroupChat,
    alice: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(**arguments: Any) -> None:
        raise ZeroDivisionError

    notification_created.connect(fail)
    try:
        with caplog.at_level(logging.ERROR), django_capture_on_commit_callbacks(execute=True):
            EventHandler(alice.pk).send_message(group.pk, "Hello")
    finally:
        notification_created.disconnect(fail)

    assert len(told) == 1
    assert "ZeroDivisionError" in caplog.text

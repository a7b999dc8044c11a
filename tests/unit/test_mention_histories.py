"""Mentions through random histories: each user is told once, and nothing is left behind."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase, override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gql_chat import list_mentions
from gql_chat.models import (
    ChatNotification,
    GroupChat,
    Mention,
    Session,
    StreamEvent,
)
from gql_chat.operations import EventHandler
from gql_chat.signals import notification_created
from tests.conftest import Users
from tests.unit.making import count_mentions

PEOPLE = 4
#: Whom a message mentions: members by number, the room, and who is there.
CALLS = st.tuples(st.sets(st.integers(1, PEOPLE - 1)), st.booleans(), st.booleans())
STEPS = st.one_of(
    st.tuples(st.just("send"), st.just(0), CALLS),
    st.tuples(st.just("edit"), st.integers(0, 3), CALLS),
    st.tuples(st.just("read"), st.integers(0, 3), st.integers(1, PEOPLE - 1)),
    st.tuples(st.just("acknowledge"), st.integers(0, 3), st.integers(1, PEOPLE - 1)),
    st.tuples(st.just("delete"), st.integers(0, 3), st.none()),
)


@contextmanager
def telling() -> Iterator[Counter[tuple[Any, Any]]]:
    """Count how often each user is told that a message mentions them: by message and user."""
    told: Counter[tuple[Any, Any]] = Counter()

    def note(notification: Any, mentioned: Any, **arguments: Any) -> None:
        told.update((notification.message_id, user.pk) for user in mentioned)

    notification_created.connect(note)
    try:
        yield told
    finally:
        notification_created.disconnect(note)


class History:
    """What should be so after each step.

    Attributes:
        calls: by message, whom it mentions: by name, as a whole room, as those who are there.
        ever: by message, who has been mentioned so far.
        read: by message, who has read it.
    """

    def __init__(self, room: Any, people: list[Any], there: set[Any]) -> None:
        self.room, self.people, self.there = room, people, there
        self.messages: list[Any] = []
        self.calls: dict[Any, tuple[set[Any], bool, bool]] = {}
        self.ever: dict[Any, set[Any]] = {}
        self.due: Counter[tuple[Any, Any]] = Counter()
        self.read: dict[Any, set[Any]] = {}

    def mentioned(self, message: Any) -> set[Any]:
        named, room, here = self.calls[message]
        everybody = {person.pk for person in self.people[1:]}
        return named | (everybody if room else set()) | (self.there if here else set())

    def note(self, message: Any, calls: tuple[set[Any], bool, bool]) -> None:
        self.calls[message] = calls
        fresh = self.mentioned(message) - self.ever[message]
        self.ever[message] |= fresh
        self.due.update((message, user) for user in fresh - self.read[message])

    def act(self, step: tuple[str, int, Any]) -> None:
        what, which, detail = step
        author = EventHandler(self.people[0].pk)
        if what != "send" and not self.messages:
            return
        message = self.messages[which % len(self.messages)] if self.messages else None
        if what in ("send", "edit"):
            numbers, room, here = detail
            named = {self.people[number].pk for number in numbers}
            mentions = {"users": sorted(named), "room": room, "here": here}
            if what == "send":
                message = author.send_message(self.room.pk, "x", mentions=mentions).message_id
                self.messages.append(message)
                self.ever[message], self.read[message] = set(), set()
            else:
                author.edit_message(message, None, mentions=mentions)
            self.note(message, (named, room, here))
        elif what == "read":
            EventHandler(self.people[detail].pk).read_messages([message])
            self.read[message].add(self.people[detail].pk)
        elif what == "acknowledge":
            EventHandler(self.people[detail].pk).acknowledge_messages([message])
        else:
            author.delete_messages([message])
            self.messages.remove(message)

    def check(self, told: Counter[tuple[Any, Any]]) -> None:
        assert told == self.due
        assert set(Mention.objects.values_list("message_id", flat=True)) <= set(self.messages)
        for person in self.people[1:]:
            mine = [each for each in self.messages[::-1] if person.pk in self.mentioned(each)]
            assert [each.pk for each in list_mentions(person).mentions] == mine
            unread = [each for each in mine if person.pk not in self.read[each]]
            expected = {self.room.pk: len(unread)} if unread else {}
            assert count_mentions(person.pk, [self.room.pk]) == expected


@pytest.mark.django_db
@pytest.mark.parametrize("soft", [False, True], ids=["gone", "hidden"])
def test_each_user_is_told_once_and_nothing_is_left(soft: bool, users: Users) -> None:
    people = users.make(*["person"] * PEOPLE)
    Session.objects.create(user=people[1], channel_name="a socket")

    @settings(max_examples=15, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(steps=st.lists(STEPS, min_size=3, max_size=9))
    def live(steps: list[Any]) -> None:
        with transaction.atomic(), telling() as told:
            room = GroupChat.objects.create(name="room", creator=people[0])
            room.participants.add(*people[1:])
            history = History(room, people, {people[1].pk})
            for step in steps:
                with TestCase.captureOnCommitCallbacks(execute=True):
                    history.act(step)
                history.check(told)
            for message in list(history.messages):
                history.act(("delete", history.messages.index(message), None))
            assert not Mention.objects.exists()
            assert not ChatNotification.objects.exists()
            log = StreamEvent.objects.filter(stream=f"room:{room.pk}", kind="MessageSent")
            for payload in log.values_list("payload", flat=True):
                assert '"mentions":{"users":[],"room":false,"here":false}' in payload
            transaction.set_rollback(True)

    with override_settings(REALTIME_CHAT_MESSAGING={"MESSAGE_SOFT_DELETE": soft}):
        live()

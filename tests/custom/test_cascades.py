"""Rows of a project's that go with an account or a room, while everybody writes such rows.

``CHAT_CASCADE_ROUNDS`` says how many rounds each race has.
"""

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.db.models.signals import post_delete, post_save, pre_delete
from django.test import override_settings

from gql_chat.errors import NotAuthenticated, NotFound, PermissionDenied
from gql_chat.models import GroupChat, Membership, get_model
from gql_chat.operations import EventHandler
from tests.conftest import Users
from tests.site.marks.models import Mark
from tests.unit.making import race

ROUNDS = int(os.environ.get("CHAT_CASCADE_ROUNDS", "5"))
THREADS = 6

#: What one is answered who does something in a room, or for an account, that is gone.
GONE = (NotAuthenticated, NotFound, PermissionDenied)


@pytest.fixture
def collected(committed_database: None) -> Iterator[None]:
    """Somebody hears of each mark that goes: so Django collects them one by one, beforehand."""

    def hear(**kwargs: Any) -> None:
        pass

    post_delete.connect(hear, sender=Mark)
    try:
        yield
    finally:
        post_delete.disconnect(hear, sender=Mark)


@pytest.fixture
def marking(collected: None) -> Iterator[None]:
    """Each message leaves marks of its room, of its sender, and of somebody else in the room.

    Nobody is told to come back later because a lock is held for long.
    """

    def mark(instance: Any, **kwargs: Any) -> None:
        members = Membership.objects.filter(room_id=instance.room_id)
        other = members.order_by("?").values_list("user_id", flat=True).first()
        for user_id in (instance.sender_id, other):
            Mark.objects.create(room_id=instance.room_id, user_id=user_id)

    message = get_model("Message")
    post_save.connect(mark, sender=message)
    try:
        present = settings.REALTIME_CHAT_MESSAGING
        with override_settings(REALTIME_CHAT_MESSAGING={**present, "LOCK_TIMEOUT": None}):
            yield
    finally:
        post_save.disconnect(mark, sender=message)


def talk(user: Any, rooms: list[Any]) -> None:
    """Say something in the rooms; one is told clearly where that cannot be."""
    for room in random.sample(rooms, len(rooms)):
        with suppress(*GONE):
            EventHandler(user.pk).send_message(room.pk, "hello")


@pytest.mark.parametrize("way", ["account", "accounts", "room"])
def test_whoever_deletes_succeeds_while_others_send(way: str, users: Users, marking: None) -> None:
    failed: list[str] = []
    for _ in range(ROUNDS):
        people = users.make(*["person"] * THREADS)
        rooms = [GroupChat.objects.create(name="group", creator=each) for each in people[:3]]
        for room in rooms:
            room.participants.add(*people)
        doomed = people[0]

        def act(
            number: int, people: Any = people, rooms: Any = rooms, doomed: Any = doomed
        ) -> None:
            if number:
                talk(people[number], rooms)
                talk(doomed if number == 1 else people[number], rooms)
            elif way == "account":
                doomed.delete()
            elif way == "accounts":
                type(doomed)._default_manager.filter(
                    pk__in=[each.pk for each in people[:2]]
                ).delete()
            else:
                rooms[0].delete()

        results = race(THREADS, act)

        failed += [
            f"{number}: {each!r}"
            for number, each in enumerate(results)
            if isinstance(each, Exception)
        ]
        assert not Mark.objects.filter(user__isnull=True, room__isnull=True).exists()
    assert failed == []


@pytest.mark.parametrize("what", ["user", "room"])
def test_a_row_that_comes_after_the_collecting_goes_too(
    what: str, users: Users, collected: None
) -> None:
    """Plain code stores it on another connection, when Django has found all that is to go."""
    alice, bob = users.make("alice", "bob")
    room = GroupChat.objects.create(name="group", creator=bob)
    row: Any = alice if what == "user" else room
    rows, key = type(row)._default_manager, row.pk
    Mark.objects.create(**{what: row})
    if connections["default"].vendor == "sqlite":
        pytest.skip("there is one writer at a time")

    stored: list[Any] = []

    def store(origin: Any = None, **kwargs: Any) -> None:
        stored.extend(race(1, lambda _: Mark.objects.create(**{what: row}).pk))

    # Before the receivers of the package, which lock the account.
    receivers = pre_delete.receivers
    pre_delete.connect(store, sender=type(row))
    pre_delete.receivers = [pre_delete.receivers[-1], *receivers[:-1]]
    pre_delete.sender_receivers_cache.clear()
    try:
        row.delete()
    finally:
        pre_delete.disconnect(store, sender=type(row))

    assert not Mark.objects.filter(**{f"{what}_id": key}).exists()
    assert len(stored) == 1
    assert isinstance(stored[0], int), stored
    assert not rows.filter(pk=key).exists()

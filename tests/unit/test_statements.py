"""Statements whose SQL is kept."""

import gc
import threading
import weakref
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models.signals import post_delete

from gql_chat.models import Session
from gql_chat.models.statements import Delete, One, Statement, find_by
from tests.conftest import Users


def test_what_is_kept_keeps_no_connection_of_the_thread_that_came_first(
    committed_database: None,
) -> None:
    users: Statement[Any] = find_by(lambda: get_user_model()._default_manager.all(), "id")
    seen: list[weakref.ref[Any]] = []

    def ask() -> None:
        seen.append(weakref.ref(connections["default"]))
        assert users.first(0) is None
        connections.close_all()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    del thread
    gc.collect()

    (connection,) = seen
    assert connection() is None
    assert users.first(0) is None


@pytest.fixture
def sessions(users: Users, db: None) -> list[Session]:
    (alice,) = users.make("alice")
    return [Session.objects.create(user=alice, channel_name=name) for name in ("one", "two")]


def _by_name() -> Delete:
    return Delete(
        lambda name: Session.objects.filter(channel_name=name),
        lambda: [One(Session._meta.get_field("channel_name"))],
    )


def test_a_deletion_deletes_what_it_finds_with_one_query(
    sessions: list[Session], django_assert_num_queries: Any
) -> None:
    deletion = _by_name()

    for name in ("one", "nobody"):
        with django_assert_num_queries(1):
            deletion.run(name)

    assert list(Session.objects.values_list("channel_name", flat=True)) == ["two"]


def test_a_deletion_sends_the_signals_that_somebody_listens_to(sessions: list[Session]) -> None:
    deletion = _by_name()
    heard: list[str] = []

    def hear(instance: Session, **_: Any) -> None:
        heard.append(instance.channel_name)

    deletion.run("one")
    post_delete.connect(hear, sender=Session)
    try:
        deletion.run("two")
    finally:
        post_delete.disconnect(hear, sender=Session)

    assert heard == ["two"]
    assert not Session.objects.exists()

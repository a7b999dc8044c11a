"""Statements whose SQL is kept."""

import gc
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth import get_user_model
from django.db import connections, models
from django.db.models import Exists, F, OuterRef
from django.db.models.signals import post_init, pre_init
from django.db.models.sql.compiler import SQLCompiler, SQLUpdateCompiler
from django.test import override_settings
from django.test.utils import isolate_apps
from django.utils import timezone
from django.utils.connection import ConnectionDoesNotExist

from gql_chat.models import GroupChat, Message, Reaction, Room, Session
from gql_chat.sql.statements import (
    Among,
    Keys,
    Many,
    One,
    Statement,
    Update,
    find_among,
    find_by,
)
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


# What Django makes of rows that kept SQL reads


@contextmanager
def nothing_compiled() -> Iterator[None]:
    """Let Django turn no queryset into SQL."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("A queryset was compiled.")

    with (
        patch.object(SQLCompiler, "as_sql", refuse),
        patch.object(SQLUpdateCompiler, "as_sql", refuse),
    ):
        yield


def attributes(instance: models.Model) -> dict[str, Any]:
    return {name: value for name, value in vars(instance).items() if name != "_state"}


def test_what_is_kept_is_compiled_once(message: Message) -> None:
    messages = find_by(lambda: Message.objects.all(), "id")
    names: Statement[Any] = find_among(lambda: Message.objects.values_list("content"), "id")
    edit = Update(
        lambda key, content: (Message.objects.filter(pk=key), {"content": content}),
        lambda: [One(Message._meta.pk), One(Message._meta.get_field("content"))],
    )

    for ask in (nullcontext, nothing_compiled):
        with ask():
            assert messages.first(message.pk) == message
            assert messages.all(message.pk) == [message]
            assert messages.slice(0, 5, message.pk) == [message]
            assert messages.slice(1, 5, message.pk) == []
            assert names.all([message.pk]) == [(message.content,)]
            edit.run(message.pk, message.content)


def test_an_instance_is_what_django_makes(message: Message) -> None:
    related = Message.objects.select_related("sender", "room", "parent_message")
    found: Any = find_by(lambda: related, "id").first(message.pk)
    made = related.get(pk=message.pk)

    assert type(found) is Message
    assert type(found.room) is GroupChat
    assert attributes(found) == attributes(made)
    assert attributes(found.sender) == attributes(made.sender)
    assert attributes(found.room) == attributes(made.room)
    assert (found._state.adding, found._state.db) == (made._state.adding, made._state.db)
    assert found._state.fields_cache == made._state.fields_cache


def test_an_instance_can_be_changed_and_saved(message: Message) -> None:
    found: Any = find_by(lambda: Message.objects.all(), "id").first(message.pk)
    found.content = "changed"
    found.save()

    assert Message.objects.get().content == "changed"
    assert found.room == message.room


def test_a_room_is_of_its_type(group: GroupChat) -> None:
    rooms = find_by(lambda: Room.objects.all(), "id")

    assert type(rooms.first(group.pk)) is GroupChat
    Room.objects.filter(pk=group.pk).update(type="Hall", max_participants=None)
    assert type(rooms.first(group.pk)) is Room


@pytest.mark.parametrize("signal", [pre_init, post_init])
def test_who_listens_to_instances_being_made_hears_of_them(signal: Any, message: Message) -> None:
    heard: list[Any] = []

    def listen(sender: type, **kwargs: Any) -> None:
        heard.append(sender)

    signal.connect(listen, sender=Message)
    try:
        find_by(lambda: Message.objects.all(), "id").first(message.pk)
    finally:
        signal.disconnect(listen, sender=Message)

    assert heard == [Message]


def test_values_and_annotations_are_what_django_makes_of_them(message: Message, bob: Any) -> None:
    def select(ids: Any) -> Any:
        reacted = Reaction.objects.filter(message_id=OuterRef("pk"))
        return Message.objects.filter(Among(F("id"), ids)).annotate(has=Exists(reacted))

    columns = ("id", "created_at", "sender_id", "parent_message_id", "has")
    instances: Statement[Any] = Statement(select, lambda: [Many(Message._meta.pk)])
    values: Statement[Any] = Statement(
        lambda ids: select(ids).values_list(*columns), lambda: [Many(Message._meta.pk)]
    )
    sender_id = message.sender_id
    expected = (message.pk, message.created_at, sender_id, None, False)

    assert values.all([message.pk]) == [expected]
    kinds = [uuid.UUID, datetime, type(sender_id), type(None), bool]
    assert [type(value) for value in values.all([message.pk])[0]] == kinds
    assert instances.all([message.pk])[0].has is False
    Reaction.objects.create(message=message, user=bob, reaction_content="+1")
    assert values.all([message.pk])[0][-1] is True
    assert instances.all([message.pk])[0].has is True


# Managers of a project's that compute


_tenant: ContextVar[str] = ContextVar("tenant")


class TenantManager(models.Manager[Any]):
    """Finds the sockets of today's tenant, alive for an hour."""

    def get_queryset(self) -> Any:
        since = timezone.now() - timedelta(hours=1)
        return (
            super()
            .get_queryset()
            .filter(channel_name__startswith=_tenant.get(), alive_at__gte=since)
        )


@pytest.fixture
def own_sessions(sessions: list[Session]) -> Iterator[Any]:
    """The sessions by a model whose manager computes, and sockets of two tenants."""
    with isolate_apps("gql_chat"):

        class OwnSession(Session):
            objects = TenantManager()

            class Meta:
                app_label = "gql_chat"
                proxy = True

        (user,) = {session.user for session in sessions}
        for name in ("red 1", "red 2", "blue 1"):
            Session.objects.create(user=user, channel_name=name)
        yield OwnSession


def named(found: Iterable[Any]) -> list[str]:
    return [session.channel_name for session in found]


@pytest.fixture
def as_tenant() -> Iterator[Callable[[str], None]]:
    token = _tenant.set("")
    yield lambda name: _tenant.set(name) and None
    _tenant.reset(token)


def _sorted(model: Any) -> Statement[Any]:
    return Statement(
        lambda user_id: model.objects.filter(user_id=user_id).order_by("channel_name"),
        lambda: [One(model._meta.get_field("user_id"))],
    )


def test_a_manager_is_asked_each_time_for_what_the_context_says(
    own_sessions: Any, as_tenant: Callable[[str], None]
) -> None:
    statement = _sorted(own_sessions)
    user_id = Session.objects.values_list("user_id", flat=True)[0]

    for _ in range(2):
        for tenant, names in (("red", ["red 1", "red 2"]), ("blue", ["blue 1"]), ("grey", [])):
            as_tenant(tenant)
            assert named(statement.all(user_id)) == names
            assert named(filter(None, [statement.first(user_id)])) == names[:1]
            assert named(statement.slice(1, 5, user_id)) == names[1:]
            assert statement.all(-1) == []


def test_a_manager_is_asked_each_time_for_the_time(
    own_sessions: Any, as_tenant: Callable[[str], None]
) -> None:
    as_tenant("red")
    statement = _sorted(own_sessions)
    user_id = Session.objects.values_list("user_id", flat=True)[0]
    assert named(statement.all(user_id)) == ["red 1", "red 2"]

    later = timezone.now() + timedelta(hours=2)
    with patch.object(timezone, "now", lambda: later):
        assert statement.all(user_id) == []


def test_a_list_of_values_is_found_through_such_a_manager(
    own_sessions: Any, as_tenant: Callable[[str], None]
) -> None:
    statement = find_among(lambda: own_sessions.objects, "channel_name")
    everything = ["red 1", "blue 1", "nothing"]

    for tenant in ("red", "blue"):
        as_tenant(tenant)
        assert named(statement.all(everything)) == [f"{tenant} 1"]
        assert named(statement.all(Keys(everything))) == [f"{tenant} 1"]
        assert statement.all([]) == []


def test_a_manager_inside_another_query_is_asked_each_time(
    own_sessions: Any, as_tenant: Callable[[str], None]
) -> None:
    statement: Statement[Any] = Statement(
        lambda names: (
            Session.objects.filter(Among(F("channel_name"), names))
            .annotate(mine=Exists(own_sessions.objects.filter(pk=OuterRef("pk"))))
            .order_by("channel_name")
            .values_list("channel_name", "mine")
        ),
        lambda: [Many(Session._meta.get_field("channel_name"))],
    )

    for tenant in ("red", "blue"):
        as_tenant(tenant)
        assert statement.all(["red 1", "blue 1"]) == [
            ("blue 1", tenant == "blue"),
            ("red 1", tenant == "red"),
        ]


def test_what_is_written_goes_through_such_a_manager(
    own_sessions: Any, as_tenant: Callable[[str], None]
) -> None:
    given = [One(Session._meta.get_field("user_id")), One(Session._meta.get_field("last_seen"))]
    update = Update(
        lambda user_id, at: (own_sessions.objects.filter(user_id=user_id), {"last_seen": at}),
        lambda: given,
    )
    user_id = Session.objects.values_list("user_id", flat=True)[0]
    at = datetime(2026, 1, 1, tzinfo=UTC)

    as_tenant("red")
    update.run(user_id, at)
    as_tenant("blue")
    update.run(user_id, at)
    seen = Session.objects.filter(last_seen=at).order_by("channel_name")
    assert named(seen) == ["blue 1", "red 1", "red 2"]


def test_a_manager_that_names_a_database_is_obeyed(
    own_sessions: Any, as_tenant: Callable[[str], None]
) -> None:
    as_tenant("red")
    statement: Statement[Any] = find_by(lambda: own_sessions.objects.using("elsewhere"), "id")

    with pytest.raises(ConnectionDoesNotExist, match="elsewhere"):
        statement.first(1)


class Router:
    """Answers another database each time."""

    def __init__(self) -> None:
        self.answers = iter(("default", "elsewhere"))

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return next(self.answers)


def test_a_router_is_asked_each_time(sessions: list[Session]) -> None:
    statement = find_by(lambda: Session.objects.all(), "channel_name")

    with override_settings(DATABASE_ROUTERS=[Router()]):
        assert named(filter(None, [statement.first("one")])) == ["one"]
        with pytest.raises(ConnectionDoesNotExist, match="elsewhere"):
            statement.first("one")

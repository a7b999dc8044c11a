"""Statements whose SQL is kept."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth import get_user_model
from django.db import connections, models
from django.db.models import Exists, F, OuterRef
from django.db.models.signals import post_delete
from django.test import override_settings
from django.test.utils import isolate_apps
from django.utils import timezone
from django.utils.connection import ConnectionDoesNotExist

from gql_chat.models import Session, rows
from gql_chat.models.inserts import insert
from gql_chat.sql.statements import (
    Among,
    Delete,
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
    deletion = Delete(
        lambda user_id: own_sessions.objects.filter(user_id=user_id), lambda: given[:1]
    )
    user_id = Session.objects.values_list("user_id", flat=True)[0]
    at = datetime(2026, 1, 1, tzinfo=UTC)

    as_tenant("red")
    update.run(user_id, at)
    as_tenant("blue")
    update.run(user_id, at)
    seen = Session.objects.filter(last_seen=at).order_by("channel_name")
    assert named(seen) == ["blue 1", "red 1", "red 2"]

    for tenant, left in (("red", ["blue 1", "one", "two"]), ("blue", ["one", "two"])):
        as_tenant(tenant)
        deletion.run(user_id)
        assert named(Session.objects.order_by("channel_name")) == left


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


def test_a_new_row_asks_the_routers_about_what_it_is_related_to(sessions: list[Session]) -> None:
    class Apart(Router):
        def allow_relation(self, *objects: Any, **hints: Any) -> bool:
            return False

    user = sessions[0].user
    with (
        override_settings(DATABASE_ROUTERS=[Apart()]),
        pytest.raises(ValueError, match="router prevents this relation"),
    ):
        rows.new(Session, user=user, channel_name="three")


def test_a_base_manager_of_the_projects_inserts_in_its_own_way(sessions: list[Session]) -> None:
    inserted = []

    class Rows(models.QuerySet[Any]):
        def _insert(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
            inserted.extend(objs)
            return super()._insert(objs, *args, **kwargs)

    manager: Any = Rows.as_manager()
    manager.contribute_to_class(Session, "rows")
    row = Session(user=sessions[0].user, channel_name="three")
    try:
        # Where Django keeps what `base_manager_name` names.
        with patch.dict(vars(Session._meta), base_manager=manager):
            insert(row)
    finally:
        del Session.rows  # type: ignore[attr-defined]
        Session._meta.local_managers.remove(manager)
        Session._meta._expire_cache()  # type: ignore[attr-defined]

    assert inserted == [row]
    assert Session.objects.filter(pk=row.pk).exists()

"""Managers: which of them find the same rows whenever they are asked."""

import re
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import UserManager
from django.db import connection, models
from django.db.models import Case, Exists, OuterRef, Q, Subquery, When
from django.db.models.functions import Coalesce
from django.db.models.sql import UpdateQuery

from gql_chat import sessions as logins
from gql_chat.models import (
    GroupChat,
    Membership,
    Message,
    NotificationManager,
    PairManager,
    Reaction,
    ReadReceipt,
    Room,
    RoomManager,
    notifications,
    receipts,
    relations,
)
from gql_chat.models.memberships import MembershipManager
from gql_chat.operations import base, pages, rooms, sessions
from gql_chat.operations import receipts as reading
from gql_chat.sql.managers import _queries, asks_only_plain, is_plain
from gql_chat.sql.statements import _Prepared


class Adds(models.QuerySet[Any]):
    def newest(self) -> Any:
        return self.order_by("-pk")


class Filters(models.QuerySet[Any]):
    def filter(self, *args: Any, **kwargs: Any) -> Any:
        return super().filter(*args, **kwargs)


class Fetches(models.QuerySet[Any]):
    def _fetch_all(self) -> None:
        super()._fetch_all()


class Begins(models.QuerySet[Any]):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class Creates(models.Manager[Any]):
    def __init__(self) -> None:
        super().__init__()

    def create(self, **values: Any) -> Any:
        return super().create(**values)


class Alive(models.Manager[Any]):
    def get_queryset(self) -> Any:
        return super().get_queryset()


class AliveRooms(RoomManager[Any]):
    def get_queryset(self) -> Any:
        return super().get_queryset()


class Below(Alive):
    pass


def patched() -> Any:
    manager: Any = models.Manager()
    manager.get_queryset = lambda: None
    return manager


@pytest.mark.parametrize(
    "manager",
    [
        models.Manager(),
        UserManager(),
        RoomManager(),
        PairManager(),
        MembershipManager(),
        NotificationManager(),
        Creates(),
        Adds.as_manager(),
        models.Manager.from_queryset(Adds)(),
        RoomManager.from_queryset(Adds)(),
    ],
    ids=lambda manager: type(manager).__name__,
)
def test_a_manager_that_only_adds_is_plain(manager: Any) -> None:
    assert is_plain(manager)


@pytest.mark.parametrize(
    "manager",
    [
        Alive(),
        AliveRooms(),
        Below(),
        Filters.as_manager(),
        Fetches.as_manager(),
        Begins.as_manager(),
        RoomManager.from_queryset(Filters)(),
        patched(),
    ],
    ids=lambda manager: type(manager).__name__,
)
def test_a_manager_that_defines_anew_what_finds_rows_is_not(manager: Any) -> None:
    assert not is_plain(manager)


MODULES = (notifications, receipts, relations, logins, base, pages, rooms, sessions, reading)
STATEMENTS = {
    f"{module.__name__}.{name}": statement
    for module in MODULES
    for name, statement in vars(module).items()
    if isinstance(statement, _Prepared)
}


def make_query(statement: _Prepared) -> Any:
    statement._given = statement._get_given()
    return statement._make_query()


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_the_queries_inside_a_statement_are_all_found(name: str, db: None) -> None:
    query = make_query(STATEMENTS[name])
    sql, _ = query.get_compiler(connection=connection).as_sql()

    named = set(re.findall(r'(?:FROM|UPDATE) "(\w+)"', sql))
    assert named == {each.model._meta.db_table for each in _queries(query)}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_the_statements_of_the_package_are_kept(name: str) -> None:
    assert asks_only_plain(make_query(STATEMENTS[name]))


def test_a_query_is_found_wherever_it_stands() -> None:
    """Also one that finds nothing, which the SQL does not show."""
    reactions = Reaction.objects.filter(message_id=OuterRef("pk"))
    receipts = ReadReceipt.objects.none()
    members = Membership.objects.filter(room_id=OuterRef("room_id"))
    groups = GroupChat.objects.values("pk")
    messages = (
        Message.objects.annotate(
            has_some=Exists(reactions), first=Coalesce(receipts.values("pk"), None)
        )
        .exclude(Q(room_id__in=groups) | Q(pk=1))
        .filter(Case(When(Exists(members), then=True), default=False))
    )

    found = {query.model for query in _queries(messages.query)}
    assert found == {Message, Reaction, ReadReceipt, GroupChat, Membership}

    update: Any = Message.objects.all().query.chain(UpdateQuery)
    update.add_update_values({"content": Subquery(Room.objects.values("name")[:1])})
    assert {query.model for query in _queries(update)} == {Message, Room}

    both = Message.objects.values("pk").union(Room.objects.values("pk"))
    assert {query.model for query in _queries(both.query)} == {Message, Room}


def test_a_query_through_a_manager_that_computes_is_known() -> None:
    rooms = Room.objects.filter(pk__in=Message.objects.values("room_id"))
    assert asks_only_plain(rooms.query)

    with patch.object(
        Message._meta.default_manager, "get_queryset", Message.objects.all, create=True
    ):
        assert not asks_only_plain(rooms.query)
        # A table that is only joined was asked for by nobody.
        assert asks_only_plain(Reaction.objects.select_related("message").query)
    assert asks_only_plain(rooms.query)

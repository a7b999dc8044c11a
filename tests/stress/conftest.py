"""What the stress test runs on: the processes, and the choices of the environment."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from psycopg.conninfo import make_conninfo

from tests.configuration import Configuration
from tests.conftest import Orm, Users
from tests.servers import ChatProcess
from tests.stress import erased
from tests.stress.deadlocks import PROJECT
from tests.stress.people import Person
from tests.stress.scenario import Scenario
from tests.stress.world import World

APPLICATION = "tests.site.stress:application"

#: How many people there are.
PEOPLE = 12

HISTORY = "Epoch"
"""The model that says which history the database is of: it has one row, made by a migration."""

MakeScenario = Callable[..., Scenario]


@pytest.fixture
def environment(
    configuration: Configuration, committed_database: None, request: pytest.FixtureRequest
) -> Mapping[str, str]:
    """The environment of the processes."""
    if configuration.database == "sqlite":
        return dict(os.environ)
    shared: Mapping[str, str] = request.getfixturevalue("shared_environment")
    return shared


@pytest.fixture
def scenario(
    configuration: Configuration, environment: Mapping[str, str], users: Users, orm: Orm
) -> Iterator[MakeScenario]:
    """Makes a scenario: two processes and one for the project's code, or one on SQLite."""
    with ExitStack() as stack:
        # What other runs left is no matter of this one's.
        orm(_empty_tables)
        orm(erased.watch)
        stack.callback(orm, erased.forget)

        def make(seconds: float, *, fault: str = "") -> Scenario:
            chosen = {**environment, "CHAT_STRESS_FAULT": fault}
            alone = configuration.database == "sqlite"
            chats = [
                stack.enter_context(ChatProcess(chosen, APPLICATION))
                for _ in range(1 if alone else 2)
            ]
            # The in-memory layer ends at a process, so there the project's code is in it.
            project = chats[0] if alone else stack.enter_context(_project_process(chosen))
            seed = os.environ.get("CHAT_STRESS_SEED") or secrets.token_hex(4)
            world = World(seed, chats, project)
            urls = [chat.url for chat in chats]
            world.people = [_person(world, user, urls) for user in users.make(*["p"] * PEOPLE)]
            return Scenario(world, seconds, configuration.postgres)

        yield make


def _project_process(environment: Mapping[str, str]) -> ChatProcess:
    """A process without sockets, whose connections to the database bear a name."""
    dsn = make_conninfo(environment["CHAT_TEST_DSN"], application_name=PROJECT)
    return ChatProcess({**environment, "CHAT_TEST_DSN": dsn}, APPLICATION)


def _empty_tables() -> None:
    """Empty the tables of chat, asking no model and sending no signal."""
    # Foreign keys are checked at the end of the transaction.
    with transaction.atomic(), connection.cursor() as cursor:
        for model in apps.get_app_config("gql_chat").get_models():
            if not model._meta.proxy and model.__name__ != HISTORY:
                cursor.execute(f'DELETE FROM "{model._meta.db_table}"')


def _person(world: World, user: Any, urls: list[str]) -> Person:
    name = user.get_username()
    return Person(user.pk, name, urls, world.journal, world.frames, world.chance(name))

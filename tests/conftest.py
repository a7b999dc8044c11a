"""Fixtures for all tests.

Two kinds of test use the database. A test marked ``django_db`` works in pytest-django's
transaction, which nobody else sees. A test on the wire (``connect``, ``chat``, ``two_processes``)
works on what is committed, beside a running server: it makes its own users, asks the database
through `orm`, and cleans nothing up. pytest-django runs the second kind after the first, and
`tests.distribution` keeps that order in each of several processes.
"""

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from typing import Any, ParamSpec, Protocol, TypeVar

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_permission_codename, get_user_model
from django.contrib.auth.models import AbstractUser, Permission
from django.db import connection, connections
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases
from hypothesis import settings
from psycopg.conninfo import make_conninfo
from pytest_django import DjangoDbBlocker

from gql_chat.models import get_model
from gql_chat.permissions import VIEWED
from tests.client import Client
from tests.configuration import KEY, Configuration
from tests.servers import ChatProcess, ChatThread, PostgresServer, RedisServer, chosen_kind
from tests.timing import PATIENCE

P = ParamSpec("P")
T = TypeVar("T")

# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


# The configuration


@pytest.fixture(scope="session")
def configuration(request: pytest.FixtureRequest) -> Configuration:
    """What this run runs on."""
    return request.config.stash[KEY]


@pytest.fixture(scope="session")
def postgres(configuration: Configuration) -> PostgresServer:
    """The PostgreSQL under this run; whoever stops it starts it again."""
    if configuration.postgres is None:
        pytest.skip(f"needs a PostgreSQL of our own, runs on {configuration}")
    return configuration.postgres


@pytest.fixture(scope="session")
def redis(configuration: Configuration) -> RedisServer:
    """The Redis under this run; whoever stops it starts it again."""
    if configuration.redis is None:
        pytest.skip(f"needs a Redis of our own, runs on {configuration}")
    return configuration.redis


# The database


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> None:
    """With `-n`, give each worker a database of its own on a PostgreSQL that they may share.

    On SQLite each has a file of its own already, of whose name the processes that it starts know.
    """
    if connection.vendor == "postgresql":
        request.getfixturevalue("django_db_modify_db_settings_xdist_suffix")


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """The test database, by its migrations.

    pytest-django's own makes a test database only where some collected test is marked
    ``django_db``: tests on the wire alone would run on the real one.
    """
    verbosity = request.config.option.verbose
    with django_db_blocker.unblock():
        databases = setup_databases(verbosity=verbosity, interactive=False)
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            # Threads that have ended, or that nobody owns, may have left connections; a database
            # that has some is not dropped.
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        teardown_databases(databases, verbosity=verbosity)


@pytest.fixture(scope="session")
def committed_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database, open to every thread until the end of the session."""
    with django_db_blocker.unblock():
        yield


class Orm:
    """Runs database work in a thread of its own, outside any transaction of the test.

    ``orm(Room.objects.count)`` works in a plain test and in a coroutine alike: there, Django
    refuses the ORM in the event loop's thread.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="orm")

    def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work; returns what it returns."""
        return self._executor.submit(work, *args, **kwargs).result(PATIENCE)

    def close(self) -> None:
        """Give the thread and its connection back."""
        self(connections.close_all)
        self._executor.shutdown()


@pytest.fixture(scope="session")
def orm(committed_database: None) -> Iterator[Orm]:
    """Database work on what is committed, from any test."""
    orm = Orm()
    yield orm
    orm.close()


_numbers = itertools.count(1)


class Users:
    """Makes users whose names no other test has."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run

    def __call__(self, name: str = "user", **fields: Any) -> AbstractUser:
        """Make a user; its username is the name with a number, or an email address of that."""
        model = get_user_model()
        username = f"{name}-{next(_numbers)}"
        email = f"{username}@example.com"
        if model.get_email_field_name() == model.USERNAME_FIELD:
            username = email
        else:
            fields.setdefault("email", email)
        user: AbstractUser = self._run(model._default_manager.create_user, username, **fields)
        return user

    def viewer(self, name: str = "staff", **fields: Any) -> AbstractUser:
        """Make a member of the staff who may view rooms and messages of others."""
        user = self(name, is_staff=True, **fields)
        self._run(_let_view, user)
        return user

    def make(self, *names: str) -> list[AbstractUser]:
        """Make one user for each name."""
        return [self(name) for name in names]


def _let_view(user: AbstractUser) -> None:
    for name in VIEWED:
        meta = get_model(name)._meta
        codename = get_permission_codename("view", meta)
        wanted = {"content_type__app_label": meta.app_label, "codename": codename}
        user.user_permissions.add(Permission.objects.get(**wanted))


def _in_transaction(request: pytest.FixtureRequest) -> bool:
    fixtures = {"db", "transactional_db"} & set(request.fixturenames)
    return bool(fixtures) or request.node.get_closest_marker("django_db") is not None


@pytest.fixture
def users(request: pytest.FixtureRequest) -> Users:
    """Makes users: ``alice, bob = users.make("alice", "bob")``.

    They are committed, or, in a test marked ``django_db``, part of its transaction.
    """
    if _in_transaction(request):
        return Users(lambda work, *args, **kwargs: work(*args, **kwargs))
    return Users(request.getfixturevalue("orm"))


# Chat


@pytest.fixture(scope="session")
def server_environment(committed_database: None) -> Mapping[str, str]:
    """The environment of a chat process that shares the database of this run, and nothing else."""
    if connection.vendor == "sqlite":
        return {}
    database = connection.settings_dict["NAME"]
    return {"CHAT_TEST_DSN": make_conninfo(os.environ["CHAT_TEST_DSN"], dbname=database)}


@pytest.fixture(scope="session")
def chat(
    committed_database: None, server_environment: Mapping[str, str]
) -> Iterator[ChatThread | ChatProcess]:
    """The server that most tests on the wire share.

    A thread, which tests can override settings of; a process where `CHAT_TEST_SERVER` names one.
    """
    if "CHAT_TEST_SERVER" in os.environ:
        with ChatProcess(server_environment, kind=chosen_kind()) as process:
            yield process
        return
    with ChatThread() as chat:
        yield chat
        # asgiref's thread lives as long as the process, and its connection with it.
        chat.run(sync_to_async(connections.close_all)())


ChatWith = Callable[..., None]


@pytest.fixture
def chat_with() -> Iterator[ChatWith]:
    """Overrides settings of chat until the test ends: the shared server follows."""
    entered: list[override_settings] = []

    def override_chat(**values: Any) -> None:
        override = override_settings(REALTIME_CHAT_MESSAGING=values)
        override.enable()
        entered.append(override)

    yield override_chat
    for each in reversed(entered):
        each.disable()


class Connect(Protocol):
    """Opens sockets that are closed when the test ends."""

    def __call__(
        self, user: AbstractUser | None, *, url: str | None = None, **options: Any
    ) -> Awaitable[Client]:
        """Open one socket of a user, on ``chat`` unless a url says where else."""


@pytest.fixture
async def connect(
    request: pytest.FixtureRequest, chat: ChatThread | ChatProcess
) -> AsyncIterator[Connect]:
    """How a test opens the sockets of users; awaited, it gives a `Client` and takes its options."""
    if _in_transaction(request):
        pytest.fail("a server does not see a test's transaction: do without django_db")

    async with AsyncExitStack() as stack:

        async def opened(
            user: AbstractUser | None, *, url: str | None = None, **options: Any
        ) -> Client:
            client = Client(url or chat.url, None if user is None else user.pk, **options)
            return await stack.enter_async_context(client)

        yield opened


class StartProcess(Protocol):
    """Starts chat processes that end with the test."""

    def __call__(self, environment: Mapping[str, str] | None = None) -> ChatProcess:
        """Start one, with changes to its environment."""


def _process_environment(configuration: Configuration) -> dict[str, str]:
    if configuration.database != "postgres" or configuration.layer == "memory":
        pytest.skip(f"several processes need PostgreSQL and Redis, runs on {configuration}")
    # The server of the settings, but the database that the tests made there.
    database = connection.settings_dict["NAME"]
    return {"CHAT_TEST_DSN": make_conninfo(os.environ["CHAT_TEST_DSN"], dbname=database)}


@pytest.fixture(scope="session")
def shared_environment(configuration: Configuration, committed_database: None) -> Mapping[str, str]:
    """The environment of a process that shares the database and the layer of this run."""
    return {**os.environ, **_process_environment(configuration)}


@pytest.fixture(scope="session")
def two_processes(
    configuration: Configuration, committed_database: None
) -> Iterator[tuple[ChatProcess, ChatProcess]]:
    """Two processes that share the database and the layer of this run, to be left running."""
    environment = _process_environment(configuration)
    with ChatProcess(environment) as one, ChatProcess(environment) as other:
        yield one, other


@pytest.fixture
def start_process(configuration: Configuration, committed_database: None) -> Iterator[StartProcess]:
    """Starts processes like those of ``two_processes``, for a test that ends or kills them."""
    shared = _process_environment(configuration)
    with ExitStack() as stack:
        yield lambda environment=None: stack.enter_context(
            ChatProcess({**shared, **(environment or {})})
        )

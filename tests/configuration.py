"""What a run of the tests runs on: the pytest plugin behind the ``CHAT_TEST_…`` variables.

``CHAT_TEST_DATABASE`` (``sqlite`` or ``postgres``) and ``CHAT_TEST_LAYER`` (``memory``, ``redis``
or ``pubsub``) choose. The servers that this needs are started here, before Django reads the
settings, unless ``CHAT_TEST_DSN`` or ``CHAT_TEST_REDIS`` names one that runs already.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from tests.servers import PostgresServer, RedisServer, ServerMissingError

Server = TypeVar("Server", PostgresServer, RedisServer)


@dataclass
class Configuration:
    """The chosen configuration and the servers that were started for it."""

    database: str
    layer: str
    postgres: PostgresServer | None = None
    redis: RedisServer | None = None
    #: Why the tests cannot run in it.
    missing: str | None = None

    def __str__(self) -> str:
        return f"{self.database}, {self.layer}"


KEY = pytest.StashKey[Configuration]()

#: Addresses where nothing is.
NO_DSN = "dbname=missing"
NO_REDIS = "redis://missing"


def cannot_run(reason: str) -> NoReturn:
    """Skip the test, saying why; fail where nothing may be skipped (``CI=true``)."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: nothing may be missing)", pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Prepare the environment; around the others, since pytest-django loads the settings here."""
    chosen = Configuration(
        database=os.environ.setdefault("CHAT_TEST_DATABASE", "sqlite"),
        layer=os.environ.setdefault("CHAT_TEST_LAYER", "memory"),
    )
    early_config.stash[KEY] = chosen
    options = early_config.known_args_namespace
    # With `-n`, pytest-xdist's first process runs no test. Each of its workers comes here too, and
    # starts servers of its own: what the first one left in the environment would be theirs.
    if options.numprocesses and "PYTEST_XDIST_WORKER" not in os.environ:
        with _placeholders(chosen):
            return (yield)
    runs = not (options.help or options.version or options.collectonly)
    _start_servers(early_config, chosen, runs=runs)
    return (yield)


def _start_servers(early_config: pytest.Config, chosen: Configuration, *, runs: bool) -> None:
    """Choose a file or servers, and put their addresses into the environment."""
    if chosen.database == "sqlite" and "CHAT_TEST_FILE" not in os.environ:
        directory = tempfile.TemporaryDirectory(prefix="chat-")
        early_config.add_cleanup(directory.cleanup)
        os.environ["CHAT_TEST_FILE"] = str(Path(directory.name) / "chat.sqlite3")

    def started(kind: Callable[[], Server]) -> Server | None:
        try:
            server = kind()
        except ServerMissingError as missing:
            chosen.missing = f"{chosen}: {missing}"
            return None
        early_config.add_cleanup(server.close)
        if runs:
            server.start()
        return server

    # Where there is no server, the address only lets Django load; nobody connects.
    if chosen.database == "postgres" and "CHAT_TEST_DSN" not in os.environ:
        chosen.postgres = started(PostgresServer)
        os.environ["CHAT_TEST_DSN"] = chosen.postgres.dsn("chat") if chosen.postgres else NO_DSN
    if chosen.layer != "memory" and "CHAT_TEST_REDIS" not in os.environ:
        chosen.redis = started(RedisServer)
        os.environ["CHAT_TEST_REDIS"] = chosen.redis.url if chosen.redis else NO_REDIS


@contextmanager
def _placeholders(chosen: Configuration) -> Iterator[None]:
    """Let Django load its settings where nobody connects."""
    needed = {}
    if chosen.database == "postgres":
        needed["CHAT_TEST_DSN"] = NO_DSN
    if chosen.layer != "memory":
        needed["CHAT_TEST_REDIS"] = NO_REDIS
    added = {name: value for name, value in needed.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def pytest_report_header(config: pytest.Config) -> str:
    """Name the configuration at the head of the report."""
    return f"chat: {config.stash[KEY]}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let no test run in a configuration that has no server."""
    missing = item.config.stash[KEY].missing
    if missing is not None:
        cannot_run(missing)

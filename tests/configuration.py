"""What a run of the tests runs on: the pytest plugin behind the ``CHAT_TEST_…`` variables.

``CHAT_TEST_DATABASE`` (``sqlite`` or ``postgres``) and ``CHAT_TEST_LAYER`` (``memory``, ``redis``
or ``pubsub``) choose. The servers that this needs are started here, before Django reads the
settings, unless ``CHAT_TEST_DSN`` or ``CHAT_TEST_REDIS`` names one that runs already.
"""

import os
import tempfile
from collections.abc import Callable
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


def cannot_run(reason: str) -> NoReturn:
    """Skip the test, saying why; fail where nothing may be skipped (``CI=true``)."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: nothing may be missing)", pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Prepare the environment; first, since pytest-django loads the settings in this hook."""
    chosen = Configuration(
        database=os.environ.setdefault("CHAT_TEST_DATABASE", "sqlite"),
        layer=os.environ.setdefault("CHAT_TEST_LAYER", "memory"),
    )
    early_config.stash[KEY] = chosen
    if chosen.database == "sqlite" and "CHAT_TEST_FILE" not in os.environ:
        directory = tempfile.TemporaryDirectory(prefix="chat-")
        early_config.add_cleanup(directory.cleanup)
        os.environ["CHAT_TEST_FILE"] = str(Path(directory.name) / "chat.sqlite3")

    asked = early_config.known_args_namespace
    runs = not (asked.help or asked.version or asked.collectonly)

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
        os.environ["CHAT_TEST_DSN"] = (
            chosen.postgres.dsn("chat") if chosen.postgres else "dbname=missing"
        )
    if chosen.layer != "memory" and "CHAT_TEST_REDIS" not in os.environ:
        chosen.redis = started(RedisServer)
        os.environ["CHAT_TEST_REDIS"] = chosen.redis.url if chosen.redis else "redis://missing"


def pytest_report_header(config: pytest.Config) -> str:
    """Name the configuration at the head of the report."""
    return f"chat: {config.stash[KEY]}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let no test run in a configuration that has no server."""
    missing = item.config.stash[KEY].missing
    if missing is not None:
        cannot_run(missing)

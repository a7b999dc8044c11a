"""Databases for projects of tests."""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections
from psycopg.conninfo import make_conninfo

from tests.projects.scenario import IN_MEMORY


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The setting for an empty database, of the kind that the configuration has."""
    if os.environ["CHAT_TEST_DATABASE"] == "sqlite":
        yield IN_MEMORY
        return
    request.getfixturevalue("configuration")
    name = "chat_project"
    # The database of this run may not be there yet, or any more.
    dsn = make_conninfo(os.environ["CHAT_TEST_DSN"], dbname="postgres")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield {**connections.settings["default"], "NAME": name, "CONN_MAX_AGE": 0}
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

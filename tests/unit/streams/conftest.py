"""A committed group whose stream is looked at."""

import pytest

from tests.conftest import Users
from tests.unit.committed import World


@pytest.fixture
def world(users: Users, committed_database: None) -> World:
    """A committed group of alice's with bob; the test works outside any transaction."""
    return World(users, members=1)

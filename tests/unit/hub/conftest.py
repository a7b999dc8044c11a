"""The world of a test of the hub."""

from collections.abc import Iterator

import pytest

from .world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A world of the test's own; its sockets leave with it."""
    world = World()
    yield world
    world.leave_all()
    world.close()

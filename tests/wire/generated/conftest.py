"""Rooms around somebody, and their socket."""

import pytest

from tests.conftest import Connect, Orm, Users
from tests.wire.generated.exchange import Exchange, World


@pytest.fixture
def world(orm: Orm, users: Users) -> World:
    """Rooms around alice, just made."""
    world = World(orm, users)
    world.renew()
    return world


@pytest.fixture
async def exchange(connect: Connect, world: World, caplog: pytest.LogCaptureFixture) -> Exchange:
    """Alice's socket, on which nothing is under way."""
    exchange = Exchange(await connect(world.alice), caplog)
    # What was sent while the world was made may still be under way to this socket.
    await exchange.heartbeat()
    return exchange

"""The project on which the table of rights is tried."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import override_settings

from event_bridge.hub import upkeep
from tests.conftest import Orm, Users
from tests.rights import writes
from tests.rights.world import World, make_world

#: Nothing is committed, everybody may use the GraphQL endpoint, and no rate ends the test.
REHEARSAL = {
    "EVENT_HANDLER_CLASS": "tests.rights.rehearsal.Rehearsal",
    "GRAPHQL_ACCESS": "tests.rights.rehearsal.everybody",
    "RATE_LIMIT": None,
}


@pytest.fixture(scope="package")
def rehearsing(orm: Orm) -> Iterator[None]:
    """Lets every operation end without a commit, and logs what is written all the same."""
    present = getattr(settings, "REALTIME_CHAT_MESSAGING", {})
    rehearsal = override_settings(REALTIME_CHAT_MESSAGING={**present, **REHEARSAL})
    with writes.logged(orm), rehearsal:
        yield


@pytest.fixture
def world_of(orm: Orm, rehearsing: None) -> Callable[[str], World]:
    """Makes a room of a kind and its people, by the operations themselves."""
    return lambda kind: orm(
        make_world, kind, Users(lambda work, *args, **named: work(*args, **named))
    )


@pytest.fixture
def no_upkeep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the hub look for deactivated accounts never, so that the event itself finds it out."""
    monkeypatch.setattr(upkeep, "UPKEEP_SECONDS", 3600.0)

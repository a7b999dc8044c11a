"""How often an event waits for PostgreSQL: a network between the two makes each one felt."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction

from gql_chat.models import (
    Delivery,
    Mention,
    MessageMediaAsset,
    Reaction,
    ReadReceipt,
    Room,
    Session,
)
from tests.conftest import Users
from tests.unit.scenes import Scene, run
from tests.unit.tap import Tap, tapped

pytestmark = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="only PostgreSQL is behind a wire"
)

#: BEGIN and COMMIT are counted.
ROUND_TRIPS = {
    "message.send": 3,
    "message.send client_id": 4,
    "message.send reply": 7,
    "message.react add": 6,
    "message.read one": 5,
    "message.acknowledged one": 10,
    "message.typing": 2,
    "room.messages": 4,
    "open": 7,
    "close": 2,
}

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def tap(committed_database: None) -> Iterator[Tap]:
    with tapped() as tap:
        yield tap


@pytest.fixture
def scene(tap: Tap) -> Iterator[Scene]:
    # Kept for the life of a process.
    ContentType.objects.get_for_model(Room)
    scene = Scene(Users(lambda work, *args, **kwargs: work(*args, **kwargs)), 3)
    run(scene, "message.typing")  # what is worked out once
    yield scene
    Session.objects.filter(user=scene.owner).delete()


def count(tap: Tap, scene: Scene, case: str) -> int:
    before = tap.round_trips
    run(scene, case)
    return tap.round_trips - before


def test_the_tap_counts_what_waits(tap: Tap) -> None:
    before = tap.round_trips

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("SELECT 2")

    assert tap.round_trips - before == 4  # with BEGIN and COMMIT


@pytest.mark.parametrize("case", ROUND_TRIPS)
def test_an_event_waits_so_often(case: str, tap: Tap, scene: Scene) -> None:
    assert count(tap, scene, case) == ROUND_TRIPS[case]


def test_what_hangs_on_nothing_waits_less(tap: Tap, scene: Scene) -> None:
    for model in (MessageMediaAsset, Delivery, ReadReceipt, Reaction, Mention):
        model.objects.filter(message__in=[*scene.theirs, *scene.mine]).delete()

    assert count(tap, scene, "message.react add") == ROUND_TRIPS["message.react add"] - 1
    assert count(tap, scene, "message.read one") == ROUND_TRIPS["message.read one"]


def test_a_heartbeat_is_one_statement_and_its_commit(tap: Tap, scene: Scene) -> None:
    run(scene, "open")
    seen = Session.objects.get(channel_name="a socket").last_seen

    assert count(tap, scene, "heartbeat") == 2
    assert Session.objects.get(channel_name="a socket").last_seen > seen

"""The table with `HIDE_FORBIDDEN`: nobody outside can tell what is there from what is not."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from tests.conftest import Connect, Orm
from tests.rights.attempts import cells
from tests.rights.cases import CASES
from tests.rights.test_socket import ask
from tests.rights.world import OUTSIDE, World
from tests.wire.rooms import NOBODY

pytestmark = pytest.mark.usefixtures("no_upkeep")

#: Events that say of users whether they are there, to everybody who may write to them.
TELLING = {"room.create"}
#: Where an event names users.
USERS = ("members", "users")


@pytest.fixture
def hiding(rehearsing: None) -> Any:
    """What is forbidden is hidden."""
    present = settings.REALTIME_CHAT_MESSAGING
    with override_settings(REALTIME_CHAT_MESSAGING={**present, "HIDE_FORBIDDEN": True}):
        yield


def invented(world: World) -> dict[str, str]:
    """For the ids of the room, and of the messages that are not to be seen, ids of nothing."""
    there = {world.room_id, world.elsewhere, *world.hers.values(), *world.own.values()}
    return {key: str(uuid.uuid5(uuid.NAMESPACE_OID, key)) for key in there}


def swap(value: Any, ids: dict[str, str], *, users: bool) -> Any:
    """Return data with invented ids in place of those that something has."""
    if isinstance(value, str):
        for key, other in ids.items():
            value = value.replace(key, other)
        return value
    if isinstance(value, list):
        return [swap(each, ids, users=users) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        swap(name, ids, users=False): [NOBODY] * len(each)
        if users and name in USERS
        else swap(each, ids, users=users)
        for name, each in value.items()
    }


@pytest.mark.parametrize("kind", ["pair", "group", "channel"])
async def test_nobody_outside_can_tell_what_is_there(
    kind: str, world_of: Callable[[str], World], hiding: None, connect: Connect, orm: Orm
) -> None:
    world = world_of(kind)
    ids = invented(world)
    devices = {role: await connect(world.people[role]) for role in OUTSIDE if role in world.people}
    told, events = [], set()

    for (event, what, role), data in cells(world, devices):
        tries = [swap(data, known, users=users) for known in ({}, ids) for users in (False, True)]
        if event in TELLING:
            tries = tries[::2]
        frames = [await ask(devices[role], event, each) for each in tries]
        events.add(event)
        # An answer may repeat the ids that it was asked for.
        shown = {json.dumps(swap(frame, ids, users=False), sort_keys=True) for frame in frames}
        if len(shown) > 1:
            told.append(f"{event}, {what}: {role}: {sorted(shown)}")

    assert told == []
    assert events == CASES.keys()

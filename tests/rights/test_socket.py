"""The table on the socket: every event, by everybody, in every kind of room."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.client import Client
from tests.conftest import Connect, Orm
from tests.rights.attempts import Judge, cells, outcome_of_answer, outcome_of_error
from tests.rights.cases import CASES, Data
from tests.rights.table import ROOMS, expected
from tests.rights.world import World, roles_of

pytestmark = pytest.mark.usefixtures("no_upkeep")


def outcome_of(event: str, world: World, frame: dict[str, Any]) -> str:
    """What a frame says that answers a cell."""
    if "error" in frame:
        return outcome_of_error(frame["error"])
    if event != "session.resume":
        return outcome_of_answer(event, world, frame.get("data"))
    found = frame["data"]["streams"].get(f"room:{world.room_id}")
    if found is None:
        return "absent"
    return "gone" if found == {"gone": True} else "shown"


async def ask(client: Client, event: str, data: Data) -> dict[str, Any]:
    """Send an event; returns the frame that answers it, which must be the next one."""
    await client.send(event, data, request_id="cell")
    frame = await client.next()
    assert frame.pop("request_id", None) == "cell", frame
    return frame


async def ending(client: Client, event: str, world: World) -> str:
    """The code with which the socket is closed, or what it is sent instead."""
    try:
        frame = await client.next()
    except AssertionError:
        return str(client.socket.close_code)
    return f"{outcome_of(event, world, frame)}, and open"


@pytest.mark.parametrize("kind", ROOMS)
async def test_every_cell_comes_out_as_the_table_says(
    kind: str, world_of: Callable[[str], World], connect: Connect, orm: Orm
) -> None:
    world = world_of(kind)
    devices = {role: await connect(world.people[role]) for role in roles_of(kind)}
    judge = Judge(world, orm)

    with judge.listening():
        event = ""
        for cell, data in cells(world, devices):
            if cell[0] != event:
                # A frame that anybody was sent would stand before the answer to the heartbeat.
                for device in devices.values():
                    await device.nothing()
            event, _, role = cell
            frame = await ask(devices[role], event, data)
            judge.judge(cell, outcome_of(event, world, frame))

    assert judge.wrong == []
    assert judge.count >= len(CASES) * len(devices)
    for device in devices.values():
        await device.nothing()


@pytest.mark.parametrize("kind", ROOMS)
async def test_a_deactivated_account_is_refused_every_event_and_its_socket_closed(
    kind: str, world_of: Callable[[str], World], connect: Connect, orm: Orm
) -> None:
    world = world_of(kind)
    user = world.people["deactivated"]
    judge = Judge(world, orm)
    accounts = type(user)._default_manager.filter(pk=user.pk)

    with judge.listening():
        for cell, data in cells(world, ["deactivated"]):
            device = await connect(user)
            orm(accounts.update, is_active=False)
            await device.send(cell[0], data, request_id="cell")
            outcome = await ending(device, cell[0], world)
            orm(accounts.update, is_active=True)
            judge.judge(cell, outcome)

    assert judge.wrong == []


@pytest.mark.parametrize("kind", ROOMS)
async def test_nobody_is_let_in_who_has_not_signed_in(kind: str, connect: Connect) -> None:
    meant = {
        expected(event, what, kind, "anonymous") for event, cases in CASES.items() for what in cases
    }

    stranger = await connect(None, greeted=False)

    assert {str(await stranger.closed())} == meant
    assert stranger.drain() == []

"""Presence at the endpoint: asked for once, and followed over a socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from gql_chat import set_presence
from gql_chat.endpoint import presence
from gql_chat.models import Membership, get_model
from tests.conftest import Orm, Users
from tests.endpoint.conftest import MakeGroup, OpenSocket
from tests.endpoint.tools import Tool
from tests.wire.rooms import wire_id

ASK = """query ($users: [UserID!]) {
  presence(input: {users: $users}) { snapshot users { user_id status } }
}"""
SET = "mutation ($status: String!) { set_presence(input: {status: $status}) }"
SHOWN = "{ shown_presence }"
FOLLOW = """
subscription ($users: [UserID!], $rooms: [UUID!]) {
  presence_events(input: {users: $users, rooms: $rooms}) {
    snapshot users { user_id status last_seen }
  }
}
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a subscription look all the time."""
    monkeypatch.setattr(presence, "LOOK_SECONDS", 0.1)


def told(frame: Any) -> tuple[bool, dict[Any, str]]:
    """Whether a result is the snapshot, and the status of each user in it."""
    found = frame["presence_events"]
    return found["snapshot"], {user["user_id"]: user["status"] for user in found["users"]}


async def test_a_tool_follows_who_is_there_until_its_right_ends(
    open_socket: OpenSocket,
    tool_of: Callable[[AbstractUser], Tool],
    staff: AbstractUser,
    users: Users,
    make_group: MakeGroup,
    orm: Orm,
) -> None:
    alice = users("alice")
    room = make_group(alice)
    orm(Membership.objects.create, room=room, user=staff)
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW, users=[wire_id(alice.pk)])
    assert told(await socket.data("1")) == (True, {wire_id(alice.pk): "offline"})

    orm(get_model("Session").objects.create, user=alice, channel_name=f"of {alice.pk}")
    assert told(await socket.data("1")) == (False, {wire_id(alice.pk): "online"})
    orm(set_presence, alice, "invisible")
    assert told(await socket.data("1")) == (False, {wire_id(alice.pk): "offline"})

    tool = tool_of(staff)
    found = await asyncio.to_thread(tool.ask, ASK, {"users": [wire_id(staff.pk)]})
    # A tool is not there for others.
    shown = {"user_id": wire_id(staff.pk), "status": "offline"}
    assert found["presence"] == {"snapshot": True, "users": [shown]}
    for status in ("invisible", "auto"):
        await asyncio.to_thread(tool.ask, SET, {"status": status})
        assert await asyncio.to_thread(tool.ask, SHOWN) == {"shown_presence": status}
    orm(Membership.objects.filter(room=room, user=staff).delete)
    assert await socket.error("1") == 4002

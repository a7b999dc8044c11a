"""Subscriptions of the GraphQL endpoint, with what happens in another process."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from gql_chat.endpoint import subscribers
from gql_chat.models import GroupChat
from gql_chat.operations import EventHandler
from tests.conftest import Orm, Users
from tests.endpoint.tools import FOLLOW_ROOM, SEND, Subscriber, Tool, sign_in
from tests.servers import ChatProcess, ChatThread, RedisServer
from tests.timing import PATIENCE

TwoProcesses = tuple[ChatProcess, ChatProcess]


def prepare(orm: Orm, users: Users) -> tuple[AbstractUser, str, GroupChat]:
    staff = users.viewer()
    return staff, sign_in(orm, staff), orm(GroupChat.objects.create, name="group", creator=staff)


def writer(process: ChatProcess, session: str, room: GroupChat) -> Callable[[str], Any]:
    """Writes messages into the room, by the endpoint of a process."""

    async def write(content: str) -> None:
        given = {"input": {"room_id": str(room.pk), "content": content}}
        await asyncio.to_thread(Tool(process.port, session).ask, SEND, given)

    return write


async def test_what_a_tool_writes_in_one_process_is_heard_in_the_other(
    two_processes: TwoProcesses, orm: Orm, users: Users
) -> None:
    one, other = two_processes
    _, session, room = prepare(orm, users)
    write = writer(other, session, room)

    async with Subscriber(one.port, session) as subscriber:
        await subscriber.init()
        await subscriber.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
        for number in range(1, 21):
            await write(str(number))
        frames = [await subscriber.frame("1") for _ in range(20)]

    assert [frame["seq"] for frame in frames] == list(range(1, 21))
    assert [frame["event"]["message"]["content"] for frame in frames] == [
        str(number) for number in range(1, 21)
    ]


async def test_a_layer_that_forgot_everything_loses_no_frame(
    two_processes: TwoProcesses, redis: RedisServer, orm: Orm, users: Users
) -> None:
    one, other = two_processes
    staff, session, room = prepare(orm, users)
    write = writer(other, session, room)

    async with Subscriber(one.port, session) as subscriber:
        await subscriber.init()
        await subscriber.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
        await write("before")
        await subscriber.frame("1")
        redis.flush()
        await write("after")
        # Written by neither process, so that nothing wakes them up.
        orm(EventHandler(staff.pk).send_message, room.pk, "and more")
        frames = [await subscriber.frame("1") for _ in range(2)]

    assert [frame["seq"] for frame in frames] == [2, 3]


async def test_the_channel_layer_notifies_where_nothing_checks_the_log(
    chat: ChatThread,
    two_processes: TwoProcesses,
    orm: Orm,
    users: Users,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscribers, "CATCH_UP_SECONDS", 100 * PATIENCE)
    _, session, room = prepare(orm, users)

    async with Subscriber(chat.port, session) as subscriber:
        await subscriber.init()
        await subscriber.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
        for number in (1, 2, 3):
            await writer(two_processes[0], session, room)(str(number))
            assert (await subscriber.frame("1"))["seq"] == number

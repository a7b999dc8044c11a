"""Subscribers that read slowly, or not at all."""

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from gql_chat import streams
from gql_chat.endpoint import subscribers
from gql_chat.endpoint.sockets import ChatGraphQLSocket
from tests.endpoint.conftest import MakeGroup, OpenSocket
from tests.endpoint.tools import FOLLOW_ROOM, contents, is_followed
from tests.timing import eventually


async def test_a_slow_subscriber_delays_nobody_and_loses_nothing(
    open_socket: OpenSocket,
    staff: AbstractUser,
    make_group: MakeGroup,
    say: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_MESSAGE_LENGTH": None}
    monkeypatch.setattr(subscribers, "READ_SIZE", 2)
    room = make_group(staff)
    slow = await (await open_socket(staff, compression=None, max_queue=1)).init()
    quick = await (await open_socket(staff)).init()
    await slow.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await quick.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)

    for number in range(MESSAGES):
        say(room, f"{number} {CONTENT}")
        assert contents(await quick.frame("1")).startswith(f"{number} ")

    # What the slow one has not taken is in the log, not in the server's memory.
    name = streams.room_stream(room.pk)
    reached = [
        subscriber.seq
        for notifier in list(subscribers._notifiers.values())
        for subscriber in notifier._subscribers.get(name, ())
    ]
    assert min(reached) < max(reached) == MESSAGES
    for number in range(MESSAGES):
        assert contents(await slow.frame("1")).startswith(f"{number} ")


#: More than the buffers between two sockets of one machine take.
MESSAGES = 60
CONTENT = "x" * 300_000


async def test_a_subscriber_that_takes_nothing_is_closed(
    open_socket: OpenSocket,
    staff: AbstractUser,
    make_group: MakeGroup,
    say: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_MESSAGE_LENGTH": None}
    monkeypatch.setattr(ChatGraphQLSocket, "slow_seconds", 0.2)
    room = make_group(staff)
    say(room, *[f"{number} {CONTENT}" for number in range(MESSAGES)])
    slow = await (await open_socket(staff, compression=None, max_queue=1)).init()
    await slow.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await eventually(lambda: is_followed(room), "it follows")
    await eventually(lambda: not is_followed(room), "it was ended")

    code, reason = await slow.closed()

    assert code == 4008
    assert "seq" in reason

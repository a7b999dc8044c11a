"""Tools of staff and of others, at the endpoint of the server that tests share."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from gql_chat.models import GroupChat
from gql_chat.operations import EventHandler
from tests.conftest import Orm, Users
from tests.endpoint.tools import Subscriber, Tool, sign_in
from tests.servers import ChatThread

#: These tests are of staff. The users of the custom project have no `is_staff`: its own tests, in
#: tests/custom, say what the endpoint makes of such users.
collect_ignore_glob = ["test_*"] if os.environ.get("CHAT_TEST_PROJECT") == "custom" else []

OpenSocket = Callable[..., Awaitable[Subscriber]]
MakeGroup = Callable[..., GroupChat]


@pytest.fixture
def staff(users: Users) -> AbstractUser:
    """Somebody of the staff who may view rooms and messages."""
    return users.viewer()


@pytest.fixture
def tool_of(chat: ChatThread, orm: Orm) -> Callable[[AbstractUser | None], Tool]:
    """Makes the tool of a user, who is signed in."""
    return lambda user: Tool(chat.port, None if user is None else sign_in(orm, user))


@pytest.fixture
def tool(tool_of: Callable[[AbstractUser], Tool], staff: AbstractUser) -> Tool:
    """The tool of staff."""
    return tool_of(staff)


@pytest.fixture
async def open_socket(chat: ChatThread, orm: Orm) -> AsyncIterator[OpenSocket]:
    """Opens sockets of users at the endpoint, which end with the test."""
    async with AsyncExitStack() as stack:

        async def opened(user: AbstractUser | None, **options: Any) -> Subscriber:
            session = None if user is None else sign_in(orm, user)
            subscriber = Subscriber(options.pop("port", chat.port), session, **options)
            return await stack.enter_async_context(subscriber)

        yield opened


@pytest.fixture
def make_group(orm: Orm) -> Callable[..., GroupChat]:
    """Makes groups: of a creator, with members."""

    def make(creator: AbstractUser, *members: AbstractUser, name: str = "group") -> GroupChat:
        group = GroupChat.objects.create(name=name, creator=creator)
        group.participants.add(*members)
        return group

    return lambda *people, **fields: orm(make, *people, **fields)


@pytest.fixture
def say(orm: Orm) -> Callable[..., None]:
    """Writes messages into a room, as a member, through the operations."""

    def write(room: GroupChat, *contents: str) -> None:
        for content in contents:
            EventHandler(room.creator_id).send_message(room.pk, content)

    return lambda room, *contents: orm(write, room, *contents)

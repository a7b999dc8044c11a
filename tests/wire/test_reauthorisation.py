"""A socket lasts no longer than its user's right to it."""

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.test import Client as Browser

from tests.client import Client
from tests.conftest import Connect, Orm, Users
from tests.servers import ChatThread
from tests.wire.rooms import NOBODY, NOWHERE, channel, group, modify, people, say


async def test_a_deactivated_user_loses_every_socket(
    connect: Connect, users: Users, orm: Orm
) -> None:
    user = users("alice")
    first, second = await connect(user), await connect(user)

    orm(get_user_model()._default_manager.filter(pk=user.pk).update, is_active=False)

    assert await first.closed() == 4001
    assert await second.closed() == 4001


async def test_a_deactivated_user_is_refused_at_the_very_next_event(
    connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    orm(get_user_model()._default_manager.filter(pk=alice.id).update, is_active=False)
    await alice.send("message.send", {"room_id": room["id"], "content": "too late"})

    assert await alice.client.closed() == 4001


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("session.resume", {"streams": {}}),
        ("session.resume", {"streams": {"room:{room}": 0}}),
        ("message.acknowledged", {"message_id": "{message}"}),
        ("room.info", {"room_id": NOWHERE}),
        ("message.read", {"message_id": NOWHERE}),
        ("room.add_members", {"room_id": "{room}", "members": [NOBODY]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_deactivated_user_is_told_nothing_by_any_event(
    event: str, data: dict[str, Any], connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(bob, room, "hello", alice)
    names = {"{room}": room["id"], "{message}": message["id"]}
    text = json.dumps(data)
    for name, value in names.items():
        text = text.replace(name, value)

    orm(get_user_model()._default_manager.filter(pk=alice.user.pk).update, is_active=False)
    await alice.send(event, json.loads(text))

    assert await alice.client.closed() == 4001
    assert alice.client.drain() == []
    await bob.nothing()


async def test_a_deleted_user_loses_the_socket(connect: Connect, users: Users, orm: Orm) -> None:
    user = users("alice")
    client = await connect(user)

    orm(user.delete)

    assert await client.closed() == 4001


@pytest.fixture
def visitor(users: Users) -> AbstractUser:
    """Somebody who logs in with browsers."""
    return users("alice")


@pytest.fixture
def browser(visitor: AbstractUser, orm: Orm) -> Browser:
    """A browser in which they are logged in."""
    browser = Browser()
    orm(browser.force_login, visitor)
    return browser


def cookie_of(browser: Browser) -> dict[str, str]:
    """The header that makes a socket the browser's."""
    return {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}


async def test_logging_out_closes_the_sockets_of_that_login_alone(
    chat: ChatThread, browser: Browser, visitor: AbstractUser, orm: Orm
) -> None:
    other = Browser()
    orm(other.force_login, visitor)
    async with (
        Client(chat.url, headers=cookie_of(browser)) as mine,
        Client(chat.url, headers=cookie_of(other)) as elsewhere,
    ):
        orm(browser.logout)

        assert await mine.closed() == 4001
        await elsewhere.heartbeat()


async def test_a_heartbeat_of_a_login_that_ended_unheard_closes_the_socket(
    chat: ChatThread, browser: Browser, orm: Orm
) -> None:
    async with Client(chat.url, headers=cookie_of(browser)) as client:
        orm(browser.session.delete)

        await client.send("session.heartbeat")

        assert await client.closed() == 4001


async def test_a_role_that_was_taken_holds_no_more_at_the_very_next_event(
    connect: Connect, users: Users
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await channel(alice, bob)
    await modify(alice, room, "add_moderator", {"users": [bob.id]}, bob)
    await bob.send("message.send", {"room_id": room["id"], "content": "as a moderator"})
    for person in (alice, bob):
        await person.expect("message.dispatch")

    await modify(alice, room, "remove_moderator", {"users": [bob.id]}, bob)

    await bob.refused(4002, "message.send", {"room_id": room["id"], "content": "not any more"})

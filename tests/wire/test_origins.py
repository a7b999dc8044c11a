"""A page of another site opens no socket with the cookies of who visits it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.conf import settings
from django.test import Client as Browser
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.client import Client
from tests.conftest import Orm, Users
from tests.servers import ChatProcess, chosen_kind

ELSEWHERE = "https://elsewhere.example"
APP = "capacitor://localhost"


@pytest.fixture(scope="module")
def unguarded(server_environment: Mapping[str, str]) -> Iterator[ChatProcess]:
    """A process without Channels' validator of origins."""
    given = json.dumps({"ALLOWED_ORIGINS": [APP]})
    environment = {**server_environment, "CHAT_TEST_SETTINGS": given}
    with ChatProcess(
        environment, "tests.site.asgi:unguarded_application", chosen_kind()
    ) as process:
        yield process


@pytest.fixture
def cookie(users: Users, orm: Orm) -> dict[str, str]:
    """The header of a browser in which somebody is logged in."""
    browser = Browser()
    orm(browser.force_login, users("alice"))
    name = settings.SESSION_COOKIE_NAME
    return {"Cookie": f"{name}={browser.cookies[name].value}"}


async def test_a_page_of_another_site_is_refused_the_login_of_its_visitor(
    unguarded: ChatProcess, cookie: dict[str, str]
) -> None:
    for origin in (ELSEWHERE, "null"):
        with pytest.raises(InvalidStatus, match="403"):
            await Client(unguarded.url, origin=origin, headers=cookie).__aenter__()

    assert f"'{ELSEWHERE}'" in unguarded.log
    async with Client(unguarded.url, headers=cookie) as own:
        await own.heartbeat()
    async with Client(unguarded.url, origin=APP, headers=cookie) as app:
        await app.heartbeat()


async def test_any_cookie_may_be_a_login(unguarded: ChatProcess, users: Users) -> None:
    stranger: Any = Client(
        unguarded.url, users("alice").pk, origin=ELSEWHERE, headers={"Cookie": "token=x"}
    )

    with pytest.raises(InvalidStatus, match="403"):
        await stranger.__aenter__()


async def test_a_page_that_proves_its_user_otherwise_is_let_in(
    unguarded: ChatProcess, users: Users
) -> None:
    async with Client(unguarded.url, users("alice").pk, origin=ELSEWHERE) as client:
        await client.heartbeat()


async def test_a_client_without_an_origin_is_no_browser(
    unguarded: ChatProcess, cookie: dict[str, str]
) -> None:
    async with connect(unguarded.url, additional_headers=cookie, proxy=None) as socket:
        assert json.loads(await socket.recv())["eventType"] == "chat.notifications"

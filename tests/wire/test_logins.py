"""A socket lasts no longer than the login that it was opened with."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import (
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    update_session_auth_hash,
)
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.backends import file
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.test import Client as Browser
from django.utils import timezone

from gql_chat import guards, sign_out
from tests.client import Client
from tests.conftest import Connect, Orm, Users
from tests.servers import ChatThread, RedisServer, ServerMissingError
from tests.wire import kept_sessions

ENGINES = {
    name: f"django.contrib.sessions.backends.{name}"
    for name in ("db", "cached_db", "cache", "file", "signed_cookies")
} | {"own": "tests.wire.kept_sessions"}

KEPT = [name for name in ENGINES if name != "signed_cookies"]
"""The engines that keep sessions on the server."""


class Visit:
    """A user who is logged in with a browser."""

    def __init__(self, user: AbstractUser, browser: Browser, orm: Orm) -> None:
        self.user = user
        self.browser = browser
        self.orm = orm

    @property
    def key(self) -> str:
        """The value of the session cookie."""
        return self.browser.cookies["sessionid"].value

    @property
    def headers(self) -> dict[str, str]:
        """What makes a socket the browser's."""
        return {"Cookie": f"sessionid={self.key}"}

    def change(self, work: Callable[[Any], Any]) -> None:
        """Change the session as another server would, and save it."""

        def change() -> None:
            session = self.browser.session
            work(session)
            session.save()

        self.orm(change)


LogIn = Callable[..., Visit]


@pytest.fixture
def log_in(users: Users, orm: Orm) -> LogIn:
    """Logs somebody in, with the engine of the settings."""

    def logged_in(user: AbstractUser | None = None) -> Visit:
        user, browser = user or users("alice"), Browser()
        orm(browser.force_login, user)
        return Visit(user, browser, orm)

    return logged_in


@pytest.fixture
def engine(
    request: pytest.FixtureRequest, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A session engine by its short name, in use until the test ends."""
    name: str = request.param
    settings.SESSION_ENGINE = ENGINES[name]
    # Where the class has found it once it looks no more.
    monkeypatch.setattr(file.SessionStore, "_storage_path", str(tmp_path), raising=False)
    return name


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins are judged again at once, so that no test waits for half a minute."""
    monkeypatch.setattr(guards, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(guards, "CHECK_SECONDS", 0.05)


def flush(visit: Visit, settings: Any) -> None:
    visit.orm(visit.browser.session.flush)


def delete(visit: Visit, settings: Any) -> None:
    visit.orm(Session.objects.filter(pk=visit.key).delete)


def expire(visit: Visit, settings: Any) -> None:
    past = timezone.now() - timedelta(seconds=1)
    visit.orm(Session.objects.filter(pk=visit.key).update, expire_date=past)


def change_password(visit: Visit, settings: Any) -> None:
    user = get_user_model()._default_manager.get
    found = visit.orm(user, pk=visit.user.pk)
    found.set_password("another")
    visit.orm(found.save)


def cycle_key(visit: Visit, settings: Any) -> None:
    visit.orm(visit.browser.session.cycle_key)


def lose_user(visit: Visit, settings: Any) -> None:
    visit.change(lambda session: session.pop(SESSION_KEY))


def lose_hash(visit: Visit, settings: Any) -> None:
    visit.change(lambda session: session.pop(HASH_SESSION_KEY))


def become_another(visit: Visit, settings: Any) -> None:
    other = visit.orm(
        get_user_model()._default_manager.exclude(pk=visit.user.pk).order_by("-pk").first
    )
    assert other is not None
    visit.change(
        lambda session: session.update(
            {
                SESSION_KEY: other._meta.pk.value_to_string(other),
                HASH_SESSION_KEY: other.get_session_auth_hash(),
            }
        )
    )


def lose_backend(visit: Visit, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["guardian.backends.ObjectPermissionBackend"]


def change_secret(visit: Visit, settings: Any) -> None:
    settings.SECRET_KEY = "all-sessions-end"


ENDS = [
    flush,
    delete,
    expire,
    change_password,
    cycle_key,
    lose_user,
    lose_hash,
    become_another,
    lose_backend,
    change_secret,
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_the_next_heartbeat_after_the_login_ended_closes_the_socket(
    end: Callable[[Visit, Any], None],
    chat: ChatThread,
    log_in: LogIn,
    users: Users,
    settings: Any,
) -> None:
    users("somebody")
    visit = log_in()
    async with Client(chat.url, headers=visit.headers) as client:
        await client.heartbeat()

        end(visit, settings)
        await client.send("session.heartbeat")

        assert await client.closed() == 4001


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_a_silent_socket_ends_with_its_login_and_no_other_does(
    end: Callable[[Visit, Any], None],
    chat: ChatThread,
    log_in: LogIn,
    users: Users,
    settings: Any,
    soon: None,
    connect: Connect,
) -> None:
    users("somebody")
    visit, other = log_in(), log_in()
    async with (
        Client(chat.url, headers=visit.headers) as client,
        Client(chat.url, headers=other.headers) as elsewhere,
    ):
        end(visit, settings)

        assert await client.closed() == 4001
        if end in (lose_backend, change_secret):  # everybody's
            assert await elsewhere.closed() == 4001
        else:
            await elsewhere.heartbeat()


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_whatever_the_engine_a_login_lasts_and_ends_with_a_changed_password(
    engine: str, chat: ChatThread, log_in: LogIn, settings: Any, soon: None
) -> None:
    talking, silent, other = log_in(), log_in(), log_in()
    async with (
        Client(chat.url, headers=talking.headers) as client,
        Client(chat.url, headers=silent.headers) as quiet,
        Client(chat.url, headers=other.headers) as elsewhere,
    ):
        for each in (client, quiet, elsewhere):
            await each.heartbeat()

        change_password(talking, settings)
        await client.send("session.heartbeat")
        assert await client.closed() == 4001
        change_password(silent, settings)
        assert await quiet.closed() == 4001

        await elsewhere.heartbeat()


@pytest.mark.parametrize("engine", KEPT, indirect=True)
async def test_whatever_the_engine_a_session_that_was_flushed_ends_its_sockets(
    engine: str, chat: ChatThread, log_in: LogIn, settings: Any, soon: None
) -> None:
    talking, silent, other = log_in(), log_in(), log_in()
    async with (
        Client(chat.url, headers=talking.headers) as client,
        Client(chat.url, headers=silent.headers) as quiet,
        Client(chat.url, headers=other.headers) as elsewhere,
    ):
        flush(talking, settings)
        await client.send("session.heartbeat")
        assert await client.closed() == 4001
        flush(silent, settings)
        assert await quiet.closed() == 4001

        await elsewhere.heartbeat()


@pytest.mark.parametrize("engine", ["file", "signed_cookies"], indirect=True)
async def test_a_session_that_is_too_old_for_its_engine_ends(
    engine: str, chat: ChatThread, log_in: LogIn, settings: Any, tmp_path: Path, orm: Orm
) -> None:
    visit = log_in()
    async with Client(chat.url, headers=visit.headers) as client:
        await client.heartbeat()
        if engine == "file":
            (name,) = os.listdir(tmp_path)
            os.utime(tmp_path / name, (0, 0))
        else:
            settings.SESSION_COOKIE_AGE = 0

        await client.send("session.heartbeat")

        assert await client.closed() == 4001
    # Judging changes nothing: the file of the session is there, and no other.
    if engine == "file":
        assert os.listdir(tmp_path) == [name]


async def test_a_secret_key_that_is_a_fallback_now_still_holds(
    chat: ChatThread, log_in: LogIn, settings: Any, soon: None
) -> None:
    visit, ending = log_in(), log_in()
    async with (
        Client(chat.url, headers=visit.headers) as client,
        Client(chat.url, headers=ending.headers) as other,
    ):
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the-next-one"

        await client.heartbeat()
        flush(ending, settings)
        assert await other.closed() == 4001  # by a look at both
        await client.heartbeat()


async def test_who_changes_the_password_logs_the_socket_in_again_with_the_new_cookie(
    chat: ChatThread, log_in: LogIn, orm: Orm
) -> None:
    visit = log_in()
    async with Client(chat.url, headers=visit.headers) as client:
        request = HttpRequest()
        request.session, request.user = visit.browser.session, visit.user

        def change() -> None:
            visit.user.set_password("another")
            visit.user.save()
            update_session_auth_hash(request, visit.user)
            request.session.save()

        orm(change)
        await client.send("session.heartbeat")
        assert await client.closed() == 4001

    headers = {"Cookie": f"sessionid={request.session.session_key}"}
    async with Client(chat.url, headers=headers) as client:
        await client.heartbeat()


async def test_a_socket_that_is_not_the_sessions_outlasts_it(
    chat: ChatThread, log_in: LogIn, users: Users, settings: Any, soon: None
) -> None:
    visit, ending, user = log_in(), log_in(), users("by token")
    async with (
        Client(chat.url, user.pk, headers=visit.headers) as client,
        Client(chat.url, headers=ending.headers) as other,
    ):
        for each in (visit, ending):
            flush(each, settings)
        assert await other.closed() == 4001

        await client.heartbeat()


async def test_signing_a_user_out_closes_all_their_sockets(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = users.make("alice", "bob")
    phone, laptop, other = await connect(alice), await connect(alice), await connect(bob)

    orm(sign_out, alice)

    assert await phone.closed() == 4001
    assert await laptop.closed() == 4001
    await other.heartbeat()


# Stores that are away


class Outage:
    """A store of sessions that goes and comes back."""

    def __init__(self, go: Callable[[], None], come: Callable[[], None]) -> None:
        self.go = go
        self.come = come


@pytest.fixture
def outage(
    engine: str, request: pytest.FixtureRequest, settings: Any, tmp_path: Path
) -> Iterator[Outage]:
    """How to take the store of the engine away."""
    if engine == "file":
        gone = tmp_path.with_name(f"{tmp_path.name}-gone")
        outage = Outage(lambda: _move(tmp_path, gone), lambda: _move(gone, tmp_path))
    elif engine == "own":
        store = kept_sessions.SessionStore
        outage = Outage(lambda: setattr(store, "away", True), lambda: setattr(store, "away", False))
    else:
        outage = request.getfixturevalue("hanging")
    yield outage
    with suppress(FileNotFoundError):
        outage.come()


def _move(path: Path, to: Path) -> None:
    path.rename(to)


@pytest.fixture
def store_server(settings: Any) -> Iterator[RedisServer]:
    """A Redis of the test's own that is the cache, and so holds the sessions of some engines."""
    try:
        server = RedisServer()
    except ServerMissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    with server:
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": server.url,
            }
        }
        yield server


@pytest.fixture
def hanging(store_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Outage:
    """A Redis that keeps its connections and answers nothing."""
    monkeypatch.setattr(guards, "ANSWER_SECONDS", 0.2)
    return Outage(
        lambda: os.kill(store_server.pid, signal.SIGSTOP),
        lambda: os.kill(store_server.pid, signal.SIGCONT),
    )


@pytest.mark.parametrize("engine", ["file", "own", "cache"], indirect=True)
async def test_a_store_that_is_away_ends_no_socket_and_is_said_to_be_so(
    engine: str,
    outage: Outage,
    chat: ChatThread,
    log_in: LogIn,
    soon: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    visit = log_in()
    async with Client(chat.url, headers=visit.headers) as client:
        await client.heartbeat()

        outage.go()
        for number in range(5):
            await client.send("session.heartbeat", request_id=number)
            detail = await client.error(4503, request_id=number)
            assert detail["retry_after"] > 0
        await client.send("room.list")
        await client.expect("roomlist.dispatch")

        outage.come()
        await client.heartbeat()
        change_password(visit, None)
        assert await client.closed() == 4001

    told = [record.getMessage() for record in caplog.records if "ogins" in record.getMessage()]
    assert [text.partition(":")[0] for text in told] == [
        "Logins cannot be judged",
        "Logins are judged again.",
    ]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("engine", ["cache"], indirect=True)
async def test_who_connects_while_the_cache_is_down_tries_again(
    engine: str, store_server: RedisServer, chat: ChatThread, log_in: LogIn
) -> None:
    visit = log_in()

    store_server.kill()

    async with Client(chat.url, headers=visit.headers, greeted=False) as client:
        await client.error(4503)
        assert await client.closed() == 1011


@pytest.mark.parametrize("engine", ["file"], indirect=True)
async def test_who_connects_while_the_store_is_away_is_not_told_to_log_in_again(
    engine: str, outage: Outage, chat: ChatThread, log_in: LogIn
) -> None:
    visit = log_in()

    outage.go()
    async with Client(chat.url, headers=visit.headers, greeted=False) as client:
        await client.error(4503)
        assert await client.closed() == 1011

    outage.come()
    async with Client(chat.url, headers=visit.headers) as client:
        await client.heartbeat()


@pytest.mark.parametrize("engine", ["cache", "cached_db"], indirect=True)
async def test_a_cache_that_was_killed_ends_a_login_only_where_it_took_the_session_along(
    engine: str, store_server: RedisServer, chat: ChatThread, log_in: LogIn, soon: None
) -> None:
    visit = log_in()
    async with Client(chat.url, headers=visit.headers) as client:
        await client.heartbeat()

        store_server.kill()
        if engine == "cached_db":
            await client.heartbeat()
        else:
            await client.send("session.heartbeat")
            await client.error(4503)

        store_server.start()
        if engine == "cached_db":
            await client.heartbeat()
        else:
            assert await client.closed() == 4001


@pytest.mark.parametrize("engine", KEPT, indirect=True)
async def test_a_cookie_of_no_session_is_closed_with_4001(engine: str, chat: ChatThread) -> None:
    for key in ("a" * 32, "../../../etc/passwd", "x"):
        headers = {"Cookie": f"sessionid={key}"}
        async with Client(chat.url, headers=headers, greeted=False) as client:
            assert await client.closed() == 4001


# Subprotocols


async def test_a_subprotocol_that_nobody_chose_is_not_accepted(
    connect: Connect, users: Users
) -> None:
    alice = await connect(users("alice"), subprotocols=["soap", "wamp"])

    assert alice.socket.subprotocol is None
    await alice.heartbeat()

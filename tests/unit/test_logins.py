"""Logins: what they are made from, and what judging many of them costs."""

import math
import time
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.functional import LazyObject

from gql_chat import logins
from gql_chat.errors import NotAuthenticated, Unavailable
from gql_chat.logins import Login
from tests.conftest import Users

BACKEND = "django.contrib.auth.backends.ModelBackend"


def session_of(user: AbstractUser, store: Any = SessionStore) -> Any:
    """A session in which a user is logged in, saved."""
    session = store()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return session


class Wrapped(LazyObject):
    """A session as Channels puts it into the scope."""

    def __init__(self, session: Any) -> None:
        super().__init__()
        self._wrapped = session


def login_of(user: AbstractUser, session: Any) -> Login:
    return Login.of({"user": user, "session": Wrapped(session)})


@pytest.mark.parametrize("scope", [{}, {"user": AnonymousUser()}, {"user": None, "session": None}])
def test_a_scope_of_a_projects_own_has_nothing_to_judge(scope: Any) -> None:
    login = Login.of(scope)

    assert (login.store, login.session_key, login.expires_at) == (None, None, None)
    assert not login.is_expired
    login.check()


@pytest.mark.parametrize(
    "given", [1_900_000_000, 1_900_000_000.5, datetime(2030, 1, 1, tzinfo=UTC)]
)
def test_a_login_ends_at_a_timestamp_or_an_aware_time(
    given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = Login.of({"expires_at": given})
    end = given.timestamp() if isinstance(given, datetime) else given
    login.check()

    monkeypatch.setattr(time, "time", lambda: end - 0.1)
    assert not login.is_expired
    monkeypatch.setattr(time, "time", lambda: end)
    assert login.is_expired
    with pytest.raises(NotAuthenticated):
        login.check()


@pytest.mark.parametrize("given", [10**400, math.inf], ids=["huge", "infinite"])
def test_a_login_may_last_for_ever(given: Any) -> None:
    login = Login.of({"expires_at": given})

    assert login.expires_at == math.inf
    login.check()
    assert Login.of({"expires_at": -given}).is_expired


@pytest.mark.parametrize(
    "given",
    [datetime(2030, 1, 1), "2030-01-01T00:00:00Z", True, float("nan"), [1]],  # noqa: DTZ001
)
def test_an_end_that_is_no_time_is_refused_by_name(given: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="expires_at"):
        Login.of({"expires_at": given})


@pytest.mark.django_db
def test_judging_many_logins_takes_two_queries_and_writes_nothing(users: Users) -> None:
    sessions = {user: session_of(user) for user in users.make(*["user"] * 40)}
    held = [login_of(user, session) for user, session in sessions.items()]
    ending, changed = list(sessions)[:2]
    sessions[ending].delete()
    get_user_model()._default_manager.filter(pk=changed.pk).update(password="another")
    before = list(Session.objects.order_by("pk").values())

    with CaptureQueriesContext(
        connection,
    ) as queries:
        judgement = logins.judge(held)

    assert len(queries) == 2
    assert judgement.ended == set(held[:2])
    assert not judgement.unknown
    assert list(Session.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_an_account_that_is_not_active_has_no_login(users: Users, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    user = users("alice")
    session = session_of(user)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session.save()
    login = login_of(user, session)
    login.check()

    get_user_model()._default_manager.filter(pk=user.pk).update(is_active=False)

    with pytest.raises(NotAuthenticated):
        login.check()


@pytest.mark.django_db
def test_a_session_that_was_not_loaded_is_looked_at_once_it_is_judged(users: Users) -> None:
    alice, bob = users.make("alice", "bob")
    key = session_of(alice).session_key
    # Not loaded, so whether the user is the session's is not known yet.
    hers, his = (login_of(user, SessionStore(key)) for user in (alice, bob))
    assert not hers.is_proven
    assert not his.is_proven

    assert not logins.judge([hers, his]).ended
    SessionStore(key).delete()

    assert logins.judge([hers, his]).ended == {hers}
    # Of one that was loaded it is known at once.
    assert login_of(bob, session_of(alice)).store is None
    assert login_of(bob, session_of(alice)).session_key


@pytest.mark.django_db
def test_a_cache_that_keeps_nothing_is_away(users: Users, settings: Any) -> None:
    cache = import_module("django.contrib.sessions.backends.cache")
    user = users("alice")
    login = login_of(user, session_of(user, cache.SessionStore))
    login.check()

    # What clients do that are told to ignore that no server answers.
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

    with pytest.raises(Unavailable):
        login.check()


@pytest.mark.django_db
def test_a_backend_that_cannot_be_asked_is_an_outage(users: Users, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Directory"]
    user = users("alice")
    session = session_of(user)
    session[BACKEND_SESSION_KEY] = f"{__name__}.Directory"
    session.save()

    judgement = logins.judge([login := login_of(user, session)])

    assert judgement.unknown == {login}
    assert isinstance(judgement.problem, TimeoutError)


class Directory:
    """A backend that asks another service."""

    def get_user(self, user_id: Any) -> Any:
        raise TimeoutError("the directory does not answer")

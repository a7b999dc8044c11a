"""Logins: the login that a connection was opened with, and whether it still holds.

Django judges a request once, and the request is over. A socket stays open, so its login is judged
again and again: as Django judges a request with the same cookie, and by the expiry that a project's
middleware gave it. Many are judged at once, since a process holds thousands.
"""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from math import inf, isnan
from typing import Any

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import cache as cache_store
from django.contrib.sessions.backends import cached_db as cached_db_store
from django.contrib.sessions.backends import db as db_store
from django.contrib.sessions.backends import file as file_store
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import router
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from .errors import RETRY_AFTER, NotAuthenticated, Unavailable

Scope = Mapping[str, Any]
Data = Mapping[str, Any]
"""The data of a session; empty if it has ended."""

PROBE = "gql_chat.logins.probe"
"""The key in the sessions' cache that shows whether the cache keeps anything."""

PROBE_SECONDS = 24 * 60 * 60

_KEY = re.compile(r"[\w.:~-]{8,128}", re.ASCII)
"""The form of a key of a session that is kept on a server."""


class Login:
    """The login of one connection.

    Args:
        user_id: the user.
        store: the class that loads the session; None if there is no session to judge.
        session_key: the key of the session that came with the connection, judged or not.
        expires_at: when the login ends, in seconds since 1970; None for no such end.
        is_proven: whether the user is known to come from that session.
    """

    __slots__ = ("expires_at", "is_proven", "session_key", "store", "user_id")

    def __init__(
        self,
        user_id: Any,
        store: type[SessionBase] | None = None,
        session_key: str | None = None,
        expires_at: float | None = None,
        *,
        is_proven: bool = True,
    ) -> None:
        self.user_id = user_id
        self.store = store if session_key is not None else None
        self.session_key = session_key
        self.expires_at = expires_at
        self.is_proven = is_proven

    @classmethod
    def of(cls, scope: Scope) -> Login:
        """Return the login of an ASGI scope that is about to be served.

        The scope's session is read here and never again: its data is from when it was loaded.

        Raises:
            ImproperlyConfigured: a middleware gave an `expires_at` that is no time.
        """
        user_id = getattr(scope.get("user"), "pk", None)
        session = scope.get("session")
        key: str | None = getattr(session, "session_key", None)
        login = cls(user_id, _find_store(session), key, _find_end(scope))
        if login.store is not None:
            # A private name of Django's: whether the session was loaded. Asking an unloaded one
            # would load it here, on the event loop. `test_a_session_that_was_not_loaded…` in
            # tests/unit/test_logins.py and every test on the wire notice if the name changes.
            loaded: Data | None = getattr(session, "_session_cache", None)
            if loaded is None:
                login.is_proven = False
            elif not login.owns(loaded):
                login.store = None
        return login

    @property
    def is_expired(self) -> bool:
        """Whether the time `expires_at` has passed."""
        return self.expires_at is not None and time.time() >= self.expires_at

    def owns(self, data: Data) -> bool:
        """Return whether a session with this data belongs to this user."""
        try:
            return bool(get_user_model()._meta.pk.to_python(data[SESSION_KEY]) == self.user_id)
        except (KeyError, ValidationError):
            return False

    def check(self) -> None:
        """Judge the login now, by the session's store and the database.

        Raises:
            NotAuthenticated: it has ended.
            Unavailable: the store or the database does not answer.
        """
        judgement = judge([self])
        if judgement.ended:
            raise ended()
        if judgement.unknown:
            raise unknown()


def ended() -> NotAuthenticated:
    """Return the error of a login that has ended."""
    return NotAuthenticated("Your login has ended.")


def unknown() -> Unavailable:
    """Return the error of a login that cannot be judged now."""
    return Unavailable(
        {"message": "The server cannot look at your login now.", "retry_after": RETRY_AFTER}
    )


def _find_store(session: Any) -> type[SessionBase] | None:
    # Channels wraps the session in a LazyObject, whose `__class__` is that of the session.
    store = session.__class__
    return store if isinstance(store, type) and issubclass(store, SessionBase) else None


def _find_end(scope: Scope) -> float | None:
    given = scope.get("expires_at")
    if given is None:
        return None
    if isinstance(given, datetime) and given.utcoffset() is not None:
        return given.timestamp()
    if isinstance(given, int | float) and not isinstance(given, bool):
        end = _to_float(given)
        if not isnan(end):
            return end
    raise ImproperlyConfigured(
        "expires_at of a scope is an aware datetime or a Unix timestamp, not "
        f"{'a naive' if isinstance(given, datetime) else 'a'} {type(given).__name__}."
    )


def _to_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer larger than any float, as of a token that never expires
        return inf if number > 0 else -inf


# Judging


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of judging logins. A login that is in neither set holds.

    Attributes:
        ended: the logins that have ended.
        unknown: the logins whose store or backend failed.
        problem: its error.
    """

    ended: set[Login]
    unknown: set[Login]
    problem: Exception | None = None


def judge(logins: Iterable[Login]) -> Judgement:
    """Judge logins as Django judges requests with their cookies.

    A login holds if all of these are true: its session exists and has not expired; the session is
    this user's; its backend is one of `AUTHENTICATION_BACKENDS` and finds the user; its hash fits
    the password, by any of the secret keys; the account is active. Nothing is written but a probe
    in a cache. An error of a store or a backend is an outage, and ends no login.
    """
    over: set[Login] = set()
    lost: set[Login] = set()
    problem: Exception | None = None
    by_store: dict[type[SessionBase], list[Login]] = defaultdict(list)
    for login in logins:
        if login.is_expired:
            over.add(login)
        elif login.store is not None:
            by_store[login.store].append(login)
    for store, group in by_store.items():
        try:
            sessions = read_sessions(store, {str(login.session_key) for login in group})
            over |= _find_ended(
                [(login, sessions.get(str(login.session_key), {})) for login in group]
            )
        except Exception as error:
            lost.update(group)
            problem = error
    return Judgement(over, lost, problem)


def _find_ended(held: list[tuple[Login, Data]]) -> set[Login]:
    """Return the logins whose sessions do not support them, or not any more.

    Args:
        held: the logins, each with the data of its session.
    """
    over: set[Login] = set()
    by_backend: dict[str, list[tuple[Login, Data]]] = defaultdict(list)
    for login, data in held:
        backend = data.get(BACKEND_SESSION_KEY)
        if login.owns(data):
            login.is_proven = True
        elif not login.is_proven:
            login.store = None  # the user came from elsewhere, so no session is to be judged
            continue
        if login.owns(data) and backend in settings.AUTHENTICATION_BACKENDS:
            by_backend[backend].append((login, data))
        else:
            over.add(login)
    for path, group in by_backend.items():
        users = _load_users(path, {login.user_id for login, _ in group})
        for login, data in group:
            user = users.get(login.user_id)
            if (
                user is None
                or not getattr(user, "is_active", True)
                or not _is_verified(user, data.get(HASH_SESSION_KEY))
            ):
                over.add(login)
    return over


def _load_users(path: str, user_ids: set[Any]) -> dict[Any, Any]:
    """Return the users that a backend lets in, by id.

    Django's own backends take one query, to the primary database.
    """
    backend: Any = load_backend(path)
    if type(backend).get_user is ModelBackend.get_user:
        model = get_user_model()
        users = model._default_manager.using(router.db_for_write(model))
        found = users.in_bulk(user_ids)
        return {key: user for key, user in found.items() if backend.user_can_authenticate(user)}
    return {user_id: backend.get_user(user_id) for user_id in user_ids}


def _is_verified(user: Any, session_hash: Any) -> bool:
    if not hasattr(user, "get_session_auth_hash"):
        return True
    if not session_hash:
        return False
    # The hashes of fallback keys are computed only if the first one does not fit.
    hashes = chain([user.get_session_auth_hash()], _lazy(user.get_session_auth_fallback_hash))
    return any(constant_time_compare(session_hash, found) for found in hashes)


def _lazy(make: Any) -> Iterable[str]:
    yield from make()


# Sessions


def read_sessions(store: type[SessionBase], keys: Collection[str]) -> dict[str, Data]:
    """Return the data of sessions, by key; without sessions that have ended, or are empty.

    Django's sessions in the database take one query for all, those in a cache one request. Others
    are loaded one by one.

    Raises:
        Exception: the store is away. (Django's own `load` would return an empty session.)
    """
    if store.load is db_store.SessionStore.load:
        return _read_rows(store, keys)
    if store.load is cache_store.SessionStore.load:
        return _read_cache(store, keys)
    if store.load is cached_db_store.SessionStore.load:
        found = _read_cached_rows(store, keys)
        return {**found, **_read_rows(store, [key for key in keys if key not in found])}
    return {key: _load(store, key) for key in keys}


def _read_rows(store: Any, keys: Collection[str]) -> dict[str, Data]:
    if not keys:
        return {}
    model = store.get_model_class()
    # From the primary: a replica may be behind, and a login that has just begun would end.
    rows = model.objects.using(router.db_for_write(model)).filter(
        session_key__in=keys, expire_date__gt=timezone.now()
    )
    decode = store().decode
    return {key: decode(data) for key, data in rows.values_list("session_key", "session_data")}


def _ask_cache(store: Any, keys: Collection[str]) -> dict[str, Data]:
    names = {store(key).cache_key: key for key in keys}
    found = caches[settings.SESSION_CACHE_ALIAS].get_many(list(names))
    return {names[name]: data for name, data in found.items()}


def _read_cache(store: Any, keys: Collection[str]) -> dict[str, Data]:
    found = _ask_cache(store, keys)
    if len(found) < len(keys):
        _prove_cache()
    return found


def _prove_cache() -> None:
    """Make sure that the cache keeps values: some raise nothing if they cannot reach a server.

    Raises:
        ConnectionError: it keeps nothing.
    """
    cache = caches[settings.SESSION_CACHE_ALIAS]
    if cache.get(PROBE) is None:
        cache.set(PROBE, True, PROBE_SECONDS)
        if cache.get(PROBE) is None:
            raise ConnectionError("The cache of the sessions keeps nothing.")


def _read_cached_rows(store: Any, keys: Collection[str]) -> dict[str, Data]:
    try:
        return _ask_cache(store, keys)
    except Exception:
        return {}  # the database has the sessions, too


def _load(store: type[SessionBase], key: str) -> Data:
    session = store(key)
    # Django's stores of files and cookies begin another session when they load one that has ended.
    for name in ("create", "delete"):
        setattr(session, name, _do_nothing)
    data: Data = session.load()
    if not data:
        _prove(session, key)
    return data


def _do_nothing(*_: Any) -> None:
    """Replace the methods by which a store begins or deletes a session."""


def _prove(session: SessionBase, key: str) -> None:
    """Make sure that a store which returned an empty session is not away.

    Raises:
        Exception: it is.
    """
    is_there = type(session)().exists(key)
    if isinstance(session, file_store.SessionStore):
        os.stat(os.path.join(session.storage_path, "."))
        # The store sets its key to None if it cannot read the file.
        if is_there and session.session_key is None:
            raise OSError("The file of a session cannot be read.")


Shown = tuple[type[SessionBase], str]
"""A store, and the key of a session in it, as a client's cookie claims."""


def find_shown(scope: Scope) -> Shown | None:
    """Return the session that a connection's cookie names; None if it names none."""
    store = _find_store(scope.get("session"))
    key = scope.get("cookies", {}).get(settings.SESSION_COOKIE_NAME)
    if store is None or not isinstance(key, str) or _KEY.fullmatch(key) is None:
        return None
    return store, key


def find_outage(shown: Shown) -> Exception | None:
    """Return the error of a session's store that does not answer; None if it answers.

    Most stores return an empty session if they cannot answer, and then the authentication finds an
    anonymous user. Without this check a user who has a login would be told to log in again.
    """
    store, key = shown
    try:
        read_sessions(store, [key])
    except Exception as error:
        return error
    return None

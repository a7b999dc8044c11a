"""A log of every row that is written, kept by triggers: whether anything at all has changed.

Comparing all tables before and after each of thousands of events would read them thousands of
times, with all that other tests have left in them. A trigger notes each inserted, changed and
deleted row in the same transaction, so the note goes with it where it is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection

from gql_chat.models import Allowance, IdleSocket, Presence, SocketHolder, get_model

_LOG = "rights_writes"
_ACTS = ("INSERT", "UPDATE", "DELETE")
#: Apps whose tables no event writes, but the harness does.
_LEFT_OUT = {"contenttypes", "sessions", "admin"}

_FUNCTION = f"""
CREATE FUNCTION {_LOG}_note() RETURNS trigger AS $$
BEGIN INSERT INTO {_LOG} VALUES (TG_TABLE_NAME || ' ' || lower(TG_OP)); RETURN NULL; END
$$ LANGUAGE plpgsql
"""


def tables() -> list[str]:
    """The tables that are watched: those of the chat, and those of object permissions.

    Sessions are not: they say when a socket was heard of last, which every heartbeat and the
    server's own upkeep change. Nor is presence, which the server writes behind the sockets.
    Allowances are not: what is refused counts among a user's events, too. Accounts are not: the
    test itself deactivates some.
    """
    left_out = {
        *(get_user_model(), get_model("Session"), Allowance),
        *(Presence, IdleSocket, SocketHolder),
    }
    models: list[Any] = apps.get_models(include_auto_created=True)
    return [
        model._meta.db_table
        for model in models
        if model not in left_out
        and model._meta.managed
        and not model._meta.proxy
        and model._meta.app_label not in _LEFT_OUT
    ]


def _begin() -> list[str]:
    statements = [f"CREATE TABLE {_LOG} (name text)"]
    if connection.vendor == "sqlite":
        triggers = [
            f'CREATE TRIGGER "{table}_{act}" AFTER {act} ON "{table}" '
            f"BEGIN INSERT INTO {_LOG} VALUES ('{table} {act.lower()}'); END"
            for table in tables()
            for act in _ACTS
        ]
        return [*statements, *triggers]
    triggers = [
        f'CREATE TRIGGER {_LOG} AFTER {" OR ".join(_ACTS)} ON "{table}" '
        f"FOR EACH ROW EXECUTE FUNCTION {_LOG}_note()"
        for table in tables()
    ]
    return [*statements, _FUNCTION, *triggers]


def _end() -> list[str]:
    if connection.vendor == "sqlite":
        triggers = [f'DROP TRIGGER "{table}_{act}"' for table in tables() for act in _ACTS]
    else:
        triggers = [f"DROP FUNCTION {_LOG}_note() CASCADE"]
    return [*triggers, f"DROP TABLE {_LOG}"]


def _run(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def logged(orm: Any) -> Iterator[None]:
    """Keep the log, for all connections."""
    orm(_run, _begin())
    try:
        yield
    finally:
        orm(_run, _end())


def take() -> list[str]:
    """Return what was written since the last time, and forget it: a table and an act each."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name FROM {_LOG}")
        found = [name for (name,) in cursor.fetchall()]
        if found:
            cursor.execute(f"DELETE FROM {_LOG}")
        return found

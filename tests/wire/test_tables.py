"""A process whose database lacks migrations says so once, and its clients may come again."""

import logging
from collections.abc import Iterator

import pytest
from django.db import connection

from gql_chat import tables
from gql_chat.models import get_model
from tests.conftest import Connect, Orm, Users
from tests.wire.messages import alone
from tests.wire.rooms import say


@pytest.fixture
def without_reactions(orm: Orm, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a table of chat, which is not there until the test ends."""
    monkeypatch.setattr(tables, "_told", [])
    table = get_model("Reaction")._meta.db_table

    def rename(old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    orm(rename, table, f"{table}_elsewhere")
    yield table
    orm(rename, f"{table}_elsewhere", table)


async def test_missing_migrations_are_named_once_and_the_socket_stays(
    without_reactions: str,
    connect: Connect,
    users: Users,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alice, room = await alone(connect, users)
    message = await say(alice, room, "hello")
    data = {"type": "add", "message_id": message["id"], "reaction_content": "+"}

    for _ in range(3):
        detail = await alice.refused(4503, "message.react", data)
        assert detail["retry_after"] > 0

    await alice.client.heartbeat()
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.exc_info for record in told] == [None]
    assert without_reactions in told[0].getMessage()
    assert "manage.py migrate" in told[0].getMessage()

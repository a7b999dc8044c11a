"""What erasure takes out of the log, kept beside it: the checks need to know who came and went.

A trigger of the database notes each frame that goes. So it costs the chat nothing to be watched,
and no code of its own is asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection

from gql_chat.models import StreamEvent

_TABLE = "stress_erased"
_COPY = (
    f"INSERT INTO {_TABLE} (stream, seq, kind, change) "
    "VALUES (OLD.stream, OLD.seq, OLD.kind, OLD.change)"
)


@dataclass(frozen=True)
class Erased:
    """A frame that went out of the log.

    Attributes:
        stream: its stream.
        seq: its place there.
        kind: which event it told of.
        change: who came and went by it; None for nobody.
    """

    stream: str
    seq: int
    kind: str
    change: Any


def watch() -> None:
    """Note from now on what goes out of the log, and nothing that went before."""
    forget()
    log = StreamEvent._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"CREATE TABLE {_TABLE} (stream text, seq integer, kind text, change text)"
            )
            cursor.execute(
                f"CREATE TRIGGER {_TABLE} AFTER DELETE ON {log} FOR EACH ROW BEGIN {_COPY}; END"
            )
            return
        cursor.execute(f"CREATE TABLE {_TABLE} (stream text, seq bigint, kind text, change jsonb)")
        cursor.execute(
            f"CREATE FUNCTION {_TABLE}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {_COPY}; RETURN NULL; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER {_TABLE} AFTER DELETE ON {log} "
            f"FOR EACH ROW EXECUTE FUNCTION {_TABLE}()"
        )


def forget() -> None:
    """Watch no more."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"DROP TRIGGER IF EXISTS {_TABLE}")
        else:
            cursor.execute(f"DROP FUNCTION IF EXISTS {_TABLE}() CASCADE")
        cursor.execute(f"DROP TABLE IF EXISTS {_TABLE}")


def read_erased() -> list[Erased]:
    """Return the frames that went, by stream and place."""
    change = "change" if connection.vendor == "sqlite" else "change::text"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT stream, seq, kind, {change} FROM {_TABLE} ORDER BY stream, seq")
        return [
            Erased(stream, seq, kind, None if text is None else json.loads(text))
            for stream, seq, kind, text in cursor.fetchall()
        ]

"""Where the floor stores messages: the least transaction that a stored message needs."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import psycopg

SQLITE_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS room (id TEXT PRIMARY KEY, newest TEXT);
CREATE TABLE IF NOT EXISTS message (
    id TEXT PRIMARY KEY, room TEXT, sender INT, content TEXT, created_at TEXT
);
"""

POSTGRES_SCHEMA = """
CREATE TABLE room (id uuid PRIMARY KEY, seq bigint NOT NULL);
CREATE TABLE message (
    id uuid PRIMARY KEY, room uuid, seq bigint, sender bigint, content text, created_at timestamptz
);
"""

#: Connections to PostgreSQL, with a thread each: as many as a worker of the package has.
THREADS = 8


class Store(Protocol):
    """Stores rooms and messages; each call is over when its transaction is committed."""

    async def add_room(self, room_id: str) -> None:
        """Store a room."""

    async def add(self, message: dict[str, Any]) -> None:
        """Store a message."""


class SqliteStore:
    """Messages in SQLite: one thread, one connection, one transaction each.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1)

    async def add_room(self, room_id: str) -> None:
        """Store nothing: the first message brings the room's row with it."""

    async def add(self, message: dict[str, Any]) -> None:
        """Store a message."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._add, message)

    def _add(self, message: dict[str, Any]) -> None:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            self._connection.executescript(SQLITE_SCHEMA)
        run, room = self._connection.execute, message["room"]["id"]
        run("BEGIN IMMEDIATE")
        run(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?)",
            (
                message["id"],
                room,
                message["sender"]["id"],
                message["content"],
                message["created_at"],
            ),
        )
        run(
            "INSERT INTO room VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET newest = excluded.newest",
            (room, message["id"]),
        )
        run("COMMIT")


class PostgresStore:
    """Messages in PostgreSQL: a connection for each of a few threads, one transaction each.

    A transaction counts up the room's sequence number and inserts the message with it. It takes
    four round trips: BEGIN, the two statements, COMMIT.

    Args:
        dsn: the connection string of a database that has `POSTGRES_SCHEMA`.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._threads = ThreadPoolExecutor(THREADS)
        self._local = threading.local()

    async def add_room(self, room_id: str) -> None:
        """Store a room."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._add_room, room_id)

    async def add(self, message: dict[str, Any]) -> None:
        """Store a message."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._add, message)

    def _connect(self) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = psycopg.connect(self._dsn, autocommit=True)
        return connection

    def _add_room(self, room_id: str) -> None:
        self._connect().execute("INSERT INTO room VALUES (%s, 0)", (room_id,))

    def _add(self, message: dict[str, Any]) -> None:
        connection, room = self._connect(), message["room"]["id"]
        with connection.transaction():
            (seq,) = connection.execute(
                "UPDATE room SET seq = seq + 1 WHERE id = %s RETURNING seq", (room,)
            ).fetchone() or (None,)
            connection.execute(
                "INSERT INTO message VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    message["id"],
                    room,
                    seq,
                    message["sender"]["id"],
                    message["content"],
                    message["created_at"],
                ),
            )

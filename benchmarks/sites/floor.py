"""The floor: the least that a Python server can do for the same load.

It parses the event, stores a message in one transaction (where a database is named), builds
the documented frame once and writes it to every socket of the room. It checks, cleans,
counts and remembers nothing. `BENCH_FLOOR_FILE` names an SQLite file; without it nothing is
stored.
"""

import asyncio
import os
import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import orjson

from benchmarks.sites.frames import message_frame

Send = Callable[[dict[str, Any]], Awaitable[None]]

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS room (id TEXT PRIMARY KEY, newest TEXT);
CREATE TABLE IF NOT EXISTS message (
    id TEXT PRIMARY KEY, room TEXT, sender INT, content TEXT, created_at TEXT
);
"""

sockets: dict[int, list[Send]] = defaultdict(list)
rooms: dict[str, list[int]] = {}


class Store:
    """Messages in SQLite: one thread, one connection, one transaction each."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1)

    async def add(self, message: dict[str, Any]) -> None:
        """Store a message."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._add, message)

    def _add(self, message: dict[str, Any]) -> None:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            self._connection.executescript(SCHEMA)
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


store = Store(os.environ["BENCH_FLOOR_FILE"]) if "BENCH_FLOOR_FILE" in os.environ else None


def _encode(event_type: str, data: Any) -> str:
    return orjson.dumps({"eventType": event_type, "data": data}).decode()


async def application(scope: dict[str, Any], receive: Any, send: Send) -> None:
    """Serve one connection."""
    if scope["type"] != "websocket":
        return
    user_id = int(parse_qs(scope["query_string"].decode())["user"][0])
    await receive()
    await send({"type": "websocket.accept"})
    sockets[user_id].append(send)
    try:
        await send({"type": "websocket.send", "text": _encode("chat.notifications", {})})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            event = orjson.loads(message["text"])
            await _answer(user_id, event["event_type"], event["data"])
    finally:
        sockets[user_id].remove(send)


async def _answer(user_id: int, event_type: str, data: dict[str, Any]) -> None:
    if event_type == "room.create":
        room_id = str(uuid.uuid4())
        others = data.get("participants") or data.get("subscribers") or []
        rooms[room_id] = [*others, user_id]
        text = _encode("roomcreate.dispatch", {"id": room_id, "type": data["type"]})
    else:
        room_id = data["room_id"]
        message = message_frame(user_id, room_id, data["content"], datetime.now(UTC).isoformat())
        if store is not None:
            await store.add(message)
        text = _encode("message.dispatch", message)
    for member in rooms[room_id]:
        for write in sockets[member]:
            await write({"type": "websocket.send", "text": text})

"""The floor: the least that a Python server can do for the same load.

It parses the event, stores a message in one transaction (where a database is named), builds
the documented frame once and writes it to every socket of the room. It checks, cleans and
remembers nothing. The environment chooses what it runs on:

- `BENCH_FLOOR_FILE` names an SQLite file, `BENCH_FLOOR_DSN` a PostgreSQL database; without either
  nothing is stored.
- `BENCH_FLOOR_REDIS` names a Redis, and `BENCH_FLOOR_CHANNEL` the channel on which its processes
  tell each other; without it there is one process.
"""

import os
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import orjson

from benchmarks.sites.frames import message_frame
from benchmarks.sites.peers import Peers
from benchmarks.sites.stores import PostgresStore, SqliteStore, Store

Send = Callable[[dict[str, Any]], Awaitable[None]]

sockets: dict[int, list[Send]] = defaultdict(list)
rooms: dict[str, list[int]] = {}


def _make_store() -> Store | None:
    if "BENCH_FLOOR_FILE" in os.environ:
        return SqliteStore(os.environ["BENCH_FLOOR_FILE"])
    if "BENCH_FLOOR_DSN" in os.environ:
        return PostgresStore(os.environ["BENCH_FLOOR_DSN"])
    return None


async def _deliver(room_id: str, members: list[int] | None, text: str) -> None:
    """Write a frame to every socket of a room here; with its members if it is new."""
    if members is not None:
        rooms[room_id] = members
    for member in rooms[room_id]:
        for write in sockets[member]:
            await write({"type": "websocket.send", "text": text})


store = _make_store()
peers: Peers | None = None
if "BENCH_FLOOR_REDIS" in os.environ:
    peers = Peers(os.environ["BENCH_FLOOR_REDIS"], os.environ["BENCH_FLOOR_CHANNEL"], _deliver)


def _encode(event_type: str, data: Any) -> str:
    return orjson.dumps({"eventType": event_type, "data": data}).decode()


async def application(scope: dict[str, Any], receive: Any, send: Send) -> None:
    """Serve one connection."""
    if scope["type"] != "websocket":
        return
    if peers is not None:
        await peers.start()
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
    members: list[int] | None = None
    if event_type == "room.create":
        room_id = str(uuid.uuid4())
        others = data.get("participants") or data.get("subscribers") or []
        members = [*others, user_id]
        if store is not None:
            await store.add_room(room_id)
        text = _encode("roomcreate.dispatch", {"id": room_id, "type": data["type"]})
    else:
        room_id = data["room_id"]
        message = message_frame(user_id, room_id, data["content"], datetime.now(UTC).isoformat())
        if store is not None:
            await store.add(message)
        text = _encode("message.dispatch", message)
    if peers is not None:
        peers.publish(room_id, members, text)
    await _deliver(room_id, members, text)

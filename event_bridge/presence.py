"""Presence on the socket: what it watches, and whether somebody sits at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from gql_chat.errors import Invalid
from gql_chat.nouns import has_feature

from .declarations import Data

if TYPE_CHECKING:
    from .consumers import ChatConsumer


def watch(socket: ChatConsumer, result: Any, data: Data) -> Any:
    """Let a socket watch those whose presence it has asked for.

    Args:
        socket: the socket.
        result: what `watched_presence` returned.
        data: the data of the event.

    Returns:
        The result, with what the socket is told at first: the same as others that watch.

    Raises:
        Invalid: the socket would watch too many.
    """
    found = result["presence"]
    rooms = {
        str(room["room_id"]): {str(user_id) for user_id in room["members"]}
        for room in result["rooms"]
    }
    users = socket.hub.presence.watch(socket, found["users"], rooms)
    return {**result, "presence": {**found, "users": users}}


def unwatch(socket: ChatConsumer, result: Any, data: Data) -> Any:
    """Let a socket watch users or rooms no more; all of them where none are named."""
    users, rooms = data.get("users"), data.get("rooms")
    socket.hub.presence.unwatch(
        socket,
        None if users is None else list(map(str, users)),
        None if rooms is None else [str(UUID(room)) for room in rooms],
    )
    return result


def read_activity(data: Any) -> bool | None:
    """Return what a heartbeat says of whether somebody sits at the socket; None for nothing.

    Raises:
        Invalid: it says neither yes nor no.
    """
    if not isinstance(data, dict) or "active" not in data or not has_feature("presence"):
        return None
    active = data["active"]
    if not isinstance(active, bool):
        raise Invalid({"active": "True or false is needed."})
    return active

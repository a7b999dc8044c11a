"""What a client holds of its rooms and their newest messages, kept up by dispatches alone.

It is what a careful client does. Two streams have no order between them, so:

- who got a message is told in the sender's stream, all else in the room's: names are collected
  apart from the messages, and never taken back;
- after a word that the user is out of a room, the client asks whether that is still so.

What is replaced is never changed in place: devices share the frames that they parsed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

MIRRORED = 60
"""How many of the newest messages of a room are held."""

QUOTE = "parent_message"


def room_of(event: str, data: Any) -> str | None:
    """The room that a dispatch is about; None where it does not say, or is about none."""
    match event:
        case "message.dispatch":
            found = data["room"]["id"]
        case "readreceipt.dispatch":
            found = (data[0] if isinstance(data, list) else data)["room"]["id"]
        case "reaction.dispatch":
            found = data["message"]["room"]["id"]
        case "messagemodification.dispatch" if data["action"] == "update":
            found = data["message"]["room"]["id"]
        case "roomcreate.dispatch" | "roomupdate.dispatch":
            found = data["id"]
        case "roomaddmembers.dispatch" | "roomremovemembers.dispatch" | "roomexit.dispatch":
            found = data["room"]["id"]
        case "roomdelete.dispatch" | "usererase.dispatch":
            found = data["room_id"]
        case _:
            return None
    return str(found)


class Mirror:
    """The state of one device.

    Attributes:
        rooms: what is known of each room, by id.
        messages: the newest messages of each room, by id.
        floors: from when on the messages of a room are known.
        delivered: who got which message, of what the user was told.
        names: the usernames of users that were seen, by id.
    """

    def __init__(self) -> None:
        self.rooms: dict[str, Json] = {}
        self.messages: dict[str, dict[str, Json]] = {}
        self.floors: dict[str, str] = {}
        self.delivered: dict[str, set[str]] = defaultdict(set)
        self.names: dict[Any, str] = {}

    def take_room(self, room: Json, newest: list[Json], *, more: bool) -> None:
        """Take a room as it was fetched, with its newest messages.

        Args:
            room: what `room.info` answered.
            newest: what `room.messages` answered, the newest first.
            more: whether there are older ones.
        """
        room_id = room["id"]
        self.rooms[room_id] = room
        self._note_names(room)
        self.messages[room_id] = {message["id"]: message for message in reversed(newest)}
        self.floors[room_id] = newest[-1]["created_at"] if more and newest else ""
        for message in newest:
            self.delivered[message["id"]].update(message["delivered_to"])

    def forget_room(self, room_id: str) -> None:
        """Forget a room that the user is out of."""
        self.rooms.pop(room_id, None)
        self.floors.pop(room_id, None)
        for message_id in self.messages.pop(room_id, ()):
            self.delivered.pop(message_id, None)

    def apply(self, event: str, data: Any) -> None:
        """Apply a dispatch about rooms that are held."""
        match event:
            case "message.dispatch":
                self._put(data, new=True)
            case "readreceipt.dispatch":
                for message in data if isinstance(data, list) else [data]:
                    self._put(message)
            case "messagedelivered.dispatch":
                for message in data if isinstance(data, list) else [data]:
                    self.delivered[message["id"]].update(message["delivered_to"])
            case "reaction.dispatch":
                self._put(data["message"])
            case "messagemodification.dispatch" if data["action"] == "update":
                self._put(data["message"])
            case "messagemodification.dispatch":
                for message_id in data["message_ids"]:
                    self._remove(message_id)
            case "roomcreate.dispatch" | "roomupdate.dispatch":
                self._put_room(data)
            case "roomaddmembers.dispatch" | "roomremovemembers.dispatch":
                self._put_room(data["room"])
            case "roomexit.dispatch":
                self.forget_room(data["room"]["id"])
            case "roomdelete.dispatch":
                self.forget_room(data["room_id"])
            case "usererase.dispatch":
                self._erase(data["room_id"], data["user_id"], data["messages"])
            case "messagetyping.dispatch":
                pass
            case _:
                raise LookupError(f"a dispatch that changes nothing known: {event}")

    def _note_names(self, room: Json) -> None:
        for key in ("participants", "subscribers"):
            self.names.update((user["id"], user["username"]) for user in room.get(key, ()))

    def _put_room(self, room: Json) -> None:
        self.rooms[room["id"]] = room
        self._note_names(room)
        self.messages.setdefault(room["id"], {})
        self.floors.setdefault(room["id"], "")

    def _put(self, message: Json, *, new: bool = False) -> None:
        room_id = message["room"]["id"]
        held = self.messages[room_id]
        if not new and message["id"] not in held:
            return  # older than what is held, or deleted
        if message["created_at"] < self.floors[room_id]:
            return
        held[message["id"]] = message
        self.delivered[message["id"]].update(message["delivered_to"])
        quote = {**message, QUOTE: None, "forwarded_from": None}
        self._requote(room_id, message["id"], quote)
        if len(held) > MIRRORED:
            self._let_go(room_id, next(iter(held)))

    def _let_go(self, room_id: str, oldest: str) -> None:
        held = self.messages[room_id]
        del held[oldest]
        self.delivered.pop(oldest, None)
        self.floors[room_id] = min(message["created_at"] for message in held.values())

    def _remove(self, message_id: str) -> None:
        for room_id, held in self.messages.items():
            if held.pop(message_id, None) is not None:
                self.delivered.pop(message_id, None)
            self._requote(room_id, message_id, None)

    def _requote(self, room_id: str, message_id: str, quote: Json | None) -> None:
        held = self.messages[room_id]
        for key, message in held.items():
            if message[QUOTE] is not None and message[QUOTE]["id"] == message_id:
                held[key] = {**message, QUOTE: quote}

    def _erase(self, room_id: str, user: Any, fate: str) -> None:
        """Forget what is held of an erased user in a room, as the protocol says.

        The newest kept or blanked messages were told of before, and show no name any more.
        """
        held = self.messages[room_id]
        if fate == "delete":
            for message_id in [key for key, each in held.items() if each["sender"]["id"] == user]:
                self._remove(message_id)
        for message_id, message in held.items():
            self.delivered[message_id].discard(self.names.get(user, ""))
            quote = message[QUOTE]
            shown = None if quote is None else _without(quote, user)
            held[message_id] = {**_without(message, user), QUOTE: shown}

    def state(self, room_id: str, user: Any, floor: str = "") -> Json:
        """A room as it compares with another mirror's, its messages from a time on."""
        shown = [
            _comparable(message, user, self.delivered[message["id"]])
            for message in self.messages[room_id].values()
            if message["created_at"] >= max(floor, self.floors[room_id])
        ]
        # A save of the room moves `updated_at`, and nobody is told of it.
        room = {**self.rooms[room_id], "updated_at": None}
        messages = {
            message["id"]: message for message in sorted(shown, key=lambda one: one["created_at"])
        }
        return {"room": room, "order": list(messages), "messages": messages}


def _without(message: Json, user: Any) -> Json:
    """A message without the receipts and reactions of a user."""
    return {
        **message,
        "read_receipts": [
            each for each in message["read_receipts"] if each["reader"]["id"] != user
        ],
        "reactions": [each for each in message["reactions"] if each["user"]["id"] != user],
    }


def _comparable(message: Json, user: Any, delivered: Iterable[str] = ()) -> Json:
    """A message without what its viewer is not told, in an order that does not matter.

    Who got a message is told to its sender alone; the source of a forward stands in a room of
    its own, and its members alone hear what becomes of it.
    """
    mine = message["sender"]["id"] == user
    quote = message[QUOTE]
    return {
        **message,
        "delivered_to": sorted(delivered) if mine else [],
        "read_receipts": sorted(message["read_receipts"], key=lambda each: str(each["reader"])),
        "reactions": sorted(message["reactions"], key=lambda each: str(each["id"])),
        "forwarded_from": None,
        QUOTE: None if quote is None else _comparable({**quote, QUOTE: None}, user, ()),
    }


def differences(held: Any, fresh: Any, path: str = "") -> list[str]:
    """Say where two states differ, a line each."""
    if isinstance(held, dict) and isinstance(fresh, dict):
        found = []
        for key in held.keys() | fresh.keys():
            where = f"{path}.{key}" if path else str(key)
            if key not in fresh:
                found.append(f"{where}: held, but not there: {_brief(held[key])}")
            elif key not in held:
                found.append(f"{where}: there, but not held: {_brief(fresh[key])}")
            else:
                found += differences(held[key], fresh[key], where)
        return found
    return [] if held == fresh else [f"{path}: held {_brief(held)}, there is {_brief(fresh)}"]


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 240 else f"{text[:240]}…"

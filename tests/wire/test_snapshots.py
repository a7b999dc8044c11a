"""What a client holds equals what it would fetch.

For every operation: each member takes a snapshot, somebody acts, each member applies the
dispatches that arrive to the snapshot, and the result is compared with a fresh fetch. One
thing is the contract's own exception: who has got a message is told to its sender alone.
"""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import Settings

from tests.conftest import Connect, Users
from tests.wire.rooms import Message, Person, Room, channel, group, one_to_one, people


class Mirror:
    """What a client holds of its rooms and their messages, kept up by dispatches alone."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.rooms: dict[str, Room] = {}
        self.messages: dict[str, list[Message]] = {}
        self.preferences: dict[str, Any] = {}
        self.own: Any = None

    async def fetch(self) -> None:
        """Ask for everything there is."""
        listed = await self.person.ask("room.list")
        self.rooms = {}
        self.messages = {}
        for summary in listed:
            await self.fetch_room(summary["id"])
        self.preferences = {summary["id"]: summary["preferences"] for summary in listed}
        self.own = await self.person.ask("user.preferences", {})

    async def fetch_room(self, room_id: str) -> None:
        """Ask for a room and its messages."""
        asked = {"room_id": room_id}
        self.rooms[room_id] = await self.person.ask("room.info", asked)
        page = await self.person.ask("room.messages", asked)
        self.messages[room_id] = page["data"]["messages"]

    async def follow(self) -> None:
        """Apply every dispatch that has been sent to this socket."""
        frames = []
        await self.person.send("session.heartbeat")
        while (frame := await self.person.next()) != {"status": "success"}:
            frames.append(frame)
        for frame in frames:
            await self.apply(frame["eventType"], frame["data"])

    async def apply(self, event: str, data: Any) -> None:
        """Apply one dispatch."""
        match event:
            case "message.dispatch":
                self.messages[data["room"]["id"]].insert(0, data)
                wanted = self.preferences.get(data["room"]["id"])
                if wanted is not None and wanted["archived"] is True:
                    wanted["archived"] = False
            case "readreceipt.dispatch" | "messagedelivered.dispatch":
                for message in data if isinstance(data, list) else [data]:
                    self._replace(message)
            case "roomread.dispatch":
                self._move_marker(data)
            case "unread.dispatch":
                pass  # counts have a test of their own: tests/unit/test_unread_counts.py
            case "reaction.dispatch":
                self._replace(data["message"])
            case "messagemodification.dispatch" if data["action"] == "update":
                self._replace(data["message"])
            case "messagemodification.dispatch":
                for message_id in data["message_ids"]:
                    self._remove(message_id)
            case "roomcreate.dispatch" | "roomupdate.dispatch":
                self.rooms[data["id"]] = data
                self.messages.setdefault(data["id"], [])
            case "roomaddmembers.dispatch" | "roomremovemembers.dispatch":
                room_id = data["room"]["id"]
                self.rooms[room_id] = data["room"]
                if room_id not in self.messages:
                    await self.fetch_room(room_id)
            case "roomexit.dispatch":
                self._forget(data["room"]["id"])
            case "roomdelete.dispatch":
                self._forget(data["room_id"])
            case "roompreferences.dispatch":
                self.preferences[data["room_id"]] = data
            case "userpreferences.dispatch":
                self.own = data
            case _:
                pytest.fail(f"a dispatch that changes nothing known: {event}")

    def _move_marker(self, data: Any) -> None:
        markers = self.rooms[data["room_id"]]["read_markers"]
        user_id = data["user"]["id"]
        markers[:] = [marker for marker in markers if marker["user_id"] != user_id]
        marker = {"user_id": user_id, "up_to": data["up_to"], "read_at": data["read_at"]}
        markers.append(marker)
        # As the members are listed.
        members = self.rooms[data["room_id"]]
        order = [each["id"] for each in members.get("participants") or members["subscribers"]]
        markers.sort(key=lambda each: order.index(each["user_id"]))

    def _forget(self, room_id: str) -> None:
        self.rooms.pop(room_id, None)
        self.preferences.pop(room_id, None)
        self.messages.pop(room_id, None)

    def _replace(self, new: Message) -> None:
        messages = self.messages[new["room"]["id"]]
        place = next(i for i, message in enumerate(messages) if message["id"] == new["id"])
        messages[place] = new
        quote = {**deepcopy(new), "parent_message": None, "forwarded_from": None}
        for message in self._quoting("parent_message", new["id"]):
            message["parent_message"] = quote

    def _remove(self, message_id: str) -> None:
        for room_id, messages in self.messages.items():
            self.messages[room_id] = [m for m in messages if m["id"] != message_id]
        for message in self._quoting("parent_message", message_id):
            message["parent_message"] = None

    def _quoting(self, field: str, message_id: str) -> list[Message]:
        return [
            message
            for messages in self.messages.values()
            for message in messages
            if message[field] is not None and message[field]["id"] == message_id
        ]

    def state(self) -> Any:
        """All of it, but for who has got messages of others."""
        messages = deepcopy(self.messages)
        for room_id in messages:
            for message in messages[room_id]:
                for shown in (message, message["parent_message"], message["forwarded_from"]):
                    if shown is not None and shown["sender"]["id"] != self.person.id:
                        shown["delivered_to"], shown["delivered_to_count"] = [], 0
        return self.rooms, messages, self._wanted(), self.own

    def _wanted(self) -> Any:
        """The preferences of rooms, where they differ from what every new room has."""
        plain = {"notify": "default", "muted_until": None, "pinned": False}
        plain |= {"archived": False, "receipts": True}
        return {
            room_id: wanted
            for room_id, wanted in self.preferences.items()
            if wanted != {"room_id": room_id, **plain}
        }


@dataclass
class Scene:
    """Four people, a group of the first three with a conversation, a channel, a chat of two."""

    alice: Person
    bob: Person
    carol: Person
    dora: Person
    group: Room
    channel: Room
    chat: Room
    of_alice: str
    of_bob: str

    async def act(self, person: Person, event: str, **data: Any) -> None:
        """Send an event and wait for its confirmation, leaving all dispatches to be followed."""
        await person.client.send(event, data, request_id="act")
        held = []
        while (frame := await person.next()).get("request_id") != "act":
            held.append(frame)
        assert "error" not in frame, frame
        for dispatch in held:
            self.held.setdefault(person.name, []).append(dispatch)

    def __post_init__(self) -> None:
        self.held: dict[str, list[Any]] = {}


Act = Callable[[Scene], Awaitable[None]]


async def _say_in_archived(s: Scene) -> None:
    await s.act(s.bob, "room.preferences", room_id=s.group["id"], data={"archived": True})
    await s.act(s.alice, "message.send", room_id=s.group["id"], content="back")


ACTS: dict[str, Act] = {
    "send": lambda s: s.act(s.alice, "message.send", room_id=s.group["id"], content="new"),
    "reply": lambda s: s.act(
        s.bob,
        "message.send",
        room_id=s.group["id"],
        content="answer",
        extra_fields={"parent_message_id": s.of_alice},
    ),
    "forward": lambda s: s.act(
        s.alice,
        "message.send",
        room_id=s.chat["id"],
        extra_fields={"forwarded_from_id": s.of_bob},
    ),
    "send with media": lambda s: s.act(
        s.alice,
        "message.send",
        room_id=s.group["id"],
        extra_fields={
            "media": [
                {
                    "media_url": "https://example.com/a.png",
                    "media_type": "image",
                    "mime_type": "image/png",
                    "file_size": 1,
                    "metadata": {},
                }
            ]
        },
    ),
    "acknowledge": lambda s: s.act(s.bob, "message.acknowledged", message_id=[s.of_alice]),
    "read": lambda s: s.act(s.carol, "message.read", message_id=[s.of_alice, s.of_bob]),
    "read up to a message": lambda s: s.act(
        s.carol, "room.read", room_id=s.group["id"], up_to=s.of_bob
    ),
    "read privately": lambda s: s.act(s.carol, "room.read", room_id=s.group["id"], private=True),
    "mark as unread": lambda s: s.act(
        s.carol, "room.unread", room_id=s.group["id"], **{"from": s.of_alice}
    ),
    "react": lambda s: s.act(
        s.bob, "message.react", type="add", message_id=s.of_alice, reaction_content="!"
    ),
    "edit": lambda s: s.act(
        s.alice,
        "message.modify",
        action="update",
        message_id=s.of_alice,
        extra_fields={"content": "changed"},
    ),
    "delete": lambda s: s.act(s.alice, "message.modify", action="delete", message_id=s.of_alice),
    "mention": lambda s: s.act(
        s.alice,
        "message.send",
        room_id=s.group["id"],
        content="you",
        extra_fields={"mentions": {"users": [s.carol.id, s.bob.id], "here": True}},
    ),
    "mention by an edit": lambda s: s.act(
        s.alice,
        "message.modify",
        action="update",
        message_id=s.of_alice,
        extra_fields={"mentions": {"users": [s.carol.id, s.bob.id], "room": True}},
    ),
    "prefer": lambda s: s.act(
        s.bob,
        "room.preferences",
        room_id=s.group["id"],
        data={"notify": "mentions", "pinned": True, "archived": True},
    ),
    "prefer everywhere": lambda s: s.act(
        s.bob, "user.preferences", data={"notify": "none", "presence": False}
    ),
    "say something in an archived room": _say_in_archived,
    "create a room": lambda s: s.act(
        s.alice, "room.create", type="GroupChat", name="Another", participants=[s.dora.id]
    ),
    "join": lambda s: s.act(s.dora, "room.join", room_id=s.channel["id"]),
    "leave": lambda s: s.act(s.carol, "room.leave", room_id=s.group["id"]),
    "add members": lambda s: s.act(
        s.alice, "room.add_members", room_id=s.group["id"], members=[s.dora.id]
    ),
    "remove members": lambda s: s.act(
        s.alice, "room.remove_members", room_id=s.group["id"], members=[s.bob.id]
    ),
    "update a room": lambda s: s.act(
        s.alice,
        "room.modify",
        room_id=s.group["id"],
        action="update",
        data={"name": "Renamed", "property": {"preferences": {"colour": "red"}}},
    ),
    "delete a room": lambda s: s.act(
        s.alice, "room.modify", room_id=s.group["id"], action="delete"
    ),
    "add an admin": lambda s: s.act(
        s.alice,
        "room.modify",
        room_id=s.group["id"],
        action="add_admin",
        data={"users": [s.bob.id]},
    ),
    "add a moderator": lambda s: s.act(
        s.alice,
        "room.modify",
        room_id=s.channel["id"],
        action="add_moderator",
        data={"users": [s.bob.id]},
    ),
    "add a permission": lambda s: s.act(
        s.alice,
        "room.modify",
        room_id=s.channel["id"],
        action="add_permission",
        data={"users": [s.bob.id], "permission": ["can_send_messages"]},
    ),
}


async def set_up(connect: Connect, users: Users) -> Scene:
    alice, bob, carol, dora = await people(connect, users, "alice", "bob", "carol", "dora")
    team = await group(alice, bob, carol)
    news = await channel(alice, bob, is_public=True)
    chat = await one_to_one(alice, dora)
    ids = []
    for person, text in ((alice, "from alice"), (bob, "from bob")):
        await person.send("message.send", {"room_id": team["id"], "content": text})
        for member in (alice, bob, carol):
            message = await member.expect("message.dispatch")
        ids.append(message["id"])
    answer = {"parent_message_id": ids[0]}
    data = {"room_id": team["id"], "content": "quoting", "extra_fields": answer}
    await carol.send("message.send", data)
    for member in (alice, bob, carol):
        await member.expect("message.dispatch")
    return Scene(alice, bob, carol, dora, team, news, chat, *ids)


@pytest.mark.parametrize(("name", "soft"), [*((name, False) for name in ACTS), ("delete", True)])
async def test_a_snapshot_with_the_dispatches_equals_a_fresh_fetch(
    name: str, soft: bool, connect: Connect, users: Users, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MESSAGE_SOFT_DELETE": soft}
    scene = await set_up(connect, users)
    mirrors = [Mirror(person) for person in (scene.alice, scene.bob, scene.carol, scene.dora)]
    for mirror in mirrors:
        await mirror.fetch()

    await ACTS[name](scene)

    for mirror in mirrors:
        for frame in scene.held.get(mirror.person.name, ()):
            await mirror.apply(frame["eventType"], frame["data"])
        await mirror.follow()
        fresh = Mirror(mirror.person)
        await fresh.fetch()
        assert mirror.state() == fresh.state()

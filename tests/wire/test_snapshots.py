"""What a client holds equals what it would fetch.

For every operation: each member takes a snapshot, somebody acts, each member applies the
dispatches that arrive to the snapshot, and the result is compared with a fresh fetch: rooms with
read markers, messages, pins, saved messages, mentions, unread counts, preferences. One thing is
the contract's own exception: who has got a message is told to its sender alone.
"""

from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import Settings

from tests.conftest import Connect, Users
from tests.unit.test_unread_counts import UnreadCounts
from tests.wire.resuming import follow as resume
from tests.wire.rooms import Message, Person, Room, channel, group, one_to_one, people


class Mirror:
    """What a client holds of its rooms and their messages, kept up by dispatches alone."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.rooms: dict[str, Room] = {}
        self.messages: dict[str, list[Message]] = {}
        self.preferences: dict[str, Any] = {}
        self.own: Any = None
        #: Of each room what is pinned, newest first.
        self.pins: dict[str, list[Any]] = {}
        #: What the user has saved, newest first.
        self.saved: list[Any] = []
        #: What mentions the user, newest first.
        self.mentions: list[Any] = []
        self.counts = UnreadCounts(person.id, person.name)

    async def fetch(self) -> None:
        """Ask for everything there is."""
        listed = await self.person.ask("room.list")
        self.rooms = {}
        self.messages = {}
        for summary in listed:
            await self.fetch_room(summary["id"])
        self.preferences = {summary["id"]: summary["preferences"] for summary in listed}
        self.own = await self.person.ask("user.preferences", {})
        self.saved = (await self.person.ask("saved.list", {}))["data"]["saved"]
        self.mentions = (await self.person.ask("mention.list", {}))["data"]["mentions"]
        self.counts.ask_all()
        self.counts.answer(await self.person.ask("unread.list", {}))

    async def fetch_room(self, room_id: str) -> None:
        """Ask for a room and its messages."""
        asked = {"room_id": room_id}
        self.rooms[room_id] = await self.person.ask("room.info", asked)
        page = await self.person.ask("room.messages", asked)
        self.messages[room_id] = page["data"]["messages"]
        self.pins[room_id] = (await self.person.ask("room.pins", asked))["data"]["pins"]

    async def follow(self) -> None:
        """Apply every dispatch that has been sent to this socket."""
        frames = []
        await self.person.send("session.heartbeat")
        while (frame := await self.person.next()) != {"status": "success"}:
            frames.append(frame)
        for frame in frames:
            await self.apply(frame)
        for room_id in self.counts.ask():
            answer = await self.person.ask("unread.list", {"room_id": room_id})
            self.counts.answer(answer, room_id)

    async def apply(self, frame: Any) -> None:
        """Apply one dispatch."""
        self.counts.take(frame)
        event, data = frame["eventType"], frame["data"]
        match event:
            case "message.dispatch":
                self.messages[data["room"]["id"]].insert(0, data)
                self._mention(data)
                wanted = self.preferences.get(data["room"]["id"])
                if wanted is not None and wanted["archived"] is True:
                    wanted["archived"] = False
            case "readreceipt.dispatch" | "messagedelivered.dispatch":
                for message in data if isinstance(data, list) else [data]:
                    self._replace(message)
            case "roomread.dispatch":
                self._move_marker(data)
            case "unread.dispatch":
                pass  # which `counts` has taken
            case "messagepin.dispatch":
                self._replace(data["message"])
                pins = self.pins[data["message"]["room"]["id"]]
                self._keep(pins, data, data["action"] == "pin")
            case "messagesave.dispatch":
                self._replace(data["message"])
                self._keep(self.saved, data, data["action"] == "save")
            case "reaction.dispatch":
                self._replace(data["message"])
            case "messagemodification.dispatch" if data["action"] == "update":
                self._replace(data["message"])
                self._mention(data["message"])
            case "messagemodification.dispatch":
                for message_id in data["message_ids"]:
                    self._remove(message_id)
            case "roomcreate.dispatch" | "roomupdate.dispatch":
                self.rooms[data["id"]] = data
                self.messages.setdefault(data["id"], [])
                self.pins.setdefault(data["id"], [])
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
        self.pins.pop(room_id, None)
        for kept in (self.saved, self.mentions):
            kept[:] = [each for each in kept if each["message"]["room"]["id"] != room_id]

    def _kept(self) -> Iterator[list[Any]]:
        yield from self.pins.values()
        yield self.saved
        yield self.mentions

    @staticmethod
    def _keep(kept: list[Any], data: Any, is_kept: bool) -> None:
        """Put what a frame shows at the top of a list, or take it out."""
        message_id = data["message"]["id"]
        kept[:] = [each for each in kept if each["message"]["id"] != message_id]
        if is_kept:
            shown = {key: data[key] for key in data if key not in ("status", "action")}
            kept.insert(0, shown)

    def _mention(self, message: Message) -> None:
        """Note whether a message mentions the user, who is there."""
        kind = self._kind(message)
        self._keep(self.mentions, {"kind": kind, "message": message}, kind is not None)
        self.mentions.sort(key=lambda each: each["message"]["created_at"], reverse=True)

    def _kind(self, message: Message) -> str | None:
        if message["sender"]["id"] == self.person.id:
            return None
        mentions = message["mentions"]
        if self.person.id in [user["id"] for user in mentions["users"]]:
            return "user"
        return next((call for call in ("here", "room") if mentions[call]), None)

    def _replace(self, new: Message) -> None:
        messages = self.messages[new["room"]["id"]]
        place = next(i for i, message in enumerate(messages) if message["id"] == new["id"])
        messages[place] = new
        for kept in self._kept():
            for each in kept:
                if each["message"]["id"] == new["id"]:
                    each["message"] = new
        quote = {**deepcopy(new), "parent_message": None, "forwarded_from": None}
        for message in self._quoting("parent_message", new["id"]):
            message["parent_message"] = quote

    def _remove(self, message_id: str) -> None:
        for room_id, messages in self.messages.items():
            self.messages[room_id] = [m for m in messages if m["id"] != message_id]
        for kept in self._kept():
            kept[:] = [each for each in kept if each["message"]["id"] != message_id]
        for message in self._quoting("parent_message", message_id):
            message["parent_message"] = None

    def _quoting(self, field: str, message_id: str) -> list[Message]:
        shown = [message for messages in self.messages.values() for message in messages]
        shown += [each["message"] for kept in self._kept() for each in kept]
        return [
            message
            for message in shown
            if message[field] is not None and message[field]["id"] == message_id
        ]

    def state(self) -> Any:
        """All of it, but for who has got messages of others."""
        messages, pins = deepcopy(self.messages), deepcopy(self.pins)
        saved, mentions = deepcopy(self.saved), deepcopy(self.mentions)
        shown = [message for some in messages.values() for message in some]
        shown += [each["message"] for kept in (*pins.values(), saved, mentions) for each in kept]
        for message in shown:
            for part in (message, message["parent_message"], message["forwarded_from"]):
                if part is not None and part["sender"]["id"] != self.person.id:
                    part["delivered_to"], part["delivered_to_count"] = [], 0
        return {
            "rooms": self.rooms,
            "messages": messages,
            "preferences": (self._wanted(), self.own),
            "pins": pins,
            "saved": saved,
            "mentions": mentions,
            "unread": self._unread(),
        }

    def _unread(self) -> Any:
        """Of each room where something waits: how much, from where on, how much of it calls."""
        mentioning = {each["message"]["id"] for each in self.mentions}
        return {
            room_id: {
                "count": room.count,
                "first": room.first_unread if room.counted else next(iter(room.later)),
                "mentions": room.mentions + len(mentioning & room.later.keys()),
                "marked": room.marked,
            }
            for room_id, room in self.counts.rooms.items()
            if room.count
        }

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


async def _pin_new(s: Scene) -> None:
    await s.act(s.alice, "message.send", room_id=s.group["id"], content="pin me")
    new = next(each for each in s.held[s.alice.name] if each["eventType"] == "message.dispatch")
    await s.act(s.bob, "message.pin", message_id=new["data"]["id"])


async def _say_after_mark(s: Scene) -> None:
    await s.act(s.carol, "room.unread", room_id=s.group["id"], **{"from": s.of_bob})
    await s.act(s.alice, "message.send", room_id=s.group["id"], content="after the mark")


async def _say_after_reading(s: Scene) -> None:
    await s.act(s.carol, "room.read", room_id=s.group["id"])
    mentions = {"mentions": {"users": [s.carol.id]}}
    await s.act(
        s.alice, "message.send", room_id=s.group["id"], content="you", extra_fields=mentions
    )


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
    "mention a room": lambda s: s.act(
        s.alice,
        "message.send",
        room_id=s.group["id"],
        content="all of you",
        extra_fields={"mentions": {"room": True}},
    ),
    "take a mention out": lambda s: s.act(
        s.bob,
        "message.modify",
        action="update",
        message_id=s.of_bob,
        extra_fields={"mentions": {}},
    ),
    "delete what mentions": lambda s: s.act(
        s.bob, "message.modify", action="delete", message_id=s.of_bob
    ),
    "edit what is kept": lambda s: s.act(
        s.bob,
        "message.modify",
        action="update",
        message_id=s.of_bob,
        extra_fields={"content": "changed"},
    ),
    "pin": lambda s: s.act(s.alice, "message.pin", message_id=s.of_alice),
    "pin for a time": lambda s: s.act(
        s.carol, "message.pin", message_id=s.of_alice, until="2100-01-01T00:00:00Z"
    ),
    "unpin": lambda s: s.act(s.carol, "message.unpin", message_id=s.of_bob),
    "save": lambda s: s.act(s.carol, "message.save", message_id=s.of_alice),
    "unsave": lambda s: s.act(s.carol, "message.unsave", message_id=s.of_bob),
    "pin what was just said": _pin_new,
    "mute": lambda s: s.act(
        s.carol, "room.preferences", room_id=s.group["id"], data={"muted_until": "forever"}
    ),
    "say something after a mark": _say_after_mark,
    "say something after reading": _say_after_reading,
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
    calling = {"mentions": {"users": [alice.id, carol.id]}}
    for person, text, more in ((alice, "from alice", {}), (bob, "from bob", calling)):
        data = {"room_id": team["id"], "content": text, "extra_fields": more}
        await person.send("message.send", data)
        for member in (alice, bob, carol):
            message = await member.expect("message.dispatch")
        ids.append(message["id"])
    answer = {"parent_message_id": ids[0]}
    data = {"room_id": team["id"], "content": "quoting", "extra_fields": answer}
    await carol.send("message.send", data)
    for member in (alice, bob, carol):
        await member.expect("message.dispatch")
    await bob.send("message.pin", {"message_id": ids[1]})
    for member in (alice, bob, carol):
        await member.expect("messagepin.dispatch")
    for member in (alice, carol):
        await member.send("message.save", {"message_id": ids[1]})
        await member.expect("messagesave.dispatch")
    for person in (alice, bob, carol, dora):
        await resume(person)  # frames say from now on where in their stream they stand
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
            await mirror.apply(frame)
        await mirror.follow()
        fresh = Mirror(mirror.person)
        await fresh.fetch()
        assert mirror.state() == fresh.state()

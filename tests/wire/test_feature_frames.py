"""`FEATURES`: without any, frames have the keys of the documented protocol; with one, its own too.

A whole conversation is played over sockets, and every frame of it compared with `docs/protocol.md`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from gql_chat.conf import FEATURES
from tests import frames
from tests.client import Frame
from tests.conftest import Connect, Users
from tests.wire.resuming import taken_until_now
from tests.wire.rooms import NOWHERE, Person, another_socket, people

#: Stands for a value that is no object and no list.
LEAF = "leaf"
#: Stands for whatever a client gave.
ANY = "any"

#: The types of rooms that newcomers come into.
SHARED = ("GroupChat", "Channel")

USER = dict.fromkeys(("id", "username", "email", "first_name", "last_name"), LEAF)

#: The events that each feature brings. `erasure` and `history` bring none.
OWN_EVENTS = {
    "read_markers": ("room.read", "room.unread", "unread.list"),
    "mentions": ("mention.list",),
    "room_preferences": ("room.preferences", "user.preferences"),
    "pins": (
        "message.pin",
        "message.unpin",
        "room.pins",
        "message.save",
        "message.unsave",
        "saved.list",
    ),
    "history": (),
    "erasure": (),
    "presence": ("presence.subscribe", "presence.unsubscribe", "presence.set"),
    "pages": ("room.members", "notification.list", "user.find"),
}

#: Answers to one socket alone: they name the request. So does a message that was sent again.
PRIVATE = {
    "message.dispatch",
    "roomlist.dispatch",
    "roominfo.dispatch",
    "roommessages.dispatch",
    "session.resumed",
}

#: The features whose frames are compared: none, each alone, all.
CHOICES = [(), *((name,) for name in sorted(FEATURES)), tuple(sorted(FEATURES))]


def leaves(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, LEAF)


class Contract:
    """The keys of every frame, with the features that a project has.

    Attributes:
        events: what each event's data is: a dictionary of exactly these keys, a list of a shape,
            `LEAF`, `ANY`, or a function that returns the shape of a value.
    """

    def __init__(self, features: Iterable[str]) -> None:
        self.features = frozenset(features)
        self.message = self._message()
        self.events: dict[str, Any] = {
            "chat.notifications": lambda data: {key: [self._notification()] for key in data},
            "message.dispatch": self.message,
            "messagedelivered.dispatch": [self.message],
            "readreceipt.dispatch": self._one_or_several,
            "reaction.dispatch": {**leaves("status", "type"), "message": self.message},
            "messagetyping.dispatch": leaves("username", "user_id", "room_id", "is_typing"),
            "messagemodification.dispatch": self._modification,
            "roomcreate.dispatch": self._room,
            "roomlist.dispatch": [self._listed],
            "roominfo.dispatch": self._room,
            "roommessages.dispatch": self._page,
            "roomaddmembers.dispatch": {
                "room": self._room,
                "new_members": [LEAF],
                "added_by": LEAF,
            },
            "roomexit.dispatch": {"room": self._room, "message": LEAF},
            "roomremovemembers.dispatch": {
                "room": self._room,
                "removed_members": [LEAF],
                "removed_by": LEAF,
            },
            "roomupdate.dispatch": self._room,
            "roomdelete.dispatch": leaves("room_id"),
            "session.resumed": {
                "epoch": LEAF,
                "streams": lambda streams: dict.fromkeys(streams, leaves("seq", "recovered")),
            },
        }

    def brought(self, feature: str, keys: dict[str, Any]) -> dict[str, Any]:
        """What a feature adds to an object."""
        return keys if feature in self.features else {}

    def _message(self) -> dict[str, Any]:
        flat = {
            **leaves("id", "content", "is_deleted", "is_edited", "is_forwarded"),
            **leaves("created_at", "updated_at", "forwarded_from", "parent_message"),
            "room": leaves("id"),
            "sender": USER,
            "delivered_to": [LEAF],
            "read_receipts": [{"reader": USER, "read_at": LEAF}],
            "reactions": [{"user": USER, **leaves("id", "reaction_content", "created_at")}],
            "attachments": [
                {
                    **leaves("id", "media_url", "media_type", "file_size", "mime_type", "caption"),
                    "metadata": ANY,
                }
            ],
            **self.brought(
                "pages", leaves("delivered_to_count", "read_receipts_count", "reactions_count")
            ),
            **self.brought(
                "mentions",
                {"mentions": {"users": [leaves("id", "username")], **leaves("room", "here")}},
            ),
        }
        return {**flat, "forwarded_from": flat, "parent_message": flat}

    def _notification(self) -> dict[str, Any]:
        return {
            **leaves("id", "notification_type"),
            "message": self.message,
            **self.brought("mentions", leaves("reason")),
        }

    def _one_or_several(self, data: Any) -> Any:
        return [self.message] if isinstance(data, list) else self.message

    def _modification(self, data: Any) -> Any:
        if data.get("action") == "update":
            return {**leaves("status", "action"), "message": self.message}
        deleted_by = self.brought("erasure", leaves("deleted_by"))
        return {**leaves("status", "action"), "message_ids": [LEAF], **deleted_by}

    def _room(self, data: Any) -> dict[str, Any]:
        members = {
            "OneToOneChat": ("participants",),
            "GroupChat": ("participants", "admins"),
            "Channel": ("subscribers", "moderators"),
        }
        return {
            **self._of_type(data),
            "property": {"preferences": ANY},
            **{name: [USER] for name in members[data["type"]]},
            **self.brought("pages", leaves("member_count")),
            **(
                self.brought("history", leaves("history")) if len(members[data["type"]]) > 1 else {}
            ),
            **self.brought(
                "read_markers", {"read_markers": [leaves("user_id", "up_to", "read_at")]}
            ),
        }

    def _listed(self, data: Any) -> dict[str, Any]:
        preferences = leaves("room_id", "notify", "muted_until", "pinned", "archived", "receipts")
        return {
            **self._of_type(data),
            **({"peer": USER} if data["type"] == "OneToOneChat" else {}),
            "last_message": self.message,
            "unread_count": LEAF,
            **self.brought("room_preferences", {"preferences": preferences}),
        }

    @staticmethod
    def _of_type(data: Any) -> dict[str, Any]:
        base = leaves("type", "id", "created_at", "updated_at")
        named = {**leaves("name", "description", "avatar"), "creator": USER}
        flags = {
            "OneToOneChat": {},
            "GroupChat": {
                **named,
                **leaves("max_participants", "join_approval_required", "group_locked"),
            },
            "Channel": {**named, **leaves("max_subscribers", "is_public")},
        }
        return {**base, **flags[data["type"]]}

    def _page(self, data: Any) -> dict[str, Any]:
        numbers = {"page", "next_page_number", "prev_page_number"} & data.keys()
        named = [*(numbers and ("page", "next_page_number", "prev_page_number"))]
        placed = ["has_next", "has_previous", "size"] if len(data) > 1 else []
        return {
            **leaves(*named, *placed),
            "data": {"room_id": LEAF, "messages": [self.message]},
        }

    def differences(self, frame: Frame) -> Iterator[str]:
        """Yield where a frame has other keys than it should."""
        if "eventType" in frame:
            name = frame["eventType"]
            shape = {"eventType": LEAF, "data": self.events.get(name, {})}
            if name in PRIVATE:
                shape |= leaves(*({"request_id"} & frame.keys()))
            if "seq" in frame:
                shape |= leaves("stream", "seq")
            yield from _differences(frame, shape, name)
        elif frame.get("status") == "success":
            keys = leaves("status", *({"request_id"} & frame.keys()))
            yield from _differences(frame, keys, "confirmation")
        else:
            keys = leaves(*({"request_id"} & frame.keys()))
            error = {"code": LEAF, "detail": ANY} if isinstance(frame["error"], dict) else LEAF
            yield from _differences(frame, {**keys, "error": error}, "error")


def _differences(value: Any, shape: Any, path: str) -> Iterator[str]:
    if callable(shape):
        shape = shape(value)
    if shape == ANY or value is None:
        return
    if isinstance(shape, dict) and isinstance(value, dict):
        if value.keys() != shape.keys():
            extra, missing = value.keys() - shape.keys(), shape.keys() - value.keys()
            yield f"{path}: too much {sorted(extra)}, missing {sorted(missing)}"
        for key in value.keys() & shape.keys():
            yield from _differences(value[key], shape[key], f"{path}.{key}")
    elif isinstance(shape, list) and isinstance(value, list):
        for each in value:
            yield from _differences(each, shape[0], f"{path}[]")
    elif shape != LEAF or isinstance(value, dict | list):
        yield f"{path}: {value!r}"


class Conversation:
    """People who do everything that the documented protocol has, and what they are sent.

    Attributes:
        frames: every frame, whoever got it.
    """

    def __init__(self, *persons: Person) -> None:
        self.persons = persons
        self.frames: list[Frame] = []
        self._count = 0

    async def does(self, person: Person, event_type: str, **data: Any) -> Any:
        """Let somebody send an event; returns the data of the frame that tells of it, if any."""
        self._count += 1
        name = f"step-{self._count}"
        await person.client.send(event_type, data, request_id=name)
        told = await taken_until_now(person)
        refused = [frame["error"] for frame in told if "error" in frame]
        assert not refused, (event_type, data, refused)
        assert [frame.get("request_id") for frame in told].count(name) == 1, told
        self.frames += told
        for other in self.persons:
            if other is not person:
                self.frames += await taken_until_now(other)
        shown = [frame["data"] for frame in told if "data" in frame]
        return shown[0] if shown else None

    async def makes(self, person: Person, type: str, **data: Any) -> str:
        """Let somebody make a room; returns its id."""
        room_id: str = (await self.does(person, "room.create", type=type, **data))["id"]
        return room_id

    async def says(self, person: Person, room_id: str, content: str = "", **more: Any) -> str:
        """Let somebody send a message; returns its id."""
        fields = {"room_id": room_id, "content": content, "extra_fields": more}
        message_id: str = (await self.does(person, "message.send", **fields))["id"]
        return message_id


MEDIA = {
    "media_url": "https://example.com/a.png",
    "media_type": "image",
    "mime_type": "image/png",
    "file_size": 1,
    "caption": "a",
    "metadata": {"width": {"px": 1}},
}


async def play(connect: Connect, users: Users) -> list[Frame]:
    """Play the whole conversation; returns every frame of it."""
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    talk = Conversation(alice, bob, carol)
    does, says = talk.does, talk.says
    properties = {"property": {"preferences": {"colour": {"name": "red"}}}}
    chat = await talk.makes(alice, "OneToOneChat", participants=[bob.id])
    team = await talk.makes(
        alice, "GroupChat", name="team", participants=[bob.id], extra_fields=properties
    )
    news = await talk.makes(
        alice, "Channel", name="news", subscribers=[bob.id], extra_fields={"is_public": True}
    )

    first = await says(alice, team, "first", media=[MEDIA])
    await does(bob, "message.acknowledged", message_id=[first])
    await does(bob, "message.read", message_id=first)
    await does(bob, "message.react", type="add", message_id=first, reaction_content="!")
    answer = await says(bob, team, "answer", parent_message_id=first)
    await says(bob, chat, forwarded_from_id=first)
    await says(alice, team, forwarded_from_id=answer)
    await says(alice, news, "news")
    await does(alice, "message.send", room_id=chat, content="once", client_id="1")
    await does(alice, "message.send", room_id=chat, content="once", client_id="1")
    await does(alice, "message.read", message_id=[answer])
    await does(bob, "message.react", type="remove", message_id=first)
    await does(bob, "message.react", type="add", message_id=first, reaction_content="?")
    await does(alice, "message.typing", room_id=team)
    changed = {"content": "changed"}
    await does(alice, "message.modify", action="update", message_id=first, extra_fields=changed)
    gone = await says(alice, team, "gone")
    await does(alice, "message.modify", action="delete", message_id=[gone])

    for room_id in (chat, team, news):
        await does(bob, "room.info", room_id=room_id)
    await does(bob, "room.list")
    await does(bob, "room.messages", room_id=team)
    for paginate in ({"page": 1}, {"before": answer}, {"after": first}):
        await does(bob, "room.messages", room_id=team, paginate={**paginate, "size": 2})

    phone = await another_socket(connect, bob)
    greeting = phone.client.notifications
    kinds = {each["notification_type"] for some in greeting.values() for each in some}
    assert kinds == {"NEW_MESSAGE"}
    laptop = await another_socket(connect, alice)
    greeting = laptop.client.notifications
    kinds = {each["notification_type"] for some in greeting.values() for each in some}
    assert kinds >= {"REPLY", "REACTION"}
    talk.frames += [*phone.client.taken, *laptop.client.taken]
    await laptop.close()
    talk.persons += (phone,)
    await does(phone, "session.resume", streams={})

    await does(carol, "room.join", room_id=news)
    await does(alice, "room.add_members", room_id=team, members=[carol.id])
    users_ = {"users": [bob.id]}
    for room_id, role in ((team, "admin"), (news, "moderator")):
        for action in (f"add_{role}", f"remove_{role}"):
            await does(alice, "room.modify", room_id=room_id, action=action, data=users_)
    rights = {**users_, "permission": ["can_send_messages"]}
    for action in ("add_permission", "remove_permission"):
        await does(alice, "room.modify", room_id=news, action=action, data=rights)
    new = {"name": "renamed", "description": "of us"}
    await does(alice, "room.modify", room_id=team, action="update", data=new)
    await does(alice, "room.modify", room_id=chat, action="update", data=properties)
    await does(alice, "room.remove_members", room_id=team, members=[carol.id])
    await does(bob, "room.leave", room_id=team)
    await does(alice, "room.leave", room_id=team)
    await does(alice, "room.modify", room_id=news, action="delete")
    for frame in ({"room_id": NOWHERE}, {"room_id": chat, "paginate": {"page": 0}}):
        await alice.send("room.messages", frame)
        talk.frames.append(await alice.next())
    await alice.send("room.unknown", {})
    talk.frames.append(await alice.next())
    talk.frames.append({"status": "success"})
    return talk.frames


@pytest.fixture(params=CHOICES, ids=["none", *sorted(FEATURES), "all"])
def features(request: pytest.FixtureRequest) -> Iterator[tuple[str, ...]]:
    """The features that the project has, by whose own contract frames are validated."""
    present = getattr(settings, "REALTIME_CHAT_MESSAGING", {})
    chosen: tuple[str, ...] = request.param
    with override_settings(REALTIME_CHAT_MESSAGING={**present, "FEATURES": chosen}):
        judge = frames.make_validator()
        yield chosen
    if judge is not None:
        frames.check(frames.record.copy(), judge)
        judge.close()
    frames.record.clear()


async def test_frames_have_the_documented_keys_and_those_of_the_features(
    features: tuple[str, ...], connect: Connect, users: Users
) -> None:
    contract = Contract(features)

    told = await play(connect, users)

    assert {frame["eventType"] for frame in told if "eventType" in frame} == set(contract.events)
    assert sorted({found for frame in told for found in contract.differences(frame)}) == []


async def test_events_are_known_with_their_feature_alone(
    features: tuple[str, ...], connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    known = set()
    for names in OWN_EVENTS.values():
        for name in names:
            # Each is refused, answered or confirmed.
            await alice.client.send(name, {}, request_id=name)
            frame = await alice.next()
            if frame.get("error") != "invalid event type":
                known.add(name)

    assert known == {name for feature in features for name in OWN_EVENTS[feature]}


def test_every_feature_is_compared() -> None:
    assert OWN_EVENTS.keys() == set(FEATURES)


def test_a_key_too_much_and_a_key_that_is_missing_are_found() -> None:
    def found(frame: Frame) -> list[str]:
        return list(Contract(()).differences(frame))

    gone = {"eventType": "roomdelete.dispatch", "data": {"room_id": "1"}}

    assert found(gone) == []
    assert found({**gone, "data": {"room_id": "1", "name": "x"}})
    assert found({**gone, "data": {}})
    assert found({**gone, "data": {"room_id": ["1"]}})
    assert found({**gone, "seq": 1})
    assert found({"error": {"code": 1}})

"""How many items the lists of an event may have, and how much of them an error shows."""

import json
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from tests.conftest import Connect, Orm, Users
from tests.wire.rooms import NOBODY, Person, group, people, say, stored

MANY = [str(uuid4()) for _ in range(10_000)]

#: Each list of each event, with the rest of the event's data.
LISTS = [
    ("message.acknowledged", "message_id", {}),
    ("message.read", "message_id", {}),
    ("message.modify", "message_id", {"action": "delete"}),
    ("message.modify", "message_id", {"action": "update", "extra_fields": {"content": "x"}}),
    ("room.create", "participants", {"type": "GroupChat", "name": "x"}),
    ("room.create", "subscribers", {"type": "Channel", "name": "x"}),
    ("room.add_members", "members", {"room_id": "here"}),
    ("room.remove_members", "members", {"room_id": "here"}),
    *(
        ("room.modify", "data.users", {"action": action, "room_id": "here", "data": {}})
        for action in ("add_admin", "remove_admin", "add_moderator", "remove_moderator")
    ),
    *(
        ("room.modify", field, {"action": action, "room_id": "here", "data": {}})
        for action in ("add_permission", "remove_permission")
        for field in ("data.users", "data.permission")
    ),
]


def filled(field: str, data: dict[str, Any], room_id: str, items: list[Any]) -> dict[str, Any]:
    """The data of an event with these items in one of its lists."""
    data = {name: room_id if value == "here" else value for name, value in data.items()}
    if "data" not in data:
        return {**data, field: items}
    inner = {"users": [NOBODY], **({"permission": ["x"]} if "permission" in data["action"] else {})}
    return {**data, "data": {**inner, field.removeprefix("data."): items}}


@pytest.mark.parametrize(("event", "field", "data"), LISTS)
async def test_a_list_that_is_too_long_is_refused_before_its_items_are_looked_at(
    event: str, field: str, data: dict[str, Any], connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    before = stored(orm, room)

    # Ids that are none, the same one again and again, items of a wrong type.
    for items in (MANY, [MANY[0]] * 501, [None] * 501, [{"x": 1}] * 10_000):
        detail = await alice.refused(4003, event, filled(field, data, room["id"], items))
        assert detail == {field: "At most 500 items are allowed."}

    assert stored(orm, room) == before
    # One fewer is looked at: the items are wrong each by itself, or nobody's.
    await alice.send(event, filled(field, data, room["id"], MANY[:500]))
    error = (await alice.next())["error"]
    assert "At most" not in str(error)
    assert error["code"] in (4002, 4003, 4004)


async def test_the_limit_is_a_setting_and_none_switches_it_off(
    connect: Connect, users: Users, settings: Settings
) -> None:
    (alice,) = await people(connect, users, "alice")
    settings.REALTIME_CHAT_MESSAGING = {"MAX_IDS": 2}
    for event in ("message.acknowledged", "message.read"):
        detail = await alice.refused(4003, event, {"message_id": MANY[:3]})
        assert detail == {"message_id": "At most 2 items are allowed."}
        await alice.refused(4004, event, {"message_id": MANY[:2]})
    settings.REALTIME_CHAT_MESSAGING = {"MAX_IDS": None}
    await alice.refused(4004, "message.read", {"message_id": MANY[:501]})


async def test_media_are_counted_before_they_are_looked_at(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    for media in ([{}] * 20_000, ["x"] * 51):
        data = {"room_id": room["id"], "content": "x", "extra_fields": {"media": media}}
        detail = await alice.refused(4003, "message.send", data)
        assert detail == {"extra_fields.media": "At most 50 items are allowed."}


# Errors


async def refusal(person: Person, event: str, data: Any) -> str:
    """The error of a frame, as text."""
    await person.send(event, data)
    error = (await person.next())["error"]
    assert error["code"] in (4003, 4004), error
    return json.dumps(error)


LONG = 20_000 * "y"


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("message.read", {"message_id": LONG}),
        ("message.read", {"message_id": [LONG] * 40}),
        ("message.read", {"message_id": {LONG: LONG}}),
        ("message.send", {"room_id": "here", "content": {LONG: LONG}}),
        ("message.send", {"room_id": "here", "content": "x", "extra_fields": {LONG: 1}}),
        (
            "message.send",
            {"room_id": "here", "content": "x", "extra_fields": {f"{n}": 1 for n in range(20_000)}},
        ),
        (
            "message.send",
            {
                "room_id": "here",
                "content": "x",
                "extra_fields": {
                    "media": [
                        {"media_url": LONG, "media_type": LONG, "mime_type": LONG, "file_size": 1}
                    ]
                },
            },
        ),
        ("message.send", {"room_id": "here", "content": "x", LONG: "\0"}),
        ("message.modify", {"action": LONG}),
        ("message.react", {"type": LONG}),
        ("room.create", {"type": LONG, "name": "x"}),
        ("room.create", {"type": LONG, "name": "x", "subscribers": [1]}),
        ("room.create", {"type": "GroupChat", "name": "x", "participants": [LONG]}),
        ("room.create", {"type": "GroupChat", "name": "x", "extra_fields": {"avatar": LONG}}),
        (
            "room.modify",
            {
                "action": "add_permission",
                "room_id": "here",
                "data": {"users": [], "permission": [LONG]},
            },
        ),
        ("room.add_members", {"room_id": "here", "members": [LONG]}),
        ("room.messages", {"room_id": "here", "paginate": {"size": LONG}}),
        ("notification.list", {"paginate": {"size": 1, "before": LONG}}),
        ("session.resume", {"streams": {LONG: "x"}}),
    ],
)
async def test_an_error_shows_the_start_of_what_was_sent(
    event: str, data: dict[str, Any], connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    sent = {name: room["id"] if value == "here" else value for name, value in data.items()}

    shown = await refusal(alice, event, sent)

    assert LONG[:300] not in shown
    assert len(shown) < 20_000
    assert await say(alice, room, "still there")

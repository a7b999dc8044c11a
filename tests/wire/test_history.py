"""PROTOCOL of ``room.messages``: pages by number and by cursor, the newest first."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from tests.conftest import Connect, Users
from tests.wire.rooms import (
    Message,
    Person,
    Room,
    another_socket,
    everybody_gets,
    group,
    people,
    say,
)

PAGE = {
    "has_next",
    "has_previous",
    "next_page_number",
    "prev_page_number",
    "page",
    "size",
    "data",
}


async def history(person: Person, room: Room, paginate: Any = None) -> Any:
    data: dict[str, Any] = {"room_id": room["id"]}
    if paginate is not None:
        data["paginate"] = paginate
    return await person.ask("room.messages", data)


def contents(page: Any) -> list[str]:
    return [message["content"] for message in page["data"]["messages"]]


async def talk(person: Person, room: Room, count: int) -> list[Message]:
    """Write the messages "1", "2" and so on."""
    return [await say(person, room, str(number)) for number in range(1, count + 1)]


async def test_without_pages_the_answer_is_the_messages_newest_first(
    connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    messages = await talk(alice, room, 3)

    answer = await history(alice, room)

    assert answer == {"data": {"room_id": room["id"], "messages": messages[::-1]}}


async def test_a_room_without_messages_has_an_empty_history(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    empty = {"room_id": room["id"], "messages": []}

    assert await history(alice, room) == {"data": empty}
    assert await history(alice, room, {"page": 1, "size": 5}) == {
        "has_next": False,
        "has_previous": False,
        "next_page_number": None,
        "prev_page_number": None,
        "page": 1,
        "size": 5,
        "data": empty,
    }


@pytest.mark.parametrize(
    ("page", "shown", "next_page", "previous_page"),
    [
        (1, ["5", "4"], 2, None),
        (2, ["3", "2"], 3, 1),
        (3, ["1"], None, 2),
    ],
)
async def test_pages_are_counted_from_the_newest(
    page: int,
    shown: list[str],
    next_page: int | None,
    previous_page: int | None,
    connect: Connect,
    users: Users,
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    await talk(alice, room, 5)

    answer = await history(alice, room, {"page": page, "size": 2})

    assert answer.keys() == PAGE
    assert answer["data"].keys() == {"room_id", "messages"}
    assert answer["data"]["room_id"] == room["id"]
    assert contents(answer) == shown
    assert (answer["page"], answer["size"]) == (page, 2)
    assert (answer["next_page_number"], answer["prev_page_number"]) == (next_page, previous_page)
    assert (answer["has_next"], answer["has_previous"]) == (
        next_page is not None,
        previous_page is not None,
    )


async def test_a_page_that_is_filled_exactly_has_no_next(connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    await talk(alice, room, 4)

    answer = await history(alice, room, {"page": 2, "size": 2})

    assert contents(answer) == ["2", "1"]
    assert answer["has_next"] is False
    assert answer["next_page_number"] is None


@pytest.mark.parametrize("page", [3, 1000, 2**31 - 1])
async def test_a_page_beyond_the_end_is_empty(page: int, connect: Connect, users: Users) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    await talk(alice, room, 2)

    answer = await history(alice, room, {"page": page, "size": 1})

    assert contents(answer) == []
    assert answer["has_next"] is False
    assert answer["next_page_number"] is None
    assert answer["has_previous"] is True
    assert answer["prev_page_number"] == page - 1
    assert answer["page"] == page


@pytest.mark.parametrize(
    "paginate",
    [
        {},
        {"page": 1},
        {"size": 1},
        {"page": None, "size": 1},
        {"page": 1, "size": None},
        {"page": 0, "size": 1},
        {"page": 1, "size": 0},
        {"page": -1, "size": 1},
        {"page": 1, "size": -1},
        {"page": "1", "size": 1},
        {"page": 1, "size": "1"},
        {"page": 1.5, "size": 1},
        {"page": 1, "size": 1.5},
        {"page": True, "size": 1},
        {"page": 1, "size": True},
        {"page": [], "size": 1},
        {"page": 10**30, "size": 1},
        {"page": 1, "size": 10**30},
        {"before": str(uuid4())},
        {"after": str(uuid4())},
        {"before": "x", "size": 1},
        {"after": 1, "size": 1},
        {"before": str(uuid4()), "after": str(uuid4()), "size": 1},
        {"before": str(uuid4()), "page": 1, "size": 1},
        [],
        1,
        "first",
    ],
)
async def test_a_wrong_page_is_a_validation_error(
    paginate: Any, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    data = {"room_id": room["id"], "paginate": paginate}

    assert await alice.refused(4003, "room.messages", data)


async def test_a_page_and_the_whole_answer_are_capped(
    connect: Connect, users: Users, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_PAGE_SIZE": 2}
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    messages = await talk(alice, room, 3)

    whole = await history(alice, room)
    page = await history(alice, room, {"page": 1, "size": 3})
    before = await history(alice, room, {"before": messages[2]["id"], "size": 2**31 - 1})

    assert contents(whole) == ["3", "2"]
    assert (contents(page), page["size"], page["next_page_number"]) == (["3", "2"], 2, 2)
    assert (contents(before), before["has_next"]) == (["2", "1"], False)


async def test_without_a_cap_everything_is_shown(
    connect: Connect, users: Users, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_PAGE_SIZE": None}
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    await talk(alice, room, 3)

    assert contents(await history(alice, room)) == ["3", "2", "1"]
    assert contents(await history(alice, room, {"page": 1, "size": 10})) == ["3", "2", "1"]


async def test_a_cursor_leads_from_the_newest_to_the_oldest_and_back(
    connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    one, two, three, _, five = await talk(alice, room, 5)

    page = await history(alice, room, {"before": five["id"], "size": 2})
    assert contents(page) == ["4", "3"]
    assert (page["has_next"], page["has_previous"]) == (True, True)
    page = await history(alice, room, {"before": three["id"], "size": 2})
    assert contents(page) == ["2", "1"]
    assert (page["has_next"], page["has_previous"]) == (False, True)
    page = await history(alice, room, {"before": one["id"], "size": 2})
    assert contents(page) == []

    page = await history(alice, room, {"after": one["id"], "size": 2})
    assert contents(page) == ["3", "2"]
    assert (page["has_next"], page["has_previous"]) == (True, True)
    page = await history(alice, room, {"after": two["id"], "size": 10})
    assert contents(page) == ["5", "4", "3"]
    assert (page["has_next"], page["has_previous"]) == (True, False)
    page = await history(alice, room, {"after": five["id"], "size": 2})
    assert contents(page) == []
    assert page["has_previous"] is False


@pytest.mark.parametrize("cursor", ["before", "after"])
async def test_a_cursor_of_no_message_of_the_room_is_not_found(
    cursor: str, connect: Connect, users: Users
) -> None:
    (alice,) = await people(connect, users, "alice")
    room, other = await group(alice), await group(alice)
    elsewhere = await say(alice, other, "elsewhere")

    for message_id in (str(uuid4()), elsewhere["id"]):
        data = {"room_id": room["id"], "paginate": {cursor: message_id, "size": 1}}
        await alice.refused(4004, "room.messages", data)


@pytest.mark.parametrize("soft", [False, True])
async def test_deleted_messages_are_not_shown(
    soft: bool, connect: Connect, users: Users, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MESSAGE_SOFT_DELETE": soft}
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    messages = await talk(alice, room, 3)
    await alice.send("message.modify", {"action": "delete", "message_id": messages[1]["id"]})
    await alice.expect("messagemodification.dispatch")

    assert contents(await history(alice, room)) == ["3", "1"]
    assert contents(await history(alice, room, {"page": 1, "size": 2})) == ["3", "1"]
    assert contents(await history(alice, room, {"before": messages[2]["id"], "size": 2})) == ["1"]


async def test_who_joins_reads_what_was_written_before(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice)
    await talk(alice, room, 2)
    await alice.send("room.add_members", {"room_id": room["id"], "members": [bob.id]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)

    assert contents(await history(bob, room)) == ["2", "1"]


async def test_the_answer_goes_to_the_asking_socket_alone(connect: Connect, users: Users) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    beside = await another_socket(connect, bob)
    room = await group(alice, bob, beside)

    await history(bob, room)

    await beside.nothing()
    await alice.nothing()

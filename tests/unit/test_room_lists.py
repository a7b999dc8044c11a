"""The list of a user's rooms, which has no pages: what it shows where it would be too large."""

from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gql_chat.conf import chat_settings
from gql_chat.models import GroupChat, Membership, Message, MessageMediaAsset, OneToOneChat, weights
from gql_chat.operations import EventHandler
from gql_chat.sizes import SharedBudget
from tests.conftest import Users
from tests.unit.answers import ask
from tests.unit.test_settings import chat

pytestmark = pytest.mark.django_db


def make(alice: Any, *lengths: int, metadata: int = 0, description: int = 0) -> list[str]:
    """Make groups whose last messages have so many letters; return their ids, the newest first."""
    made = []
    for number, length in enumerate(lengths):
        group = GroupChat.objects.create(
            name=f"group {number}", creator=alice, description="d" * description
        )
        message = Message.objects.create(
            room=group, sender=alice, content=f"<b>{number}</b> " + "x" * length
        )
        if metadata:
            MessageMediaAsset.objects.create(
                message=message,
                media_url="https://e.com/",
                media_type="image",
                mime_type="image/png",
                metadata={"note": "n" * metadata},
            )
        GroupChat.objects.filter(pk=group.pk).update(last_activity=message.created_at)
        made.append(str(group.pk))
    return made[::-1]


def shown(rooms: list[Any]) -> list[int]:
    """How many letters each last message has; -1 where there is none."""
    return [len(room["last_message"]["content"]) if room["last_message"] else -1 for room in rooms]


def test_the_largest_last_messages_become_excerpts(alice: Any) -> None:
    ids = make(alice, 10, 9000, 10, 9000, 10)
    with chat(MAX_ANSWER_BYTES=16_000):
        rooms = ask(alice, "room.list", {})

    assert [room["id"] for room in rooms] == ids
    assert shown(rooms) == [19, 201, 19, 201, 19]
    assert rooms[1]["last_message"]["content"] == "3 " + "x" * 198 + "…"
    assert rooms[1]["last_message"]["sender"]["username"] == alice.get_username()


def test_columns_of_a_projects_own_count(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (room_id,) = make(alice, 10)
    room: Any = GroupChat.objects.get(pk=room_id)
    weight = weights.weigh_room(room)

    columns = ("description", "avatar", "notes", "plan")
    monkeypatch.setattr(weights, "find_texts", lambda model: (columns, 64))
    room.notes, room.plan = "n" * 5000, {"a": [1, 2], "b": alice.date_joined}

    assert weight + 5000 < weights.weigh_room(room) < weight + 5100


def test_a_room_of_as_many_members_as_may_be_is_told_of_in_one_answer(alice: Any) -> None:
    """Of members with the longest names that there may be in ASCII, and the longest texts."""
    model: Any = type(alice)
    lengths = {
        name: model._meta.get_field(name).max_length
        for name in ("username", "email", "first_name", "last_name")
    }
    made = [
        model(**{name: f"{number}".rjust(length, "x") for name, length in lengths.items()})
        for number in range(chat_settings.MAX_MEMBERS - 1)
    ]
    model.objects.bulk_create(made)
    room = GroupChat.objects.create(
        name="n" * 64, creator=alice, description="\u1234" * chat_settings.MAX_DESCRIPTION_LENGTH
    )
    Membership.objects.enter(room, [user.pk for user in model.objects.exclude(pk=alice.pk)][:999])

    info = ask(alice, "room.info", {"room_id": str(room.pk)})

    assert len(info["participants"]) == chat_settings.MAX_MEMBERS == 1000
    assert len(orjson.dumps(info)) < chat_settings.MAX_ANSWER_BYTES


def test_what_hangs_on_an_excerpt_is_not_loaded(alice: Any) -> None:
    make(alice, 10, 10, 10, metadata=300_000)
    with CaptureQueriesContext(connection) as captured:
        rooms = EventHandler(alice.pk).list_rooms()
    assert [len(room.last_message.relations.attachments) for room in rooms] == [1, 1, 1]
    normal = len(captured)
    with chat(MAX_ANSWER_BYTES=20_000), CaptureQueriesContext(connection) as captured:
        rooms = EventHandler(alice.pk).list_rooms()
    assert [len(room.last_message.relations.attachments) for room in rooms] == [0, 0, 0]
    # One statement weighs them and one finds the excerpts.
    assert len(captured) == normal + 2


def test_rooms_at_the_end_show_no_message_where_excerpts_are_too_much(alice: Any) -> None:
    ids = make(alice, *[10] * 12)
    with chat(MAX_ANSWER_BYTES=16_000):
        rooms = ask(alice, "room.list", {})

    assert [room["id"] for room in rooms] == ids
    lengths = shown(rooms)
    without = lengths.count(-1)
    assert 0 < without < 12
    assert lengths[-without:] == [-1] * without


def test_rooms_at_the_end_are_left_out_where_there_are_too_many(alice: Any) -> None:
    ids = make(alice, *[10] * 12, description=1000)
    with chat(MAX_ANSWER_BYTES=10_000):
        rooms = ask(alice, "room.list", {})

    assert 3 < len(rooms) < 9
    assert [room["id"] for room in rooms] == ids[: len(rooms)]


def test_long_texts_are_weighed_before_they_are_read(alice: Any) -> None:
    make(alice, 500_000, 10, 500_000, 500_000)
    with chat(MAX_MESSAGE_LENGTH=None), CaptureQueriesContext(connection) as captured:
        rooms = EventHandler(alice.pk).list_rooms()

    lengths = [len(room.last_message.content) for room in rooms]
    assert lengths.count(201) == 3
    assert len(captured) <= 10


def test_a_list_that_fits_is_whole(alice: Any, users: Users) -> None:
    make(alice, 9000, 10, metadata=500, description=500)
    OneToOneChat.objects.start(alice, users("bob"))
    with chat(MAX_ANSWER_BYTES=None):
        whole = ask(alice, "room.list", {})

    assert ask(alice, "room.list", {}) == whole
    assert len(whole) == 3


def test_the_list_shares_the_bytes_of_a_request(alice: Any) -> None:
    make(alice, *[10] * 6)
    handler = EventHandler(alice.pk)
    handler.budget = budget = SharedBudget()
    handler.list_rooms()

    assert 6 * 1000 < budget.spent < 6 * 2000

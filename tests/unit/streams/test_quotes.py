"""What a user is replayed of their own stream: quotes only of rooms that they are in."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gql_chat.operations import EventHandler
from gql_chat.streams import Envelope, read_log, room_stream, user_stream, withhold_quotes
from tests.unit.committed import World


@pytest.fixture
def replies(world: World) -> list[Any]:
    """Replies of bob's in two groups, which alice has acknowledged together, and one by one."""
    bob = EventHandler(world.bob.pk)
    rooms = [world.group, world.make()]
    keys = [
        bob.send_message(room.pk, "his", parent_message_id=world.say("asked", room)).message_id
        for room in rooms
    ]
    world.act.acknowledge_messages(keys)
    return rooms


def own(world: World) -> list[Envelope]:
    return read_log(user_stream(world.bob.pk), 0, 100)


def quoted(envelopes: list[Envelope]) -> list[Any]:
    messages = [each for one in envelopes for each in json.loads(one.payload).get("messages", ())]
    return [each["parent_message"] and each["parent_message"]["content"] for each in messages]


def test_a_member_is_shown_what_their_messages_answer(world: World, replies: list[Any]) -> None:
    envelopes = own(world)

    with CaptureQueriesContext(connection) as captured:
        assert withhold_quotes(world.bob.pk, envelopes) == envelopes
    assert len(captured) == 1
    assert quoted(envelopes) == ["asked", "asked"]


def test_a_former_member_is_not(world: World, replies: list[Any]) -> None:
    envelopes = own(world)
    world.act.remove_members(replies[0].pk, [world.bob.pk])

    shown = withhold_quotes(world.bob.pk, envelopes)

    assert quoted(shown) == [None, "asked"]
    for was, now in zip(envelopes, shown, strict=True):
        assert (now.stream, now.seq, now.kind, now.change) == (
            was.stream,
            was.seq,
            was.kind,
            was.change,
        )
    # All that was the user's own is there.
    (before,), (after,) = (
        [json.loads(each.payload)["messages"] for each in found if "messages" in each.payload]
        for found in (envelopes, shown)
    )
    assert after == [{**before[0], "parent_message": None}, before[1]]


def test_nothing_is_asked_where_nothing_is_quoted(world: World, replies: list[Any]) -> None:
    of_rooms = [envelope for room in replies for envelope in read_log(room_stream(room.pk), 0, 100)]
    for user, envelopes in (
        (world.bob.pk, []),
        (world.bob.pk, of_rooms),
        # The stream of somebody else, as a tool reads it.
        (world.alice.pk, own(world)),
    ):
        with CaptureQueriesContext(connection) as captured:
            assert withhold_quotes(user, envelopes) == envelopes
        assert len(captured) == 0

"""Erasure from the log: which frames, at what cost, and whose right it is to be left alone."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gql_chat import streams
from gql_chat.events import MessageEdited, MessageSent
from gql_chat.models import (
    EventSubject,
    GroupChat,
    Message,
    MessageCopy,
    StreamEvent,
    get_model,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import erasure, room_stream, user_stream
from tests.conftest import Users
from tests.remains import find_remains
from tests.unit.test_settings import chat

pytestmark = pytest.mark.django_db

SECRET = "secret-71ec0e5f"


class Talk:
    """A group of two in which alice says a secret, and what happened to it.

    Attributes:
        message: the key of alice's message.
        reply: the key of bob's reply.
    """

    def __init__(self, users: Users) -> None:
        alice, bob = users.make("alice", "bob")
        self.alice, self.bob = EventHandler(alice.pk), EventHandler(bob.pk)
        self.room = GroupChat.objects.create(name="group", creator=alice)
        self.room.participants.add(bob)
        self.stream = room_stream(self.room.pk)
        media = {"media_url": "https://example.com/", "media_type": "file", "caption": SECRET}
        media |= {"mime_type": "text/plain", "metadata": {"of": SECRET}}
        self.message = self.alice.send_message(self.room.pk, SECRET, media=[media]).message_id
        self.reply = self.bob.send_message(
            self.room.pk, "I see", parent_message_id=self.message
        ).message_id

    def go_on(self) -> None:
        """Let everything happen to the message and to the reply."""
        for author, other, key in (
            (self.alice, self.bob, self.message),
            (self.bob, self.alice, self.reply),
        ):
            other.acknowledge_messages([key])
            other.read_messages([key])
            other.add_reaction(key, "!")
            author.edit_message(key, f"{SECRET} again" if author is self.alice else "I saw")

    def frames(self, stream: str = "") -> list[Any]:
        """The payloads of a stream, in their order."""
        rows = StreamEvent.objects.filter(stream=stream or self.stream).order_by("seq")
        return [json.loads(row.payload) for row in rows]


@pytest.fixture
def talk(users: Users) -> Talk:
    return Talk(users)


# Which frames


def test_every_frame_is_found_but_for_none_that_shows_something_else(talk: Talk) -> None:
    talk.go_on()
    other = talk.alice.send_message(talk.room.pk, "other").message_id
    untouched = talk.frames()[-1]
    before = StreamEvent.objects.count()
    showing = StreamEvent.objects.filter(payload__contains=SECRET).count()

    with streams.transaction():
        assert streams.erase_messages([talk.message]) == showing >= 8

    assert find_remains(SECRET, {"Message", "MessageMediaAsset"}) == []
    assert StreamEvent.objects.count() == before
    assert talk.frames()[-1] == untouched
    assert untouched["message"]["id"] == str(other)


def test_a_new_message_is_found_without_a_row_that_says_so(talk: Talk) -> None:
    message = Message.objects.get(pk=talk.message)
    (first, second) = StreamEvent.objects.filter(stream=talk.stream).order_by("seq")

    assert (first.seq, second.seq) == (message.stream_seq, message.stream_seq + 1)
    assert not EventSubject.objects.filter(event__in=[first, second]).exists()


def test_a_message_whose_frame_came_later_is_found_all_the_same(talk: Talk) -> None:
    """A receiver of the project's wrote into the room while the message was sent."""
    with streams.transaction() as outbox:
        room = talk.alice.find_room(talk.room.pk, lock=True)
        late = Message(
            room=room, sender_id=talk.alice.user_id, content=SECRET, stream_seq=room.seq + 1
        )
        late.save()
        outbox.broadcast(room, MessageEdited(Message.objects.get(pk=talk.reply)))
        outbox.broadcast(room, MessageSent(late))

    talk.alice.delete_messages([late.pk, talk.message])

    assert find_remains(SECRET) == []


def test_a_message_that_a_project_sends_by_itself_is_found(talk: Talk) -> None:
    own = Message.objects.create(room=talk.room, sender_id=talk.alice.user_id, content=SECRET)
    assert own.stream_seq is None
    talk.alice.send_to_room(talk.room.pk, MessageSent(own))
    talk.alice.send_to_users([talk.bob.user_id], MessageSent(own))

    talk.alice.delete_messages([own.pk, talk.message])

    assert find_remains(SECRET) == []
    assert len(talk.frames(user_stream(talk.bob.user_id))) == 1


def test_copies_go_where_that_is_asked_for(talk: Talk, users: Users) -> None:
    there = GroupChat.objects.create(name="there", creator_id=talk.bob.user_id)
    forward = talk.bob.send_message(there.pk, "look", forwarded_from_id=talk.message).message_id
    talk.bob.add_reaction(forward, "!")
    stream = room_stream(there.pk)

    with streams.transaction():
        streams.erase_messages([talk.message])
    assert MessageCopy.objects.get(pk=forward)
    assert {frame["message"]["forwarded_from"]["content"] for frame in talk.frames(stream)} == {
        SECRET
    }

    with streams.transaction():
        streams.erase_messages([talk.message], copies=True)
    assert not MessageCopy.objects.exists()
    assert [frame["message"]["forwarded_from"] for frame in talk.frames(stream)] == [None, None]
    assert {frame["message"]["content"] for frame in talk.frames(stream)} == {"look"}
    assert find_remains(SECRET, {"Message", "MessageMediaAsset"}) == []


@pytest.mark.parametrize("how", ["message", "queryset", "cascade", "room", "rooms"])
def test_plain_code_erases_what_it_deletes(how: str, talk: Talk) -> None:
    talk.go_on()
    match how:
        case "message":
            Message.objects.get(pk=talk.message).delete()
        case "queryset":
            Message.objects.filter(pk__in=[talk.message, talk.reply]).delete()
        case "cascade":
            # The account of its sender goes, and with it the message.
            type(talk.alice.user)._default_manager.get(pk=talk.alice.user_id).delete()
        case "room":
            get_model("Room").objects.get(pk=talk.room.pk).delete()
        case "rooms":
            GroupChat.objects.filter(pk=talk.room.pk).delete()

    assert find_remains(SECRET) == []


def test_the_last_one_out_leaves_nothing_of_the_room_behind(talk: Talk) -> None:
    talk.go_on()
    talk.room.name = SECRET
    talk.room.save()
    talk.bob.leave_room(talk.room.pk)
    assert SECRET in json.dumps(talk.frames(user_stream(talk.bob.user_id)))

    talk.alice.leave_room(talk.room.pk)

    kinds = StreamEvent.objects.filter(stream=talk.stream).values_list("kind", flat=True)
    assert list(kinds) == ["RoomDeleted"]
    of_bob = talk.frames(user_stream(talk.bob.user_id))
    assert (of_bob[-1]["room"]["id"], of_bob[-1]["room"]["name"]) == (str(talk.room.pk), "")
    # Her own frame of it is told in the same transaction, after the room is gone.
    exited, deleted = talk.frames(user_stream(talk.alice.user_id))[-2:]
    assert exited["room"]["id"] == deleted["room_id"] == str(talk.room.pk)
    assert find_remains(SECRET) == ["StreamEvent.payload"]


# What it takes


def test_without_it_nothing_is_written_and_nothing_erased(users: Users) -> None:
    for settings in ({"ERASE_LOG": None}, {"FEATURES": ()}):
        with chat(**settings):
            talk = Talk(users)
            talk.go_on()
            before = talk.frames()
            assert not EventSubject.objects.exists()
            with CaptureQueriesContext(connection) as captured:
                assert streams.erase_messages([talk.message]) == 0
                assert streams.plan_erasure([talk.message]).write() == 0
                assert streams.erase_room(talk.room.pk) == 0
            assert len(captured) == 0
            assert talk.frames() == before


def test_nothing_is_asked_where_nothing_is_named(talk: Talk) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert streams.erase_messages([]) == streams.merge_erasures([]).write() == 0

    assert len(captured) == 0


def fill(talk: Talk, count: int) -> None:
    """Fill the log of the room, and of other streams, with frames of other messages."""
    with connection.cursor() as cursor:
        numbers = (
            "generate_series(1, %s) AS numbers(n)"
            if connection.vendor == "postgresql"
            else "(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
            "WHERE n < %s) SELECT n FROM numbers) AS numbers"
        )
        log, subjects = StreamEvent._meta.db_table, EventSubject._meta.db_table
        for stream, first in ((talk.stream, 1000), (user_stream(talk.alice.user_id), 1000)):
            cursor.execute(
                f"INSERT INTO {log} (stream, seq, kind, payload, created_at) "
                f"SELECT %s, {first} + n, 'Other', '{{}}', CURRENT_TIMESTAMP FROM {numbers}",
                [stream, count],
            )
        key = (
            "gen_random_uuid()"
            if connection.vendor == "postgresql"
            else "lower(hex(randomblob(16)))"
        )
        cursor.execute(
            f"INSERT INTO {subjects} (event_id, subject) SELECT id, {key} FROM {log} "
            "WHERE kind = 'Other'"
        )
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")  # as autovacuum does by itself, some time


def plan_of(sql: str) -> list[str]:
    """How the database runs a statement."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            return [str(row[-1]) for row in cursor.fetchall()]
        cursor.execute(f"EXPLAIN {sql}")
        return [str(row[0]) for row in cursor.fetchall()]


def reads_whole(steps: list[str]) -> Iterator[str]:
    tables = [StreamEvent._meta.db_table, EventSubject._meta.db_table, Message._meta.db_table]
    for step in steps:
        if connection.vendor == "sqlite":
            whole = step.startswith("SCAN") and any(
                step.removeprefix("SCAN ").startswith((name, "event", "message")) for name in tables
            )
        else:
            whole = "Seq Scan on" in step and any(f" {name}" in step for name in tables[:2])
        if whole:
            yield step


@pytest.mark.parametrize("what", ["messages", "copies", "plain", "edited", "room"])
def test_what_the_log_holds_besides_costs_nothing(what: str, talk: Talk) -> None:
    talk.go_on()
    counts = []
    for more in (0, 5000):
        if more:
            fill(talk, more)
        with chat(ERASE_LOG="edited"), CaptureQueriesContext(connection) as captured:
            match what:
                case "messages":
                    assert streams.erase_messages([talk.message])
                case "copies":
                    assert streams.erase_messages([talk.message], copies=True)
                case "plain":
                    planned = [streams.plan_erasure([key]) for key in (talk.message, talk.reply)]
                    assert streams.merge_erasures(planned).write()
                case "edited":
                    message = Message.objects.get(pk=talk.message)
                    assert streams.erase_edited(message, ["content"])
                case "room":
                    streams.erase_room(talk.room.pk)
        counts.append(len(captured))
        queries = [query["sql"] for query in captured.captured_queries]
    assert counts[0] == counts[1] or what == "room", counts
    assert counts[1] <= 8
    if what == "room":
        return  # of which all goes
    for sql in queries:
        plan = plan_of(sql)
        assert not list(reads_whole(plan)), (sql, plan)


def test_many_frames_are_written_anew_by_the_hundred(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk.go_on()
    monkeypatch.setattr(erasure, "_FRAMES_AT_ONCE", 3)

    assert streams.erase_messages([talk.message]) >= 8

    assert find_remains(SECRET, {"Message", "MessageMediaAsset"}) == []


def test_the_frame_that_is_left_of_a_room_says_who_had_left_before(users: Users) -> None:
    alice, bob, carol, dora = users.make("alice", "bob", "carol", "dora")
    room = GroupChat.objects.create(name="group", creator=alice)
    owner = EventHandler(alice.pk)
    owner.add_members(room.pk, [bob.pk, carol.pk, dora.pk])
    EventHandler(bob.pk).leave_room(room.pk)
    EventHandler(carol.pk).leave_room(room.pk)
    owner.add_members(room.pk, [carol.pk])

    owner.delete_room(room.pk)

    (left,) = StreamEvent.objects.filter(stream=room_stream(room.pk))
    assert left.change == {"closed": True, "left": [str(bob.pk)]}

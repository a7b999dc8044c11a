"""Places in streams, the log, and what is published when."""

import json
import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgpack
import pytest
from channels.layers import InMemoryChannelLayer
from django.db import connections, transaction
from django.db.models.signals import post_delete
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st

from event_bridge import resume
from event_bridge.resume import Resumption
from gql_chat import streams
from gql_chat.errors import Invalid, NotFound
from gql_chat.events import RoomUpdated
from gql_chat.models import (
    Delivery,
    Epoch,
    GroupChat,
    Membership,
    Message,
    Room,
    StreamEvent,
    UserStream,
    get_model,
)
from gql_chat.operations import EventHandler
from gql_chat.relations import load_rooms
from gql_chat.streams import Envelope, group_name, room_stream, user_stream
from tests.conftest import Users
from tests.unit.making import race
from tests.unit.replicas import behind


class Failure(Exception):
    """What goes wrong in a test."""


WRITERS = 10
EACH = 5


@pytest.fixture
def world(users: Users, committed_database: None) -> Any:
    """A committed group of alice's with bob; the test works outside any transaction."""

    class World:
        alice, bob = users.make("alice", "bob")
        group = GroupChat.objects.create(name="group", creator=alice)
        stream = room_stream(group.pk)

    World.group.participants.add(World.bob)
    return World


def of(stream: str, envelopes: list[Envelope]) -> list[tuple[int, str]]:
    return [(found.seq, found.kind) for found in envelopes if found.stream == stream]


def logged(stream: str) -> list[int]:
    rows = StreamEvent.objects.filter(stream=stream).order_by("pk")
    return list(rows.values_list("seq", flat=True))


# Order


def test_racing_writers_leave_no_gap_no_repeat_and_one_order(users: Users, world: Any) -> None:
    writers = users.make(*["writer"] * WRITERS)
    world.group.participants.add(*writers)
    done = threading.Event()
    views: list[list[int]] = []

    def look() -> None:
        try:
            while not done.is_set():
                views.append(logged(world.stream))
        finally:
            connections.close_all()

    def write(number: int) -> list[int]:
        handler = EventHandler(writers[number].pk)
        return [handler.send_message(world.group.pk, f"{n}").seq for n in range(EACH)]

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    places = race(WRITERS, write)
    done.set()
    watcher.join()

    everything = list(range(1, WRITERS * EACH + 1))
    assert sorted(seq for own in places for seq in own) == everything
    assert all(own == sorted(own) for own in places)
    assert logged(world.stream) == everything
    # Whoever looks meanwhile sees a beginning: no later place is committed before an earlier one.
    assert all(view == everything[: len(view)] for view in views)
    # The room's history has the order of its stream.
    history = Message.objects.filter(room=world.group).order_by("created_at", "pk")
    payloads = StreamEvent.objects.filter(stream=world.stream).order_by("seq")
    assert [str(message.pk) for message in history] == [
        json.loads(event.payload)["message"]["id"] for event in payloads
    ]
    world.group.refresh_from_db()
    assert world.group.seq == len(everything)


def test_racing_events_for_several_users_neither_block_each_other_nor_leave_gaps(
    users: Users, world: Any
) -> None:
    senders, readers = users.make(*["sender"] * 3), users.make(*["reader"] * WRITERS)
    world.group.participants.add(*senders, *readers)
    messages = [
        EventHandler(sender.pk).send_message(world.group.pk, "hello").message_id
        for sender in senders
    ]

    def acknowledge(number: int) -> None:
        order = messages if number % 2 else messages[::-1]
        EventHandler(readers[number].pk).acknowledge_messages(order)

    assert race(WRITERS, acknowledge) == [None] * WRITERS

    for sender in senders:
        assert logged(user_stream(sender.pk)) == list(range(1, WRITERS + 1))
        assert UserStream.objects.get(user=sender).seq == WRITERS
    assert Delivery.objects.filter(message__in=messages).count() == 3 * WRITERS


def test_racing_writers_in_two_rooms_of_one_event_do_not_deadlock(users: Users, world: Any) -> None:
    other = GroupChat.objects.create(name="other", creator=world.alice)
    readers = users.make(*["reader"] * WRITERS)
    for room in (world.group, other):
        room.participants.add(*readers)
    handler = EventHandler(world.alice.pk)
    ids = [handler.send_message(room.pk, "hello").message_id for room in (world.group, other)]

    def read(number: int) -> None:
        EventHandler(readers[number].pk).read_messages(ids if number % 2 else ids[::-1])

    assert race(WRITERS, read) == [None] * WRITERS

    for room in (world.group, other):
        assert logged(room_stream(room.pk)) == list(range(1, WRITERS + 2))


# Publishing


def test_an_operation_publishes_what_it_committed(world: Any, published: list[Envelope]) -> None:
    EventHandler(world.alice.pk).send_message(world.group.pk, "hello")

    assert of(world.stream, published) == [(1, "MessageSent")]
    assert published[-1] == streams.read_log(world.stream, 0, 10)[0]


def test_a_failed_operation_stores_and_publishes_nothing(
    world: Any, published: list[Envelope]
) -> None:
    @streams.transaction()
    def fail() -> None:
        EventHandler(world.alice.pk).send_message(world.group.pk, "hello")
        world.group.participants.remove(world.bob)
        raise Failure

    with pytest.raises(Failure):
        fail()

    assert of(world.stream, published) == []
    assert logged(world.stream) == []
    assert not Message.objects.filter(room=world.group).exists()
    assert Room.objects.get(pk=world.group.pk).seq == 0
    # The place is free again.
    assert EventHandler(world.alice.pk).send_message(world.group.pk, "hello").seq == 1


def test_operations_inside_one_another_are_one(world: Any, published: list[Envelope]) -> None:
    handler = EventHandler(world.alice.pk)
    with streams.transaction() as outer:
        with streams.transaction() as inner:
            assert inner is outer is streams.current()
        handler.send_message(world.group.pk, "one")
        handler.send_message(world.group.pk, "two")
        assert of(world.stream, published) == []

    assert of(world.stream, published) == [(1, "MessageSent"), (2, "MessageSent")]


def test_an_error_in_an_inner_operation_undoes_the_outer_one(
    world: Any, published: list[Envelope]
) -> None:
    handler = EventHandler(world.alice.pk)

    @streams.transaction()
    def fail() -> None:
        handler.send_message(world.group.pk, "one")
        handler.send_message(uuid4(), "nowhere")

    with pytest.raises(NotFound):
        fail()

    assert (of(world.stream, published), logged(world.stream)) == ([], [])


def test_an_outer_transaction_publishes_when_it_commits(
    world: Any, published: list[Envelope]
) -> None:
    handler = EventHandler(world.alice.pk)
    with transaction.atomic():
        handler.send_message(world.group.pk, "one")
        with pytest.raises(Invalid):
            handler.send_message(world.group.pk, "")
        handler.send_message(world.group.pk, "two")
        assert of(world.stream, published) == []

    assert of(world.stream, published) == [(1, "MessageSent"), (2, "MessageSent")]


def test_an_outer_transaction_that_fails_publishes_nothing(
    world: Any, published: list[Envelope]
) -> None:
    @transaction.atomic
    def fail() -> None:
        EventHandler(world.alice.pk).send_message(world.group.pk, "one")
        raise Failure

    with pytest.raises(Failure):
        fail()

    assert (of(world.stream, published), logged(world.stream)) == ([], [])


def test_what_is_captured_is_left_to_the_caller(world: Any, published: list[Envelope]) -> None:
    handler = EventHandler(world.alice.pk)
    with streams.capture() as captured:
        handler.send_message(world.group.pk, "one")
        handler.type_in(world.group.pk)
    handler.send_message(world.group.pk, "two")

    assert of(world.stream, captured) == [(1, "MessageSent"), (0, "Typing")]
    assert of(world.stream, published) == [(2, "MessageSent")]


def test_what_fails_is_not_captured(world: Any) -> None:
    with streams.capture() as captured, pytest.raises(Invalid):
        EventHandler(world.alice.pk).send_message(world.group.pk, "")

    assert captured == []


def test_typing_takes_no_place(world: Any, published: list[Envelope]) -> None:
    EventHandler(world.alice.pk).type_in(world.group.pk)

    assert of(world.stream, published) == [(0, "Typing")]
    assert logged(world.stream) == []


def test_events_are_made_inside_operations_only() -> None:
    with pytest.raises(RuntimeError):
        streams.current()
    assert not streams.is_running()
    with streams.capture(), pytest.raises(RuntimeError):
        streams.current()


# Members who change without a frame


def refreshes(world: Any, published: list[Envelope]) -> list[list[str]]:
    return [
        list(envelope.change["joined"])
        for envelope in published
        if envelope.stream == world.stream and envelope.change and "refresh" in envelope.change
    ]


def test_members_who_come_outside_operations_are_announced(
    users: Users, world: Any, published: list[Envelope]
) -> None:
    one, two = users.make("one", "two")

    world.group.participants.add(one, two)

    assert refreshes(world, published) == [sorted([str(one.pk), str(two.pk)])]


@pytest.mark.parametrize("way", ["manager", "queryset", "instance"])
def test_members_who_go_outside_operations_are_told_as_frames(
    way: str, users: Users, world: Any, published: list[Envelope]
) -> None:
    one, two = users.make("one", "two")
    world.group.participants.add(one, two)
    memberships = Membership.objects.filter(room=world.group, user__in=[one, two])
    published.clear()

    if way == "manager":
        world.group.participants.remove(one, two)
    elif way == "queryset":
        memberships.delete()
    else:
        memberships.get(user=one).delete()

    gone = [one] if way == "instance" else [one, two]
    assert refreshes(world, published) == []
    (removal,) = [found for found in published if found.stream == world.stream]
    assert (removal.kind, removal.change) == (
        "MembersRemoved",
        {"left": [str(user.pk) for user in gone]},
    )
    payload = streams.parse_payload(removal.payload)
    assert payload["removed_members"] == [user.get_username() for user in gone]
    assert payload["removed_by"] == "system"
    for user in gone:
        (exit,) = [found for found in published if found.stream == user_stream(user.pk)]
        assert exit.kind == "RoomExited"
        assert streams.parse_payload(exit.payload)["message"] == "You have been removed"


def test_a_member_whom_a_receiver_removes_is_told_of_beside_the_one_whom_the_event_removes(
    users: Users, world: Any, published: list[Envelope]
) -> None:
    one, two, three = users.make("one", "two", "three")
    world.group.participants.add(one, two, three)
    published.clear()

    def remove_another(instance: Membership, **kwargs: Any) -> None:
        if instance.user_id == one.pk:
            Membership.objects.filter(room=world.group, user=two).delete()

    post_delete.connect(remove_another, sender=Membership)
    try:
        EventHandler(world.alice.pk).remove_members(world.group.pk, [one.pk])
    finally:
        post_delete.disconnect(remove_another, sender=Membership)

    left = [
        user_id
        for envelope in published
        if envelope.stream == world.stream
        for user_id in (envelope.change or {}).get("left", ())
    ]
    assert sorted(left) == sorted([str(one.pk), str(two.pk)])
    assert [found.seq for found in published if found.stream == world.stream] == [1, 2]


def test_a_broadcast_settles_only_those_whom_it_names(
    users: Users, world: Any, published: list[Envelope]
) -> None:
    one, two = users.make("one", "two")
    with streams.transaction() as outbox:
        room = EventHandler(world.alice.pk).find_room(world.group.pk, lock=True)
        room.participants.add(one, two)
        load_rooms([room])
        outbox.broadcast(room, RoomUpdated(room), joined=[one.pk])

    assert refreshes(world, published) == [[str(two.pk)]]


@pytest.mark.parametrize("way", ["instance", "queryset"])
def test_a_room_deleted_outside_operations_ends_its_stream(
    way: str, world: Any, published: list[Envelope]
) -> None:
    rooms = Room.objects.filter(pk=world.group.pk)

    (rooms.get() if way == "instance" else rooms).delete()

    (end,) = published
    assert (end.stream, end.seq, end.kind) == (world.stream, 1, "RoomDeleted")
    assert end.change == {"closed": True}


def test_a_change_that_is_rolled_back_is_not_announced(
    users: Users, world: Any, published: list[Envelope]
) -> None:
    newcomer = users()
    with transaction.atomic():
        world.group.participants.add(newcomer)
        transaction.set_rollback(True)

    assert refreshes(world, published) == []


def test_an_event_that_tells_of_the_change_takes_the_announcements_place(
    users: Users, world: Any, published: list[Envelope]
) -> None:
    newcomer = users()

    EventHandler(world.alice.pk).add_members(world.group.pk, [newcomer.pk])

    (envelope,) = [found for found in published if found.stream == world.stream]
    assert envelope.kind == "MembersAdded"
    assert envelope.change == {"joined": [str(newcomer.pk)]}


def test_a_change_inside_an_operation_that_tells_nothing_of_it_is_announced(
    users: Users, world: Any, published: list[Envelope]
) -> None:
    newcomer = users()
    with streams.transaction() as outbox:
        room = EventHandler(world.alice.pk).find_room(world.group.pk, lock=True)
        room.participants.add(newcomer)
        load_rooms([room])
        outbox.broadcast(room, RoomUpdated(room))

    assert of(world.stream, published) == [(1, "RoomUpdated"), (0, "")]
    assert refreshes(world, published) == [[str(newcomer.pk)]]


# Names


def test_streams_are_named_as_documented() -> None:
    assert room_stream("6a0c") == "room:6a0c"
    assert user_stream(2) == "user:2"


ODD = [
    "",
    " ",
    "a b",
    "a:b",
    "ü",
    "😀",
    "\0",
    "x" * 80,
    "x" * 81,
    "x" * 500,
    "alice@example.com",
    "a\n",
    "-1",
    "2",
    "6f3a1c52-8a0e-4b7d-9c41-2e5d7f90a1b3",
]


@pytest.mark.parametrize("key", ODD)
@pytest.mark.parametrize("kind", ["user", "room"])
def test_every_stream_has_a_group_that_any_layer_takes(kind: str, key: str) -> None:
    name = group_name(f"{kind}:{key}")

    assert InMemoryChannelLayer().require_valid_group_name(name)
    assert len(name) < 100


@given(one=st.text(), other=st.text())
@example(one="a b", other="a_b")
@example(one="ü", other="u")
@settings(deadline=None)
def test_streams_have_groups_of_their_own(one: str, other: str) -> None:
    assert (group_name(f"user:{one}") == group_name(f"user:{other}")) == (one == other)
    assert group_name(f"user:{one}") != group_name(f"room:{one}")


@pytest.mark.parametrize("change", [None, {"joined": ["1", "x"]}, {"left": ["1"], "closed": True}])
def test_an_envelope_survives_the_layer(change: Any) -> None:
    envelope = Envelope("room:1", 2**40, "MessageSent", '{"a": "😀"}', change)

    message = msgpack.unpackb(msgpack.packb(envelope.to_message()))

    assert Envelope.from_message(message) == envelope


def test_a_frame_rings_for_the_room_and_for_those_who_join() -> None:
    envelope = Envelope("room:1", 1, "MembersAdded", "{}", {"joined": ["2", "a b"]})

    assert envelope.groups() == [group_name(s) for s in ("room:1", "user:2", "user:a b")]
    assert Envelope("room:1", 1, "MessageSent", "{}").groups() == [group_name("room:1")]


# Reading


# Where a user's streams stand


def test_positions_are_those_of_the_users_own_stream_and_of_their_rooms(world: Any) -> None:
    late = GroupChat.objects.create(name="late", creator=world.alice)
    Room.objects.filter(pk=late.pk).update(seq=7)
    late.participants.add(world.bob)
    Room.objects.filter(pk=late.pk).update(seq=9)
    UserStream.objects.create(user=world.bob, seq=3)

    own, *rooms = streams.positions(world.bob.pk)

    assert own == (user_stream(world.bob.pk), 3, 1)
    assert sorted(rooms) == sorted([(world.stream, 0, 1), (room_stream(late.pk), 9, 8)])


def test_who_is_in_no_room_and_was_never_told_anything_has_a_stream(users: Users, db: None) -> None:
    (alice,) = users.make("alice")

    assert list(streams.positions(alice.pk)) == [(user_stream(alice.pk), 0, 1)]


def test_positions_are_one_query(world: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert len(list(streams.positions(world.alice.pk))) == 2


@pytest.fixture
def log(db: None) -> str:
    """A stream of five frames, in the test's transaction."""
    write("room:x", *range(1, 6))
    return "room:x"


def write(stream: str, *places: int) -> None:
    for seq in places:
        write_change(stream, seq, {"left": ["1"]})


def write_change(stream: str, seq: int, change: Any) -> None:
    StreamEvent.objects.create(
        stream=stream, seq=seq, kind="Typing", payload=f"{seq}", change=change
    )


@pytest.mark.parametrize(
    ("after", "limit", "places"),
    [(0, 10, [1, 2, 3, 4, 5]), (2, 10, [3, 4, 5]), (2, 2, [3, 4]), (5, 10, []), (9, 10, [])],
)
def test_the_log_is_read_from_a_place_on(
    log: str, after: int, limit: int, places: list[int]
) -> None:
    assert streams.read_log(log, after, limit) == [
        Envelope(log, seq, "Typing", f"{seq}", {"left": ["1"]}) for seq in places
    ]


def test_the_log_of_an_unknown_stream_is_empty(log: str) -> None:
    assert streams.read_log("room:y", 0, 10) == []


def test_heads_are_the_newest_places_of_streams_that_have_one(log: str) -> None:
    strange = "user:a'b\"{}\\,"
    write(strange, 7)

    assert streams.heads({log: 0, "room:y": 0, strange: 6}) == {log: 5, strange: 7}
    assert streams.heads({}) == {}


def test_heads_are_those_of_streams_that_have_moved_on(log: str) -> None:
    assert streams.heads({log: 4}) == {log: 5}
    assert streams.heads({log: 5}) == {}
    assert streams.heads({log: 2**62}) == {}


def test_heads_are_one_query_however_many_streams(log: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert streams.heads({log: 0, **{f"room:{number}": 0 for number in range(3000)}}) == {
            log: 5
        }


def test_what_was_missed_comes_in_the_order_of_the_log(log: str) -> None:
    write("room:y", 1, 2)
    write(log, 6)

    missed = streams.missed({log: (3, 6), "room:y": (0, 1)}, 10)

    assert [(found.stream, found.seq) for found in missed] == [
        (log, 4),
        (log, 5),
        ("room:y", 1),
        (log, 6),
    ]


def test_no_more_is_read_than_asked_for(log: str) -> None:
    assert [found.seq for found in streams.missed({log: (0, 5)}, 3)] == [1, 2, 3]
    assert streams.missed({}, 3) == []


@pytest.mark.parametrize(("count", "most", "recovered"), [(101, 101, True), (101, 100, False)])
def test_what_is_too_large_is_not_replayed(
    count: int, most: int, recovered: bool, group: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is in memory at once, and a frame may have a megabyte."""
    read: list[int] = []
    missed = streams.missed

    def noted(*args: Any) -> Any:
        found = missed(*args)
        read.append(len(found))
        return found

    monkeypatch.setattr(streams, "missed", noted)
    room = streams.room_stream(group.pk)
    head = get_model("Room").objects.get(pk=group.pk).seq
    payload = '{"text": "something"}'
    StreamEvent.objects.bulk_create(
        StreamEvent(stream=room, seq=head + number, kind="Typing", payload=payload)
        for number in range(1, count + 1)
    )
    get_model("Room").objects.filter(pk=group.pk).update(seq=head + count)
    monkeypatch.setattr(resume, "REPLAY_SIZE_LIMIT", most * len(payload))

    replay = Resumption({room: head}, {}).read(bob.pk)

    assert replay.answer[room] == {"seq": head + count, "recovered": recovered}
    assert len(replay.frames) == sum(read) == (count if recovered else 0)


def test_many_streams_are_missed_at_once(log: str) -> None:
    names = [f"room:{number}" for number in range(250)]
    for name in names:
        write(name, 1, 2)

    missed = streams.missed(dict.fromkeys(reversed(names), (0, 1)), 1000)

    assert [found.stream for found in missed] == names
    assert len(streams.missed(dict.fromkeys(names, (0, 2)), 120)) == 120


def test_members_are_read_with_the_rooms_position(
    group: GroupChat, alice: Any, bob: Any, carol: Any, django_assert_num_queries: Any
) -> None:
    Room.objects.filter(pk=group.pk).update(seq=7)
    Membership.objects.filter(room=group, user=bob).update(joined_seq=4)
    keys = [str(user.pk) for user in (alice, bob, carol)]

    with django_assert_num_queries(1):
        members = streams.members_of(group.pk, keys)
    assert members == (7, {str(alice.pk): 1, str(bob.pk): 4})
    assert streams.members_of(str(group.pk), [str(carol.pk)]) == (7, {})
    assert streams.members_of(group.pk, []) == (7, {})


def test_who_reads_on_learns_whom_plain_code_removed(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    """Bob is removed by an event, between two messages; Carol by nothing that a frame tells of."""
    group.participants.add(bob, carol)
    stream, followers = room_stream(group.pk), [str(user.pk) for user in (alice, bob, carol)]
    act = EventHandler(alice.pk)
    act.send_message(group.pk, "One")
    act.remove_members(group.pk, [bob.pk])
    act.send_message(group.pk, "Two")
    assert streams.read_on(stream, 0, 10, followers)[1] == set()

    # As a statement of the project's own would.
    Membership.objects.filter(room=group, user=carol)._raw_delete("default")

    envelopes, gone = streams.read_on(stream, 0, 10, followers)
    assert envelopes == streams.read_log(stream, 0, 10)
    assert gone == {str(carol.pk)}
    # What removed Bob stands before that place, or is not read any more.
    assert streams.read_on(stream, envelopes[-1].seq, 10, followers) == (
        [],
        {str(bob.pk), str(carol.pk)},
    )
    # However little is read, and wherever the frame stands that removed Bob.
    assert streams.read_on(stream, 0, 1, followers) == (envelopes[:1], {str(carol.pk)})


def test_who_reads_on_learns_who_came_back_with_no_frame(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    """Both were out for a while. Of Bob frames tell."""
    group.participants.add(bob, carol)
    stream, followers = room_stream(group.pk), [str(user.pk) for user in (alice, bob, carol)]
    act = EventHandler(alice.pk)
    act.remove_members(group.pk, [bob.pk])
    Membership.objects.filter(room=group, user=carol)._raw_delete("default")
    act.send_message(group.pk, "between")
    act.add_members(group.pk, [bob.pk])
    group.participants.add(carol)
    act.send_message(group.pk, "after")

    assert streams.read_on(stream, 0, 10, followers)[1] == {str(carol.pk)}
    assert streams.read_on(stream, 3, 10, followers)[1] == set()


@pytest.mark.parametrize("by", ["an event", "plain code"])
def test_who_reads_on_learns_of_a_deleted_room(group: GroupChat, alice: Any, by: str) -> None:
    stream, followers = room_stream(group.pk), [str(alice.pk)]
    if by == "an event":
        EventHandler(alice.pk).delete_room(group.pk)
    else:
        Room.objects.filter(pk=group.pk).delete()

    envelopes, gone = streams.read_on(stream, 0, 10, followers)

    assert [envelope.change for envelope in envelopes] == [{"closed": True}]
    assert gone == set()


def test_nobody_is_removed_from_a_users_stream(
    alice: Any, log: str, django_assert_num_queries: Any
) -> None:
    stream = user_stream(alice.pk)
    write(stream, 1)

    with django_assert_num_queries(1):
        envelopes, gone = streams.read_on(stream, 0, 10, [str(alice.pk)])

    assert ([envelope.seq for envelope in envelopes], gone) == ([1], set())


def test_a_room_that_is_gone_has_no_position(alice: Any) -> None:
    assert streams.members_of(uuid4(), [str(alice.pk)]) == (None, {})


def test_what_keeps_sockets_and_streams_together_is_read_from_the_primary(world: Any) -> None:
    """A replica that is behind loses nobody a frame, and gives a removed user none."""
    alice, bob, group = world.alice, world.bob, world.group
    since = timezone.now() - timedelta(minutes=1)
    EventHandler(alice.pk).send_message(group.pk, "hello")
    stream, keys = room_stream(group.pk), [str(alice.pk), str(bob.pk)]

    def read() -> list[Any]:
        positions = streams.positions(alice.pk)
        return [
            (positions.epoch, list(positions)),
            streams.heads({stream: 0}),
            streams.read_log(stream, 0, 10),
            streams.read_changes(stream, 0),
            streams.read_on(stream, 0, 10, [*keys, "0"]),
            streams.members_of(group.pk, keys),
            sorted(streams.find_joined(keys, since)),
            streams.missed({stream: (0, 1)}, 10),
            Epoch.objects.read(),
        ]

    on_the_primary = read()
    with behind():
        assert not StreamEvent.objects.exists()
        assert read() == on_the_primary
    assert on_the_primary[1] == {stream: 1}
    assert len(on_the_primary[6]) == 2


def test_who_resumes_gets_everything_though_reads_go_to_a_replica_that_is_behind(
    world: Any,
) -> None:
    stream, act, bob = world.stream, EventHandler(world.alice.pk), world.bob
    for number in range(5):
        act.send_message(world.group.pk, str(number))

    with behind():
        replay = Resumption({stream: 2}, {}).read(bob.pk)

    assert [frame.envelope.seq for frame in replay.frames] == [3, 4, 5]
    assert replay.answer[stream] == {"seq": 5, "recovered": True}


def test_changes_are_read_in_order(log: str) -> None:
    write_change(log, 9, {"joined": ["2"]})
    write_change(log, 10, None)

    write_change(log, 11, {"closed": True})

    assert streams.read_changes(log, 4) == [{"left": ["1"]}, {"joined": ["2"]}, {"closed": True}]

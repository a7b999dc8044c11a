"""Where streams stand, and what is read of their logs."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from event_bridge import resume
from event_bridge.resume import Resumption
from gql_chat import streams
from gql_chat.models import (
    Epoch,
    GroupChat,
    Membership,
    Room,
    StreamEvent,
    UserStream,
    get_model,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import Envelope, room_stream, user_stream
from tests.conftest import Users
from tests.unit.replicas import behind

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

    missed = streams.missed({log: (3, 6), "room:y": (0, 1)})

    assert [(found.stream, found.seq) for found in missed] == [
        (log, 4),
        (log, 5),
        ("room:y", 1),
        (log, 6),
    ]


def test_no_more_is_read_than_asked_for(log: str) -> None:
    assert [found.seq for found in streams.missed({log: (0, 3)})] == [1, 2, 3]
    assert streams.missed({}) == []
    assert streams.weigh_missed({}) == {}


def test_what_was_missed_is_whole(log: str) -> None:
    change = {"joined": ["1"], "left": [], "closed": False}
    StreamEvent.objects.create(stream="room:y", seq=1, kind="Typing", payload="{}", change=change)

    (found,) = streams.missed({"room:y": (0, 1)})

    assert [found] == streams.read_log("room:y", 0, 1)
    assert found.change == change


def test_what_was_missed_is_weighed_by_stream(log: str) -> None:
    write("room:y", 1, 2)
    payload = StreamEvent.objects.filter(stream=log).values_list("payload", flat=True)[0]

    weights = streams.weigh_missed({log: (3, 6), "room:y": (0, 1), "room:z": (0, 9)})

    assert weights == {log: (2, 2 * len(payload)), "room:y": (1, len(payload))}


def log_many(group: Any, *payloads: str) -> tuple[str, int]:
    """Log frames in a group's stream; return its name, and its head before them."""
    room = streams.room_stream(group.pk)
    head: int = get_model("Room").objects.get(pk=group.pk).seq
    StreamEvent.objects.bulk_create(
        StreamEvent(stream=room, seq=seq, kind="Typing", payload=payload)
        for seq, payload in enumerate(payloads, head + 1)
    )
    get_model("Room").objects.filter(pk=group.pk).update(seq=head + len(payloads))
    return room, head


def frames_of(replay: Any) -> list[list[int]]:
    """Return the sequence numbers of a replay's frames, as they are read."""
    read = []
    while replay.frames:
        read.append([frame.envelope.seq for frame in replay.frames])
        replay.read_on()
    return read


@pytest.mark.parametrize(("count", "most", "recovered"), [(101, 101, True), (101, 100, False)])
def test_what_is_too_large_is_not_replayed(
    count: int,
    most: int,
    recovered: bool,
    group: Any,
    bob: Any,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    payload = '{"text": "something"}'
    room, head = log_many(group, *[payload] * count)
    settings.REALTIME_CHAT_MESSAGING = {"MAX_REPLAY_BYTES": most * len(payload)}

    replay = Resumption({room: head}, {}).read(bob.pk)

    assert replay.answer[room] == {"seq": head + count, "recovered": recovered}
    assert frames_of(replay) == ([list(range(head + 1, head + count + 1))] if recovered else [])


def test_too_many_frames_are_not_replayed(group: Any, bob: Any, settings: Any) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_REPLAY_FRAMES": 20}
    room, head = log_many(group, *["{}"] * 21)

    missed = Resumption({room: head}, {}).read(bob.pk)
    fewer = Resumption({room: head + 1}, {}).read(bob.pk)

    assert (missed.answer[room]["recovered"], missed.frames) == (False, [])
    assert (fewer.answer[room]["recovered"], len(fewer.frames)) == (True, 20)


def test_a_replay_is_read_in_slices(group: Any, bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is in memory than a client has room for; a frame that is larger comes alone."""
    monkeypatch.setattr(resume, "SLICE", 100)
    room, head = log_many(group, *[f'"{"x" * 38}"'] * 10, f'"{"x" * 200}"', "{}")
    own = user_stream(bob.pk)

    replay = Resumption({room: head, own: 0}, {}).read(bob.pk)

    slices = [[seq - head for seq in some] for some in frames_of(replay)]
    assert slices == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11], [12]]
    assert replay.answer[room]["recovered"] is True


def test_a_replay_whose_frames_go_meanwhile_says_so(
    group: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "SLICE", 4)
    room, head = log_many(group, *["{}"] * 12)
    replay = Resumption({room: head}, {}).read(bob.pk)
    assert [frame.envelope.seq for frame in replay.frames] == [head + 1, head + 2]

    StreamEvent.objects.filter(stream=room, seq__lte=head + 3).delete()
    replay.read_on()

    assert (replay.frames, replay.left) == ([], [])
    assert replay.answer[room] == {"seq": head + 12, "recovered": False}


def test_a_read_of_the_log_has_a_size(log: str) -> None:
    """The first frame comes in any case; a read that may have been cut is not taken for the end."""
    for seq in range(6, 10):
        StreamEvent.objects.create(stream=log, seq=seq, kind="Typing", payload="x" * 40)

    def read(after: int, size: int) -> tuple[list[int], bool]:
        found = streams.read_log(log, after, 10, size)
        return [envelope.seq for envelope in found], streams.reaches_end(found, 10, size)

    assert read(5, 1) == ([6], False)
    assert read(5, 80) == ([6, 7], False)
    assert read(5, 81) == ([6, 7, 8], False)
    assert read(8, 1000) == ([9], True)
    assert read(9, 1000) == ([], True)


def test_the_log_is_read_from_where_it_begins(log: str) -> None:
    StreamEvent.objects.filter(stream=log, seq__lte=3).delete()

    assert [found.seq for found in streams.read_log(log, 0, 2)] == [4, 5]
    assert [found.seq for found in streams.read_log(log, 2, 2)] == [4, 5]
    assert streams.read_log(log, 5, 2) == []


def test_many_streams_are_missed_at_once(log: str, django_assert_num_queries: Any) -> None:
    names = [f"room:{number}" for number in range(250)]
    for name in names:
        write(name, 1, 2)

    with django_assert_num_queries(1):
        missed = streams.missed(dict.fromkeys(reversed(names), (0, 1)))

    assert [found.stream for found in missed] == names
    assert len(streams.missed(dict.fromkeys(names, (0, 2)))) == 500


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
            streams.missed({stream: (0, 1)}),
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

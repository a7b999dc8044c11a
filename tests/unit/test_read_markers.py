"""Read markers: what moves them, who is told, what waits no longer, and what it costs."""

from collections import Counter
from typing import Any

import orjson
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from event_bridge.events import left_out, map_events
from event_bridge.needs import find_problems
from gql_chat import acting_as, export_user
from gql_chat.errors import NotFound, PermissionDenied
from gql_chat.models import (
    ChatNotification,
    GroupChat,
    Membership,
    Message,
    NotificationType,
    ReadMarker,
    StreamEvent,
)
from gql_chat.models.unread import RoomUnread, count_unread
from gql_chat.operations import EventHandler
from gql_chat.schema import get_graphql_schema
from gql_chat.streams import erase_names, room_stream, user_stream
from tests.conftest import Users
from tests.unit.committed import World
from tests.unit.making import perform, race
from tests.unit.test_counts import count_rows
from tests.unit.test_pending import steps
from tests.unit.test_settings import chat

in_transaction = pytest.mark.django_db


def say(user: Any, room: Any, count: int = 1) -> list[Any]:
    """Let a user write messages; returns their ids."""
    act = acting_as(user)
    return [act.send_message(room.pk, f"message {number}").message_id for number in range(count)]


def unread(user: Any, room: Any) -> RoomUnread:
    """What a user has not read in a room."""
    (found,) = EventHandler(user.pk).list_unread(room.pk).rooms
    return found


def count(user: Any, room: Any) -> int:
    """How many messages a user has not read in a room."""
    return unread(user, room).unread_count


def told(stream: str, kind: str) -> list[Any]:
    """What the log has of a kind of event in a stream."""
    rows = StreamEvent.objects.filter(stream=stream, kind=kind).order_by("seq")
    return [orjson.loads(payload) for payload in rows.values_list("payload", flat=True)]


def read_told(room: Any) -> list[str]:
    """Up to which messages the members of a room were told that somebody has read."""
    return [each["up_to"] for each in told(room_stream(room.pk), "RoomRead")]


def shown_markers(user: Any, room: Any) -> list[tuple[Any, str]]:
    """How far members have read, as `room.info` shows it."""
    info, _ = perform(user, "room.info", {"room_id": str(room.pk)})
    return [(each["user_id"], each["up_to"]) for each in info["read_markers"]]


# Reading


@in_transaction
def test_reading_up_to_a_message_tells_the_members_and_the_own_devices(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    ids = say(alice, group, 3)

    EventHandler(bob.pk).read_room(group.pk, up_to=ids[1])

    group.refresh_from_db()
    (frame,) = told(room_stream(group.pk), "RoomRead")
    assert frame == {
        "room_id": str(group.pk),
        "user": {"id": bob.pk, "username": bob.username},
        "up_to": str(ids[1]),
        "read_at": frame["read_at"],
    }
    assert told(user_stream(bob.pk), "UnreadChanged") == [
        {
            "room_id": str(group.pk),
            "unread_count": 1,
            "mention_count": 0,
            "more": False,
            "first_unread": str(ids[2]),
            "marked": False,
            "as_of": group.seq,
            "totals": {"rooms": 1, "messages": 1, "mentions": 0, "muted": 0},
        }
    ]
    assert shown_markers(alice, group) == [(bob.pk, str(ids[1]))]
    assert told(user_stream(alice.pk), "UnreadChanged") == []


@in_transaction
def test_a_marker_moves_forward_only_and_what_is_older_writes_nothing(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    ids = say(alice, group, 3)
    act = EventHandler(bob.pk)
    act.read_room(group.pk, up_to=ids[1])
    before = list(StreamEvent.objects.values()), list(ReadMarker.objects.values())

    act.read_room(group.pk, up_to=ids[0])
    act.read_room(group.pk, up_to=ids[1])

    assert (list(StreamEvent.objects.values()), list(ReadMarker.objects.values())) == before
    act.read_room(group.pk)
    assert read_told(group) == [str(ids[1]), str(ids[2])]
    assert count(bob, group) == 0
    assert EventHandler(bob.pk).list_unread().rooms == []


@in_transaction
def test_an_empty_room_is_read_without_a_word(group: GroupChat, bob: Any) -> None:
    EventHandler(bob.pk).read_room(group.pk)

    assert not StreamEvent.objects.exists()
    assert not ReadMarker.objects.exists()


@in_transaction
def test_private_reading_is_told_to_nobody_else_until_it_is_told(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    ids = say(alice, group, 2)
    act = EventHandler(bob.pk)

    act.read_room(group.pk, private=True)
    assert (read_told(group), shown_markers(alice, group)) == ([], [])
    assert count(bob, group) == 0
    assert len(told(user_stream(bob.pk), "UnreadChanged")) == 1

    act.read_room(group.pk)
    assert read_told(group) == [str(ids[1])]


@in_transaction
def test_in_a_large_room_nobody_is_told(group: GroupChat, alice: Any, bob: Any) -> None:
    say(alice, group)
    with chat(MAX_RECEIPT_MEMBERS=1):
        EventHandler(bob.pk).read_room(group.pk)
        assert (read_told(group), shown_markers(alice, group)) == ([], [])
        assert count(bob, group) == 0
    say(alice, group)
    with chat(MAX_RECEIPT_MEMBERS=2):
        EventHandler(bob.pk).read_room(group.pk)
    assert len(read_told(group)) == 1


@in_transaction
def test_what_is_not_in_the_room_cannot_be_read(
    group: GroupChat, pair: Any, alice: Any, bob: Any, carol: Any
) -> None:
    (elsewhere,) = say(alice, pair)
    (here,) = say(alice, group)

    for name, key in (("read_room", "up_to"), ("mark_unread", "message_id")):
        # What exists is checked before who may.
        for user, message, error in (
            (bob, elsewhere, NotFound),
            (carol, elsewhere, NotFound),
            (carol, here, PermissionDenied),
        ):
            with pytest.raises(error):
                getattr(EventHandler(user.pk), name)(group.pk, **{key: message})
    with pytest.raises(PermissionDenied):
        acting_as(carol, as_system=True).read_room(group.pk)


@in_transaction
def test_a_newcomer_has_read_what_is_hidden_from_them(alice: Any, bob: Any) -> None:
    fields = {"history": "joined"}
    room = EventHandler(alice.pk).create_room("GroupChat", name="g", fields=fields)
    (hidden,) = say(alice, room)
    EventHandler(alice.pk).add_members(room.pk, [bob.pk])

    EventHandler(bob.pk).read_room(room.pk)

    assert read_told(room) == []
    with pytest.raises(PermissionDenied):
        EventHandler(bob.pk).read_room(room.pk, up_to=hidden)


# Receipts


@in_transaction
def test_what_was_read_by_receipt_is_read(group: GroupChat, alice: Any, bob: Any) -> None:
    ids = say(alice, group, 4)
    act = EventHandler(bob.pk)

    act.read_messages([ids[0], ids[2]])
    assert (count(bob, group), unread(bob, group).first_unread) == (2, ids[1])
    act.read_room(group.pk, up_to=ids[1])
    assert (count(bob, group), unread(bob, group).first_unread) == (1, ids[3])
    act.read_messages([ids[3]])
    assert count(bob, group) == 0
    (listed,) = EventHandler(bob.pk).list_rooms()
    assert listed.unread_count == 0


@in_transaction
def test_a_receipt_does_not_make_the_newest_unread_again(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    ids = say(alice, group, 3)
    act = EventHandler(bob.pk)
    act.read_room(group.pk)

    act.read_messages([ids[0]])

    assert count(bob, group) == 0
    assert read_told(group) == [str(ids[2])]


# Marking as unread


@in_transaction
def test_a_room_is_unread_from_a_message_on_whatever_receipts_say(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    ids = say(alice, group, 4)
    act = EventHandler(bob.pk)
    act.read_messages(ids[:2])
    act.read_room(group.pk)

    act.mark_unread(group.pk, ids[1])

    found = unread(bob, group)
    assert (found.unread_count, found.first_unread, found.marked) == (3, ids[1], True)
    act.read_messages(ids)
    assert count(bob, group) == 3
    (listed,) = EventHandler(bob.pk).list_rooms()
    assert listed.unread_count == 3
    assert shown_markers(alice, group) == [(bob.pk, str(ids[3]))]  # is not taken back

    act.read_room(group.pk)
    found = unread(bob, group)
    assert (found.unread_count, found.marked) == (0, False)
    assert read_told(group) == [str(ids[3])]


@in_transaction
def test_reading_up_to_a_message_behind_the_mark_leaves_the_rest_unread(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    ids = say(alice, group, 4)
    act = EventHandler(bob.pk)
    act.read_room(group.pk, up_to=ids[3])
    act.mark_unread(group.pk, ids[1])

    act.read_room(group.pk, up_to=ids[0])
    assert unread(bob, group).marked

    act.read_room(group.pk, up_to=ids[2])
    found = unread(bob, group)
    assert (found.unread_count, found.marked) == (1, False)


@in_transaction
def test_a_mark_waits_even_where_nothing_of_others_is_unread(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    (mine,) = say(bob, group)

    EventHandler(bob.pk).mark_unread(group.pk, mine)

    (listed,) = EventHandler(bob.pk).list_unread().rooms
    assert (listed.unread_count, listed.marked) == (0, True)
    Message.objects.filter(pk=mine).delete()
    EventHandler(bob.pk).read_room(group.pk)
    assert EventHandler(bob.pk).list_unread().rooms == []


# Counting


@in_transaction
def test_a_count_stops_at_its_limit(group: GroupChat, alice: Any, bob: Any) -> None:
    ids = say(alice, group, 4)
    for limit, (shown, more) in {3: (3, True), 4: (4, False), None: (4, False)}.items():
        with chat(MAX_UNREAD_COUNT=limit):
            found = unread(bob, group)
            assert (found.unread_count, found.more, found.first_unread) == (shown, more, ids[0])


@in_transaction
def test_own_and_deleted_messages_are_not_counted(group: GroupChat, alice: Any, bob: Any) -> None:
    say(bob, group)
    first, second, third = say(alice, group, 3)
    for soft, message in ((False, first), (True, second)):
        with chat(MESSAGE_SOFT_DELETE=soft):
            EventHandler(alice.pk).delete_messages([message])

    found = unread(bob, group)
    assert (found.unread_count, found.first_unread) == (1, third)


@in_transaction
def test_all_rooms_of_several_users_are_counted_in_one_statement(
    group: GroupChat, pair: Any, alice: Any, bob: Any, carol: Any
) -> None:
    say(alice, group, 2)
    say(bob, pair)
    say(alice, pair)

    with CaptureQueriesContext(connection) as captured:
        found = count_unread([alice.pk, bob.pk, carol.pk])

    assert len(captured) == 1
    assert {user: each.totals.messages for user, each in found.items()} == {alice.pk: 1, bob.pk: 3}
    assert found[bob.pk].totals.rooms == 2
    assert [each.room_id for each in found[bob.pk].rooms] == [pair.pk, group.pk]


# Notifications


@in_transaction
def test_who_has_read_a_message_is_no_recipient_of_its_notification(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    group.participants.add(carol)
    ids = say(alice, group, 3)
    act = EventHandler(bob.pk)

    act.read_room(group.pk, up_to=ids[1], private=True)

    waiting = act.list_notifications().notifications
    assert [each.message_id for each in waiting] == [ids[2]]
    for message, recipients in ((ids[0], [carol]), (ids[2], [bob, carol])):
        notification = ChatNotification.objects.get(message_id=message)
        assert sorted(notification.recipients, key=lambda user: user.pk) == recipients
    # Nobody waits for the first two any more once carol has them, too.
    EventHandler(carol.pk).acknowledge_messages(ids)
    assert [each.message_id for each in ChatNotification.objects.all()] == [ids[2]]


@in_transaction
def test_reactions_in_what_was_read_wait_no_longer(
    group: GroupChat, pair: Any, alice: Any, bob: Any
) -> None:
    (mine,), (there,) = say(bob, group), say(bob, pair)
    for message in (mine, there):
        EventHandler(alice.pk).add_reaction(message, "+1")
    (later,) = say(alice, group)

    EventHandler(bob.pk).read_room(group.pk, up_to=later)

    reactions = ChatNotification.objects.filter(notification_type=NotificationType.REACTION)
    assert [each.message_id for each in reactions] == [there]


# Coming, going, and the account's end


@in_transaction
def test_who_comes_back_begins_anew(group: GroupChat, alice: Any, bob: Any) -> None:
    ids = say(alice, group, 2)
    act = EventHandler(bob.pk)
    act.read_room(group.pk)
    act.mark_unread(group.pk, ids[0])

    act.leave_room(group.pk)
    assert not ReadMarker.objects.exists()
    EventHandler(alice.pk).add_members(group.pk, [bob.pk])

    found = unread(bob, group)
    assert (found.unread_count, found.marked) == (0, False)
    assert shown_markers(alice, group) == []


@in_transaction
def test_the_log_forgets_the_reader_whose_account_is_gone(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    say(alice, group)
    EventHandler(bob.pk).read_room(group.pk)
    EventHandler(alice.pk).update_room(group.pk, {"name": "renamed"})

    erase_names({bob.pk: bob.username})

    (read,) = told(room_stream(group.pk), "RoomRead")
    (updated,) = told(room_stream(group.pk), "RoomUpdated")
    assert read["user"]["username"] == ""
    assert updated["room"]["read_markers"] == []


@in_transaction
def test_a_user_is_handed_out_how_far_they_have_read(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    (message,) = say(alice, group)
    EventHandler(bob.pk).read_room(group.pk)

    (room,) = [line for line in map(orjson.loads, export_user(bob)) if line["kind"] == "room"]
    assert (room["read_up_to"], room["marked_unread"]) == (str(message), False)


# Without the feature


@in_transaction
def test_without_the_feature_its_table_is_left_alone(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    ids = say(alice, group, 3)
    EventHandler(bob.pk).read_room(group.pk, up_to=ids[0])
    table = ReadMarker._meta.db_table
    with chat(FEATURES=()), CaptureQueriesContext(connection) as captured:
        info, _ = perform(alice, "room.info", {"room_id": str(group.pk)})
        listed, _ = perform(bob, "room.list", {})
        perform(bob, "message.read", {"message_id": [str(ids[1])]})
        perform(bob, "message.acknowledged", {"message_id": [str(ids[1])]})
        say(alice, group)
        assert EventHandler(alice.pk).add_members(group.pk, [carol.pk])
        assert EventHandler(bob.pk).list_notifications().notifications
        for act in ("read_room", "mark_unread"):
            with pytest.raises(ImproperlyConfigured, match="read_markers"):
                getattr(EventHandler(bob.pk), act)(group.pk, *ids[: act == "mark_unread"])
        with pytest.raises(ImproperlyConfigured, match="read_markers"):
            EventHandler(bob.pk).list_unread()

    assert "read_markers" not in info
    assert [room["unread_count"] for room in listed] == [2]
    assert [query["sql"] for query in captured.captured_queries if table in query["sql"]] == []


def test_its_events_and_fields_come_and_go_with_it() -> None:
    mine = {"room.read", "room.unread", "unread.list"}
    for features, has in (((), False), (("read_markers",), True), (("erasure",), False)):
        with chat(FEATURES=features):
            schema: Any = get_graphql_schema().type_map
            assert (mine <= map_events().keys()) is has
            assert (mine & map_events().keys() == set()) is not has
            assert ({"RoomRead", "UnreadChanged"} <= left_out()) is not has
            for name in ("OneToOneChat", "GroupChat", "Channel"):
                assert ("read_markers" in schema[name].fields) is has
            assert ("UnreadList" in schema) is has
            assert find_problems() == []


# What it costs


def fill(users: Users, members: int, messages: int) -> tuple[Any, GroupChat]:
    """Make a room with members, and messages that one of them has not read."""
    alice, reader = users.make("alice", "reader")
    room = GroupChat.objects.create(name="large", creator=alice, max_participants=members + 2)
    model = type(alice)
    more = [model(username=f"{alice.username}-{number}") for number in range(members - 2)]
    now = timezone.now()
    begun = {"joined_at": now, "pending_from": now, "unread_from": now}
    model._default_manager.bulk_create(more)
    Membership.objects.bulk_create(
        Membership(room_id=room.pk, user_id=user.pk, joined_seq=1, **begun)
        for user in [*more, reader]
    )
    written = [
        Message(room_id=room.pk, sender=alice, content="hello", created_at=timezone.now())
        for _ in range(messages)
    ]
    Message.objects.bulk_create(written, batch_size=1000)
    ChatNotification.objects.bulk_create(
        (
            ChatNotification(
                notification_type=NotificationType.NEW_MESSAGE,
                message_id=message.pk,
                room_id=room.pk,
                actor=alice,
                created_at=message.created_at,
            )
            for message in written
        ),
        batch_size=1000,
    )
    return reader, room


@in_transaction
def test_reading_a_room_costs_the_same_however_much_was_unread(users: Users) -> None:
    costs = []
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    for members, messages in ((10, 10), (1000, 10_000)):
        reader, room = fill(users, members, messages)
        act = EventHandler(reader.pk)
        with chat(MAX_RECEIPT_MEMBERS=None):  # so that both tell
            assert unread(reader, room).unread_count == min(messages, 1000)
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("ANALYZE")
            rows = count_rows()
            with CaptureQueriesContext(connection) as captured:
                act.read_room(room.pk)
        assert count(reader, room) == 0
        rows.subtract(Counter(count_rows()))
        queries = [query["sql"] for query in captured.captured_queries]
        looks = [sql for sql in queries if sql.startswith("SELECT") and "_message" in sql]
        most = max(seen for sql in looks for _, seen in steps(sql) if "COUNT(*)" not in sql)
        costs.append((len(queries), {name: -n for name, n in rows.items() if n}, most))

    assert costs[0] == costs[1]
    assert costs[1][1] == {"ReadMarker": 1, "StreamEvent": 2, "UserStream": 1}


@in_transaction
def test_counts_are_read_by_an_index(users: Users) -> None:
    reader, _ = fill(users, 10, 3000)

    with CaptureQueriesContext(connection) as captured:
        count_unread([reader.pk])

    (query,) = captured.captured_queries
    found = steps(query["sql"])
    names = " ".join(name for name, _ in found)
    assert "Seq Scan" not in names, found
    assert "SCAN gql_chat_message" not in names, found


# At the same moment


@pytest.fixture
def world(users: Users, committed_database: None) -> World:
    return World(users, members=3)


@pytest.mark.parametrize("number", range(5))
def test_several_devices_read_while_others_write(number: int, world: World) -> None:
    ids = [world.say() for _ in range(12)]
    wanted = [ids[3], ids[9], ids[0], ids[6]]

    def work(place: int) -> Any:
        if place < len(wanted):
            return EventHandler(world.bob.pk).read_room(world.group.pk, up_to=wanted[place])
        return world.say()

    results = race(len(wanted) + 3, work)

    assert [each for each in results if isinstance(each, Exception)] == []
    marker = ReadMarker.objects.get(membership__user=world.bob, membership__room=world.group)
    assert marker.up_to == ids[9]
    assert count(world.bob, world.group) == 2 + 3
    places = [ids.index(Message._meta.pk.to_python(each)) for each in read_told(world.group)]
    assert places == sorted(set(places))
    assert places[-1] == 9
    counted = told(user_stream(world.bob.pk), "UnreadChanged")
    assert [each["as_of"] for each in counted] == sorted(each["as_of"] for each in counted)


@pytest.mark.parametrize("number", range(3))
def test_reading_all_races_with_marking_as_unread(number: int, world: World) -> None:
    ids = [world.say() for _ in range(4)]

    def work(place: int) -> Any:
        act = EventHandler(world.bob.pk)
        if place == 0:
            return act.mark_unread(world.group.pk, ids[1])
        return act.read_room(world.group.pk)

    assert [each for each in race(3, work) if isinstance(each, Exception)] == []

    found = unread(world.bob, world.group)
    assert (found.unread_count, found.marked) in [(3, True), (0, False)]
    (*_, last) = told(user_stream(world.bob.pk), "UnreadChanged")
    assert (last["unread_count"], last["marked"]) == (found.unread_count, found.marked)

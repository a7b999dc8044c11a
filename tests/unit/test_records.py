"""Records for internal tools: filtered, in pages, in as many queries however many there are."""

import contextlib
import subprocess
import sys
from base64 import b64encode
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gql_chat.errors import ChatError, NotAuthenticated, PermissionDenied
from gql_chat.models import (
    Channel,
    ChatNotification,
    Delivery,
    GroupChat,
    Message,
    Reaction,
    Session,
    StreamEvent,
)
from gql_chat.operations import EventHandler
from gql_chat.schema import Context, get_schema
from tests.conftest import Users
from tests.unit.test_settings import chat
from tests.wire.rooms import NOWHERE


def execute(query: str, user: Any, **variables: Any) -> Any:
    return get_schema().execute_sync(
        query, context_value=Context(user.pk), variable_values=variables
    )


def find(user: Any, connection: str, fields: str, filters: Any = None, **page: Any) -> list[Any]:
    """The nodes of a connection's page."""
    return [edge["node"] for edge in read(user, connection, fields, filters, **page)["edges"]]


def read(user: Any, connection: str, fields: str, filters: Any = None, **page: Any) -> Any:
    kind = KINDS[connection]
    filtered = "" if kind is None else f"$filters: {kind}, "
    given = "" if kind is None else "filters: $filters, "
    query = f"""query ({filtered}$first: Int, $after: String, $last: Int, $before: String) {{
        {connection}({given}first: $first, after: $after, last: $last, before: $before) {{
            total_count edges {{ cursor node {{ {fields} }} }}
            page_info {{ has_next_page has_previous_page start_cursor end_cursor }} }} }}"""
    result = execute(query, user, **page, **({} if kind is None else {"filters": filters}))
    if result.errors:
        raise result.errors[0].original_error or result.errors[0]
    return result.data[connection]


KINDS = {
    "room_records": "RoomRecordFilter",
    "message_records": "MessageRecordFilter",
    "session_records": "SessionRecordFilter",
    "connected_users": None,
    "notification_records": "NotificationRecordFilter",
    "event_records": "EventRecordFilter",
}
FIELDS = {
    "room_records": "id type name creator_id seq last_activity created_at",
    "message_records": "id sender_id content is_deleted is_edited created_at room { id name }",
    "session_records": "id user_id channel_name last_seen",
    "connected_users": "user_id username devices last_seen",
    "notification_records": (
        "id notification_type room_id message_id actor_id recipient_id created_at"
    ),
    "event_records": "stream seq kind payload change created_at",
}


@pytest.fixture
def staff(db: None, users: Users) -> Any:
    """Somebody of the staff who may view rooms and messages."""
    return users.viewer()


def grow(users: Users, count: int) -> None:
    """Make so many of everything, each for somebody else."""
    for _ in range(count):
        alice, bob = users.make("alice", "bob")
        group = GroupChat.objects.create(name="group", creator=alice)
        group.participants.add(bob)
        sent = EventHandler(alice.pk).send_message(group.pk, "hello")
        EventHandler(bob.pk).add_reaction(sent.message_id, "+1")
        Session.objects.create(user=alice, channel_name=f"{uuid4()}")
        Session.objects.create(user=alice, channel_name=f"{uuid4()}")


# Who may look


@pytest.mark.parametrize("name", KINDS)
def test_records_are_for_active_staff_who_may_view_them(
    name: str, staff: Any, users: Users
) -> None:
    assert find(staff, name, FIELDS[name]) == []
    assert find(users(is_superuser=True), name, FIELDS[name]) == []
    for other in (users(), users(is_staff=True)):
        with pytest.raises(PermissionDenied):
            find(other, name, FIELDS[name])
    with pytest.raises(NotAuthenticated):
        find(users.viewer(is_active=False), name, FIELDS[name])


# What it costs


@pytest.mark.parametrize("name", KINDS)
def test_records_take_as_many_queries_however_many_there_are(
    name: str, staff: Any, users: Users
) -> None:
    def count(size: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            page = read(staff, name, FIELDS[name], first=size)
        assert len(page["edges"]) == size
        return len(captured)

    grow(users, 2)
    few = count(2)
    grow(users, 18)
    # The user, two for their permissions, the page, and how many there are in all; and how long
    # what may be long is.
    expected = 6 if name in ("message_records", "event_records") else 5
    assert (few, count(20)) == (expected, expected)


def test_only_what_is_asked_for_is_read(staff: Any, users: Users) -> None:
    grow(users, 2)
    with CaptureQueriesContext(connection) as captured:
        find(staff, "message_records", "id room { id name }")

    page = next(query["sql"] for query in captured if "ORDER BY" in query["sql"])
    assert "content" not in page
    assert "JOIN" in page


# Pages


def test_pages_follow_each_other_with_no_gap_and_no_repeat(group: GroupChat, staff: Any) -> None:
    now = timezone.now()
    # Several at one moment: the order is one all the same.
    Message.objects.bulk_create(
        Message(room=group, sender=staff, content=str(n), created_at=now + timedelta(n // 3))
        for n in range(10)
    )
    whole = find(staff, "message_records", "id")

    forward: list[Any] = []
    page = read(staff, "message_records", "id", first=4)
    assert (page["total_count"], page["page_info"]["has_previous_page"]) == (10, False)
    while True:
        forward += [edge["node"] for edge in page["edges"]]
        if not page["page_info"]["has_next_page"]:
            break
        # A row that is written meanwhile moves no other to another page.
        Message.objects.create(
            room=group, sender=staff, content="new", created_at=now + timedelta(9)
        )
        page = read(staff, "message_records", "id", first=4, after=page["page_info"]["end_cursor"])
        assert page["page_info"]["has_previous_page"]

    backward = read(staff, "message_records", "id", last=3, before=page["page_info"]["end_cursor"])
    assert forward == whole
    assert [edge["node"] for edge in backward["edges"]] == whole[-4:-1]
    assert backward["page_info"]["has_previous_page"]
    assert backward["page_info"]["has_next_page"]


def test_a_deep_page_is_found_by_its_place_not_by_counting(group: GroupChat, staff: Any) -> None:
    Message.objects.bulk_create(Message(room=group, sender=staff) for _ in range(5))
    cursor = read(staff, "message_records", "id", first=2)["page_info"]["end_cursor"]

    with CaptureQueriesContext(connection) as captured:
        find(staff, "message_records", "id", first=2, after=cursor)

    assert not [query for query in captured if "OFFSET" in query["sql"]]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "page",
    [
        {"first": 0},
        {"first": -1},
        {"last": 0},
        {"first": 1, "last": 1},
        {"after": "x"},
        {"before": "x"},
        {"after": ""},
        {"after": "b3JkZXJlZGN1cnNvcjp7fQ=="},  # orderedcursor:{}
        {"after": "b3JkZXJlZGN1cnNvcjpbIngiLCJ4Il0="},  # orderedcursor:["x","x"]
        {"after": "b3JkZXJlZGN1cnNvcjpbIlx1MDAwMCJd"},  # orderedcursor:["\u0000"]
    ],
    ids=str,
)
def test_a_page_there_is_not_is_an_error_that_names_the_argument(
    page: dict[str, Any], name: str, staff: Any
) -> None:
    with pytest.raises(ChatError) as caught:
        find(staff, name, FIELDS[name], **page)

    assert caught.value.code == 4003
    assert isinstance(caught.value.detail, dict)
    assert caught.value.detail.keys() <= page.keys()


def test_a_cursor_with_a_number_beyond_all_leads_nowhere(staff: Any, users: Users) -> None:
    grow(users, 1)
    cursor = b64encode(f'orderedcursor:["-{9 * 10**30}"]'.encode()).decode()
    expected = (
        # PostgreSQL compares numbers of any size, SQLite takes none of these.
        contextlib.nullcontext()
        if connection.vendor == "postgresql"
        else pytest.raises(ChatError, match="no cursor")
    )

    with expected:
        assert find(staff, "event_records", "seq", after=cursor) == []


# Filters


def test_rooms_are_found_by_type_member_and_activity(
    group: GroupChat, channel: Channel, pair: Any, staff: Any, alice: Any, carol: Any
) -> None:
    def rooms(**filters: Any) -> set[str]:
        return {room["type"] for room in find(staff, "room_records", "type", filters)}

    group.participants.add(carol)
    later = (timezone.now() + timedelta(1)).isoformat()
    GroupChat.objects.filter(pk=group.pk).update(last_activity=timezone.now() + timedelta(2))

    assert rooms() == {"GroupChat", "Channel", "OneToOneChat"}
    assert rooms(type="Channel") == {"Channel"}
    assert rooms(type="Nothing") == set()
    assert rooms(member=carol.pk) == {"GroupChat"}
    assert rooms(member=str(alice.pk)) == {"GroupChat", "Channel", "OneToOneChat"}
    assert rooms(active_after=later) == {"GroupChat"}
    assert rooms(active_before=later) == {"Channel", "OneToOneChat"}
    assert rooms(member=alice.pk, type="GroupChat", active_before=later) == set()
    assert rooms(type=None, member=None) == rooms()


def test_messages_are_found_by_room_sender_time_and_text(
    group: GroupChat, channel: Channel, staff: Any, alice: Any, bob: Any
) -> None:
    now = timezone.now()

    def write(room: Any, sender: Any, content: str, days: int, **fields: Any) -> None:
        at = now + timedelta(days)
        Message.objects.create(room=room, sender=sender, content=content, created_at=at, **fields)

    write(group, alice, "Hello world", 1)
    write(group, bob, "100% sure", 2)
    write(channel, alice, "hello again", 3, is_deleted=True)

    def said(**filters: Any) -> list[str]:
        return [row["content"] for row in find(staff, "message_records", "content", filters)]

    def day(days: int) -> str:
        return (now + timedelta(days)).isoformat()

    assert said() == ["hello again", "100% sure", "Hello world"]
    assert said(room=str(group.pk)) == ["100% sure", "Hello world"]
    assert said(room=NOWHERE) == []
    assert said(sender=alice.pk) == ["hello again", "Hello world"]
    assert said(text="HELLO") == ["hello again", "Hello world"]
    assert said(text="0% s") == ["100% sure"]
    assert said(text="%") == ["100% sure"]
    assert said(is_deleted=True) == ["hello again"]
    assert said(sent_after=day(2)) == ["hello again", "100% sure"]
    assert said(sent_before=day(2)) == ["Hello world"]
    assert said(sent_after=day(2), sent_before=day(3)) == ["100% sure"]


def test_sessions_are_found_by_user_and_time(staff: Any, alice: Any, bob: Any) -> None:
    past = timezone.now() - timedelta(hours=1)
    Session.objects.create(user=alice, channel_name="new")
    Session.objects.create(user=alice, channel_name="old", last_seen=past)
    Session.objects.create(user=bob, channel_name="his")

    def sockets(**filters: Any) -> set[str]:
        return {
            row["channel_name"] for row in find(staff, "session_records", "channel_name", filters)
        }

    assert sockets() == {"new", "old", "his"}
    assert sockets(user=alice.pk) == {"new", "old"}
    assert sockets(seen_after=(past + timedelta(minutes=1)).isoformat()) == {"new", "his"}


def test_connected_users_are_counted_by_device(
    staff: Any, alice: Any, bob: Any, carol: Any
) -> None:
    past = timezone.now() - timedelta(hours=1)
    for name in ("phone", "laptop"):
        Session.objects.create(user=alice, channel_name=name)
    Session.objects.create(user=bob, channel_name="his")
    # Of a process that is gone: nobody has vouched for it.
    Session.objects.create(user=alice, channel_name="lost", alive_at=past, last_seen=past)
    Session.objects.create(user=carol, channel_name="hers", alive_at=past)

    found = find(staff, "connected_users", "user_id username devices")

    assert found == [
        {"user_id": alice.pk, "username": alice.username, "devices": 2},
        {"user_id": bob.pk, "username": bob.username, "devices": 1},
    ]


def test_notifications_are_found_by_whom_they_wait_for(
    group: GroupChat, staff: Any, alice: Any, bob: Any, carol: Any
) -> None:
    group.participants.add(carol)
    first, second = (Message.objects.create(room=group, sender=alice) for _ in range(2))
    Reaction.objects.create(message=first, user=bob, reaction_content="+1")
    Delivery.objects.create(message=first, user=bob)
    handlers = {user.pk: EventHandler(user.pk) for user in (alice, bob, carol)}

    def waiting(**filters: Any) -> set[str]:
        rows = find(staff, "notification_records", "message_id notification_type", filters)
        return {f"{row['notification_type']} {row['message_id']}" for row in rows}

    for user_id, handler in handlers.items():
        pending = [row for rows in handler.pending_notifications().values() for row in rows]
        # What a tool finds is what the user is told on connecting.
        assert waiting(recipient=user_id) == {
            f"{row.notification_type} {row.message_id}" for row in pending
        }
    assert waiting(recipient=bob.pk) == {f"NEW_MESSAGE {second.pk}"}
    assert waiting(recipient=alice.pk) == {f"REACTION {first.pk}"}
    assert waiting(room=str(group.pk)) == waiting()
    assert waiting(room=NOWHERE) == set()
    assert waiting(notification_type="REACTION") == {f"REACTION {first.pk}"}
    assert len(waiting()) == ChatNotification.objects.count() == 3


def test_events_are_found_by_stream_kind_and_time(
    group: GroupChat, channel: Channel, staff: Any, alice: Any, bob: Any
) -> None:
    sent = EventHandler(alice.pk).send_message(group.pk, "hi")
    EventHandler(bob.pk).acknowledge_messages([sent.message_id])
    EventHandler(alice.pk).send_message(channel.pk, "hi all")

    def logged(**filters: Any) -> list[str]:
        return [row["stream"] for row in find(staff, "event_records", "stream", filters)]

    streams = [f"room:{channel.pk}", f"user:{alice.pk}", f"room:{group.pk}"]
    assert logged() == streams
    assert logged(stream=streams[1]) == [streams[1]]
    assert logged(room=str(group.pk)) == [streams[2]]
    assert logged(user=alice.pk) == [streams[1]]
    assert logged(kind="MessageSent") == [streams[0], streams[2]]
    tomorrow = (timezone.now() + timedelta(1)).isoformat()
    assert logged(logged_after=tomorrow) == []
    assert logged(logged_before=tomorrow) == streams
    (row,) = find(staff, "event_records", "kind seq payload change", {"user": alice.pk})
    assert (row["kind"], row["seq"], row["change"]) == ("MessagesDelivered", 1, None)
    assert row["payload"]["messages"][0]["id"] == str(sent.message_id)
    assert StreamEvent.objects.count() == 3


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("room_records", "member"),
        ("message_records", "sender"),
        ("session_records", "user"),
        ("notification_records", "recipient"),
        ("event_records", "user"),
    ],
)
@pytest.mark.parametrize(("value", "code"), [("x", 4003), (2**62, 4004), (0, 4004)])
def test_a_user_there_is_not_is_an_error(
    name: str, field: str, value: Any, code: int, staff: Any
) -> None:
    with pytest.raises(ChatError) as caught:
        find(staff, name, FIELDS[name], {field: value})

    assert caught.value.code == code


def test_a_socket_alone_has_no_records_and_does_not_import_their_package() -> None:
    code = (
        "import sys, django; django.setup(); import event_bridge.routing;"
        "from gql_chat.schema import get_graphql_schema;"
        "print('strawberry_django' in sys.modules, 'room_records' in "
        "get_graphql_schema().query_type.fields)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_page_of_large_records_ends_early(group: GroupChat, staff: Any) -> None:
    for number in range(8):
        Message.objects.create(room=group, sender=staff, content=f"{number}" + "x" * 2000)
    with chat(MAX_ANSWER_BYTES=8000):
        seen: list[str] = []
        after = None
        while True:
            page = read(staff, "message_records", "content", first=5, after=after)
            assert 1 <= len(page["edges"]) <= 3
            seen += [edge["node"]["content"][0] for edge in page["edges"]]
            if not page["page_info"]["has_next_page"]:
                break
            after = page["page_info"]["end_cursor"]
        last = read(staff, "message_records", "content", last=5)
        small = read(staff, "message_records", "id", first=8)

    assert seen == list("76543210")
    assert [edge["node"]["content"][0] for edge in last["edges"]] == list("210")
    assert last["page_info"]["has_previous_page"] is True
    # What is large is not asked for.
    assert len(small["edges"]) == 8

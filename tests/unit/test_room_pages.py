"""Pages and filters of the list of rooms: joined together, pages are the whole list."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gql_chat import list_rooms
from gql_chat.errors import Invalid, NotFound, PermissionDenied
from gql_chat.models import Channel, GroupChat, OneToOneChat, Room
from gql_chat.operations import EventHandler
from gql_chat.schema import get_graphql_schema
from tests.conftest import Users
from tests.unit.answers import ask
from tests.unit.test_settings import chat
from tests.wire.rooms import NOWHERE

pytestmark = pytest.mark.django_db

few = settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def ids(rooms: list[Any]) -> list[str]:
    return [room["id"] for room in rooms]


@given(count=st.integers(0, 9), size=st.integers(1, 10), same=st.booleans())
@few
def test_pages_of_rooms_are_the_whole_list(count: int, size: int, same: bool, users: Users) -> None:
    alice = users("alice")
    for number in range(count):
        group = GroupChat.objects.create(name=f"group {number}", creator=alice)
        if number % 3:
            EventHandler(alice.pk).send_message(group.pk, "x" * 50)
        if number % 2:
            EventHandler(alice.pk).set_room_preferences(group.pk, {"pinned": True})
    mine = Room.objects.filter(memberships__user=alice)
    if same and count:  # several at one moment have one order all the same
        first = mine.first()
        assert first is not None
        mine.update(last_activity=first.last_activity, created_at=first.created_at)

    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = ask(alice, "room.list", {"paginate": {**cursor, "size": size}})
        assert page["size"] == size
        assert page["has_previous"] is bool(cursor)
        found += ids(page["data"]["rooms"])
        if not page["has_next"]:
            break
        cursor = {"before": found[-1]}

    assert len(found) == len(set(found)) == count
    listed = ask(alice, "room.list", {})
    assert set(ids(listed)) == set(found)
    pinned = [room["preferences"]["pinned"] for room in listed]
    assert pinned == sorted(pinned, reverse=True)
    if not same:
        assert ids(listed) == found


def test_pages_of_rooms_end_where_an_answer_would_be_too_large(alice: Any) -> None:
    for number in range(12):
        group = GroupChat.objects.create(name=f"group {number}", creator=alice)
        EventHandler(alice.pk).send_message(group.pk, "x" * 900)
    found: list[str] = []
    with chat(MAX_ANSWER_BYTES=5000):
        cursor: dict[str, Any] = {}
        while True:
            page = ask(alice, "room.list", {"paginate": {**cursor, "size": 10}})
            assert page["data"]["rooms"]
            found += ids(page["data"]["rooms"])
            if not page["has_next"]:
                break
            cursor = {"before": found[-1]}

    assert found == [str(room.pk) for room in EventHandler(alice.pk).list_rooms()]


def test_rooms_are_filtered(alice: Any, bob: Any, users: Users) -> None:
    anna = users("anna")
    group = GroupChat.objects.create(name="Lunch 100%", creator=alice)
    channel = Channel.objects.create(name="launches", creator=alice)
    pair = OneToOneChat.objects.start(alice, bob)
    other = OneToOneChat.objects.start(alice, anna)
    GroupChat.objects.create(name="lunch of others", creator=bob)
    EventHandler(bob.pk).send_message(pair.pk, "hello")
    EventHandler(alice.pk).send_message(group.pk, "hello")

    def find(**filters: Any) -> set[str]:
        unpaged = ask(alice, "room.list", {"filter": filters})
        paged = ask(alice, "room.list", {"filter": filters, "paginate": {"size": 100}})
        assert unpaged == paged["data"]["rooms"]
        return set(ids(unpaged))

    everything = {str(room.pk) for room in (group, channel, pair, other)}
    assert find() == find(query=None, unread=None, type=None) == everything
    assert find(type="GroupChat") == {str(group.pk)}
    assert find(unread=True) == {str(pair.pk)}
    assert find(unread=False) == everything - {str(pair.pk)}
    assert find(query="LUN") == {str(group.pk)}
    assert find(query="unch") == {str(group.pk), str(channel.pk)}
    assert find(query="100%") == {str(group.pk)}
    assert find(query="an") == {str(other.pk)}
    assert find(query=bob.get_username(), type="OneToOneChat") == {str(pair.pk)}
    assert find(query=alice.get_username()) == set()
    assert [room.pk for room in list_rooms(alice, filters={"unread": True}).rooms] == [pair.pk]


def test_rooms_are_filtered_by_what_the_user_wants_of_them(alice: Any, bob: Any) -> None:
    named, marked, away, back = rooms = [
        GroupChat.objects.create(name="group", creator=alice) for _ in range(4)
    ]
    for room in rooms:
        room.participants.add(bob)
    act = EventHandler(bob.pk)
    mentions = {"users": [bob.pk]}
    EventHandler(alice.pk).send_message(named.pk, "x", mentions=mentions)
    act.mark_unread(marked.pk, act.send_message(marked.pk, "my own").message_id)
    act.set_room_preferences(marked.pk, {"pinned": True})
    for room in (away, back):
        act.set_room_preferences(room.pk, {"archived": True})
    EventHandler(alice.pk).send_message(back.pk, "x")

    def find(**filters: Any) -> set[str]:
        return set(ids(ask(bob, "room.list", {"filter": filters})))

    everything = {str(room.pk) for room in rooms}
    for filters, found in (
        ({"mentioned": True}, {named}),
        ({"unread": True}, {named, marked, back}),
        ({"pinned": True}, {marked}),
        ({"archived": True}, {away}),
    ):
        wanted = {str(room.pk) for room in found}
        assert find(**filters) == wanted
        assert find(**dict.fromkeys(filters, False)) == everything - wanted
    act.read_room(named.pk)
    assert find(mentioned=True) == set()


def test_a_list_is_asked_for_wrongly(alice: Any, bob: Any) -> None:
    foreign = GroupChat.objects.create(name="group", creator=bob)
    handler = EventHandler(alice.pk)
    for filters in ({"type": "Room"}, {"query": ""}, {"colour": "red"}, {"pinned_by": 1}):
        with pytest.raises(Invalid) as caught:
            handler.list_room_page(filters=filters)
        assert list(caught.value.detail) == [f"filter.{next(iter(filters))}"]
    with pytest.raises(Invalid):
        handler.list_room_page(size=0)
    with pytest.raises(PermissionDenied):
        handler.list_room_page(before=foreign.pk, size=1)
    with pytest.raises(NotFound):
        handler.list_room_page(before=NOWHERE, size=1)


def test_filters_of_other_features_are_there_with_them_alone() -> None:
    with chat(FEATURES=("pages",)):
        fields: Any = get_graphql_schema().type_map["RoomFilterInput"]
        assert set(fields.fields) == {"type", "unread", "query"}
    with chat(FEATURES=("erasure",)):
        assert "RoomFilterInput" not in get_graphql_schema().type_map


def test_what_is_loaded_of_rooms_is_that_of_the_page(alice: Any) -> None:
    for number in range(6):
        group = GroupChat.objects.create(name=f"group {number}", creator=alice)
        EventHandler(alice.pk).send_message(group.pk, "hello")
    page = EventHandler(alice.pk).list_room_page(size=2)

    assert len(page.rooms) == 2
    assert page.has_next

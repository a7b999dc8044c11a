"""What the loader writes is what the package would have written."""

import random
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count

from benchmarks import history, plans
from benchmarks.population import Population
from benchmarks.sites.frames import FIRST_USER
from gql_chat.models import (
    ChatNotification,
    Delivery,
    GroupChat,
    Membership,
    Message,
    Reaction,
    ReadReceipt,
    Room,
    StreamEvent,
)
from gql_chat.operations import EventHandler
from tests.configuration import Configuration

POPULATION = Population(users=20, rooms=10, members=4, talk=20, long_talk=30)

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded(db: None) -> Population:
    history.write(POPULATION, quiet=True)
    return POPULATION


def test_every_user_is_in_as_many_groups_and_every_group_has_its_members() -> None:
    members = list(POPULATION.member_ids())

    assert len(members) == POPULATION.rooms
    assert all(len(set(ids)) == POPULATION.members for ids in members)
    users = range(FIRST_USER, FIRST_USER + POPULATION.users)
    assert {sum(user in ids for ids in members) for user in users} == {POPULATION.rooms_each}


def test_groups_that_follow_each_other_share_nobody() -> None:
    population = Population(users=100, rooms=20)

    some = [user for ids in list(population.member_ids())[10:20] for user in ids]

    assert len(set(some)) == len(some) == 100


def test_there_is_as_much_as_was_asked_for(loaded: Population) -> None:
    assert Room.objects.count() == loaded.rooms
    assert Membership.objects.count() == loaded.rooms * loaded.members
    assert Message.objects.count() == loaded.messages == 10 * 21 + 30
    longest = Message.objects.values("room").annotate(count=Count("pk")).order_by("-count")[0]
    assert longest == {"room": loaded.room_id(0), "count": 20 + 30 + 1}


def test_the_position_of_a_group_counts_all_that_happened_in_it(loaded: Population) -> None:
    for room in Room.objects.all():
        messages = Message.objects.filter(room=room)
        receipts = ReadReceipt.objects.filter(message__room=room).count()
        reactions = Reaction.objects.filter(message__room=room).count()
        newest = StreamEvent.objects.filter(stream=f"room:{room.pk}").latest("seq")
        # Its creation took the first place.
        assert room.seq == 1 + messages.count() + receipts + reactions == newest.seq
        assert room.last_activity == messages.latest("created_at").created_at


def test_what_waits_for_a_member_is_what_the_last_week_brought(loaded: Population) -> None:
    user_id = random.Random(0).randrange(FIRST_USER, FIRST_USER + loaded.users)
    handler = EventHandler(user_id)

    waiting: dict[Any, Any] = handler.pending_notifications()
    rooms = handler.list_rooms()

    mine = {room.pk for room in rooms if room.last_message.sender_id == user_id}
    assert len(rooms) == loaded.rooms_each
    assert waiting.keys() == {room.pk for room in rooms} - mine
    assert [room.unread_count for room in rooms] == [int(room.pk not in mine) for room in rooms]
    assert rooms == sorted(rooms, key=lambda room: room.last_activity, reverse=True)


def test_no_notification_is_kept_that_nobody_waits_for(loaded: Population) -> None:
    count = ChatNotification.objects.count()

    ChatNotification.objects.delete_finished()

    assert ChatNotification.objects.count() == count == loaded.rooms


def test_who_received_and_read_has_left_or_was_there(loaded: Population) -> None:
    for model, who in ((Delivery, "user_id"), (ReadReceipt, "reader_id")):
        rows = model._default_manager.select_related("message")
        assert all(getattr(row, who) != row.message.sender_id for row in rows)


def test_a_creator_leads_and_holds_the_permissions_of_leaders(loaded: Population) -> None:
    room = GroupChat.objects.select_related("creator").first()
    assert room is not None
    assert room.creator is not None

    assert [admin.pk for admin in room.admins.all()] == [room.creator_id]
    assert room.creator.has_perm("gql_chat.can_add_new_participants", room)


def test_no_hot_path_has_to_read_a_whole_table(
    loaded: Population, configuration: Configuration
) -> None:
    if configuration.database != "postgres":
        pytest.skip(f"needs PostgreSQL, runs on {configuration}")
    with connection.cursor() as cursor:
        # Tables of a test are so small that reading them whole is fastest: forbid it.
        cursor.execute("SET LOCAL enable_seqscan = off")

    found = plans.explain_all(next(loaded.member_ids())[1], loaded.room_id(0))

    whole = {
        (path, plan.subject): node
        for path, explained in found.items()
        for plan in explained
        for node in plan.nodes
        if node.startswith("Seq Scan")
    }
    assert whole == {}
    assert all(found.values())

"""Members who come and go without an event of their own are told of."""

from typing import Any

import pytest
from django.db import transaction
from django.db.models.signals import post_delete

from gql_chat import streams
from gql_chat.errors import NotAuthenticated
from gql_chat.events import RoomUpdated
from gql_chat.models import (
    Membership,
    Room,
)
from gql_chat.models.relations import load_rooms
from gql_chat.operations import EventHandler
from gql_chat.streams import Envelope, user_stream
from tests.conftest import Users
from tests.unit.committed import of


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


def test_an_account_that_is_not_active_stands_nowhere(users: Users, world: Any) -> None:
    user = users("left")
    world.group.participants.add(user)
    assert [name for name, _, _ in streams.positions(user.pk)] == [
        user_stream(user.pk),
        world.stream,
    ]
    key = user.pk

    type(user)._default_manager.filter(pk=key).update(is_active=False)
    with pytest.raises(NotAuthenticated):
        streams.positions(key)

    user.delete()
    with pytest.raises(NotAuthenticated):
        streams.positions(key)

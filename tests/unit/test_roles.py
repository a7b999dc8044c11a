"""Who leads a room, and the permissions that follow, whatever code makes the change."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from guardian.models import GroupObjectPermission, UserObjectPermission
from guardian.shortcuts import assign_perm

from gql_chat.errors import Invalid
from gql_chat.models import (
    Channel,
    GroupChat,
    Membership,
    OneToOneChat,
    Room,
)
from gql_chat.models.rules import Role
from tests.unit.memberships import (
    DEMOTIONS,
    PROMOTIONS,
    REMOVALS,
    Way,
    accessor,
    held,
    rooms,
    ways,
)

# Roles and object permissions


@rooms
@ways(PROMOTIONS)
def test_who_comes_to_lead_gets_the_permissions(room: Any, bob: Any, way: Way) -> None:
    assert held(room, bob) == set()

    way(room, bob)

    assert room.get_member(bob).role == room.rules.leader_role
    assert held(room, bob) == set(room.rules.permissions)


@rooms
@ways(DEMOTIONS)
def test_who_no_longer_leads_loses_the_permissions(
    room: Any, alice: Any, bob: Any, way: Way
) -> None:
    accessor(room, "leaders").add(bob)

    way(room, bob)

    assert room.get_member(bob).role == Role.MEMBER
    assert held(room, bob) == set()
    assert held(room, alice) == set(room.rules.permissions)


@rooms
@ways(REMOVALS)
def test_permissions_end_with_the_membership(room: Any, alice: Any, bob: Any, way: Way) -> None:
    accessor(room, "leaders").add(bob)
    rows = UserObjectPermission.objects.filter(object_pk=str(room.pk), user_id=bob.pk)
    assert rows.exists()

    way(room, bob)

    assert not rows.exists()
    assert held(room, alice) == set(room.rules.permissions)


def test_a_permission_given_to_a_plain_member_ends_with_the_membership(
    channel: Channel, bob: Any
) -> None:
    assign_perm("can_send_messages", bob, channel)

    channel.subscribers.remove(bob)

    assert held(channel, bob) == set()


def test_permissions_in_other_rooms_stay(group: GroupChat, channel: Channel, bob: Any) -> None:
    group.admins.add(bob)
    channel.moderators.add(bob)

    group.participants.remove(bob)

    assert held(channel, bob) == set(channel.rules.permissions)


def test_a_role_that_is_not_saved_gives_no_permission(group: GroupChat, bob: Any) -> None:
    membership = group.get_member(bob)
    membership.role = Role.ADMIN
    membership.save(update_fields=["joined_at"])

    assert group.get_member(bob).role == Role.MEMBER
    assert not held(group, bob)


@pytest.mark.parametrize("name", ["user", "room"])
def test_a_membership_stays_that_of_one_user_in_one_room(
    group: GroupChat, channel: Channel, bob: Any, carol: Any, name: str
) -> None:
    membership = group.get_member(bob)
    setattr(membership, name, {"user": carol, "room": channel}[name])

    with pytest.raises(Invalid) as refused:
        membership.save()

    assert refused.value.detail.keys() == {name}
    assert bob in group.participants
    assert carol not in group.participants


def test_a_membership_saved_with_the_same_role_keeps_a_permission_of_its_own(
    channel: Channel, bob: Any
) -> None:
    assign_perm("can_send_messages", bob, channel)

    channel.get_member(bob).save()

    assert held(channel, bob) == {"can_send_messages"}


def test_a_membership_saved_with_the_same_role_gets_back_no_permission_that_was_taken(
    group: GroupChat, bob: Any
) -> None:
    group.admins.add(bob)
    UserObjectPermission.objects.filter(
        user=bob, permission__codename="can_remove_participants"
    ).delete()

    group.get_member(bob).save()

    assert held(group, bob) == {"can_add_new_participants"}


@rooms
def test_a_creator_who_comes_back_leads_again(room: Any, alice: Any) -> None:
    members = accessor(room, "members")
    members.remove(alice)
    assert held(room, alice) == set()

    members.add(alice)

    assert alice in accessor(room, "leaders")
    assert held(room, alice) == set(room.rules.permissions)


@rooms
def test_a_creator_whose_membership_is_saved_by_itself_leads(
    room: Any, alice: Any, bob: Any
) -> None:
    accessor(room, "members").remove(alice)

    Membership.objects.create(room=room, user=alice)

    assert alice in accessor(room, "leaders")
    assert held(room, alice) == set(room.rules.permissions)


DELETIONS: dict[str, Callable[[Any], Any]] = {
    "delete": lambda room: room.delete(),
    "typed queryset": lambda room: type(room).objects.filter(pk=room.pk).delete(),
    "queryset": lambda room: Room.objects.filter(pk=room.pk).delete(),
    "last members": lambda room: Membership.objects.remove(
        room, list(room.memberships.values_list("user_id", flat=True))
    ),
    "memberships": lambda room: room.memberships.all().delete(),
}


@rooms
@pytest.mark.parametrize("way", DELETIONS.values(), ids=DELETIONS)
def test_all_permissions_end_with_the_room(
    room: Any, alice: Any, bob: Any, carol: Any, way: Callable[[Any], Any]
) -> None:
    codename = room.rules.permissions[0]
    team = Group.objects.create(name="team")
    for holder in (bob, carol, team):
        assign_perm(codename, holder, room)

    way(room)

    assert not Room.objects.filter(pk=room.pk).exists()
    assert not UserObjectPermission.objects.filter(object_pk=str(room.pk)).exists()
    assert not GroupObjectPermission.objects.filter(object_pk=str(room.pk)).exists()


def test_permissions_end_with_rooms_of_several_types_deleted_at_once(
    group: GroupChat, channel: Channel, pair: OneToOneChat
) -> None:
    ids = [group.pk, channel.pk, pair.pk]

    Room.objects.filter(pk__in=ids).delete()

    assert not UserObjectPermission.objects.filter(object_pk__in=map(str, ids)).exists()


# The accessors


def test_members_come_in_the_order_of_joining_and_once(
    group: GroupChat, channel: Channel, alice: Any, bob: Any, carol: Any
) -> None:
    group.participants.add(carol, bob)
    channel.subscribers.add(carol)

    assert list(group.participants.all()) == [alice, bob, carol]
    assert list(group.participants) == [alice, bob, carol]
    assert group.participants.count() == 3


def test_members_are_filtered_by_what_they_are(group: GroupChat, bob: Any) -> None:
    assert list(group.participants.filter(username=bob.username)) == [bob]
    assert not group.admins.filter(username=bob.username).exists()


def test_in_takes_users_and_ids(group: GroupChat, bob: Any, carol: Any) -> None:
    assert bob in group.participants
    assert bob.pk in group.participants
    assert carol not in group.participants
    assert bob not in group.admins


def test_add_takes_ids_and_skips_who_is_in(group: GroupChat, bob: Any, carol: Any) -> None:
    group.participants.add(bob.pk, str(carol.pk), carol)

    assert group.participants.count() == 3


@rooms
def test_adding_a_leader_who_is_no_member_makes_both(room: Any, carol: Any) -> None:
    accessor(room, "leaders").add(carol)

    assert carol in accessor(room, "members")
    assert held(room, carol) == set(room.rules.permissions)


@rooms
def test_the_creators_role_cannot_be_taken(room: Any, alice: Any) -> None:
    accessor(room, "leaders").remove(alice)

    assert alice in accessor(room, "leaders")
    assert held(room, alice) == set(room.rules.permissions)


def test_removing_who_is_not_in_changes_nothing(group: GroupChat, carol: Any) -> None:
    group.participants.remove(carol)

    assert group.participants.count() == 2

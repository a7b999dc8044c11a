"""How many rooms a user makes, joins, and is brought into; how many members rooms have."""

from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings

from gql_chat import acting_as, create_room
from gql_chat.errors import Conflict, Invalid, RateLimited
from gql_chat.models import Allowance, Channel, GroupChat, Membership, get_model
from gql_chat.models.rules import RoomRules
from gql_chat.operations import EventHandler
from tests.conftest import Users
from tests.unit.making import race


def limit(settings: Settings, **values: Any) -> None:
    settings.REALTIME_CHAT_MESSAGING = values


def make(user: Any, *members: Any) -> Any:
    """Let a user make a group."""
    return EventHandler(user.pk).create_room(
        "GroupChat", name="x", members=[member.pk for member in members]
    )


def open_channel(creator: Any, **fields: Any) -> Channel:
    return Channel.objects.create(name="open", creator=creator, is_public=True, **fields)


def rooms_of(user: Any) -> int:
    return Membership.objects.filter(user=user).count()


# Made in a time


@pytest.mark.django_db
def test_a_user_makes_and_joins_so_many_rooms_in_a_time(users: Users, settings: Settings) -> None:
    alice, bob = users.make("alice", "bob")
    channels = [open_channel(bob) for _ in range(2)]
    limit(settings, ROOM_RATE_LIMIT={"events": 3, "seconds": 3_000_000})
    make(alice)
    EventHandler(alice.pk).create_room("OneToOneChat", members=[bob.pk])
    EventHandler(alice.pk).join_room(channels[0].pk)
    before = rooms_of(alice)

    for act in (lambda: make(alice), lambda: EventHandler(alice.pk).join_room(channels[1].pk)):
        with pytest.raises(RateLimited) as refused:
            act()
        wait = refused.value.detail["retry_after"]  # type: ignore[index, call-overload]
        assert wait == pytest.approx(1_000_000, rel=0.01)

    assert rooms_of(alice) == before
    make(bob)
    Allowance.objects.update(full_at=F("full_at") - 1_000_001)
    make(alice)


@pytest.mark.django_db
def test_a_room_that_is_deleted_or_left_was_made(users: Users, settings: Settings) -> None:
    alice, bob = users.make("alice", "bob")
    channel = open_channel(bob)
    limit(settings, ROOM_RATE_LIMIT={"events": 2, "seconds": 3_000_000})
    EventHandler(alice.pk).delete_room(make(alice).pk)
    EventHandler(alice.pk).join_room(channel.pk)
    EventHandler(alice.pk).leave_room(channel.pk)

    with pytest.raises(RateLimited):
        make(alice)


@pytest.mark.usefixtures("committed_database")
def test_what_is_refused_for_another_reason_was_not_made(users: Users, settings: Settings) -> None:
    alice, bob = users.make("alice", "bob")
    chat = get_model("OneToOneChat").objects.start(alice, bob)
    limit(settings, ROOM_RATE_LIMIT={"events": 1, "seconds": 3_000_000})
    for _ in range(3):
        with pytest.raises(Conflict) as refused:
            EventHandler(alice.pk).create_room("OneToOneChat", members=[bob.pk])
        assert refused.value.detail["room_id"] == str(chat.pk)  # type: ignore[index, call-overload]
        with pytest.raises(Invalid):
            EventHandler(alice.pk).create_room("GroupChat", name="")

    make(alice)


# In all


@pytest.mark.django_db
def test_a_user_is_in_so_many_rooms_of_their_own_accord(users: Users, settings: Settings) -> None:
    alice, bob = users.make("alice", "bob")
    channel = open_channel(bob)
    limit(settings, MAX_ROOMS_PER_USER=2, MAX_ROOMS_BY_OTHERS=1)
    first = make(alice)
    make(alice)

    refusals = {
        "type": [
            lambda: make(alice),
            lambda: EventHandler(alice.pk).create_room("OneToOneChat", members=[bob.pk]),
        ],
        "room_id": [lambda: EventHandler(alice.pk).join_room(channel.pk)],
    }
    for field, acts in refusals.items():
        for act in acts:
            with pytest.raises(Invalid) as refused:
                act()
            assert refused.value.detail == {field: "You are in 2 rooms: leave one first."}
    assert rooms_of(alice) == 2
    EventHandler(alice.pk).leave_room(first.pk)
    EventHandler(alice.pk).join_room(channel.pk)


@pytest.mark.django_db
def test_others_bring_a_user_into_so_many_rooms(users: Users, settings: Settings) -> None:
    """And leave the user some, which they could else fill at will."""
    alice, bob, carol = users.make("alice", "bob", "carol")
    groups = [make(alice, bob), make(alice, bob), make(alice)]
    limit(settings, MAX_ROOMS_PER_USER=3, MAX_ROOMS_BY_OTHERS=2)
    text = f"User {bob.pk} is in too many rooms to be brought into another."

    act = EventHandler(carol.pk)
    for kind, field in (
        ("GroupChat", "participants"),
        ("Channel", "subscribers"),
        ("OneToOneChat", "participants"),
    ):
        name = None if kind == "OneToOneChat" else "x"
        with pytest.raises(Invalid) as refused:
            act.create_room(kind, name=name, members=[bob.pk])
        assert refused.value.detail == {field: text}
    with pytest.raises(Invalid) as refused:
        EventHandler(alice.pk).add_members(groups[2].pk, [carol.pk, bob.pk])
    assert refused.value.detail == {"members": text}

    assert (rooms_of(bob), rooms_of(carol)) == (2, 0)
    # Who is in already is skipped, as ever.
    EventHandler(alice.pk).add_members(groups[0].pk, [bob.pk, carol.pk])
    assert (rooms_of(bob), rooms_of(carol)) == (2, 1)
    make(bob)
    assert rooms_of(bob) == 3


@pytest.mark.django_db
def test_server_code_has_no_quotas(users: Users, settings: Settings) -> None:
    alice, bob = users.make("alice", "bob")
    limit(
        settings,
        MAX_ROOMS_PER_USER=1,
        MAX_ROOMS_BY_OTHERS=1,
        ROOM_RATE_LIMIT={"events": 1, "seconds": 3_000_000},
    )
    for as_system in (True, False, False):
        create_room("GroupChat", creator=alice, name="x", members=[bob], as_system=as_system)

    assert (rooms_of(alice), rooms_of(bob)) == (3, 3)
    handler = acting_as(alice)
    handler.has_quotas = True
    with pytest.raises((Invalid, RateLimited)):
        handler.create_room("GroupChat", name="x")


@pytest.mark.django_db
def test_without_limits_there_are_none(users: Users, settings: Settings) -> None:
    alice, bob = users.make("alice", "bob")
    limit(settings, MAX_ROOMS_PER_USER=None, MAX_ROOMS_BY_OTHERS=None, ROOM_RATE_LIMIT=None)

    for _ in range(4):
        make(alice, bob)

    assert not Allowance.objects.filter(user=alice, full_at__gt=0).exists()


# Members


@pytest.mark.django_db
@pytest.mark.parametrize("cap", [2, 100])
def test_a_room_has_no_more_members_than_it_may_whatever_its_creator_wrote(
    users: Users, settings: Settings, cap: int
) -> None:
    alice, *others = users.make("alice", *["other"] * 4)
    limit(settings, MAX_MEMBERS=3)
    act = EventHandler(alice.pk)
    most = min(cap, 3)
    full = "Maximum number of group participants exceeded"

    with pytest.raises(Invalid, match=full):
        act.create_room(
            "GroupChat",
            name="x",
            members=[each.pk for each in others],
            fields={"max_participants": cap},
        )
    room = act.create_room("GroupChat", name="x", fields={"max_participants": cap})
    assert room.max_participants == cap
    act.add_members(room.pk, [each.pk for each in others[: most - 1]])
    for way in (
        lambda: act.add_members(room.pk, [others[-1].pk]),
        lambda: GroupChat.objects.get(pk=room.pk).participants.add(others[-1]),
        lambda: Membership.objects.create(room=GroupChat.objects.get(pk=room.pk), user=others[-1]),
    ):
        with pytest.raises(Invalid, match=full):
            way()
    assert Membership.objects.filter(room_id=room.pk).count() == most


@pytest.mark.django_db
def test_a_public_channel_fills_up_to_the_limit(users: Users, settings: Settings) -> None:
    alice, bob, carol = users.make("alice", "bob", "carol")
    channel = open_channel(alice, max_subscribers=2**31 - 1)
    limit(settings, MAX_MEMBERS=2)
    EventHandler(bob.pk).join_room(channel.pk)

    with pytest.raises(Invalid, match="Maximum number of channel subscribers exceeded"):
        EventHandler(carol.pk).join_room(channel.pk)


def test_a_room_without_a_cap_of_its_own_has_the_limit(settings: Settings) -> None:
    room = get_model("Room")()
    limit(settings, MAX_MEMBERS=5)
    RoomRules().check_room_for(room, 5)
    with pytest.raises(Invalid, match="At most 5 members are allowed"):
        RoomRules().check_room_for(room, 6)
    limit(settings, MAX_MEMBERS=None)
    RoomRules().check_room_for(room, 10_000)


# At the same moment


def passed(results: list[Any]) -> int:
    """How many did what they wanted; the others must have been refused."""
    failures = [each for each in results if isinstance(each, Exception)]
    assert all(isinstance(each, Invalid | RateLimited) for each in failures), failures
    return len(results) - len(failures)


@pytest.mark.usefixtures("committed_database")
def test_rooms_that_are_made_at_once_are_no_more_than_the_rate_allows(
    users: Users, settings: Settings
) -> None:
    limit(settings, ROOM_RATE_LIMIT={"events": 3, "seconds": 3_000_000})
    for _ in range(5):
        alice = users("alice")

        assert passed(race(8, lambda _, alice=alice: make(alice))) == 3
        assert rooms_of(alice) == 3


@pytest.mark.usefixtures("committed_database")
@pytest.mark.parametrize("rate", [{}, {"ROOM_RATE_LIMIT": None}])
def test_rooms_that_are_made_and_joined_at_once_are_no_more_than_a_user_may_be_in(
    rate: dict[str, Any], users: Users, settings: Settings
) -> None:
    limit(settings, MAX_ROOMS_PER_USER=3, **rate)
    owner = users("owner")
    for _ in range(5):
        alice = users("alice")
        channels = [open_channel(owner) for _ in range(4)]

        def act(number: int, alice: Any = alice, channels: Any = channels) -> None:
            if number % 2:
                make(alice)
            else:
                EventHandler(alice.pk).join_room(channels[number // 2].pk)

        assert passed(race(8, act)) == 3
        assert rooms_of(alice) == 3


@pytest.mark.usefixtures("committed_database")
def test_members_who_come_at_once_are_no_more_than_a_room_may_have(
    users: Users, settings: Settings
) -> None:
    limit(settings, MAX_MEMBERS=4)
    alice, *guests = users.make("alice", *["guest"] * 8)
    for _ in range(5):
        channel = open_channel(alice)

        def act(number: int, channel: Any = channel) -> None:
            if number % 2:
                EventHandler(alice.pk).add_members(channel.pk, [guests[number].pk])
            else:
                EventHandler(guests[number].pk).join_room(channel.pk)

        assert passed(race(8, act)) == 3
        assert Membership.objects.filter(room_id=channel.pk).count() == 4


@pytest.mark.usefixtures("committed_database")
def test_sockets_that_open_at_once_are_no_more_than_a_user_may_have(
    users: Users, settings: Settings
) -> None:
    """Some are of chat, some are tools at the GraphQL endpoint: all are sessions."""
    limit(settings, MAX_SESSIONS_PER_USER=5)
    for _ in range(5):
        alice = users("alice")

        def act(number: int, alice: Any = alice) -> None:
            prefix = "graphql." if number % 2 else ""
            EventHandler(alice.pk).open_session(f"{prefix}{alice.pk}.{number}")

        assert passed(race(12, act)) == 5
        assert get_model("Session").objects.filter(user=alice).count() == 5

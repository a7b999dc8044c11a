"""Mentions and preferences that change at the same moment, on several database threads."""

from contextlib import suppress
from typing import Any

import pytest

from gql_chat.errors import PermissionDenied
from gql_chat.models import Membership, Mention, RoomPreferences, StreamEvent, UserPreferences
from gql_chat.operations import EventHandler
from gql_chat.streams import user_stream
from tests.conftest import Users
from tests.unit.committed import World, logged
from tests.unit.making import race

ROUNDS = 5


@pytest.fixture
def world(users: Users, committed_database: None) -> World:
    return World(users, members=5)


def together(count: int, work: Any) -> None:
    """Race; nobody may fail."""
    for result in race(count, work):
        if isinstance(result, Exception):
            raise result


def test_two_edits_of_mentions_leave_those_of_one(world: World) -> None:
    some, others = world.members[:3], world.members[2:]
    wanted = [{user.pk for user in each} for each in (some, others)]
    for _ in range(ROUNDS):
        message = world.say()

        def edit(number: int, message: Any = message) -> None:
            mentions = {"users": sorted(wanted[number]), "room": bool(number)}
            EventHandler(world.alice.pk).edit_message(message, None, mentions=mentions)

        together(2, edit)

        rows = Mention.objects.filter(message_id=message)
        named = set(rows.filter(by_name=True).values_list("user_id", flat=True))
        assert named in wanted
        assert rows.filter(whole_room=True).exists() == (named == wanted[1])
        assert rows.count() == len(wanted[0] | wanted[1]) + 1
        assert logged(world.stream) == list(range(1, len(logged(world.stream)) + 1))


def test_members_are_mentioned_while_they_leave(world: World) -> None:
    for _ in range(ROUNDS):
        leaver = world.members[-1]

        def act(number: int, leaver: Any = leaver) -> None:
            if number:
                world.group.participants.remove(leaver)
            else:
                mentions = {"users": [user.pk for user in world.members[:2]], "here": True}
                world.act.send_message(world.group.pk, "x", mentions=mentions)

        together(2, act)
        world.group.participants.add(leaver)


def test_a_mute_while_messages_are_sent(world: World) -> None:
    bob = world.bob
    for number in range(ROUNDS):
        muted = "forever" if number % 2 == 0 else None

        def act(which: int, muted: Any = muted) -> None:
            if which:
                EventHandler(bob.pk).set_room_preferences(world.group.pk, {"muted_until": muted})
            else:
                world.act.send_message(world.group.pk, "x")

        together(3, act)
        assert RoomPreferences.objects.filter(user=bob).count() == (muted is not None)
        waiting = EventHandler(bob.pk).pending_notifications()
        assert len(waiting.get(world.group.pk, ())) == (0 if muted else number + 1)
    frames = StreamEvent.objects.filter(
        stream=user_stream(bob.pk), kind="RoomPreferencesChanged"
    ).count()
    assert frames == ROUNDS


def test_two_devices_change_what_each_of_them_names(world: World) -> None:
    changes: list[dict[str, Any]] = [{"notify": "none"}, {"receipts": False}, {"presence": False}]
    for _ in range(ROUNDS):
        together(3, lambda number: EventHandler(world.bob.pk).set_user_preferences(changes[number]))
        stored = UserPreferences.objects.get(user=world.bob)
        assert (stored.notify, stored.receipts, stored.presence) == ("none", False, False)
        back: dict[str, Any] = {"notify": "all", "receipts": True, "presence": True}
        EventHandler(world.bob.pk).set_user_preferences(back)
        assert not UserPreferences.objects.filter(user=world.bob).exists()


def test_one_device_goes_back_to_the_defaults_while_others_change(world: World) -> None:
    act = EventHandler(world.bob.pk)
    changes: list[dict[str, Any]] = [{"notify": "all"}, {"receipts": False}, {"receipts": True}]
    for _ in range(ROUNDS * 2):
        act.set_user_preferences({"notify": "none"})
        together(3, lambda number: EventHandler(world.bob.pk).set_user_preferences(changes[number]))
        assert act.set_user_preferences().preferences.notify == "all"
        act.set_user_preferences({"receipts": True})


def test_preferences_change_while_the_member_goes(world: World) -> None:
    for _ in range(ROUNDS):

        def act(number: int) -> None:
            if number:
                world.group.participants.remove(world.bob)
                return
            with suppress(PermissionDenied):  # the other one was first
                EventHandler(world.bob.pk).set_room_preferences(world.group.pk, {"pinned": True})

        together(2, act)
        assert not RoomPreferences.objects.filter(user=world.bob).exists()
        assert not Membership.objects.filter(user=world.bob, room=world.group).exists()
        world.group.participants.add(world.bob)

"""Preferences: what users want to hear, and what follows from it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from gql_chat import (
    export_user,
    send_message,
    set_room_preferences,
    set_user_preferences,
)
from gql_chat.errors import Invalid, PermissionDenied
from gql_chat.models import GroupChat, Room, RoomPreferences, StreamEvent, UserPreferences
from gql_chat.models.preferences import find_hidden, find_muted, is_muted, shows_receipts
from gql_chat.operations import EventHandler
from gql_chat.signals import notification_created
from tests.conftest import Users
from tests.unit.making import perform

Commit = DjangoCaptureOnCommitCallbacks
LATER = datetime(2100, 1, 1, tzinfo=UTC)

PLAIN = {
    "notify": "default",
    "muted_until": None,
    "pinned": False,
    "archived": False,
    "receipts": True,
}


@pytest.fixture
def recipients() -> Iterator[list[set[Any]]]:
    """The keys of those whom each notification is for."""
    calls: list[set[Any]] = []

    def note(recipients: Any, **arguments: Any) -> None:
        found = set(recipients.values_list("pk", flat=True))
        # As receivers combine querysets.
        again = get_user_model()._default_manager.filter(pk__in=recipients)
        assert set(again.exclude(pk__in=arguments["connected"])) == set(again)
        assert set(again.values_list("pk", flat=True)) == found
        calls.append(found)

    notification_created.connect(note)
    yield calls
    notification_created.disconnect(note)


def own_frames(user: Any) -> list[tuple[str, Any]]:
    rows = StreamEvent.objects.filter(stream=f"user:{user.pk}").order_by("seq")
    return [(row.kind, json.loads(row.payload)["preferences"]) for row in rows]


def handler(user: Any) -> EventHandler:
    return EventHandler(user.pk)


def waits(user: Any) -> int:
    return sum(map(len, handler(user).pending_notifications().values()))


def test_a_change_is_told_to_the_users_own_sockets(group: GroupChat, bob: Any) -> None:
    set_room_preferences(bob, group, notify="mentions", muted_until=LATER, pinned=True)

    ((kind, frame),) = own_frames(bob)
    assert kind == "RoomPreferencesChanged"
    assert frame == {
        **PLAIN,
        "room_id": str(group.pk),
        "notify": "mentions",
        "muted_until": "2100-01-01T00:00:00.000000Z",
        "pinned": True,
    }
    assert not StreamEvent.objects.filter(stream=f"room:{group.pk}").exists()


def test_a_row_is_there_only_while_something_differs(group: GroupChat, bob: Any) -> None:
    set_room_preferences(bob, group, pinned=True, muted_until="forever")
    assert RoomPreferences.objects.count() == 1
    set_room_preferences(bob, group, pinned=False)
    assert RoomPreferences.objects.count() == 1
    shown = set_room_preferences(bob, group, muted_until=None)
    assert shown.muted_until is None
    assert not RoomPreferences.objects.exists()

    set_user_preferences(bob, presence=False)
    assert UserPreferences.objects.count() == 1
    set_user_preferences(bob, presence=True)
    assert not UserPreferences.objects.exists()


def test_who_changes_nothing_is_answered_alone(group: GroupChat, bob: Any) -> None:
    result, _ = perform(bob, "room.preferences", {"room_id": str(group.pk)})
    assert result["unchanged"] == {**PLAIN, "room_id": str(group.pk)}
    result, _ = perform(bob, "user.preferences", {})
    assert result["unchanged"] == {
        "notify": "all",
        "receipts": True,
        "presence": True,
        "snooze_until": None,
    }
    result, _ = perform(bob, "user.preferences", {"data": {"notify": "none"}})
    assert result["unchanged"] is None
    result, _ = perform(bob, "user.preferences", {"data": {"notify": "none"}})
    assert result["unchanged"]["notify"] == "none"
    assert len(own_frames(bob)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("notify", "loud"),
        ("notify", None),
        ("muted_until", "2001-01-01T00:00:00Z"),
        ("muted_until", "never"),
        ("pinned", 1),
        ("pinned", None),
        ("archived", "always"),
        ("archived", None),
        ("receipts", "no"),
        ("colour", "blue"),
    ],
)
def test_what_is_wrong_is_named(field: str, value: Any, group: GroupChat, bob: Any) -> None:
    data = {"room_id": str(group.pk), "data": {field: value}}
    with pytest.raises(Invalid) as caught:
        perform(bob, "room.preferences", data)

    assert f"data.{field}" in str(caught.value.detail)
    assert not RoomPreferences.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("notify", "default"),
        ("snooze_until", "2001-01-01T00:00:00Z"),
        ("snooze_until", "forever"),
        ("presence", None),
        ("pinned", True),
    ],
)
def test_what_is_wrong_for_all_rooms_is_named(field: str, value: Any, bob: Any) -> None:
    with pytest.raises(Invalid) as caught:
        perform(bob, "user.preferences", {"data": {field: value}})

    assert f"data.{field}" in str(caught.value.detail)


def test_only_members_have_preferences(group: GroupChat, carol: Any, bob: Any) -> None:
    with pytest.raises(PermissionDenied):
        set_room_preferences(carol, group, pinned=True)
    set_room_preferences(bob, group, pinned=True)
    group.participants.remove(bob)
    assert not RoomPreferences.objects.exists()


def test_an_archived_room_comes_back_by_itself(group: GroupChat, alice: Any, bob: Any) -> None:
    send_message(group, "x", sender=alice)
    assert set_room_preferences(bob, group, archived=True).archived is True
    send_message(group, "x", sender=alice)
    assert set_room_preferences(bob, group).archived is False
    assert set_room_preferences(bob, group, archived="forever").archived == "forever"
    send_message(group, "x", sender=alice)
    assert set_room_preferences(bob, group).archived == "forever"
    assert set_room_preferences(bob, group, archived=False).archived is False
    assert not RoomPreferences.objects.exists()


def test_pinned_rooms_come_first(alice: Any, group: GroupChat) -> None:
    newer = GroupChat.objects.create(name="newer", creator=alice)
    assert [room.pk for room in handler(alice).list_rooms()] == [newer.pk, group.pk]

    set_room_preferences(alice, group, pinned=True)

    first, second = handler(alice).list_rooms()
    assert (first.pk, first.preferences.pinned) == (group.pk, True)
    assert (second.pk, second.preferences.pinned) == (newer.pk, False)
    result, _ = perform(alice, "room.list", {})
    listed = result["data"]["rooms"][0]
    assert listed["preferences"] == {**PLAIN, "room_id": str(group.pk), "pinned": True}


@pytest.mark.parametrize(
    ("room", "everywhere", "hears"),
    [
        ({}, {}, True),
        ({"muted_until": "forever"}, {}, False),
        ({"muted_until": LATER}, {}, False),
        ({"notify": "mentions"}, {}, False),
        ({"notify": "none"}, {}, False),
        ({}, {"notify": "none"}, False),
        ({}, {"notify": "mentions"}, False),
        ({"notify": "all"}, {"notify": "none"}, True),
        ({"notify": "default"}, {"notify": "none"}, False),
        ({"notify": "all"}, {"snooze_until": LATER}, False),
        ({"pinned": True, "archived": True}, {"receipts": False}, True),
    ],
)
def test_who_is_notified(
    room: dict[str, Any],
    everywhere: dict[str, Any],
    hears: bool,
    group: GroupChat,
    alice: Any,
    bob: Any,
    recipients: list[set[Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    mine = send_message(group, "x", sender=bob)
    set_room_preferences(bob, group, **room)
    set_user_preferences(bob, **everywhere)
    for features in (None, ("room_preferences",)):
        settings = {} if features is None else {"FEATURES": features}
        with override_settings(REALTIME_CHAT_MESSAGING=settings):
            recipients.clear()
            before = waits(bob)
            with django_capture_on_commit_callbacks(execute=True):
                send_message(group, "x", sender=alice)
                handler(alice).add_reaction(mine.pk, f"+{features}")
            assert recipients == [{bob.pk} if hears else set()] * 2
            assert waits(bob) - before == (1 + (features is None) if hears else 0)
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ()}):
        assert waits(bob) == 3


def test_what_came_while_muted_waits_when_the_mute_ends(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    set_room_preferences(bob, group, muted_until="forever")
    send_message(group, "x", sender=alice)
    assert waits(bob) == 0
    lines = [json.loads(line) for line in export_user(bob)]
    assert len([line for line in lines if line["kind"] == "notification"]) == 1

    set_room_preferences(bob, group, muted_until=None)
    assert waits(bob) == 1


def test_others_ask(group: GroupChat, alice: Any, bob: Any, users: Users) -> None:
    set_room_preferences(bob, group, muted_until=LATER)
    assert is_muted(bob.pk, group.pk)
    assert not is_muted(alice.pk, group.pk)
    RoomPreferences.objects.update(muted_until=timezone.now() - timedelta(seconds=1))
    assert find_muted(bob.pk, [group.pk]) == set()

    assert shows_receipts(bob.pk, group.pk)
    set_user_preferences(bob, receipts=False)
    assert not shows_receipts(bob.pk, group.pk)
    set_user_preferences(bob, receipts=True)
    set_room_preferences(bob, group, receipts=False)
    assert not shows_receipts(bob.pk, group.pk)

    set_user_preferences(bob, presence=False)
    assert find_hidden([alice.pk, bob.pk]) == {bob.pk}


def test_an_export_has_them(group: GroupChat, bob: Any) -> None:
    set_room_preferences(bob, group, pinned=True)
    set_user_preferences(bob, notify="none")

    lines = {line["kind"]: line for line in map(json.loads, export_user(bob))}
    assert lines["room_preferences"]["pinned"] is True
    assert lines["user_preferences"]["notify"] == "none"


def test_a_room_that_goes_takes_them_along(group: GroupChat, alice: Any, bob: Any) -> None:
    set_room_preferences(bob, group, pinned=True)
    handler(alice).delete_room(group.pk)

    assert not RoomPreferences.objects.exists()
    assert not Room.objects.exists()


def test_without_the_feature_nothing_is_heeded(group: GroupChat, alice: Any, bob: Any) -> None:
    set_room_preferences(bob, group, notify="none", pinned=True)
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ("mentions",)}):
        send_message(group, "x", sender=alice)
        assert waits(bob) == 1
        assert not hasattr(handler(bob).list_rooms()[0], "preferences")
        assert not is_muted(bob.pk, group.pk)
        with pytest.raises(ImproperlyConfigured):
            set_room_preferences(bob, group, pinned=True)

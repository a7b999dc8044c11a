"""The admin shows what features keep: at one cost, read only, and in nobody's way."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from gql_chat.models import (
    GroupChat,
    IdleSocket,
    Mention,
    Message,
    Pin,
    Presence,
    ReadMarker,
    RoomPreferences,
    SavedMessage,
    SocketHolder,
    UserPreferences,
)
from gql_chat.operations import EventHandler

pytestmark = pytest.mark.django_db

KEPT: dict[Any, str] = {
    IdleSocket: "presence",
    Mention: "mentions",
    Pin: "pins",
    Presence: "presence",
    ReadMarker: "read_markers",
    RoomPreferences: "room_preferences",
    SavedMessage: "pins",
    SocketHolder: "presence",
    UserPreferences: "room_preferences",
}


@pytest.fixture
def staff() -> Client:
    """A browser of a superuser."""
    client = Client()
    client.force_login(get_user_model()._default_manager.create_superuser("boss"))
    return client


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:gql_chat_{model._meta.model_name}_{page}", args=args)


def keep_something(users: Any) -> Any:
    """A new user of whom each table has a row, in a room with a message of another new user."""
    alice, bob = users.make("alice", "bob")
    group = GroupChat.objects.create(name="Lunch", creator=alice)
    group.participants.add(bob)
    message = Message.objects.create(room=group, sender=alice, content="hello")
    now = timezone.now()
    IdleSocket.objects.create(channel_name=f"socket of {bob.pk}", user=bob)
    Mention.objects.create(message=message, user=bob, room=group, created_at=now, by_name=True)
    Pin.objects.create(room=group, message=message, user=bob)
    Presence.objects.create(user=bob, departed_at=now)
    ReadMarker.objects.create(membership=group.get_member(bob), up_to=message.pk, read_at=now)
    RoomPreferences.objects.create(room=group, user=bob, pinned=True)
    SavedMessage.objects.create(message=message, user=bob)
    SocketHolder.objects.create(name=str(bob.pk)[:32], alive_at=now)
    UserPreferences.objects.create(user=bob, receipts=False)
    return bob


def queries_of(staff: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert staff.get(page).status_code == 200
    return len(captured)


@pytest.mark.parametrize("model", KEPT)
def test_a_list_costs_the_same_however_long(model: Any, staff: Client, users: Any) -> None:
    page = url(model, "changelist")
    keep_something(users)
    staff.get(page)  # what is cached is by now
    few = queries_of(staff, page)
    for _ in range(10):
        keep_something(users)

    assert model.objects.count() == 11
    assert queries_of(staff, page) == few


@pytest.mark.parametrize("model", KEPT)
def test_a_row_is_looked_at_and_not_changed(model: Any, staff: Client, users: Any) -> None:
    keep_something(users)

    page = staff.get(url(model, "change", model.objects.get().pk))

    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert staff.get(url(model, "add")).status_code == 403


@pytest.mark.parametrize("model", KEPT)
def test_only_preferences_are_deleted_here(model: Any, staff: Client, users: Any) -> None:
    keep_something(users)

    staff.post(url(model, "delete", model.objects.get().pk), {"post": "yes"})

    assert model.objects.exists() == (model not in (RoomPreferences, UserPreferences))


@pytest.mark.parametrize("model", KEPT)
def test_without_its_feature_a_table_is_not_read(model: Any, staff: Client, users: Any) -> None:
    keep_something(users)
    others = set(KEPT.values()) - {KEPT[model]}

    with (
        override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": others}),
        CaptureQueriesContext(connection) as captured,
    ):
        refused = staff.get(url(model, "changelist")).status_code
        listed = staff.get(reverse("admin:index")).content.decode()

    assert refused == 403
    assert url(model, "changelist") not in listed
    assert not [query for query in captured if model._meta.db_table in query["sql"]]
    assert url(model, "changelist") in staff.get(reverse("admin:index")).content.decode()


def test_deleting_a_user_needs_no_right_to_what_features_keep(users: Any) -> None:
    bob = keep_something(users)
    helper = users("helper")
    helper.is_staff = True
    helper.save()
    opts = get_user_model()._meta
    names = [f"{action}_{opts.model_name}" for action in ("view", "delete")]
    rights = Permission.objects.filter(content_type__app_label=opts.app_label, codename__in=names)
    helper.user_permissions.add(*rights)
    client = Client()
    client.force_login(helper)

    page = reverse(f"admin:{opts.app_label}_{opts.model_name}_delete", args=[bob.pk])
    answer = client.post(page, {"post": "yes"})

    assert answer.status_code == 302
    assert not get_user_model()._default_manager.filter(pk=bob.pk).exists()
    # Nor does the right to users open the rest.
    assert client.get(url(Pin, "changelist")).status_code == 403


def test_a_room_shows_what_newcomers_see_and_its_members_from_when_on(
    staff: Client, users: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    group = GroupChat.objects.create(name="Lunch", creator=alice)
    EventHandler(alice.pk).send_message(group.pk, "before")
    GroupChat.objects.update(history="joined")
    group.refresh_from_db()
    group.participants.add(bob)
    page = url(GroupChat, "change", group.pk)

    shown = staff.get(page).content.decode()

    assert 'name="history"' in shown
    assert '<option value="joined" selected>' in shown
    assert "Sees from" in shown
    assert "the beginning" in shown  # alice
    assert str(group.get_member(bob).visible_from) in shown
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ()}):
        shown = staff.get(page).content.decode()
    assert 'name="history"' not in shown
    assert "Sees from" not in shown


def test_a_room_costs_the_same_however_many_members(staff: Client, users: Any) -> None:
    alice, bob, *others = users.make(*["member"] * 12)
    group = GroupChat.objects.create(name="Lunch", creator=alice)
    group.participants.add(bob)
    page = url(GroupChat, "change", group.pk)
    staff.get(page)
    few = queries_of(staff, page)
    group.participants.add(*others)

    assert queries_of(staff, page) == few

"""The admin: what can be done there keeps the promises of the signals."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client, override_settings
from django.urls import reverse

from gql_chat.models import Channel, GroupChat, Membership, Message, OneToOneChat, get_model
from gql_chat.operations import EventHandler
from tests.conftest import Users
from tests.remains import find_remains

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    """A browser of a superuser."""
    client = Client()
    client.force_login(get_user_model()._default_manager.create_superuser("boss"))
    return client


@pytest.fixture
def group(users: Users) -> Any:
    """A group with a message."""
    alice, bob = users.make("alice", "bob")
    group = GroupChat.objects.create(name="Lunch", creator=alice)
    group.participants.add(bob)
    Message.objects.create(room=group, sender=alice, content="hello")
    return group


@pytest.mark.parametrize(
    "model", ["groupchat", "channel", "onetoonechat", "message", "session", "streamevent"]
)
def test_every_list_opens(model: str, staff: Client, group: Any) -> None:
    assert staff.get(reverse(f"admin:gql_chat_{model}_changelist")).status_code == 200


def test_a_room_opens_with_the_columns_of_its_type(staff: Client, group: Any) -> None:
    page = staff.get(reverse("admin:gql_chat_groupchat_change", args=[group.pk]))

    assert page.status_code == 200
    assert b"max_participants" in page.content
    assert b"max_subscribers" not in page.content


def test_a_room_of_two_shows_no_name(staff: Client, users: Users) -> None:
    chat = OneToOneChat.objects.start(*users.make("alice", "bob"))

    page = staff.get(reverse("admin:gql_chat_onetoonechat_change", args=[chat.pk]))

    assert page.status_code == 200
    assert b'name="name"' not in page.content


@pytest.mark.parametrize(
    ("model", "allowed"),
    [
        ("groupchat", True),
        ("channel", True),
        ("onetoonechat", False),
        ("message", False),
        ("session", False),
        ("streamevent", False),
    ],
)
def test_rooms_with_a_creator_are_added_here_and_nothing_else(
    model: str, allowed: bool, staff: Client
) -> None:
    status = staff.get(reverse(f"admin:gql_chat_{model}_add")).status_code

    assert status == (200 if allowed else 403)


def test_a_room_added_here_has_its_creator_as_leader(staff: Client, users: Users) -> None:
    alice = users("alice")
    form = {
        "name": "News",
        "description": "",
        "avatar": "",
        "creator": alice.pk,
        "is_public": "true",
        "max_subscribers": 10,
        "history": "joined",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }

    answer = staff.post(reverse("admin:gql_chat_channel_add"), form)

    assert answer.status_code == 302
    (channel,) = Channel.objects.all()
    assert list(channel.moderators.all()) == [alice]
    assert channel.history == "joined"


def test_a_member_removed_here_is_out(staff: Client, group: Any) -> None:
    bob = group.get_member(group.participants.all()[1])
    alice = group.get_member(group.creator)
    form = {
        "name": group.name,
        "description": "",
        "avatar": "",
        "creator": group.creator_id,
        "max_participants": 100,
        "join_approval_required": "false",
        "group_locked": "false",
        "history": "shared",
        "memberships-TOTAL_FORMS": 2,
        "memberships-INITIAL_FORMS": 2,
        "memberships-0-id": alice.pk,
        "memberships-0-room": group.pk,
        "memberships-0-user": alice.user_id,
        "memberships-0-role": alice.role,
        "memberships-1-id": bob.pk,
        "memberships-1-room": group.pk,
        "memberships-1-user": bob.user_id,
        "memberships-1-role": bob.role,
        "memberships-1-DELETE": "on",
    }

    answer = staff.post(reverse("admin:gql_chat_groupchat_change", args=[group.pk]), form)

    assert answer.status_code == 302
    assert list(Membership.objects.filter(room_id=group.pk)) == [alice]


def test_a_membership_stays_its_users(staff: Client, group: Any, users: Users) -> None:
    # Another name in its place would leave the sockets of the first one in the room.
    members = [group.get_member(user) for user in group.participants.all()]
    form = {
        "name": group.name,
        "creator": group.creator_id,
        "max_participants": 100,
        "join_approval_required": "false",
        "group_locked": "false",
        "history": "shared",
        "memberships-TOTAL_FORMS": 2,
        "memberships-INITIAL_FORMS": 2,
    }
    for number, member in enumerate(members):
        form |= {
            f"memberships-{number}-id": member.pk,
            f"memberships-{number}-room": group.pk,
            f"memberships-{number}-user": member.user_id,
            f"memberships-{number}-role": "admin",
        }
    form["memberships-1-user"] = users("carol").pk

    answer = staff.post(reverse("admin:gql_chat_groupchat_change", args=[group.pk]), form)

    assert answer.status_code == 302
    rows = Membership.objects.filter(room_id=group.pk).order_by("pk")
    assert list(rows.values_list("user_id", "role")) == [(m.user_id, "admin") for m in members]


@pytest.mark.parametrize("name", ["Message", "Session"])
def test_what_clients_wrote_is_not_changed_here(
    name: str, staff: Client, group: Any, users: Users
) -> None:
    model = get_model(name)
    if name == "Session":
        model.objects.create(user=users("carol"), channel_name="socket")
    row = model.objects.first()

    page = staff.get(reverse(f"admin:gql_chat_{name.lower()}_change", args=[row.pk]))

    assert page.status_code == 200
    assert b'name="_save"' not in page.content


@pytest.mark.parametrize("how", ["one", "selected"])
def test_a_message_that_is_deleted_here_leaves_no_text_behind(
    how: str, staff: Client, group: Any
) -> None:
    secret = "secret-0b6e54a1"
    key = EventHandler(group.creator_id).send_message(group.pk, secret).message_id

    if how == "one":
        page = reverse("admin:gql_chat_message_delete", args=[key])
        staff.post(page, {"post": "yes"})
    else:
        chosen = {"action": "delete_selected", "_selected_action": [str(key)], "post": "yes"}
        staff.post(reverse("admin:gql_chat_message_changelist"), chosen)

    assert not Message.objects.filter(pk=key).exists()
    assert LogEntry.objects.get().object_id == str(key)
    assert find_remains(secret) == []


def test_a_room_shows_when_its_members_last_read_it(staff: Client, group: Any) -> None:
    creator = group.creator
    EventHandler(creator.pk).send_message(group.pk, "hello")
    EventHandler(creator.pk).read_room(group.pk)
    url = reverse("admin:gql_chat_groupchat_change", args=[group.pk])

    assert "Last read" in staff.get(url).content.decode()
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ()}):
        assert "Last read" not in staff.get(url).content.decode()

"""Whom users may name: accounts that are there and active, and whom they may contact."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from gql_chat import add_members, create_room, errors
from gql_chat.models import GroupChat, Membership
from gql_chat.operations import EventHandler
from gql_chat.permissions import PermissionHandler
from tests.unit.making import perform
from tests.wire.rooms import NOBODY


class Colleagues(PermissionHandler):
    """Whoever shares a group of Django's with the user."""

    def can_contact(self, user: Any, others: Any) -> Any:
        """Narrow the users down."""
        return others.filter(groups__in=user.groups.all())


@pytest.fixture
def limited() -> Any:
    """Only colleagues may be contacted, and others are known to be there."""
    with override_settings(REALTIME_CHAT_MESSAGING={"PERMISSION_HANDLER_CLASS": Colleagues}):
        yield


@pytest.fixture
def hidden() -> Any:
    """Only colleagues may be contacted, and of others nobody hears that they are there."""
    values = {"PERMISSION_HANDLER_CLASS": Colleagues, "HIDE_FORBIDDEN": True}
    with override_settings(REALTIME_CHAT_MESSAGING=values):
        yield


@pytest.fixture
def firm(alice: Any, bob: Any) -> Group:
    """The firm of alice and bob."""
    (firm,) = Group.objects.bulk_create([Group(name="firm")])
    firm.user_set.add(alice, bob)
    return firm


def creations(user: Any) -> list[dict[str, Any]]:
    """Return the data of each way to write to a user first, or to open a room with them."""
    return [
        {"type": "OneToOneChat", "participants": [user]},
        {"type": "GroupChat", "name": "new", "participants": [user]},
        {"type": "Channel", "name": "new", "subscribers": [user]},
    ]


@pytest.mark.parametrize("number", range(3))
def test_rooms_are_opened_with_those_who_may_be_contacted(
    number: int, limited: None, firm: Group, alice: Any, bob: Any, carol: Any
) -> None:
    with pytest.raises(errors.PermissionDenied, match="You may not write to this user"):
        perform(alice, "room.create", creations(carol.pk)[number])
    assert not Membership.objects.filter(user=carol).exists()

    shown, _ = perform(alice, "room.create", creations(bob.pk)[number])
    assert Membership.objects.filter(room_id=shown["id"], user=bob).exists()


def test_those_who_may_not_be_contacted_are_not_added(
    limited: None, firm: Group, group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    data = {"room_id": str(group.pk), "members": [bob.pk, carol.pk]}
    with pytest.raises(errors.PermissionDenied):
        perform(alice, "room.add_members", data)

    firm.user_set.add(carol)
    perform(alice, "room.add_members", data)
    assert group.get_member(carol) is not None


def test_members_of_the_room_and_oneself_are_no_new_contacts(
    limited: None, group: GroupChat, alice: Any, bob: Any
) -> None:
    # Nobody is a colleague of anybody here.
    perform(alice, "room.add_members", {"room_id": str(group.pk), "members": [alice.pk, bob.pk]})

    data = {"type": "GroupChat", "name": "mine", "participants": [alice.pk]}
    assert perform(alice, "room.create", data)


def test_existence_comes_before_permission(
    limited: None, group: GroupChat, alice: Any, carol: Any
) -> None:
    nowhere = {"room_id": "00000000-0000-4000-8000-000000000000", "members": [carol.pk]}
    with pytest.raises(errors.NotFound, match="no such room"):
        perform(alice, "room.add_members", nowhere)
    unknown = {"room_id": str(group.pk), "members": [carol.pk, NOBODY]}
    with pytest.raises(errors.NotFound, match="no such user"):
        perform(alice, "room.add_members", unknown)


def test_the_system_contacts_anybody(limited: None, alice: Any, bob: Any, carol: Any) -> None:
    with pytest.raises(errors.PermissionDenied):
        create_room("OneToOneChat", creator=alice, members=[carol])

    room = create_room("GroupChat", creator=alice, name="all", members=[bob], as_system=True)
    add_members(room, [carol], by=alice, as_system=True)
    assert set(room.participants.all()) == {alice, bob, carol}


def statements(user: Any, event_type: str, data: dict[str, Any]) -> tuple[int, str, list[str]]:
    """Return the code and the text of the error of an event, and its statements without values."""
    with CaptureQueriesContext(connection) as captured:
        try:
            perform(user, event_type, data)
        except errors.ChatError as error:
            code, text = error.code, str(error)
        else:
            raise AssertionError("it was not refused")
    values = re.compile(r"'[^']*'|\bs\d+_x\d+\b|\b\d+\b")
    return code, text, [values.sub("?", query["sql"]) for query in captured]


def namings(room: Any, user: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return each event by which a user is named, by a name of its own."""
    changes = {
        action: {"users": [user], "permission": ["can_add_new_participants"]}
        if "permission" in action
        else {"users": [user]}
        for action in ("add_admin", "remove_admin", "add_permission", "remove_permission")
    }
    named = {"room_id": str(room.pk)}
    return {
        "room.add_members": ("room.add_members", {**named, "members": [user]}),
        "room.remove_members": ("room.remove_members", {**named, "members": [user]}),
        **{
            action: ("room.modify", {**named, "action": action, "data": data})
            for action, data in changes.items()
        },
        **{data["type"]: ("room.create", data) for data in creations(user)},
    }


NAMINGS = list(namings(GroupChat(), 0))


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_hidden_user_an_unknown_one_and_a_deactivated_one_are_answered_alike(
    naming: str, hidden: None, firm: Group, group: GroupChat, alice: Any, carol: Any, users: Any
) -> None:
    gone = users("gone", is_active=False)
    firm.user_set.add(gone)

    forbidden = statements(alice, *namings(group, carol.pk)[naming])
    unknown = statements(alice, *namings(group, NOBODY)[naming])
    inactive = statements(alice, *namings(group, gone.pk)[naming])

    assert forbidden[:2] == (4004, "There is no such user.")
    # Also by the same statements: how long the answer takes tells nothing either.
    assert forbidden == unknown == inactive


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_deactivated_account_is_as_good_as_none(
    naming: str, group: GroupChat, alice: Any, users: Any
) -> None:
    gone = users("gone", is_active=False)

    inactive = statements(alice, *namings(group, gone.pk)[naming])

    assert inactive[:2] == (4004, "There is no such user.")
    assert inactive == statements(alice, *namings(group, NOBODY)[naming])


@pytest.mark.parametrize("naming", ["add_admin", "add_permission", "room.add_members"])
def test_a_member_whose_account_was_deactivated_is_given_nothing(
    naming: str, group: GroupChat, alice: Any, bob: Any
) -> None:
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)

    with pytest.raises(errors.NotFound):
        perform(alice, *namings(group, bob.pk)[naming])


@pytest.mark.parametrize("hides", [False, True])
def test_a_member_whose_account_was_deactivated_can_be_put_out(
    hides: bool, group: GroupChat, alice: Any, bob: Any
) -> None:
    group.admins.add(bob)
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)
    values = {"PERMISSION_HANDLER_CLASS": Colleagues, "HIDE_FORBIDDEN": hides}
    with override_settings(REALTIME_CHAT_MESSAGING=values):
        for naming in ("remove_permission", "remove_admin", "room.remove_members"):
            perform(alice, *namings(group, bob.pk)[naming])

    assert group.get_member(bob) is None


def test_who_is_not_in_a_room_does_not_learn_which_deactivated_accounts_are(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)

    _, data = namings(group, bob.pk)["room.remove_members"]
    with pytest.raises(errors.NotFound, match="no such user"):
        perform(carol, "room.remove_members", data)


def test_server_code_tells_everybody_and_looks_at_everybody(alice: Any, users: Any) -> None:
    gone = users("gone", is_active=False)
    handler = EventHandler(alice.pk)

    assert list(handler.find_users("users", [gone.pk], inactive=True)) == [gone.pk]
    with pytest.raises(errors.NotFound):
        handler.find_users("users", [gone.pk])


def test_a_user_model_may_tell_who_is_active_without_a_column(alice: Any, bob: Any) -> None:
    handler = EventHandler(alice.pk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gql_chat.operations.contacts.active", dict)
        bob.is_active = False
        bob.save()
        with pytest.raises(errors.NotFound):
            handler.find_users("users", [bob.pk])

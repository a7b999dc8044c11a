"""Pins: who may, how many, how long, and what becomes of them."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from guardian.shortcuts import assign_perm
from pytest_django import Settings

import gql_chat
from event_bridge.events import map_events
from event_bridge.needs import find_problems
from gql_chat.accounts.export import export_lines
from gql_chat.errors import Conflict, Invalid, NotFound, PermissionDenied
from gql_chat.models import Channel, GroupChat, Message, Pin, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.schema import get_graphql_schema
from gql_chat.streams import room_stream
from tests.unit.making import frames, perform

pytestmark = pytest.mark.django_db


def say(user: Any, room: Any, text: str = "hello", **more: Any) -> Any:
    system = EventHandler(user.pk)
    system.as_system = True
    return system.send_message(room.pk, text, **more).message_id


def pin(user: Any, message_id: Any, **more: Any) -> None:
    perform(user, "message.pin", {"message_id": str(message_id), **more})


def unpin(user: Any, message_id: Any) -> None:
    perform(user, "message.unpin", {"message_id": str(message_id)})


def page(user: Any, room: Any, **paginate: Any) -> dict[str, Any]:
    data = {"room_id": str(room.pk), **({"paginate": paginate} if paginate else {})}
    result: dict[str, Any] = perform(user, "room.pins", data)[0]
    return result


def pinned(user: Any, room: Any, **paginate: Any) -> list[str]:
    return [each["message"]["content"] for each in page(user, room, **paginate)["data"]["pins"]]


def last(room: Any) -> Any:
    row = StreamEvent.objects.filter(stream=room_stream(room.pk)).order_by("-seq")[0]
    return json.loads(row.payload)


def test_everybody_is_told_of_a_pin_and_may_see_it(group: GroupChat, alice: Any, bob: Any) -> None:
    message = say(alice, group)

    pin(bob, message)

    told = last(group)
    assert (told["status"], told["action"], told["until"]) == ("successful", "pin", None)
    assert told["pinned_by"] == bob.get_username()
    assert told["message"]["id"] == str(message)
    shown = page(alice, group)
    assert shown["data"]["room_id"] == str(group.pk)
    (found,) = shown["data"]["pins"]
    assert found == {name: told[name] for name in ("message", "pinned_by", "pinned_at", "until")}
    assert (shown["has_next"], shown["has_previous"]) == (False, False)

    unpin(alice, message)

    assert last(group) == {**told, "action": "unpin"}
    assert pinned(alice, group) == []
    assert frames(group)[-2:] == ["MessagePinned", "MessagePinned"]


def test_a_pin_is_nothing_new_to_read(group: GroupChat, alice: Any, bob: Any) -> None:
    message = say(alice, group)
    EventHandler(bob.pk).acknowledge_messages([message])
    before = EventHandler(bob.pk).list_rooms()[0]

    pin(alice, message)

    after = EventHandler(bob.pk).list_rooms()[0]
    assert after.unread_count == before.unread_count
    assert after.last_activity == before.last_activity
    assert EventHandler(bob.pk).pending_notifications() == {}


def test_a_pin_is_there_once(group: GroupChat, alice: Any) -> None:
    message = say(alice, group)
    with pytest.raises(NotFound):
        unpin(alice, message)
    pin(alice, message)

    with pytest.raises(Conflict):
        pin(alice, message)


def test_pins_are_paged_from_the_newest(group: GroupChat, alice: Any) -> None:
    messages = [say(alice, group, str(number)) for number in range(5)]
    for message in messages:
        pin(alice, message)

    first = page(alice, group, size=2)

    assert [each["message"]["content"] for each in first["data"]["pins"]] == ["4", "3"]
    assert (first["has_next"], first["has_previous"], first["size"]) == (True, False, 2)
    assert pinned(alice, group, size=3, before=str(messages[3])) == ["2", "1", "0"]
    assert page(alice, group, size=3, before=str(messages[3]))["has_next"] is False
    unpin(alice, messages[3])
    with pytest.raises(NotFound):
        page(alice, group, size=3, before=str(messages[3]))
    with pytest.raises(Invalid):
        page(alice, group, size=0)


def test_a_room_has_so_many_pins_and_those_that_are_over_do_not_count(
    group: GroupChat, alice: Any, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_PINS": 2}
    first, second, third = (say(alice, group, str(number)) for number in range(3))
    pin(alice, first)
    pin(alice, second, until=(timezone.now() + timedelta(hours=1)).isoformat())
    with pytest.raises(Invalid):
        pin(alice, third)
    Pin.objects.filter(message_id=second).update(until=timezone.now())

    assert pinned(alice, group) == ["0"]
    with pytest.raises(NotFound):
        unpin(alice, second)
    pin(alice, third)

    assert pinned(alice, group) == ["2", "0"]


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "soon", 5, {}])
def test_a_pin_ends_in_time_to_come(until: Any, group: GroupChat, alice: Any) -> None:
    message = say(alice, group)

    with pytest.raises(Invalid) as error:
        pin(alice, message, until=until)

    assert "until" in str(error.value.detail)
    assert not Pin.objects.exists()


@pytest.mark.parametrize("soft", [False, True])
def test_deleting_unpins_and_leaves_nothing_in_the_log(
    soft: bool, group: GroupChat, alice: Any, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MESSAGE_SOFT_DELETE": soft}
    message = say(alice, group, "a secret")
    pin(alice, message)

    EventHandler(alice.pk).delete_messages([message])

    assert not Pin.objects.exists()
    assert pinned(alice, group) == []
    assert not StreamEvent.objects.filter(payload__contains="a secret").exists()
    with pytest.raises((Invalid, NotFound)):
        pin(alice, message)


def test_a_softly_deleted_row_of_plain_code_counts_no_more(
    group: GroupChat, alice: Any, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MAX_PINS": 1}
    first, second = say(alice, group, "1"), say(alice, group, "2")
    pin(alice, first)
    Message.objects.filter(pk=first).update(is_deleted=True)

    pin(alice, second)

    assert pinned(alice, group) == ["2"]


def test_members_of_a_group_pin_and_of_a_locked_one_its_leaders(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    message = say(alice, group)
    with pytest.raises(PermissionDenied):
        pin(carol, message)
    EventHandler(alice.pk).update_room(group.pk, {"group_locked": True})
    with pytest.raises(PermissionDenied):
        pin(bob, message)
    pin(alice, message)
    with pytest.raises(PermissionDenied):
        unpin(bob, message)

    EventHandler(alice.pk).set_permissions(group.pk, [bob.pk], ["can_pin_messages"], hold=True)

    unpin(bob, message)


def test_leaders_of_a_channel_pin_and_who_holds_the_permission(
    channel: Channel, alice: Any, bob: Any
) -> None:
    message = say(alice, channel)
    with pytest.raises(PermissionDenied):
        pin(bob, message)
    assign_perm("can_pin_messages", bob, channel)

    pin(bob, message)
    unpin(alice, message)


def test_both_of_a_pair_pin(pair: Any, alice: Any, bob: Any) -> None:
    message = say(alice, pair)

    pin(bob, message)
    unpin(alice, message)


def test_a_hidden_pin_is_not_shown(alice: Any, users: Any) -> None:
    bob, carol = users.make("bob", "carol")
    room = EventHandler(alice.pk).create_room("GroupChat", name="g", fields={"history": "joined"})
    hidden = say(alice, room, "before")
    pin(alice, hidden)
    EventHandler(alice.pk).add_members(room.pk, [bob.pk, carol.pk])
    answer = say(alice, room, "after", parent_message_id=hidden)
    pin(alice, answer)

    assert pinned(bob, room) == ["after"]
    assert page(bob, room)["data"]["pins"][0]["message"]["parent_message"] is None
    for act in (pin, unpin):
        with pytest.raises(PermissionDenied):
            act(bob, hidden)


def test_server_code_pins(group: GroupChat, alice: Any, bob: Any) -> None:
    message = say(alice, group)
    until = timezone.now() + timedelta(days=1)

    gql_chat.pin_message(message, by=bob, until=until)

    assert Pin.objects.get().until == until
    gql_chat.unpin_message(message, by=alice, as_system=True)
    assert not Pin.objects.exists()


def test_a_pin_outlasts_the_account_of_who_pinned(group: GroupChat, alice: Any, users: Any) -> None:
    bob, carol = users.make("bob", "carol")
    group.participants.add(bob, carol)
    first, second = say(alice, group, "1"), say(alice, group, "2")
    pin(bob, first)
    pin(carol, second)
    lines = [json.loads(line) for line in export_lines(bob.pk)]
    assert [line["message_id"] for line in lines if line["kind"] == "pin"] == [str(first)]

    gql_chat.erase_user(bob)
    carol.delete()

    assert [each["pinned_by"] for each in page(alice, group)["data"]["pins"]] == ["", ""]


def test_without_the_feature_there_are_no_pins(
    group: GroupChat, alice: Any, settings: Settings
) -> None:
    message = say(alice, group)
    settings.REALTIME_CHAT_MESSAGING = {"FEATURES": ("history",)}

    events = map_events()
    assert not {"message.pin", "room.pins", "message.save", "saved.list"} & events.keys()
    assert find_problems() == []
    assert not {"MessagePinned", "Pin", "SavedMessage"} & get_graphql_schema().type_map.keys()
    for act in ("pin_message", "unpin_message", "save_message", "unsave_message"):
        with pytest.raises(Invalid):
            getattr(EventHandler(alice.pk), act)(message)
    assert "can_pin_messages" not in group.rules.grantable

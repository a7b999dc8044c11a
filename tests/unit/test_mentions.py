"""Mentions: whom messages mention, who hears of it, and what is left of it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils import timezone
from guardian.shortcuts import assign_perm
from pytest_django import DjangoCaptureOnCommitCallbacks

from gql_chat import edit_message, list_mentions, send_message
from gql_chat.errors import Invalid, NotFound, PermissionDenied
from gql_chat.events import MessageEdited
from gql_chat.models import (
    GroupChat,
    Mention,
    Message,
    OneToOneChat,
    ReadReceipt,
    RoomPreferences,
    Session,
    StreamEvent,
)
from gql_chat.operations import EventHandler
from gql_chat.signals import notification_created
from tests.conftest import Users
from tests.unit.making import count_mentions

Commit = DjangoCaptureOnCommitCallbacks


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """What a receiver is told."""
    calls: list[dict[str, Any]] = []

    def note(**arguments: Any) -> None:
        # The querysets are lazy: what they say at this moment counts.
        recipients = {user.pk: user.chat_reason for user in arguments["recipients"]}
        arguments["reasons"] = recipients
        arguments["names"] = {user.pk for user in arguments["mentioned"]}
        calls.append(arguments)

    notification_created.connect(note)
    yield calls
    notification_created.disconnect(note)


@pytest.fixture
def trio(group: GroupChat, carol: Any) -> GroupChat:
    """A group of alice's, with bob and carol."""
    group.participants.add(carol)
    return group


def handler(user: Any) -> EventHandler:
    return EventHandler(user.pk)


def say(place: Any, sender: Any, *users: Any, **calls: bool) -> Message:
    mentions = {"users": [user.pk for user in users], **calls}
    message: Message = send_message(place, "hello", sender=sender, mentions=mentions)
    return message


def shown(room: Any) -> dict[str, Any]:
    """The newest frame's message."""
    newest = StreamEvent.objects.filter(stream=f"room:{room.pk}").order_by("-seq").first()
    assert newest is not None
    found: dict[str, Any] = json.loads(newest.payload)["message"]
    return found


def listed(user: Any) -> list[tuple[Any, str]]:
    page = list_mentions(user)
    return [(message.pk, message.mention_kind) for message in page.mentions]  # type: ignore[attr-defined]


def test_a_message_mentions_users(trio: GroupChat, alice: Any, bob: Any, carol: Any) -> None:
    message = say(trio, alice, carol, bob, alice)

    assert shown(trio)["mentions"] == {
        "users": [
            {"id": carol.pk, "username": carol.get_username()},
            {"id": bob.pk, "username": bob.get_username()},
        ],
        "room": False,
        "here": False,
    }
    assert listed(bob) == [(message.pk, "user")]
    assert listed(alice) == []
    (page,) = handler(bob).room_messages(trio.pk).messages
    assert [user.pk for user in page.relations.mentions.users] == [carol.pk, bob.pk]


def test_the_whole_room_is_one_row(trio: GroupChat, alice: Any, bob: Any, users: Users) -> None:
    message = say(trio, alice, room=True)

    assert Mention.objects.get().user is None
    assert shown(trio)["mentions"] == {"users": [], "room": True, "here": False}
    assert listed(bob) == [(message.pk, "room")]
    assert listed(alice) == []
    # Whoever comes later is not meant.
    later = users("later")
    trio.participants.add(later)
    assert listed(later) == []
    assert count_mentions(later.pk, [trio.pk]) == {}
    assert count_mentions(bob.pk, [trio.pk]) == {trio.pk: 1}
    assert count_mentions(alice.pk, [trio.pk]) == {}


def test_here_reaches_who_has_a_socket(trio: GroupChat, alice: Any, bob: Any, carol: Any) -> None:
    Session.objects.create(user=bob, channel_name="bob's")
    Session.objects.create(user=alice, channel_name="alice's")
    long_ago = timezone.now() - timedelta(days=1)
    Session.objects.create(user=carol, channel_name="carol's", alive_at=long_ago)

    message = say(trio, alice, here=True)

    assert listed(bob) == [(message.pk, "here")]
    assert listed(carol) == []
    assert shown(trio)["mentions"] == {"users": [], "room": False, "here": True}


def test_here_has_a_bound(trio: GroupChat, alice: Any, bob: Any, carol: Any) -> None:
    for user in (bob, carol):
        Session.objects.create(user=user, channel_name=f"of {user.pk}")
    with override_settings(REALTIME_CHAT_MESSAGING={"MAX_HERE": 1}):
        say(trio, alice, here=True)

    assert Mention.objects.filter(user__isnull=False).count() == 1


def test_who_may_call_everybody(
    trio: GroupChat, alice: Any, bob: Any, carol: Any, users: Users
) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"MENTION_ALL_FREELY": 2}):
        for calls in ({"room": True}, {"here": True}):
            with pytest.raises(PermissionDenied):
                say(trio, bob, **calls)
            say(trio, alice, **calls)
        assign_perm("can_mention_all", bob, trio)
        say(trio, bob, room=True)
    say(trio, carol, room=True)


def test_a_pair_needs_no_right(pair: OneToOneChat, bob: Any) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"MENTION_ALL_FREELY": 0}):
        say(pair, bob, room=True)


def test_what_is_refused(trio: GroupChat, alice: Any, bob: Any, carol: Any, users: Users) -> None:
    stranger = users("stranger")
    for named, error in (
        ([stranger.pk], Invalid),
        ([10**9 if isinstance(bob.pk, int) else str(trio.pk)], NotFound),
        (["nobody at all"] if isinstance(bob.pk, int) else ["-"], Invalid),
    ):
        with pytest.raises(error) as caught:
            handler(alice).send_message(trio.pk, "hello", mentions={"users": named})
        if error is Invalid:
            assert "extra_fields.mentions.users" in caught.value.detail
    with (
        override_settings(REALTIME_CHAT_MESSAGING={"MAX_MENTIONS": 1}),
        pytest.raises(Invalid) as caught,
    ):
        handler(alice).send_message(trio.pk, "x", mentions={"users": [bob.pk, carol.pk]})
    assert "extra_fields.mentions.users" in caught.value.detail
    assert not Mention.objects.exists()
    assert not Message.objects.exists()


def test_a_repeat_is_answered_whatever_became_of_whom_it_mentions(
    trio: GroupChat, alice: Any, bob: Any
) -> None:
    mentions = {"users": [bob.pk]}
    first = handler(alice).send_message(trio.pk, "x", client_id="once", mentions=mentions)
    trio.participants.remove(bob)
    again = handler(alice).send_message(trio.pk, "x", client_id="once", mentions=mentions)
    get_user_model()._default_manager.get(pk=bob.pk).delete()
    last = handler(alice).send_message(trio.pk, "x", client_id="once", mentions=mentions)

    assert first.message_id == again.message_id == last.message_id
    assert Message.objects.count() == 1


def test_an_edit_replaces_the_mentions(trio: GroupChat, alice: Any, bob: Any, carol: Any) -> None:
    message = say(trio, alice, bob)

    edit_message(message, by=alice, mentions={"users": [carol.pk]})
    assert (listed(bob), listed(carol)) == ([], [(message.pk, "user")])
    assert [user["id"] for user in shown(trio)["mentions"]["users"]] == [carol.pk]
    assert shown(trio)["content"] == "hello"

    edit_message(message, "new", by=alice)
    assert [user["id"] for user in shown(trio)["mentions"]["users"]] == [carol.pk]

    edit_message(message, by=alice, mentions={"users": [bob.pk, carol.pk], "room": True})
    frame = shown(trio)["mentions"]
    assert frame["room"]
    (fetched,) = handler(bob).room_messages(trio.pk).messages
    fetched_names = [user.pk for user in fetched.relations.mentions.users]
    assert [user["id"] for user in frame["users"]] == fetched_names

    edit_message(message, by=alice, mentions={})
    assert shown(trio)["mentions"] == {"users": [], "room": False, "here": False}
    assert (listed(bob), listed(carol)) == ([], [])


def test_an_edit_keeps_who_has_left(trio: GroupChat, alice: Any, bob: Any, carol: Any) -> None:
    message = say(trio, alice, bob)
    trio.participants.remove(bob)

    edit_message(message, by=alice, mentions={"users": [bob.pk, carol.pk]})

    assert {user["id"] for user in shown(trio)["mentions"]["users"]} == {bob.pk, carol.pk}
    assert listed(bob) == []


def test_an_edit_tells_who_is_new_once(
    trio: GroupChat,
    alice: Any,
    bob: Any,
    carol: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        message = say(trio, alice, bob)
    assert told.pop()["reasons"] == {bob.pk: "mention", carol.pk: "message"}

    def edit(*users: Any, **calls: bool) -> list[dict[Any, str]]:
        told.clear()
        with django_capture_on_commit_callbacks(execute=True):
            mentions = {"users": [user.pk for user in users], **calls}
            edit_message(message, by=alice, mentions=mentions)
        return [call["reasons"] for call in told]

    assert edit(carol) == [{carol.pk: "mention"}]
    assert isinstance(told[0]["event"], MessageEdited)
    assert edit() == []
    assert edit(bob, carol) == []
    assert edit(room=True) == []


def test_who_has_read_it_hears_nothing_of_an_edit(
    trio: GroupChat,
    alice: Any,
    bob: Any,
    carol: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    message = say(trio, alice)
    ReadReceipt.objects.create(message=message, reader=bob)
    with django_capture_on_commit_callbacks(execute=True):
        edit_message(message, by=alice, mentions={"room": True})

    assert [call["reasons"] for call in told] == [{carol.pk: "mention"}]


@pytest.mark.parametrize("markers", [True, False])
def test_what_is_hidden_is_in_no_list_and_tells_nobody(
    markers: bool,
    alice: Any,
    bob: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    features = ("mentions", "history", *(["read_markers"] if markers else []))
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": features}):
        act, fields = handler(alice), {"history": "joined"}
        room = act.create_room("GroupChat", name="g", fields=fields)
        hidden = act.send_message(room.pk, "hidden").message_id
        act.add_members(room.pk, [bob.pk])
        named = {"users": [bob.pk]}
        with django_capture_on_commit_callbacks(execute=True):
            edit_message(hidden, by=alice, mentions=named)
        assert (told, listed(bob)) == ([], [])

        answer = act.send_message(room.pk, "x", parent_message_id=hidden, mentions=named)

        (shown_to_bob,) = list_mentions(bob).mentions
    assert shown_to_bob.pk == answer.message_id
    assert shown_to_bob.relations.parent_message is None


def test_only_who_comes_or_goes_is_told_what_is_unread(
    trio: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    for user in (bob, carol):
        Session.objects.create(user=user, channel_name=f"of {user.pk}")
    message = say(trio, alice, bob, here=True)

    edit_message(message, by=alice, mentions={"users": [bob.pk]})

    frames = StreamEvent.objects.filter(kind="UnreadChanged")
    assert [frame.stream for frame in frames] == [f"user:{carol.pk}"]


def test_the_strongest_reason_counts(
    trio: GroupChat,
    alice: Any,
    bob: Any,
    carol: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    first = say(trio, bob)
    with django_capture_on_commit_callbacks(execute=True):
        send_message(trio, "x", sender=alice, parent_message=first)
        mentions = {"users": [bob]}
        send_message(trio, "x", sender=alice, parent_message=first, mentions=mentions)
        handler(carol).add_reaction(first.pk, "+")

    assert [call["reasons"] for call in told] == [
        {bob.pk: "reply", carol.pk: "message"},
        {bob.pk: "mention", carol.pk: "message"},
        {bob.pk: "reaction"},
    ]
    assert [call["names"] for call in told] == [set(), {bob.pk}, set()]
    waiting = handler(bob).pending_notifications()[trio.pk]
    assert sorted(each.reason for each in waiting) == ["mention", "reaction", "reply"]


def test_a_muted_member_hears_their_name_alone(
    trio: GroupChat,
    alice: Any,
    bob: Any,
    carol: Any,
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Commit,
) -> None:
    soon = timezone.now() + timedelta(hours=1)
    RoomPreferences.objects.create(room=trio, user=bob, muted_until=soon)
    with django_capture_on_commit_callbacks(execute=True):
        say(trio, alice)
        say(trio, alice, room=True)
        named = say(trio, alice, bob)

    assert [bob.pk in call["reasons"] for call in told] == [False, False, True]
    assert [each.message_id for each in handler(bob).pending_notifications()[trio.pk]] == [named.pk]
    assert len(handler(carol).pending_notifications()[trio.pk]) == 3


@pytest.mark.parametrize("soft", [False, True])
def test_deleting_leaves_nothing(soft: bool, trio: GroupChat, alice: Any, bob: Any) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"MESSAGE_SOFT_DELETE": soft}):
        message = say(trio, alice, bob, room=True)
        handler(alice).delete_messages([message.pk])

    assert not Mention.objects.exists()
    assert listed(bob) == []
    for payload in StreamEvent.objects.values_list("payload", flat=True):
        assert bob.get_username() not in payload.partition('"mentions"')[2]


def test_leaving_hides_mentions_and_coming_back_shows_them(
    trio: GroupChat, alice: Any, bob: Any
) -> None:
    message = say(trio, alice, bob)
    trio.participants.remove(bob)
    assert listed(bob) == []
    trio.participants.add(bob)
    assert listed(bob) == [(message.pk, "user")]


def test_an_account_that_goes_takes_its_mentions_along(
    trio: GroupChat, alice: Any, bob: Any
) -> None:
    say(trio, alice, bob)
    get_user_model()._default_manager.get(pk=bob.pk).delete()

    assert not Mention.objects.exists()
    (fetched,) = handler(alice).room_messages(trio.pk).messages
    assert fetched.relations.mentions.users == []


def test_pages_follow_each_other(trio: GroupChat, alice: Any, bob: AbstractUser) -> None:
    expected = []
    for number in range(7):
        if number % 2:
            expected.append(say(trio, alice, bob, room=number % 3 == 0).pk)
        else:
            expected.append(say(trio, alice, room=True).pk)
        say(trio, alice)
    found: list[Any] = []
    before = None
    while True:
        page = list_mentions(bob, before=before, size=2)
        found += [message.pk for message in page.mentions]
        assert page.has_previous == (before is not None)
        if not page.has_next:
            break
        before = found[-1]

    assert found == expected[::-1]
    with pytest.raises(NotFound):
        list_mentions(bob, before=trio.pk)


def test_reading_ends_the_count(trio: GroupChat, alice: Any, bob: Any) -> None:
    first, second = say(trio, alice, bob), say(trio, alice, bob, room=True)
    assert count_mentions(bob.pk, [trio.pk]) == {trio.pk: 2}

    handler(bob).read_messages([second.pk])
    assert count_mentions(bob.pk, [trio.pk]) == {trio.pk: 1}
    handler(bob).read_messages([first.pk])
    assert count_mentions(bob.pk, [trio.pk]) == {}


def test_without_the_feature_nothing_is_said_of_mentions(
    trio: GroupChat, alice: Any, bob: Any
) -> None:
    say(trio, alice, bob)
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ()}):
        send_message(trio, "x", sender=alice)
        assert "mentions" not in shown(trio)
        with pytest.raises(ImproperlyConfigured):
            say(trio, alice, bob)
        with pytest.raises(ImproperlyConfigured):
            list_mentions(bob)
        assert count_mentions(bob.pk, [trio.pk]) == {}

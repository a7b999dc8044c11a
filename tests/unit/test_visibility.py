"""Visibility: what was written before somebody came in, where it is hidden from them."""

from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

import gql_chat
from gql_chat.errors import Conflict, Invalid, NotFound, PermissionDenied
from gql_chat.models import Channel, GroupChat, Membership, StreamEvent
from gql_chat.models.visibility import BEGINNING, is_visible
from gql_chat.operations import EventHandler
from gql_chat.signals import notification_created
from gql_chat.streams import Envelope, room_stream, user_stream, veil_for, withhold_quotes
from tests.unit.making import perform

pytestmark = pytest.mark.django_db


@pytest.fixture
def joined(alice: Any) -> Any:
    """A group of alice's whose history begins anew for everybody who comes."""
    return EventHandler(alice.pk).create_room("GroupChat", name="g", fields={"history": "joined"})


def say(user: Any, room: Any, text: str, **more: Any) -> Any:
    return EventHandler(user.pk).send_message(room.pk, text, **more).message_id


def add(room: Any, *users: Any, by: Any, **more: Any) -> None:
    EventHandler(by.pk).add_members(room.pk, [user.pk for user in users], **more)


def shown(user: Any, room: Any, **paginate: Any) -> list[str]:
    page = EventHandler(user.pk).room_messages(room.pk, **paginate)
    return [message.content for message in page.messages]


def listed(user: Any) -> Any:
    (room,) = EventHandler(user.pk).list_rooms()
    return room


def log(stream: str, after: int = 0) -> list[Envelope]:
    rows = StreamEvent.objects.filter(stream=stream, seq__gt=after).order_by("seq")
    return [Envelope(row.stream, row.seq, row.kind, row.payload, row.change) for row in rows]


def replayed(user: Any, room: Any) -> str:
    """All that a socket of a user's that resumes is sent of a room and of their own stream."""
    member = room.get_member(user)
    frames = log(room_stream(room.pk), member.joined_seq - 1) if member is not None else []
    frames += log(user_stream(user.pk))
    return "".join(frame.payload for frame in withhold_quotes(user.pk, frames))


def test_who_comes_later_sees_what_is_written_from_then_on(
    joined: Any, alice: Any, bob: Any
) -> None:
    say(alice, joined, "before")
    add(joined, bob, by=alice)
    assert shown(bob, joined) == []
    assert listed(bob).last_message is None

    say(alice, joined, "after")

    assert shown(bob, joined) == ["after"]
    assert shown(alice, joined) == ["after", "before"]
    assert listed(bob).last_message.content == "after"
    assert listed(bob).unread_count == 1


def test_a_shared_room_shows_all_unless_who_adds_says_otherwise(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    say(alice, group, "before")
    EventHandler(alice.pk).remove_members(group.pk, [bob.pk])
    add(group, bob, by=alice)
    add(group, carol, by=alice, history="none")

    assert shown(bob, group) == ["before"]
    assert shown(carol, group) == []


def test_who_adds_gives_what_they_see_and_no_more(joined: Any, alice: Any, users: Any) -> None:
    bob, carol, dora = users.make("bob", "carol", "dora")
    say(alice, joined, "first")
    add(joined, bob, by=alice)
    EventHandler(alice.pk).set_leaders(joined.pk, "admins", [bob.pk], lead=True)
    say(alice, joined, "second")

    add(joined, carol, by=alice, history="all")
    add(joined, dora, by=bob, history="all")

    assert shown(carol, joined) == ["second", "first"]
    assert shown(dora, joined) == ["second"]


def test_coming_back_begins_anew(joined: Any, alice: Any, bob: Any) -> None:
    add(joined, bob, by=alice)
    own = say(bob, joined, "mine")
    EventHandler(bob.pk).leave_room(joined.pk)
    add(joined, bob, by=alice)

    assert shown(bob, joined) == []
    with pytest.raises(PermissionDenied):
        EventHandler(bob.pk).edit_message(own, "changed")
    with pytest.raises(PermissionDenied):
        EventHandler(bob.pk).delete_messages([own])
    EventHandler(alice.pk).acknowledge_messages([own])
    EventHandler(alice.pk).add_reaction(own, "!")
    assert EventHandler(bob.pk).pending_notifications() == {}
    assert "mine" not in replayed(bob, joined)


def test_a_channel_that_one_joins_begins_then(alice: Any, bob: Any) -> None:
    channel = Channel.objects.create(name="c", creator=alice, is_public=True, history="joined")
    say(alice, channel, "before")

    EventHandler(bob.pk).join_room(channel.pk)

    assert shown(bob, channel) == []


def test_plain_code_that_adds_members_keeps_the_rule(joined: Any, alice: Any, users: Any) -> None:
    bob, carol = users.make("bob", "carol")
    say(alice, joined, "before")

    joined.participants.add(bob)
    Membership(room=joined, user=carol).save()

    assert shown(bob, joined) == shown(carol, joined) == []
    say(alice, joined, "after")
    assert shown(bob, joined) == shown(carol, joined) == ["after"]


def test_clocks_that_differ_hide_nothing_new(
    joined: Any, alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(alice, joined, "before")
    from django.utils import timezone

    behind = timezone.now().replace(year=2020)
    add(joined, bob, by=alice)
    monkeypatch.setattr(timezone, "now", lambda: behind)

    say(alice, joined, "after")

    assert shown(bob, joined) == ["after"]


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("message.acknowledged", {}),
        ("message.read", {}),
        ("message.react", {"type": "add", "reaction_content": "!"}),
        ("message.react", {"type": "remove", "reaction_content": "?"}),
        ("message.modify", {"action": "update", "extra_fields": {"content": "changed"}}),
        ("message.modify", {"action": "delete"}),
    ],
)
def test_nothing_is_done_with_a_hidden_message(
    event_type: str, data: dict[str, Any], joined: Any, alice: Any, bob: Any
) -> None:
    hidden = say(alice, joined, "before")
    EventHandler(alice.pk).add_reaction(hidden, "?")
    add(joined, bob, by=alice)
    EventHandler(alice.pk).set_leaders(joined.pk, "admins", [bob.pk], lead=True)

    with pytest.raises(PermissionDenied):
        perform(bob, event_type, {"message_id": str(hidden), **data})


def test_a_hidden_message_is_neither_quoted_nor_a_place_of_a_page(
    joined: Any, group: GroupChat, alice: Any, bob: Any
) -> None:
    hidden = say(alice, joined, "before")
    add(joined, bob, by=alice)

    for room in (joined, group):
        for field in ("parent_message_id", "forwarded_from_id"):
            with pytest.raises(PermissionDenied):
                say(bob, room, "hello", **{field: hidden})
    for field in ("before", "after"):
        with pytest.raises(PermissionDenied):
            shown(bob, joined, size=5, **{field: hidden})


def test_a_hidden_message_is_not_found_where_what_is_forbidden_is_hidden(
    joined: Any, alice: Any, bob: Any, settings: Settings
) -> None:
    hidden = say(alice, joined, "before")
    add(joined, bob, by=alice)
    settings.REALTIME_CHAT_MESSAGING = {"HIDE_FORBIDDEN": True}

    with pytest.raises(NotFound):
        EventHandler(bob.pk).read_messages([hidden])


def test_the_first_time_of_a_client_id_is_hidden_too(joined: Any, alice: Any, bob: Any) -> None:
    add(joined, bob, by=alice)
    say(bob, joined, "mine", client_id="one")
    EventHandler(bob.pk).leave_room(joined.pk)
    add(joined, bob, by=alice)

    with pytest.raises(PermissionDenied):
        say(bob, joined, "mine", client_id="one")


def test_a_hidden_pin_is_no_place_of_a_page(joined: Any, alice: Any, bob: Any) -> None:
    hidden = say(alice, joined, "before")
    EventHandler(alice.pk).pin_message(hidden)
    add(joined, bob, by=alice)

    assert EventHandler(bob.pk).room_pins(joined.pk).rows == []
    with pytest.raises(PermissionDenied):
        EventHandler(bob.pk).room_pins(joined.pk, before=hidden, size=5)


def test_where_all_is_hidden_there_is_nothing_to_read(
    joined: Any, alice: Any, bob: Any, settings: Settings
) -> None:
    hidden = say(alice, joined, "before")
    add(joined, bob, by=alice)
    act = EventHandler(bob.pk)
    seq = type(joined).objects.get(pk=joined.pk).seq

    act.read_room(joined.pk)

    assert type(joined).objects.get(pk=joined.pk).seq == seq
    for refused in (
        partial(act.read_room, up_to=hidden),
        partial(act.mark_unread, message_id=hidden),
    ):
        with pytest.raises(PermissionDenied):
            refused(joined.pk)
        settings.REALTIME_CHAT_MESSAGING = {"HIDE_FORBIDDEN": True}
        with pytest.raises(NotFound):
            refused(joined.pk)
        settings.REALTIME_CHAT_MESSAGING = {}
    say(alice, joined, "after")
    act.read_room(joined.pk)
    assert act.list_unread().rooms == []


def test_an_edit_tells_nobody_of_a_hidden_message_that_mentions_them(
    joined: Any, alice: Any, users: Any, django_capture_on_commit_callbacks: Any
) -> None:
    bob, carol = users.make("bob", "carol")
    add(joined, carol, by=alice)
    hidden = say(alice, joined, "before")
    add(joined, bob, by=alice)
    told: list[Any] = []

    def receive(recipients: Any, **more: Any) -> None:
        told.append([user.pk for user in recipients])

    notification_created.connect(receive)
    try:
        for mentions in ({"users": [bob.pk, carol.pk]}, {"users": [], "room": True}):
            with django_capture_on_commit_callbacks(execute=True):
                EventHandler(alice.pk).edit_message(hidden, "before", mentions=mentions)
    finally:
        notification_created.disconnect(receive)

    assert told == [[carol.pk]]
    for user, found in ((bob, []), (carol, [hidden])):
        page = EventHandler(user.pk).list_mentions()
        assert [message.pk for message in page.mentions] == found
    assert EventHandler(bob.pk).list_unread().rooms == []
    with pytest.raises(PermissionDenied):
        EventHandler(bob.pk).list_mentions(before=hidden, size=1)


# Quotes, and frames for all


def test_an_answer_to_a_hidden_message_shows_it_to_those_who_see_it(
    joined: Any, alice: Any, bob: Any
) -> None:
    hidden = say(alice, joined, "before")
    add(joined, bob, by=alice)
    say(alice, joined, "answer", parent_message_id=hidden)
    frame = log(room_stream(joined.pk))[-1]

    (for_alice,), (for_bob,) = veil_for(alice.pk, [frame]), veil_for(bob.pk, [frame])

    assert '"before"' in for_alice.payload
    assert '"before"' not in for_bob.payload
    assert '"parent_message":null' in for_bob.payload
    assert (for_bob.stream, for_bob.seq) == (frame.stream, frame.seq)
    pages = [EventHandler(user.pk).room_messages(joined.pk) for user in (alice, bob)]
    quotes = [page.messages[0].relations.parent_message for page in pages]
    assert quotes[0].content == "before"
    assert quotes[1] is None
    assert listed(bob).last_message.relations.parent_message is None
    (waiting,) = EventHandler(bob.pk).pending_notifications()[joined.pk]
    assert waiting.message.relations.parent_message is None


def test_a_mention_that_answers_a_hidden_message_comes_without_it(
    joined: Any, alice: Any, bob: Any
) -> None:
    hidden = say(alice, joined, "before")
    add(joined, bob, by=alice)
    say(alice, joined, "look", parent_message_id=hidden, mentions={"users": [bob.pk]})

    (found,) = EventHandler(bob.pk).list_mentions().mentions

    assert found.content == "look"
    assert found.relations.parent_message is None


def test_what_happens_to_a_hidden_message_is_told_without_it(
    joined: Any, alice: Any, users: Any
) -> None:
    bob, carol = users.make("bob", "carol")
    add(joined, bob, by=alice)
    first = say(alice, joined, "the old one")
    add(joined, carol, by=alice)
    second = say(alice, joined, "the new one")
    EventHandler(bob.pk).read_messages([first, second])
    EventHandler(bob.pk).add_reaction(first, "well")
    EventHandler(alice.pk).edit_message(first, "the old one, edited")
    frames = log(room_stream(joined.pk))[-3:]

    for frame, seen in zip(veil_for(carol.pk, frames), veil_for(bob.pk, frames), strict=True):
        assert "the old one" not in frame.payload
        assert "well" not in frame.payload
        assert "the old one" in seen.payload
        assert seen.payload == next(each.payload for each in frames if each.seq == seen.seq)
    assert "the new one" in veil_for(carol.pk, frames)[0].payload


def test_where_everybody_sees_all_there_is_no_veil(group: GroupChat, alice: Any, bob: Any) -> None:
    first = say(alice, group, "first")
    with CaptureQueriesContext(connection) as before:
        EventHandler(bob.pk).add_reaction(first, "!")

    assert log(room_stream(group.pk))[-1].change is None
    assert not [each for each in before.captured_queries if '"visible_from" > ' in each["sql"]]


# Settings


def test_a_leader_may_change_it_for_those_who_come_later(
    group: GroupChat, alice: Any, users: Any
) -> None:
    early, late = users.make("early", "late")
    say(alice, group, "before")
    add(group, early, by=alice)
    EventHandler(alice.pk).update_room(group.pk, {"history": "joined"})
    add(group, late, by=alice)

    assert log(room_stream(group.pk))[-2].payload.count('"history":"joined"') == 1
    assert perform(early, "room.info", {"room_id": str(group.pk)})[0]["history"] == "joined"
    assert shown(early, group) == ["before"]
    assert shown(late, group) == []


@pytest.mark.parametrize("value", ["all", "", None, 1, ["joined"]])
def test_a_history_that_there_is_not_is_refused(value: Any, group: GroupChat, alice: Any) -> None:
    with pytest.raises(Invalid) as error:
        EventHandler(alice.pk).update_room(group.pk, {"history": value})
    assert error.value.detail.keys() == {"data.history"}
    with pytest.raises(Invalid):
        EventHandler(alice.pk).create_room("GroupChat", name="g", fields={"history": value})
    if value not in ("all", None):
        with pytest.raises(Invalid):
            EventHandler(alice.pk).add_members(group.pk, [], history=value)


def test_the_chat_of_two_has_no_such_field(pair: Any, alice: Any) -> None:
    with pytest.raises(Invalid):
        EventHandler(alice.pk).update_room(pair.pk, {"history": "joined"})


def test_server_code_says_what_new_members_see(joined: Any, alice: Any, users: Any) -> None:
    bob, carol = users.make("bob", "carol")
    say(alice, joined, "before")

    gql_chat.add_members(joined, [bob], by=alice, history="all")
    gql_chat.add_members(joined, [carol], by=alice, as_system=True)

    assert shown(bob, joined) == ["before"]
    assert shown(carol, joined) == []


def test_without_the_feature_everybody_sees_everything(
    joined: Any, alice: Any, users: Any, settings: Settings
) -> None:
    bob, carol = users.make("bob", "carol")
    hidden = say(alice, joined, "before")
    add(joined, bob, by=alice)
    settings.REALTIME_CHAT_MESSAGING = {"FEATURES": ()}

    add(joined, carol, by=alice)

    assert shown(bob, joined) == shown(carol, joined) == ["before"]
    assert joined.get_member(carol).visible_from == BEGINNING
    EventHandler(bob.pk).add_reaction(hidden, "!")
    with pytest.raises(Conflict):
        EventHandler(bob.pk).add_reaction(hidden, "!")
    with pytest.raises(Invalid):
        EventHandler(alice.pk).update_room(joined.pk, {"history": "shared"})
    with pytest.raises(Invalid):
        EventHandler(alice.pk).add_members(joined.pk, [bob.pk], history="all")
    assert is_visible(joined.get_member(bob), joined.messages.get(pk=hidden))

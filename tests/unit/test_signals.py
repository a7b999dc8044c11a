"""The promises that hold for any code path: the ORM, the admin, a shell, an operation."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import serializers
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import ModelSignal, post_delete, post_save, pre_delete
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from gql_chat.errors import Invalid
from gql_chat.models import (
    Channel,
    ChatNotification,
    Delivery,
    GroupChat,
    Membership,
    Message,
    NotificationType,
    OneToOneChat,
    Reaction,
    ReadReceipt,
    Room,
    RoomProperty,
    StreamEvent,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream
from tests.conftest import Users
from tests.unit.making import frames
from tests.unit.memberships import (
    REMOVALS,
    Way,
    accessor,
    held,
    rooms,
    ways,
)


@contextmanager
def calls(signal: ModelSignal, sender: type) -> Iterator[Counter[Any]]:
    """Count the calls of a project's receiver, by primary key of the row."""
    seen: Counter[Any] = Counter()

    def receive(sender: type, instance: Any, **kwargs: Any) -> None:
        seen[instance.pk] += 1

    signal.connect(receive, sender=sender)
    try:
        yield seen
    finally:
        signal.disconnect(receive, sender=sender)


# A new room


def by_create(model: Any, creator: Any) -> Any:
    return model.objects.create(name="room", creator=creator)


def by_save(model: Any, creator: Any) -> Any:
    room = model(name="room", creator=creator)
    room.save()
    return room


@pytest.mark.parametrize("model", [GroupChat, Channel])
@pytest.mark.parametrize("make", [by_create, by_save])
def test_the_creator_is_a_member_who_leads(alice: Any, model: Any, make: Way) -> None:
    room = make(model, alice)

    assert list(accessor(room, "members").all()) == [alice]
    assert list(accessor(room, "leaders").all()) == [alice]
    assert held(room, alice) == set(room.rules.permissions)


@pytest.mark.parametrize("model", [GroupChat, Channel])
def test_a_room_saved_again_gains_nothing(alice: Any, model: Any) -> None:
    room = by_create(model, alice)
    room.name = "another name"
    room.save()

    assert accessor(room, "members").count() == 1
    assert RoomProperty.objects.filter(room=room).count() == 1


def test_a_room_without_creator_begins_empty(db: None) -> None:
    group = GroupChat.objects.create(name="nobody's")

    assert group.participants.count() == 0
    assert Room.objects.filter(pk=group.pk).exists()


def test_every_room_has_properties(group: GroupChat, channel: Channel, pair: OneToOneChat) -> None:
    for room in (group, channel, pair):
        assert RoomProperty.objects.get(room=room).preferences == {}


def test_a_fixture_brings_its_own_rows(alice: Any) -> None:
    text = serializers.serialize("json", [GroupChat.objects.create(name="saved", creator=alice)])
    Room.objects.all().delete()

    (loaded,) = serializers.deserialize("json", text)
    loaded.save()

    assert Room.objects.get().creator == alice
    assert not Membership.objects.exists()
    assert not RoomProperty.objects.exists()


# Reactions


def test_a_reaction_takes_the_place_of_the_one_before(message: Message, bob: Any) -> None:
    Reaction.objects.create(message=message, user=bob, reaction_content="+1")
    Reaction(message=message, user=bob, reaction_content="-1").save()

    (left,) = Reaction.objects.filter(message=message, user=bob)
    assert left.reaction_content == "-1"


def test_the_same_reaction_again_is_refused(message: Message, bob: Any) -> None:
    first = Reaction.objects.create(message=message, user=bob, reaction_content="+1")

    with pytest.raises(IntegrityError), transaction.atomic():
        Reaction.objects.create(message=message, user=bob, reaction_content="+1")

    assert Reaction.objects.get(message=message, user=bob) == first


def test_a_reaction_that_is_changed_stays(message: Message, bob: Any) -> None:
    reaction = Reaction.objects.create(message=message, user=bob, reaction_content="+1")
    reaction.reaction_content = "-1"
    reaction.save()

    assert Reaction.objects.get(message=message, user=bob) == reaction


def test_reactions_of_others_and_to_others_stay(message: Message, alice: Any, bob: Any) -> None:
    other = Message.objects.create(room=message.room, sender=alice, content="other")
    for target, user in ((message, alice), (other, bob), (message, bob)):
        Reaction.objects.create(message=target, user=user, reaction_content="+1")

    Reaction.objects.create(message=message, user=bob, reaction_content="-1")

    assert Reaction.objects.count() == 3


# What is over disappears


@rooms
@ways(REMOVALS)
def test_a_room_ends_with_its_last_member(room: Any, alice: Any, bob: Any, way: Way) -> None:
    accessor(room, "members").remove(bob)
    assert Room.objects.filter(pk=room.pk).exists()

    way(room, alice)

    assert not Room.objects.filter(pk=room.pk).exists()


@rooms
def test_a_room_ends_when_all_accounts_go_at_once(room: Any, alice: Any, bob: Any) -> None:
    get_user_model().objects.filter(pk__in=[alice.pk, bob.pk]).delete()

    assert not Room.objects.filter(pk=room.pk).exists()


def test_a_room_outlives_its_creator(group: GroupChat, alice: Any, bob: Any) -> None:
    alice.delete()

    room = Room.objects.get(pk=group.pk)
    assert list(room.participants.all()) == [bob]


@rooms
def test_who_has_led_the_longest_takes_the_place_of_a_creator_whose_account_goes(
    room: Any, alice: Any, bob: Any, users: Users
) -> None:
    members, leaders = accessor(room, "members"), accessor(room, "leaders")
    carol, dave = users.make("carol", "dave")
    members.add(carol, dave)
    leaders.add(dave)

    alice.delete()

    room = type(room).objects.get(pk=room.pk)
    assert room.creator == dave
    assert list(accessor(room, "leaders").all()) == [dave]
    assert held(room, dave) == set(room.rules.permissions)


@rooms
def test_who_takes_over_can_log_in(room: Any, alice: Any, bob: Any, users: Users) -> None:
    carol, dave = users.make("carol", "dave")
    accessor(room, "members").add(carol, dave)
    accessor(room, "leaders").add(bob)
    get_user_model().objects.filter(pk__in=[bob.pk, carol.pk]).update(is_active=False)

    alice.delete()

    room = type(room).objects.get(pk=room.pk)
    assert room.creator == dave
    assert list(accessor(room, "leaders").all()) == [bob, dave]


@rooms
def test_a_room_that_its_creator_has_left_is_not_left_to_nobody(
    room: Any, alice: Any, bob: Any
) -> None:
    EventHandler(alice.pk).leave_room(room.pk)
    told = frames(room)

    alice.delete()

    room = type(room).objects.get(pk=room.pk)
    assert room.creator == bob
    assert list(accessor(room, "leaders").all()) == [bob]
    assert held(room, bob) == set(room.rules.permissions)
    assert frames(room) == [*told, "RoomUpdated"]


def test_accounts_that_go_together_hand_over_once(users: Users, db: None) -> None:
    first, second, third = users.make("first", "second", "third")
    group = GroupChat.objects.create(name="g", creator=first)
    group.participants.add(second, third)
    EventHandler(first.pk).leave_room(group.pk)

    get_user_model().objects.filter(pk__in=[first.pk, second.pk]).delete()

    group = GroupChat.objects.get(pk=group.pk)
    assert group.creator == third
    assert list(group.admins.all()) == [third]


@rooms
def test_who_has_been_in_the_longest_takes_over_where_nobody_leads(
    room: Any, alice: Any, bob: Any, users: Users
) -> None:
    (carol,) = users.make("carol")
    accessor(room, "members").add(carol)

    alice.delete()

    room = type(room).objects.get(pk=room.pk)
    assert room.creator == bob
    assert list(accessor(room, "leaders").all()) == [bob]
    assert held(room, bob) == set(room.rules.permissions)


@rooms
def test_a_room_whose_creator_is_removed_is_led_by_somebody(
    room: Any, alice: Any, bob: Any
) -> None:
    Membership.objects.filter(room=room, user=alice).delete()

    assert bob in accessor(room, "leaders")


def test_a_notification_ends_with_its_last_recipient(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    group.participants.add(carol)
    message = Message.objects.create(room=group, sender=alice, content="hello")

    Delivery.objects.create(message=message, user=bob)
    assert [waiting.message for waiting in ChatNotification.objects.all()] == [message]

    Delivery.objects.create(message=message, user=carol)
    assert not ChatNotification.objects.exists()


@ways(REMOVALS)
def test_a_notification_ends_when_nobody_who_waits_is_left(
    group: GroupChat, message: Message, bob: Any, carol: Any, way: Way
) -> None:
    group.participants.add(carol)  # who came later, so does not wait
    assert ChatNotification.objects.exists()

    way(group, bob)

    assert not ChatNotification.objects.exists()


def test_a_reactions_notification_waits_whatever_others_have(message: Message, bob: Any) -> None:
    Reaction.objects.create(message=message, user=bob, reaction_content="+1")

    Delivery.objects.create(message=message, user=bob)

    (left,) = ChatNotification.objects.all()
    assert left.notification_type == NotificationType.REACTION


def test_a_messages_notifications_go_with_it(message: Message, bob: Any) -> None:
    Reaction.objects.create(message=message, user=bob, reaction_content="+1")
    assert ChatNotification.objects.count() == 2

    message.delete()

    assert not ChatNotification.objects.exists()


# Notifications come about


def waiting() -> list[tuple[str, Any, Any]]:
    rows = ChatNotification.objects.order_by("created_at")
    return list(rows.values_list("notification_type", "actor_id", "recipient_id"))


def test_a_message_makes_one_notification(message: Message, alice: Any) -> None:
    assert waiting() == [("NEW_MESSAGE", alice.pk, None)]

    message.content = "another"
    message.save()
    assert len(waiting()) == 1


def test_a_reply_makes_one_of_its_own_kind(message: Message, bob: Any) -> None:
    Message.objects.create(room=message.room, sender=bob, parent_message=message)

    assert waiting()[-1] == ("REPLY", bob.pk, None)


def test_a_reaction_makes_one_for_the_sender_in_place_of_the_earlier(
    message: Message, alice: Any, bob: Any
) -> None:
    for content in ("+1", "-1"):
        Reaction.objects.create(message=message, user=bob, reaction_content=content)

    assert waiting()[1:] == [("REACTION", bob.pk, alice.pk)]


def test_a_reaction_to_a_message_of_ones_own_makes_none(message: Message, alice: Any) -> None:
    Reaction.objects.create(message=message, user=alice, reaction_content="+1")

    assert len(waiting()) == 1


def test_switched_off_none_are_made(group: GroupChat, alice: Any, bob: Any) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"ENABLE_NOTIFICATION": False}):
        message = Message.objects.create(room=group, sender=alice, content="hello")
        Reaction.objects.create(message=message, user=bob, reaction_content="+1")

    assert waiting() == []


# Caps


@rooms
@pytest.mark.parametrize(
    "way",
    [
        lambda room, user: accessor(room, "members").add(user),
        lambda room, user: Membership.objects.create(room=room, user=user),
    ],
    ids=["accessor", "create"],
)
def test_a_full_room_refuses_another_member(room: Any, carol: Any, way: Way) -> None:
    setattr(room, room.rules.cap, 2)
    room.save()

    with pytest.raises(Invalid, match=room.rules.cap_exceeded):
        way(room, carol)

    assert accessor(room, "members").count() == 2


# A project's own receivers


def test_receivers_hear_of_every_membership_that_is_added(
    group: GroupChat, users: Users, alice: Any
) -> None:
    newcomers = users.make(*["newcomer"] * 5)

    with calls(post_save, Membership) as saved:
        group.participants.add(*newcomers)
        pair = OneToOneChat.objects.start(alice, newcomers[0])

    added = [group.get_member(user).pk for user in newcomers]
    added += pair.memberships.values_list("pk", flat=True)
    assert saved == dict.fromkeys(added, 1)


def test_receivers_hear_of_the_creators_membership(alice: Any) -> None:
    with calls(post_save, Membership) as saved:
        group = GroupChat.objects.create(name="group", creator=alice)

    assert saved == {group.get_member(alice).pk: 1}


def test_receivers_hear_of_every_role_that_changes(group: GroupChat, users: Users) -> None:
    newcomers = users.make(*["newcomer"] * 3)
    group.participants.add(*newcomers)

    with calls(post_save, Membership) as saved:
        group.admins.add(*newcomers)

    assert saved == {group.get_member(user).pk: 1 for user in newcomers}


@pytest.mark.parametrize(
    "way",
    [
        lambda room: Membership.objects.remove(
            room, list(room.memberships.values_list("user_id", flat=True))
        ),
        lambda room: room.memberships.all().delete(),
        lambda room: room.delete(),
        lambda room: Room.objects.filter(pk=room.pk).delete(),
    ],
    ids=["manager", "queryset", "room", "rooms"],
)
def test_receivers_hear_of_every_membership_that_ends(
    group: GroupChat, users: Users, way: Callable[[Any], Any]
) -> None:
    group.participants.add(*users.make("one", "two"))
    ids = list(group.memberships.values_list("pk", flat=True))

    with calls(post_delete, Membership) as deleted:
        way(group)

    assert deleted == dict.fromkeys(ids, 1)


def test_receivers_hear_of_every_message(group: GroupChat, alice: Any) -> None:
    handler = EventHandler(alice.pk)
    with calls(post_save, Message) as saved:
        sent = [handler.send_message(group.pk, text).message_id for text in ("one", "two")]
    assert saved == dict.fromkeys(sent, 1)

    with calls(post_delete, Message) as deleted:
        handler.delete_messages(sent)
    assert deleted == dict.fromkeys(sent, 1)


def test_receivers_hear_of_every_read_receipt(group: GroupChat, alice: Any, bob: Any) -> None:
    sent = [Message.objects.create(room=group, sender=alice, content="x").pk for _ in range(3)]

    with calls(post_save, ReadReceipt) as saved:
        EventHandler(bob.pk).read_messages(sent)
    receipts = set(ReadReceipt.objects.values_list("pk", flat=True))
    assert saved == dict.fromkeys(receipts, 1)

    with calls(post_delete, ReadReceipt) as deleted:
        Message.objects.filter(pk__in=sent).delete()
    assert deleted == saved


def test_receivers_hear_of_the_reaction_that_goes_and_the_one_that_comes(
    message: Message, bob: Any
) -> None:
    handler = EventHandler(bob.pk)
    handler.add_reaction(message.pk, "+1")
    old = Reaction.objects.get()

    with calls(post_save, Reaction) as saved, calls(post_delete, Reaction) as deleted:
        handler.add_reaction(message.pk, "-1")

    assert deleted == {old.pk: 1}
    assert saved == {Reaction.objects.get().pk: 1}

    with calls(post_delete, Reaction) as deleted:
        handler.remove_reaction(message.pk, "-1")
    assert deleted == saved


# Deleting once more


@pytest.mark.parametrize("way", ["instance", "queryset"])
def test_what_was_broken_off_is_deleted_and_told_anew(
    group: GroupChat, alice: Any, bob: Any, carol: Any, way: str
) -> None:
    group.participants.add(carol)
    rows = Membership.objects.filter(room=group).exclude(user=alice)
    doomed: Any = group.get_member(bob) if way == "instance" else rows
    noted: list[Any] = []

    def fail(instance: Any, **kwargs: Any) -> None:
        noted.append(instance)
        if len(noted) == (1 if way == "instance" else 2):
            raise LookupError

    pre_delete.connect(fail, sender=Membership)
    with suppress(LookupError), transaction.atomic():
        doomed.delete()
    pre_delete.disconnect(fail, sender=Membership)
    assert group.participants.count() == 3
    if way == "queryset":
        EventHandler(carol.pk).leave_room(group.pk)

    with CaptureQueriesContext(connection) as queries:
        doomed.delete()

    assert frames(group) == ["MembersRemoved"] * (1 if way == "instance" else 2)
    # Carol, who left by herself, is not among those whom the second deletion removed.
    told = StreamEvent.objects.filter(stream=room_stream(group.pk)).latest("seq")
    assert json.loads(told.payload)["removed_members"] == [bob.username]
    steps = [query["sql"] for query in queries]
    if connection.features.has_select_for_update:
        (lock, *_) = (at for at, sql in enumerate(steps) if "FOR NO KEY UPDATE" in sql)
        (deletion,) = (
            at for at, sql in enumerate(steps) if 'DELETE FROM "gql_chat_membership"' in sql
        )
        assert lock < deletion

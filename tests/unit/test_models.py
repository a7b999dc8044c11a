"""What the database itself holds, and how rows come back from it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from gql_chat.errors import Invalid, NotFound
from gql_chat.models import (
    MEDIA_TYPES,
    MIME_TYPES,
    Channel,
    ChatNotification,
    ClientMessage,
    Delivery,
    GroupChat,
    Membership,
    Message,
    MessageMediaAsset,
    NotificationType,
    OneToOneChat,
    Reaction,
    ReadReceipt,
    Room,
    RoomProperty,
    Session,
    StreamEvent,
)
from gql_chat.models.rules import Role
from gql_chat.operations import EventHandler
from tests.conftest import Users

GROUP = {"max_participants": 100, "join_approval_required": False, "group_locked": False}
CHANNEL = {"max_subscribers": 300, "is_public": False}
PAIR = {"pair_first": "alice", "pair_second": "bob"}


def room_of(users: Users, columns: dict[str, Any]) -> Room:
    """Return a room with these columns, in which a user stands by name."""
    made = {name: users(name) for name in PAIR.values()}
    return Room(**{name: made[value] if name in PAIR else value for name, value in columns.items()})


def insert(*rows: models.Model) -> None:
    """Write rows as they are: no signal, no default of a type, only the database says no."""
    with transaction.atomic():
        type(rows[0])._default_manager.bulk_create(rows)


def refused(*rows: models.Model) -> None:
    with pytest.raises(IntegrityError):
        insert(*rows)


# Rooms


@pytest.mark.parametrize(
    "columns",
    [
        {"type": "OneToOneChat", **PAIR},
        {"type": "GroupChat", **GROUP},
        {"type": "Channel", **CHANNEL},
        {"type": "Workshop"},
        {"type": "Workshop", "max_participants": 3, "is_public": True},
    ],
)
def test_a_room_of_its_type_is_taken(db: None, users: Users, columns: dict[str, Any]) -> None:
    insert(room_of(users, columns))

    assert Room.objects.get().type == columns["type"]


@pytest.mark.parametrize(
    "columns",
    [
        {"type": "OneToOneChat"},
        {"type": "OneToOneChat", "pair_first": "alice"},
        {"type": "OneToOneChat", "pair_second": "bob"},
        {"type": "GroupChat", **GROUP, **PAIR},
        {"type": "Channel", **CHANNEL, **PAIR},
        {"type": "Workshop", "pair_second": "bob"},
        *({"type": "GroupChat", **GROUP, name: None} for name in GROUP),
        *({"type": "GroupChat", **GROUP, name: value} for name, value in CHANNEL.items()),
        *({"type": "Channel", **CHANNEL, name: None} for name in CHANNEL),
        *({"type": "Channel", **CHANNEL, name: value} for name, value in GROUP.items()),
    ],
    ids=lambda columns: " ".join(f"{name}={value}" for name, value in columns.items()),
)
def test_a_room_with_columns_of_another_type_is_refused(
    db: None, users: Users, columns: dict[str, Any]
) -> None:
    refused(room_of(users, columns))


@pytest.mark.parametrize("turned", [False, True])
def test_two_users_have_one_chat_whoever_is_named_first(turned: bool, alice: Any, bob: Any) -> None:
    first, second = (bob, alice) if turned else (alice, bob)
    refused(
        Room(type="OneToOneChat", pair_first=alice, pair_second=bob),
        Room(type="OneToOneChat", pair_first=first, pair_second=second),
    )
    insert(Room(type="OneToOneChat", pair_first=first, pair_second=second))
    assert OneToOneChat.objects.between(alice, bob) is not None


def test_each_type_begins_with_its_own_defaults(db: None) -> None:
    group, channel = GroupChat.objects.create(name="g"), Channel.objects.create(name="c")

    assert (group.max_participants, group.join_approval_required, group.group_locked) == (
        100,
        False,
        False,
    )
    assert (channel.max_subscribers, channel.is_public) == (300, False)
    assert (group.max_subscribers, group.is_public, channel.max_participants) == (None, None, None)


def test_defaults_give_way_to_what_is_given(db: None) -> None:
    assert GroupChat(group_locked=True, max_participants=3).group_locked is True
    channel = Channel.objects.create(name="c", is_public=True, max_subscribers=1)
    channel.refresh_from_db()
    assert (channel.is_public, channel.max_subscribers) == (True, 1)


def test_rooms_of_all_types_come_typed_from_one_query(
    group: GroupChat, channel: Channel, pair: OneToOneChat, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        found = {room.pk: type(room) for room in Room.objects.all()}

    assert found == {group.pk: GroupChat, channel.pk: Channel, pair.pk: OneToOneChat}


def test_related_rooms_come_typed(
    group: GroupChat, message: Message, alice: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        (found,) = Message.objects.select_related("room")
        assert type(found.room) is GroupChat
    assert type(Message.objects.get().room) is GroupChat
    (prefetched,) = Message.objects.prefetch_related("room")
    assert type(prefetched.room) is GroupChat
    assert type(Membership.objects.select_related("room", "user").get(user=alice).room) is GroupChat


def test_deferred_columns_leave_a_room_typed(group: GroupChat) -> None:
    assert type(Room.objects.defer("description").get()) is GroupChat
    assert type(Room.objects.only("type").get()) is GroupChat


def test_a_type_that_nobody_declares_comes_as_a_plain_room(db: None) -> None:
    insert(Room(type="Workshop"))

    assert type(Room.objects.get()) is Room


@pytest.mark.parametrize("model", [GroupChat, Channel])
def test_a_room_that_is_made_by_its_type_is_one_of_that_type(model: Any, alice: Any) -> None:
    heard: list[type[Any]] = []

    def hear(sender: type[Any], **kwargs: Any) -> None:
        heard.append(sender)

    models.signals.post_save.connect(hear, sender=model)

    room = Room(type=model.__name__, name="room", creator=alice)
    room.save()

    assert heard == [type(room)] == [model]
    assert room.get_member(alice).role == model.rules.leader_role
    assert {name: getattr(room, name) for name in model.defaults} == model.defaults


@pytest.mark.parametrize("kind", ["", "Workshop", "groupchat"])
def test_a_room_of_no_type_is_not_made(kind: str, alice: Any) -> None:
    with pytest.raises(Invalid, match="One of OneToOneChat, GroupChat, Channel is needed"):
        Room(type=kind, creator=alice).save()

    assert not Room.objects.exists()


def test_a_room_whose_type_is_no_longer_declared_is_in_nobodys_way(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    insert(Room(type="Workshop"))
    old = Room.objects.get(type="Workshop")
    insert(*(Membership(room=old, user=user) for user in (alice, bob)))
    handler = EventHandler(alice.pk)

    assert handler.list_rooms() == [group]
    for ask in (handler.room_info, handler.send_message, handler.leave_room):
        with pytest.raises(NotFound):
            ask(old.pk)
    old.name = "old"
    old.save()
    bob.delete()
    assert Room.objects.filter(pk=old.pk).exists()
    alice.delete()
    assert not Room.objects.filter(pk=old.pk).exists()


def test_each_type_finds_its_own_rooms_only(group: GroupChat, channel: Channel) -> None:
    assert list(GroupChat.objects.all()) == [group]
    assert list(Channel.objects.all()) == [channel]
    assert not OneToOneChat.objects.exists()
    with pytest.raises(GroupChat.DoesNotExist):
        GroupChat.objects.get(pk=channel.pk)


def test_a_room_is_called_by_its_name(group: GroupChat, pair: OneToOneChat) -> None:
    assert str(group) == "group"
    assert str(pair) == str(pair.pk)


def test_a_member_is_found_by_user_and_by_id(group: GroupChat, alice: Any, carol: Any) -> None:
    member = group.get_member(alice)

    assert member is not None
    assert member == group.get_member(alice.pk)
    assert group.get_member(carol) is None


# Pairs


def test_starting_a_chat_again_finds_it(pair: OneToOneChat, alice: Any, bob: Any) -> None:
    assert OneToOneChat.objects.start(bob, alice) == pair
    assert OneToOneChat.objects.start(bob.pk, alice.pk) == pair
    assert OneToOneChat.objects.between(bob, alice) == pair
    assert Membership.objects.filter(room=pair).count() == 2


def test_who_has_no_chat_has_none_between(alice: Any, carol: Any) -> None:
    assert OneToOneChat.objects.between(alice, carol) is None


def test_nobody_chats_alone(alice: Any) -> None:
    for other in (alice, alice.pk, str(alice.pk)):
        with pytest.raises(Invalid):
            OneToOneChat.objects.start(alice, other)
    assert not Room.objects.exists()


def test_a_chat_goes_with_the_account_of_either(pair: OneToOneChat, bob: Any, carol: Any) -> None:
    kept = OneToOneChat.objects.start(carol, pair.participants.all()[0])

    bob.delete()

    assert list(Room.objects.all()) == [kept]


# Once


def test_what_is_once_is_once(group: GroupChat, message: Message, alice: Any, bob: Any) -> None:
    insert(Session(user=bob, channel_name="name"))
    insert(ClientMessage(sender=bob, client_id="id", message=message.pk, stream="room:x", seq=1))
    insert(StreamEvent(stream="room:x", seq=1, kind="x", payload=""))
    insert(Delivery(message=message, user=bob))
    insert(ReadReceipt(message=message, reader=bob))
    insert(Reaction(message=message, user=bob, reaction_content="+1"))

    for row in (
        Membership(room=group, user=bob),
        RoomProperty(room=group),
        Session(user=alice, channel_name="name"),
        ClientMessage(sender=bob, client_id="id", message=group.pk, stream="room:y", seq=2),
        StreamEvent(stream="room:x", seq=1, kind="y", payload=""),
        Delivery(message=message, user=bob),
        ReadReceipt(message=message, reader=bob),
        Reaction(message=message, user=bob, reaction_content="-1"),
    ):
        refused(row)


def test_a_client_id_is_unique_per_sender_only(alice: Any, bob: Any, group: GroupChat) -> None:
    for sender in (alice, bob):
        insert(ClientMessage(sender=sender, client_id="id", message=group.pk, stream="x", seq=1))

    assert ClientMessage.objects.count() == 2


# Messages


def test_a_message_is_no_reply_and_forward_at_once(message: Message, bob: Any) -> None:
    room = message.room
    insert(Message(room=room, sender=bob, parent_message=message))
    insert(Message(room=room, sender=bob, forwarded_from=message, is_forwarded=True))

    refused(
        Message(
            room=room, sender=bob, parent_message=message, forwarded_from=message, is_forwarded=True
        )
    )
    refused(Message(room=room, sender=bob, parent_message=message, is_forwarded=True))


def test_what_quotes_a_message_outlives_it(message: Message, bob: Any) -> None:
    reply = Message.objects.create(room=message.room, sender=bob, parent_message=message)
    forward = Message.objects.create(
        room=message.room, sender=bob, forwarded_from=message, is_forwarded=True
    )

    message.delete()

    reply.refresh_from_db()
    forward.refresh_from_db()
    assert reply.parent_message is None
    assert (forward.forwarded_from, forward.is_forwarded) == (None, True)


def asset(message: Message, **fields: Any) -> MessageMediaAsset:
    fields = {"media_type": "file", "mime_type": "text/plain", **fields}
    return MessageMediaAsset(message=message, media_url="https://x.test/", **fields)


def test_documented_mime_types_are_taken(message: Message) -> None:
    insert(*(asset(message, mime_type=mime_type) for mime_type in MIME_TYPES))
    insert(*(asset(message, media_type=media_type) for media_type in MEDIA_TYPES))

    assert message.attachments.count() == len(MIME_TYPES) + len(MEDIA_TYPES)


@pytest.mark.parametrize(
    "fields",
    [
        {"mime_type": "text/html"},
        {"mime_type": "image/svg+xml"},
        {"mime_type": "IMAGE/PNG"},
        {"mime_type": ""},
        {"media_type": "sticker"},
        {"media_type": ""},
        {"file_size": -1},
    ],
)
def test_other_media_are_refused(message: Message, fields: dict[str, Any]) -> None:
    refused(asset(message, **fields))


def test_attachments_keep_their_order(message: Message) -> None:
    insert(*(asset(message, position=place, caption=f"{place}") for place in (2, 0, 1)))

    assert [found.caption for found in message.attachments.all()] == ["0", "1", "2"]


# Notifications


@pytest.fixture
def notification(message: Message) -> ChatNotification:
    """The notification of alice's message in the group, which waits for bob."""
    notification: ChatNotification = ChatNotification.objects.get(message=message)
    return notification


def test_a_message_waits_for_those_who_were_there_but_its_sender(
    notification: ChatNotification, group: GroupChat, bob: Any, carol: Any
) -> None:
    assert list(notification.recipients) == [bob]

    Membership.objects.create(
        room=group, user=carol, joined_at=notification.created_at + timedelta(seconds=1)
    )
    assert list(notification.recipients) == [bob]

    Membership.objects.filter(user=carol).update(
        joined_at=notification.created_at, pending_from=notification.created_at
    )
    assert set(notification.recipients) == {bob, carol}


def test_who_has_got_a_message_is_no_recipient(
    notification: ChatNotification, message: Message, group: GroupChat, bob: Any, carol: Any
) -> None:
    insert(Membership(room=group, user=carol, joined_at=message.created_at))
    insert(Delivery(message=message, user=bob))

    assert list(notification.recipients) == [carol]


def test_a_reaction_waits_for_the_sender_alone(message: Message, alice: Any, bob: Any) -> None:
    notification = ChatNotification(
        notification_type=NotificationType.REACTION,
        message=message,
        room=message.room,
        actor=bob,
        recipient=alice,
    )

    assert list(notification.recipients) == [alice]


def test_pending_notifications_are_those_whose_recipient_one_is(
    notification: ChatNotification, group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    group.participants.add(carol)

    for user in (alice, bob, carol):
        pending = ChatNotification.objects.pending_for(user.pk)
        assert (notification in pending) == (user in notification.recipients)


def test_acknowledging_shortens_the_search_and_hides_nothing_that_waits(
    notification: ChatNotification, message: Message, group: GroupChat, bob: Any
) -> None:
    later = Message.objects.create(
        room=group,
        sender=message.sender,
        created_at=timezone.now() + timedelta(seconds=1),
    )
    kept = ChatNotification.objects.get(message=later)
    before = group.get_member(bob).pending_from
    insert(Delivery(message=message, user=bob))

    ChatNotification.objects.acknowledge(bob.pk, [message.pk], [group.pk])

    assert group.get_member(bob).pending_from == later.created_at > before
    assert ChatNotification.objects.pending_for(bob.pk) == [kept] != [notification]


def test_rows_say_what_they_are(group: GroupChat, message: Message, bob: Any) -> None:
    membership = group.get_member(bob)
    assert str(membership) == f"{bob.pk} in {group.pk} ({Role.MEMBER})"
    assert str(message) == f"message {message.pk}"
    assert str(StreamEvent(stream="room:x", seq=1, kind="Typing")) == "room:x 1 Typing"
    for row in (
        RoomProperty.objects.get(room=group),
        asset(message),
        Delivery(message=message, user=bob),
        ReadReceipt(message=message, reader=bob),
        Reaction(message=message, user=bob, reaction_content="+1"),
        ChatNotification(message=message, notification_type="REPLY"),
        Session(channel_name="socket"),
        ClientMessage(sender=bob, client_id="id"),
    ):
        assert str(row)

"""Chat from a project's own code: what is returned, refused and published, and when."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

import gql_chat
from gql_chat import (
    acting_as,
    add_members,
    create_room,
    delete_messages,
    edit_message,
    errors,
    list_unread,
    mark_unread,
    read_room,
    remove_members,
    send_message,
    send_to_room,
    send_to_users,
    streams,
    unread_totals,
)
from gql_chat.events import MessagesDeleted, RoomDeleted
from gql_chat.models import Channel, GroupChat, Membership, Message, OneToOneChat, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.permissions import PermissionHandler
from tests.conftest import Users
from tests.wire.rooms import NOWHERE


@pytest.fixture
def published() -> Iterator[list[streams.Envelope]]:
    """What this process publishes."""
    envelopes: list[streams.Envelope] = []
    streams.subscribe(envelopes.extend)
    yield envelopes
    streams.unsubscribe(envelopes.extend)


def test_the_package_imports_before_django_is_set_up() -> None:
    code = "import gql_chat; gql_chat.__version__; assert not hasattr(gql_chat, 'nonsense')"

    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_function_has_a_variant_for_coroutines() -> None:
    synchronous = [name for name in gql_chat.__all__ if not name.startswith("a") or "_as" in name]
    synchronous.append("add_members")

    for name in set(synchronous) - {"acting_as"}:
        assert f"a{name}" in gql_chat.__all__
    for name in set(synchronous) - {"acting_as", "export_user"}:
        assert getattr(gql_chat, f"a{name}").func is getattr(gql_chat, name)


def test_rooms_of_every_type_are_created(alice: Any, bob: Any) -> None:
    group = create_room("GroupChat", creator=alice, name="Lunch", members=[bob])
    channel = create_room(
        Channel, creator=alice.pk, name="News", members=[bob.pk], fields={"is_public": True}
    )
    pair = create_room(OneToOneChat, creator=alice, members=[bob])

    assert isinstance(group, GroupChat)
    assert list(group.participants) == [alice, bob]
    assert channel.is_public is True
    assert isinstance(pair, OneToOneChat)
    with pytest.raises(errors.Conflict) as refused:
        create_room(OneToOneChat, creator=bob, members=[alice])
    assert refused.value.detail == {"message": "Chat already exists", "room_id": str(pair.pk)}
    with pytest.raises(errors.Invalid, match="type"):
        create_room("Nonsense", creator=alice)


def test_a_message_is_sent_as_a_user(group: GroupChat, alice: Any, bob: Any) -> None:
    first = send_message(group, "<script>x</script><b>Hi</b>", sender=alice)
    reply = send_message(str(group.pk), "Ho", sender=str(bob.pk), parent_message=str(first.pk))

    assert isinstance(first, Message)
    assert first.content == "x<b>Hi</b>"
    assert reply.sender == bob
    assert reply.parent_message == first
    media = [{"media_url": "https://x.test/a", "media_type": "file", "mime_type": "text/csv"}]
    forward = send_message(group, sender=alice, forwarded_from=reply, media=media)
    assert forward.is_forwarded
    assert forward.attachments.count() == 1


@pytest.mark.parametrize(
    "media",
    [
        {},
        {"media_url": "https://x.test/a"},
        {"media_url": "x", "media_type": "file", "mime_type": "text/csv"},
        {
            "media_url": "https://x.test/a",
            "media_type": "file",
            "mime_type": "text/csv",
            "is_deleted": True,
        },
    ],
)
def test_a_wrong_attachment_is_refused(group: GroupChat, alice: Any, media: Any) -> None:
    with pytest.raises(errors.Invalid, match="media"):
        send_message(group, sender=alice, media=[media])
    assert not Message.objects.exists()


def test_who_may_not_write_is_refused_but_for_the_system(
    channel: Channel, bob: Any, carol: Any
) -> None:
    for user in (bob, carol):
        with pytest.raises(errors.PermissionDenied):
            send_message(channel, "x", sender=user)
        assert send_message(channel, "x", sender=user, as_system=True).sender == user
    assert channel.subscribers.count() == 2


def test_the_system_may_do_what_users_may(group: GroupChat, alice: Any, carol: Any) -> None:
    message = send_message(group, "x", sender=alice)
    for refused in (
        lambda: edit_message(message, "y", by=carol),
        lambda: delete_messages([message], by=carol),
        lambda: add_members(group, [carol], by=carol),
        lambda: remove_members(group, [alice], by=carol),
    ):
        with pytest.raises(errors.PermissionDenied):
            refused()

    assert edit_message(message, "y", by=carol, as_system=True).content == "y"
    reply = send_message(group, "z", sender=carol, parent_message=message, as_system=True)
    delete_messages([message, reply.pk], by=carol, as_system=True)
    assert not Message.objects.exists()
    room = add_members(group, [carol.pk, str(alice.pk)], by=carol, as_system=True)
    assert carol in room.participants
    remove_members(group, [carol], by=alice, as_system=True)
    assert carol not in room.participants
    acting_as(carol, as_system=True).delete_room(group.pk)
    assert not GroupChat.objects.exists()


def test_rules_hold_for_the_system_too(pair: OneToOneChat, alice: Any, carol: Any) -> None:
    with pytest.raises(errors.Invalid):
        add_members(pair, [carol], by=alice, as_system=True)
    with pytest.raises(errors.Invalid):
        send_message(pair, "", sender=carol, as_system=True)


def test_the_handler_of_the_system_keeps_the_projects_permissions(alice: Any) -> None:
    handler = acting_as(alice, as_system=True)

    assert type(handler.permissions).__mro__[-2].__name__ == "PermissionHandler"
    assert acting_as(alice).as_system is False


@pytest.mark.parametrize("key", ["nonsense", 7, NOWHERE])
def test_a_room_that_does_not_exist_is_named(alice: Any, key: Any) -> None:
    with pytest.raises((errors.Invalid, errors.NotFound), match="room"):
        send_message(key, "x", sender=alice)


def test_an_account_that_cannot_act_is_refused(group: GroupChat, alice: Any) -> None:
    alice.is_active = False
    alice.save()

    with pytest.raises(errors.NotAuthenticated):
        send_message(group, "x", sender=alice, as_system=True)
    with pytest.raises(errors.NotAuthenticated):
        send_message(group, "x", sender=0)
    with pytest.raises(errors.Invalid, match="user"):
        send_message(group, "x", sender="nonsense")


# Transactions


def of(room: Any, envelopes: list[streams.Envelope]) -> list[tuple[str, int]]:
    stream = streams.room_stream(room.pk)
    return [(found.kind, found.seq) for found in envelopes if found.stream == stream]


def test_frames_leave_with_the_outermost_commit(
    committed_database: None, published: list[streams.Envelope], users: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    with transaction.atomic():
        room = create_room("GroupChat", creator=alice, name="Lunch", members=[bob])
        with transaction.atomic():
            message = send_message(room, "x", sender=alice)
        edit_message(message, "y", by=alice)
        assert of(room, published) == []

    assert of(room, published) == [("RoomCreated", 1), ("MessageSent", 2), ("MessageEdited", 3)]


def test_what_is_rolled_back_is_never_sent(
    committed_database: None, published: list[streams.Envelope], users: Any
) -> None:
    alice, bob = users.make("alice", "bob")
    room = create_room("GroupChat", creator=alice, name="Lunch", members=[bob])
    published.clear()

    def fail() -> None:
        with transaction.atomic():
            send_message(room, "x", sender=alice)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with transaction.atomic():
        with pytest.raises(errors.Invalid):
            send_message(room, "", sender=alice)
        send_message(room, "y", sender=alice)

    assert of(room, published) == [("MessageSent", 2)]
    assert Message.objects.get(room=room).content == "y"


# Own broadcasts


def test_a_broadcast_takes_the_next_place_of_its_stream(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    send_to_room(group, MessagesDeleted([]))
    send_to_room(group.pk, MessagesDeleted([]))
    send_to_users([alice, bob.pk, str(bob.pk)], RoomDeleted(group.pk))

    rows = StreamEvent.objects.order_by("pk").values_list("stream", "seq", "kind")
    assert set(rows) == {
        (f"room:{group.pk}", 1, "MessagesDeleted"),
        (f"room:{group.pk}", 2, "MessagesDeleted"),
        (f"user:{alice.pk}", 1, "RoomDeleted"),
        (f"user:{bob.pk}", 1, "RoomDeleted"),
    }


def test_what_is_of_the_moment_is_sent_and_not_stored(
    committed_database: None, published: list[streams.Envelope], users: Any
) -> None:
    room = create_room("GroupChat", creator=users("alice"), name="Lunch")
    stored = StreamEvent.objects.count()
    published.clear()

    send_to_room(room, MessagesDeleted([]), stored=False)

    assert of(room, published) == [("MessagesDeleted", 0)]
    assert StreamEvent.objects.count() == stored


def test_a_broadcast_to_nobody_is_refused(alice: Any) -> None:
    with pytest.raises(errors.NotFound):
        send_to_room(NOWHERE, MessagesDeleted([]))
    with pytest.raises(errors.NotFound):
        send_to_users([0], MessagesDeleted([]))
    assert not Membership.objects.exists()


def test_one_who_may_write_from_outside_is_judged_as_a_member_of_the_room(
    users: Users, db: None
) -> None:
    alice, visitor = users.make("alice", "visitor")
    room = GroupChat.objects.create(name="group", creator=alice)
    judged: list[Membership] = []

    class Open(PermissionHandler):
        def can_send_as_outsider(self, user: Any, room: Any) -> bool:
            return True

        def can_send(self, membership: Membership) -> bool:
            judged.append(membership)
            return True

    handler = EventHandler(visitor.pk)
    handler.permissions = Open()
    handler.send_message(room.pk, "hello")
    handler.type_in(room.pk)

    assert [(one.room_id, one.room, one.user_id) for one in judged] == [
        (room.pk, room, visitor.pk)
    ] * 2
    assert not Membership.objects.filter(user=visitor).exists()


# Read markers


@pytest.mark.django_db
def test_server_code_reads_marks_and_counts(group: GroupChat, alice: Any, bob: Any) -> None:
    first, second = [send_message(group, text, sender=alice) for text in ("1", "2")]

    read_room(group, by=bob, up_to=first)
    assert [room.unread_count for room in list_unread(bob).rooms] == [1]
    read_room(str(group.pk), by=bob, private=True)
    assert list_unread(bob, group).rooms[0].unread_count == 0
    mark_unread(group, second, by=bob)
    assert {user: each.messages for user, each in unread_totals([alice, bob]).items()} == {
        alice.pk: 0,
        bob.pk: 1,
    }
    assert unread_totals([]) == {}

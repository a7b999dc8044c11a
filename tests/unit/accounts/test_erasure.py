"""What an erasure takes and leaves, in batches, and how one that was interrupted is finished."""

from collections import Counter
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from guardian.models import UserObjectPermission
from guardian.shortcuts import assign_perm
from pytest_django import Settings

from gql_chat import acting_as, erase_user, errors, send_message
from gql_chat.accounts import erasure
from gql_chat.accounts.erasure import Erasure
from gql_chat.events import MessageEdited
from gql_chat.models import (
    ChatNotification,
    ClientMessage,
    Delivery,
    EventSubject,
    GroupChat,
    Membership,
    Message,
    MessageMediaAsset,
    OneToOneChat,
    Reaction,
    ReadReceipt,
    Room,
    StreamEvent,
    UserStream,
    get_model,
)
from gql_chat.models.accounts import nobody_key
from gql_chat.streams import room_stream, user_stream
from tests.conftest import Users
from tests.unit.accounts.remains import left_of
from tests.unit.making import frames
from tests.unit.memberships import held

pytestmark = pytest.mark.django_db

MEDIA = {
    "media_url": "https://files.example/a.png",
    "media_type": "image",
    "mime_type": "image/png",
}


def live(group: GroupChat, alice: Any, bob: Any) -> None:
    """Let bob do in a group whatever leaves a row."""
    own = send_message(group, "mine", sender=bob, media=[MEDIA], client_id="once")
    other = send_message(group, "alice's", sender=alice, mentions={"users": [bob]})
    acting_as(bob).set_room_preferences(group.pk, {"pinned": True})
    acting_as(bob).set_user_preferences({"notify": "none"})
    acting_as(alice).add_reaction(own.pk, "+1")
    acting_as(alice).acknowledge_messages([own.pk])
    for act in ("acknowledge_messages", "read_messages"):
        getattr(acting_as(bob), act)([other.pk])
    acting_as(bob).add_reaction(other.pk, "+1")
    acting_as(bob).send_message(group.pk, forwarded_from_id=own.pk)
    acting_as(alice).send_message(group.pk, forwarded_from_id=own.pk)
    acting_as(bob).open_session("socket")


@pytest.mark.parametrize("messages", erasure.FATES)
def test_nothing_refers_to_an_erased_user(
    group: GroupChat, alice: Any, bob: Any, messages: str
) -> None:
    live(group, alice, bob)
    assert left_of(bob.pk).keys() >= {
        "Message.sender",
        "MessageCopy.sender",
        "Membership.user",
        "Delivery.user",
        "ReadReceipt.reader",
        "Reaction.user",
        "ClientMessage.sender",
        "Mention.user",
        "RoomPreferences.user",
        "UserPreferences.user",
        "Session.user",
        "ChatNotification.actor",
    }

    counts = erase_user(bob, messages, batch=1)

    assert left_of(bob.pk) == {}
    assert counts["messages"] == 2
    assert counts["memberships"] == counts["read receipts"] == counts["reactions"] == 1
    assert Message.objects.filter(sender=alice).count() == 2
    assert Message.objects.filter(sender=None).count() == (0 if messages == "delete" else 2)
    assert MessageMediaAsset.objects.exists() is (messages == "keep")
    # What others did stays with what is left to do it to.
    assert Reaction.objects.filter(user=alice).exists() is (messages != "delete")
    bob.refresh_from_db()
    assert not bob.is_active


def test_the_own_stream_goes_but_for_its_position(group: GroupChat, alice: Any, bob: Any) -> None:
    own = send_message(group, "mine", sender=bob)
    acting_as(alice).acknowledge_messages([own.pk])
    stream = StreamEvent.objects.filter(stream=user_stream(bob.pk))
    keys = list(stream.values_list("pk", flat=True))
    assert EventSubject.objects.filter(event__in=keys).exists()

    erase_user(bob)

    assert not stream.exists()
    assert not EventSubject.objects.filter(event__in=keys).exists()
    assert UserStream.objects.get(user=bob).seq == 1


@pytest.mark.parametrize("messages", erasure.FATES)
def test_messages_that_are_hidden_keep_neither_text_nor_sender(
    group: GroupChat, bob: Any, settings: Settings, messages: str
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"MESSAGE_SOFT_DELETE": True}
    hidden = send_message(group, "hidden", sender=bob, media=[MEDIA])
    shown = send_message(group, "shown", sender=bob)
    acting_as(bob).delete_messages([hidden.pk])

    erase_user(bob, messages)

    for message in Message.objects.all():
        is_kept = message.pk == shown.pk and messages == "keep"
        assert message.content == ("shown" if is_kept else "")
        assert message.sender_id is None
        assert message.is_deleted is (message.pk == hidden.pk or messages == "delete")
    assert not MessageMediaAsset.objects.exists()
    assert not ChatNotification.objects.exists()


def test_the_newest_messages_are_shown_anew_and_no_more(
    group: GroupChat, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "_SHOWN", 3)
    sent = [send_message(group, f"{n}", sender=bob).pk for n in range(10)]
    shown: list[Any] = []
    whole = erasure.MessageEdited

    def note(message: Any) -> MessageEdited:
        shown.append(message.pk)
        return whole(message)

    monkeypatch.setattr(erasure, "MessageEdited", note)

    erase_user(bob, batch=4)

    assert shown == sent[-3:]
    told = Counter(frames(group))
    assert (told["MessageEdited"], told["MembersRemoved"], told["UserErased"]) == (3, 1, 1)


def test_deleted_messages_are_told_in_frames_of_a_batch(group: GroupChat, bob: Any) -> None:
    sent = [send_message(group, f"{n}", sender=bob).pk for n in range(5)]
    erase_user(bob, "delete", batch=2)

    rows = StreamEvent.objects.filter(stream=room_stream(group.pk), kind="MessagesDeleted")
    named = "".join(rows.values_list("payload", flat=True))
    assert rows.count() == 3
    assert all(str(pk) in named for pk in sent)


class Interrupted(Exception):
    """What a killed process is, to the code that runs in it."""


@pytest.mark.parametrize("messages", erasure.FATES)
def test_an_erasure_that_was_interrupted_is_finished_by_the_next(
    group: GroupChat, alice: Any, bob: Any, messages: str
) -> None:
    live(group, alice, bob)
    OneToOneChat.objects.start(alice, bob)
    steps = 0

    # Each time it comes one step further, until it comes through.
    for allowed in range(100):
        steps = 0

        def interrupt(what: str, done: int, whole: int | None, allowed: int = allowed) -> None:
            nonlocal steps
            steps += 1
            if steps > allowed % 3:
                raise Interrupted

        try:
            erase_user(bob, messages, batch=1, progress=interrupt)
        except Interrupted:
            continue
        break

    assert left_of(bob.pk) == {}
    assert bob.username not in "".join(StreamEvent.objects.values_list("payload", flat=True))
    assert erase_user(bob, messages) == {}
    assert frames(group).count("MembersRemoved") == 1


def test_the_progress_says_what_and_how_much(group: GroupChat, alice: Any, bob: Any) -> None:
    live(group, alice, bob)
    said: list[tuple[str, int, int | None]] = []

    erase_user(bob, "delete", batch=1, progress=lambda *step: said.append(step))

    assert [step for step in said if step[0] == "messages"] == [
        ("messages", 1, None),
        ("messages", 2, None),
    ]
    what, done, whole = said[-2]
    assert (what, done) == ("places in the event log", whole)


def test_statements_do_not_grow_with_what_is_not_the_users(
    group: GroupChat, alice: Any, bob: Any, users: Users
) -> None:
    def erase(user: Any) -> int:
        Membership.objects.add(group, [user.pk])
        message = send_message(group, "mine", sender=user)
        acting_as(user).read_messages([message.pk])
        with CaptureQueriesContext(connection) as captured:
            erase_user(user)
        return len(captured)

    few = erase(users("carol"))
    Membership.objects.add(group, [user.pk for user in users.make(*["member"] * 20)])
    for number in range(20):
        send_message(group, f"{number}", sender=alice)

    assert erase(users("dave")) == few


def test_permissions_on_rooms_go_and_others_stay(group: GroupChat, alice: Any, bob: Any) -> None:
    left = GroupChat.objects.create(name="left", creator=alice)
    for room in (group, left):
        assign_perm("can_add_new_participants", bob, Room.objects.get(pk=room.pk))
    own = assign_perm("auth.change_user", bob, alice)

    erase_user(bob)

    assert held(group, bob) == held(left, bob) == set()
    assert list(UserObjectPermission.objects.filter(user=bob)) == [own]


def test_a_room_that_its_creator_had_left_gets_another(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    acting_as(alice).leave_room(group.pk)
    assert not group.admins.count()

    erase_user(alice)

    room = GroupChat.objects.get(pk=group.pk)
    assert room.creator == bob
    assert list(room.admins) == [bob]
    assert frames(group)[-1] == "RoomUpdated"


def test_an_empty_room_of_no_known_type_is_no_obstacle(alice: Any) -> None:
    room = GroupChat.objects.create(name="old", creator=alice)
    Room.objects.filter(pk=room.pk).update(
        type="Forum", max_participants=None, group_locked=None, join_approval_required=None
    )
    Message.objects.create(room_id=room.pk, sender=alice, content="old")

    erase_user(alice)

    assert left_of(alice.pk) == {}
    assert not Room.objects.exists()


def test_rooms_of_no_known_type_lose_the_name_without_a_word(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    group.participants.add(carol)
    for _ in range(2):
        Message.objects.create(room=group, sender=bob, content="old")
    acting_as(alice).leave_room(group.pk)
    Room.objects.filter(pk=group.pk).update(
        type="Forum", max_participants=None, group_locked=None, join_approval_required=None
    )
    told = frames(group)

    erase_user(alice)
    erase_user(bob, "keep", batch=1)

    assert left_of(alice.pk) == left_of(bob.pk) == {}
    assert frames(group) == told
    assert Room.objects.get(pk=group.pk).creator is None
    assert list(Membership.objects.filter(room=group.pk).values_list("user", flat=True)) == [
        carol.pk
    ]


def test_rows_that_a_manager_hides_are_found(
    group: GroupChat, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hides(models.Manager[Message]):
        def get_queryset(self) -> Any:
            return super().get_queryset().exclude(content="hidden")

    Message.objects.create(room=group, sender=bob, content="hidden")
    manager = Hides()
    manager.model = Message
    monkeypatch.setitem(Message._meta.managers_map, "objects", manager)
    monkeypatch.setattr(Message._meta, "default_manager", manager)

    erase_user(bob, "blank")

    (message,) = Message._base_manager.all()
    assert (message.sender_id, message.content) == (None, "")


def test_a_user_who_cannot_be_kept_out_is_erased_again_and_again(
    group: GroupChat, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "can_deactivate", lambda: False)
    whole = Erasure._erase_permissions

    def write_meanwhile(self: Erasure) -> None:
        whole(self)
        ClientMessage.objects.create(
            sender=bob, client_id="again", message=group.pk, stream="room:", seq=1
        )

    monkeypatch.setattr(Erasure, "_erase_permissions", write_meanwhile)
    with pytest.raises(errors.Busy, match="writing"):
        erase_user(bob)

    monkeypatch.setattr(Erasure, "_erase_permissions", whole)
    erase_user(bob)
    assert left_of(bob.pk) == {}
    bob.refresh_from_db()
    assert bob.is_active


@pytest.mark.parametrize(
    ("options", "named"),
    [({"messages": "burn"}, "messages"), ({"batch": 0}, "batch"), ({"batch": 1001}, "batch")],
)
def test_what_is_not_allowed_is_named_and_nothing_is_done(
    group: GroupChat, bob: Any, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(errors.Invalid) as refused:
        erase_user(bob, **options)

    assert isinstance(refused.value.detail, dict)
    assert refused.value.detail.keys() == {named}
    bob.refresh_from_db()
    assert bob.is_active


def test_there_must_be_such_a_user(db: None) -> None:
    with pytest.raises(errors.NotFound):
        erase_user(nobody_key())


def test_without_the_feature_nothing_new_is_told(
    group: GroupChat, alice: Any, bob: Any, settings: Settings
) -> None:
    live(group, alice, bob)
    settings.REALTIME_CHAT_MESSAGING = {"FEATURES": ()}

    erase_user(bob)

    assert left_of(bob.pk) == {}
    assert "UserErased" not in frames(group)
    assert bob.username not in "".join(StreamEvent.objects.values_list("payload", flat=True))


def test_the_log_is_left_alone_where_the_project_says_so(
    group: GroupChat, bob: Any, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"ERASE_LOG": None}
    send_message(group, "mine", sender=bob)

    erase_user(bob, "blank")

    text = "".join(StreamEvent.objects.values_list("payload", flat=True))
    assert bob.username in text
    assert "mine" in text


def test_receivers_of_the_project_see_what_is_kept(group: GroupChat, bob: Any) -> None:
    seen: list[Any] = []

    def receive(sender: Any, instance: Any, update_fields: Any, **kwargs: Any) -> None:
        seen.append((instance.pk, instance.sender_id, update_fields))

    message = send_message(group, "mine", sender=bob)
    models.signals.post_save.connect(receive, sender=get_model("Message"))
    try:
        erase_user(bob)
    finally:
        models.signals.post_save.disconnect(receive, sender=get_model("Message"))

    assert seen == [(message.pk, None, frozenset({"sender"}))]


def test_content_types_are_those_of_the_tables(db: None) -> None:
    # guardian's rows name the table of rooms, whatever the proxy.
    assert ContentType.objects.get_for_model(GroupChat) == ContentType.objects.get_for_model(Room)


def test_deliveries_and_receipts_of_rooms_that_were_left_go(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    other = send_message(group, "alice's", sender=alice)
    for act in ("acknowledge_messages", "read_messages"):
        getattr(acting_as(bob), act)([other.pk])
    acting_as(bob).leave_room(group.pk)

    erase_user(bob)

    assert not Delivery.objects.exists()
    assert not ReadReceipt.objects.exists()
    assert frames(group).count("UserErased") == 2

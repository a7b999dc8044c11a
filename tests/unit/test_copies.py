"""Copies: what a forward passes on, as it was when it was forwarded."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.db import IntegrityError, transaction

from gql_chat.models import GroupChat, MessageCopy, get_model
from gql_chat.models.copies import copy_source, revive
from gql_chat.models.relations import load_messages
from gql_chat.operations import EventHandler
from tests.conftest import Users

pytestmark = pytest.mark.django_db

THEN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def source(users: Users) -> Any:
    """A message with an attachment, in a group."""
    alice = users("alice")
    room = GroupChat.objects.create(name="group", creator=alice)
    message = get_model("Message").objects.create(
        room=room, sender=alice, content="as it was", created_at=THEN, updated_at=THEN
    )
    get_model("MessageMediaAsset").objects.create(
        message=message,
        media_url="https://example.com/a.png",
        media_type="image",
        mime_type="image/png",
        file_size=5,
        caption=None,
        metadata={"width": 5},
    )
    return message


def forward(source: Any, room: Any) -> Any:
    return get_model("Message").objects.create(
        room=room, sender=source.sender, forwarded_from=source, is_forwarded=True
    )


def test_what_is_revived_is_what_was_copied(source: Any) -> None:
    (loaded,) = load_messages([source])
    passing = get_model("Message")(room=source.room, sender=source.sender)

    copied = copy_source(passing, loaded, loaded.relations.attachments)
    revived, attachments = revive(copied, passing)

    assert (copied.source, copied.sender_id) == (source.pk, source.sender_id)
    besides = {"stream_seq", "forwarded_from_id", "parent_message_id"}
    for field in source._meta.concrete_fields:
        if field.attname not in besides:
            assert getattr(revived, field.attname) == getattr(source, field.attname), field
    (attachment,), (asset,) = attachments, loaded.relations.attachments
    for field in asset._meta.concrete_fields:
        if field.name != "message":
            assert getattr(attachment, field.attname) == getattr(asset, field.attname), field
    assert not revived._state.adding


def test_a_copy_for_another_room_does_not_say_where_its_source_stands(source: Any) -> None:
    room = GroupChat.objects.create(name="other", creator=source.sender)
    passing = get_model("Message")(room=room, sender=source.sender)

    copied = copy_source(passing, source, [])

    assert str(source.room_id) not in copied.columns
    assert revive(copied, passing)[0].room_id is None


def test_columns_that_the_model_has_no_more_are_left_out(source: Any) -> None:
    passing = get_model("Message")(room=source.room, sender=source.sender)
    copied = copy_source(passing, source, [])
    content = orjson.loads(copied.columns)
    content["message"]["of_before"] = "x"
    del content["message"]["is_edited"]
    copied.columns = orjson.dumps(content).decode()

    revived, _ = revive(copied, passing)

    assert not hasattr(revived, "of_before")
    assert revived.is_edited is False


def test_plain_code_that_forwards_keeps_a_copy_too(source: Any) -> None:
    room = GroupChat.objects.create(name="other", creator=source.sender)
    message = forward(source, room)

    source.content = "edited"
    source.save()

    (shown,) = load_messages([get_model("Message").objects.get(pk=message.pk)])
    assert shown.relations.forwarded_from.content == "as it was"
    assert len(shown.relations.forwarded_from.relations.attachments) == 1


def test_a_forward_without_a_copy_shows_its_source_as_it_is(source: Any) -> None:
    other = GroupChat.objects.create(name="other", creator=source.sender)
    for room, shows in ((other, None), (source.room, source.room_id)):
        message = forward(source, room)
        MessageCopy.objects.filter(pk=message.pk).delete()

        (shown,) = load_messages([get_model("Message").objects.get(pk=message.pk)])
        assert shown.relations.forwarded_from.content == "as it was"
        assert shown.relations.forwarded_from.room_id == shows
    assert source.room_id  # the row in memory is another one


def test_a_copy_goes_with_its_forward_and_with_the_account_of_its_author(
    source: Any, users: Users
) -> None:
    bob = users("bob")
    room = GroupChat.objects.create(name="other", creator=bob)
    handler = EventHandler(bob.pk)
    source.room.participants.add(bob)
    kept, gone = (
        handler.send_message(room.pk, forwarded_from_id=source.pk).message_id for _ in range(2)
    )
    assert MessageCopy.objects.filter(source=source.pk).count() == 2

    handler.delete_messages([gone])
    assert MessageCopy.objects.get(source=source.pk).message_id == kept

    source.sender.delete()
    assert not MessageCopy.objects.exists()
    (shown,) = load_messages([get_model("Message").objects.get(pk=kept)])
    assert (shown.is_forwarded, shown.relations.forwarded_from) == (True, None)


def test_a_forward_has_one_copy(source: Any) -> None:
    message = forward(source, source.room)

    with pytest.raises(IntegrityError), transaction.atomic():
        copy_source(message, source, []).save(force_insert=True)

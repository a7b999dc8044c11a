"""The outbox: an event that is too large for one frame becomes several, each with its number."""

from typing import Any

import orjson
import pytest

from gql_chat.errors import Invalid
from gql_chat.models import GroupChat, Message, MessageMediaAsset, StreamEvent, UserStream
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream, user_stream
from tests.unit.test_settings import chat

pytestmark = pytest.mark.django_db


def write(group: Any, sender: Any, count: int, length: int) -> list[Message]:
    return [
        Message.objects.create(room=group, sender=sender, content=f"{number} " + "x" * length)
        for number in range(count)
    ]


def logged(stream: str, kind: str) -> list[tuple[int, Any]]:
    rows = StreamEvent.objects.filter(stream=stream, kind=kind).order_by("seq")
    return [(row.seq, orjson.loads(row.payload)) for row in rows]


def told(stream: str, kind: str) -> list[list[str]]:
    return [[m["id"] for m in payload["messages"]] for _, payload in logged(stream, kind)]


def test_several_frames_tell_of_what_is_too_much_for_one(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    messages = write(group, alice, 7, 1200)
    ids = [str(message.pk) for message in messages]
    with chat(MAX_ANSWER_BYTES=6000):
        EventHandler(bob.pk).read_messages([message.pk for message in messages])
        EventHandler(bob.pk).acknowledge_messages([message.pk for message in messages])

    for stream, kind in (
        (room_stream(group.pk), "MessagesRead"),
        (user_stream(alice.pk), "MessagesDelivered"),
    ):
        frames = told(stream, kind)
        assert len(frames) > 2
        assert [each for frame in frames for each in frame] == ids
        rows = StreamEvent.objects.filter(stream=stream, kind=kind)
        assert all(len(row.payload) <= 6000 for row in rows)
        numbers = [seq for seq, _ in logged(stream, kind)]
        assert numbers == list(range(numbers[0], numbers[0] + len(frames)))
    group.refresh_from_db()
    assert group.seq == logged(room_stream(group.pk), "MessagesRead")[-1][0]
    assert UserStream.objects.get(pk=alice.pk).seq == len(
        told(user_stream(alice.pk), "MessagesDelivered")
    )


def test_each_sender_gets_as_many_frames_as_theirs_take(
    group: GroupChat, alice: Any, bob: Any, carol: Any
) -> None:
    group.participants.add(carol)
    large, small = write(group, alice, 6, 1200), write(group, bob, 2, 10)
    with chat(MAX_ANSWER_BYTES=6000):
        EventHandler(carol.pk).acknowledge_messages([m.pk for m in (*large, *small)])

    assert len(told(user_stream(alice.pk), "MessagesDelivered")) > 1
    (frame,) = told(user_stream(bob.pk), "MessagesDelivered")
    assert frame == [str(message.pk) for message in small]


def test_one_frame_tells_of_what_fits(group: GroupChat, alice: Any, bob: Any) -> None:
    messages = write(group, alice, 7, 1200)
    EventHandler(bob.pk).read_messages([message.pk for message in messages])

    assert len(told(room_stream(group.pk), "MessagesRead")) == 1


def test_a_message_that_is_too_large_shows_an_excerpt_of_its_quote(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    parent = write(group, alice, 1, 4000)[0]
    MessageMediaAsset.objects.create(
        message=parent, media_url="https://e.com/", media_type="image", mime_type="image/png"
    )
    act = EventHandler(bob.pk)
    with chat(MAX_ANSWER_BYTES=5000):
        reply = act.send_message(group.pk, "y" * 300, parent_message_id=parent.pk)
        act.add_reaction(reply.message_id, "+1")
        act.send_message(group.pk, "z" * 6000)

    stream = room_stream(group.pk)
    sent, large = (payload["message"] for _, payload in logged(stream, "MessageSent"))
    ((_, reacted),) = logged(stream, "MessageReacted")
    for message in (sent, reacted["message"]):
        assert message["content"] == "y" * 300
        quote = message["parent_message"]
        assert quote["content"] == "0 " + "x" * 198 + "…"
        assert (quote["id"], quote["attachments"]) == (str(parent.pk), [])
    # By itself a message is told whatever its size.
    assert large["content"] == "z" * 6000


@pytest.mark.parametrize("event", ["read_messages", "acknowledge_messages"])
def test_messages_that_are_far_too_large_together_are_refused(
    event: str, group: GroupChat, alice: Any, bob: Any
) -> None:
    """One event of 20 kB would be told to all members in frames of hundreds of megabytes."""
    messages = write(group, alice, 40, 9000)
    ids = [message.pk for message in messages]
    before = StreamEvent.objects.count()
    act = EventHandler(bob.pk)
    with chat(MAX_ANSWER_BYTES=10_000):
        with pytest.raises(Invalid) as refused:
            getattr(act, event)(ids)
        assert refused.value.detail.keys() == {"message_id"}  # type: ignore[union-attr]
        assert StreamEvent.objects.count() == before
        getattr(act, event)(ids[:20])
        getattr(act, event)(ids[20:])
    assert StreamEvent.objects.count() > before


def test_long_texts_are_weighed_before_they_are_read(
    group: GroupChat, alice: Any, bob: Any
) -> None:
    ids = [message.pk for message in write(group, alice, 5, 100_000)]
    act = EventHandler(bob.pk)
    with chat(MAX_ANSWER_BYTES=10_000, MAX_MESSAGE_LENGTH=None):
        with pytest.raises(Invalid):
            act.find_messages(ids)
        act.read_messages(ids[:1])
        act.read_messages(ids[1:3])


def test_without_a_limit_one_frame_tells_of_all(group: GroupChat, alice: Any, bob: Any) -> None:
    messages = write(group, alice, 7, 1200)
    with chat(MAX_ANSWER_BYTES=None):
        EventHandler(bob.pk).read_messages([message.pk for message in messages])

    assert len(told(room_stream(group.pk), "MessagesRead")) == 1

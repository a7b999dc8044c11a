"""Subscriptions: streams followed over a socket, by the protocol's own messages."""

import asyncio
import json
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import OperationalError
from django.test import override_settings

from gql_chat import send_to_room, streams
from gql_chat.endpoint import subscribers
from gql_chat.models import Message, StreamEvent
from gql_chat.operations import EventHandler
from shop.polls import PollOpened
from tests.conftest import Orm, Users
from tests.endpoint.conftest import MakeGroup, OpenSocket
from tests.endpoint.tools import (
    FOLLOW_ROOM,
    FOLLOW_USER,
    SEND,
    Tool,
    code_of,
    contents,
    follows,
    is_followed,
)
from tests.timing import eventually
from tests.wire.rooms import NOWHERE


async def test_what_happens_in_a_room_is_heard_as_it_happens(
    open_socket: OpenSocket, staff: AbstractUser, users: Users, make_group: MakeGroup, say: Any
) -> None:
    alice = users("alice")
    room = make_group(alice)
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk))
    await follows(socket, "1", room, say)

    say(room, "one", "two")

    for seq, content in ((2, "one"), (3, "two")):
        assert await socket.frame("1") == {
            "stream": f"room:{room.pk}",
            "seq": seq,
            "event": {
                "__typename": "MessageSent",
                "message": {"content": content, "sender": {"username": alice.get_username()}},
            },
        }


async def test_what_was_missed_comes_first_then_what_is_live(
    open_socket: OpenSocket,
    staff: AbstractUser,
    make_group: MakeGroup,
    say: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscribers, "READ_SIZE", 3)
    room = make_group(staff)
    said = [str(number) for number in range(10)]
    say(room, *said[:8])
    socket = await (await open_socket(staff)).init()

    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=2)
    got = [await socket.frame("1") for _ in range(6)]
    say(room, *said[8:])
    got += [await socket.frame("1") for _ in range(2)]

    assert [frame["seq"] for frame in got] == list(range(3, 11))
    assert [contents(frame) for frame in got] == said[2:]


@pytest.mark.parametrize("after", [-1, 3])
async def test_a_place_that_there_is_not_is_an_error(
    after: int, open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup, say: Any
) -> None:
    room = make_group(staff)
    say(room, "one", "two")
    socket = await (await open_socket(staff)).init()

    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=after)

    assert await socket.error("1") == 4003


@pytest.mark.parametrize("pruned", [2, 3])
async def test_a_place_that_the_log_does_not_reach_back_to_is_an_error(
    pruned: int,
    open_socket: OpenSocket,
    staff: AbstractUser,
    make_group: MakeGroup,
    say: Any,
    orm: Orm,
) -> None:
    room = make_group(staff)
    say(room, "one", "two", "three")
    log = StreamEvent.objects.filter(stream=streams.room_stream(room.pk), seq__lte=pruned)
    orm(log.delete)
    socket = await (await open_socket(staff)).init()

    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=1)
    assert await socket.error("1") == 4003
    await socket.start("2", FOLLOW_ROOM, room=str(room.pk), after=pruned)
    if pruned < 3:
        assert (await socket.frame("2"))["seq"] == 3
    await socket.nothing()


async def test_two_subscriptions_never_see_each_others_rooms_and_end_alone(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup, say: Any
) -> None:
    one, other = make_group(staff, name="one"), make_group(staff, name="other")
    socket = await (await open_socket(staff)).init()
    await socket.start("one", FOLLOW_ROOM, room=str(one.pk), after=0)
    await socket.start("other", FOLLOW_ROOM, room=str(other.pk), after=0)

    say(one, "in one")
    assert contents(await socket.frame("one")) == "in one"
    say(other, "in other")
    assert contents(await socket.frame("other")) == "in other"

    await socket.stop("one")
    say(one, "unheard")
    say(other, "still heard")
    assert contents(await socket.frame("other")) == "still heard"
    await socket.nothing()


async def test_two_subscriptions_to_one_room_end_alone(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup, say: Any
) -> None:
    room = make_group(staff)
    socket = await (await open_socket(staff)).init()
    for id in ("one", "other"):
        await socket.start(id, FOLLOW_ROOM, room=str(room.pk), after=0)
    say(room, "both")
    assert {(await socket.next())["id"] for _ in range(2)} == {"one", "other"}

    await socket.stop("one")
    say(room, "one of them")

    assert contents(await socket.frame("other")) == "one of them"
    await socket.nothing()


async def test_what_is_meant_for_a_user_is_heard_by_staff(
    open_socket: OpenSocket, staff: AbstractUser, users: Users, make_group: MakeGroup, orm: Orm
) -> None:
    alice, bob = users.make("alice", "bob")
    room = make_group(alice, bob)
    sent = orm(EventHandler(alice.pk).send_message, room.pk, "hi")
    orm(EventHandler(bob.pk).acknowledge_messages, [sent.message_id])
    socket = await (await open_socket(staff)).init()

    # A user's id may be a number or a string, as everywhere.
    await socket.start("1", FOLLOW_USER, user=str(alice.pk), after=0)

    assert (await socket.data("1"))["user_events"] == {
        "stream": f"user:{alice.pk}",
        "seq": 1,
        "event": {"__typename": "MessagesDelivered"},
    }
    orm(EventHandler(bob.pk).leave_room, room.pk)
    await socket.start("2", FOLLOW_USER, user=bob.pk, after=0)
    assert (await socket.data("2"))["user_events"]["event"] == {"__typename": "RoomExited"}


async def test_of_a_deleted_room_only_the_end_is_heard(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup, say: Any, orm: Orm
) -> None:
    room = make_group(staff)
    say(room, "one", "two", "three")
    orm(EventHandler(staff.pk).delete_room, room.pk)
    socket = await (await open_socket(staff)).init()

    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=1)

    frame = await socket.frame("1")
    assert (frame["seq"], frame["event"]) == (4, {"__typename": "RoomDeleted"})
    await socket.completed("1")


@pytest.mark.parametrize("user", ["x", 2**62, 0])
async def test_a_user_there_is_not_cannot_be_followed(
    user: Any, open_socket: OpenSocket, staff: AbstractUser
) -> None:
    socket = await (await open_socket(staff)).init()

    await socket.start("1", FOLLOW_USER, user=user)

    assert await socket.error("1") == (4003 if user == "x" else 4004)


async def test_a_room_there_is_not_cannot_be_followed(
    open_socket: OpenSocket, staff: AbstractUser
) -> None:
    socket = await (await open_socket(staff)).init()

    await socket.start("1", FOLLOW_ROOM, room=NOWHERE)

    assert await socket.error("1") == 4004


async def test_every_kind_of_event_can_be_selected_whole(
    open_socket: OpenSocket,
    staff: AbstractUser,
    users: Users,
    make_group: MakeGroup,
    orm: Orm,
    settings: Any,
) -> None:
    bob = users("bob")
    room = make_group(staff)
    handler = EventHandler(staff.pk)
    sent = orm(handler.send_message, room.pk, "hi", media=[MEDIA])
    orm(handler.send_message, room.pk, "answer", parent_message_id=sent.message_id)
    orm(handler.add_members, room.pk, [bob.pk])
    orm(EventHandler(bob.pk).read_messages, [sent.message_id])
    orm(handler.add_reaction, sent.message_id, "+1")
    orm(handler.edit_message, sent.message_id, "edited", {})
    orm(handler.delete_messages, [sent.message_id])
    orm(handler.update_room, room.pk, {"name": "new"}, {"colour": ["blue"]})
    orm(handler.remove_members, room.pk, [bob.pk])
    logged = orm(list, StreamEvent.objects.filter(stream=f"room:{room.pk}").order_by("seq"))
    settings.REALTIME_CHAT_MESSAGING = {"GRAPHQL_MAX_ALIASES": None, "GRAPHQL_MAX_TOKENS": None}
    socket = await (await open_socket(staff)).init()

    await socket.start("1", whole_events(), room=str(room.pk), after=0)

    for row in logged:
        event = (await socket.frame("1"))["event"]
        assert event.pop("__typename") == row.kind
        # Fields have aliases here: events of several kinds have fields of the same name.
        selected = {name.removeprefix(f"{row.kind}_"): value for name, value in event.items()}
        assert selected == json.loads(row.payload)
    # With the room its frames go out of the log, but for the last one.
    orm(handler.delete_room, room.pk)
    ended = (await socket.frame("1"))["event"]
    assert ended == {"__typename": "RoomDeleted", "RoomDeleted_room_id": str(room.pk)}
    assert [row.kind for row in logged] == [
        "MessageSent",
        "MessageSent",
        "MembersAdded",
        "MessagesRead",
        "MessageReacted",
        "MessageEdited",
        "MessagesDeleted",
        "RoomUpdated",
        "MembersRemoved",
    ]
    # The room is gone, and with it its stream.
    await socket.completed("1")


MEDIA = {
    "media_url": "https://example.com/cat.png",
    "media_type": "image",
    "mime_type": "image/png",
    "metadata": {"a": [1, None, {"b": 0.5}]},
}


def whole_events() -> str:
    """A subscription to all that events of a room have, under names that do not conflict."""
    from graphql import get_named_type

    from gql_chat.schema import get_graphql_schema, select_all

    schema = get_graphql_schema()
    parts = []
    for kind in schema.get_possible_types(schema.type_map["ChatEvent"]):  # type: ignore[arg-type]
        fields = " ".join(
            f"{kind.name}_{name}: {name} {select_all(schema, get_named_type(field.type).name)}"
            for name, field in kind.fields.items()
        )
        parts.append(f"... on {kind.name} {{ {fields} }}")
    return (
        "subscription ($room: UUID!, $after: Int) { room_events(room_id: $room, after: $after) "
        f"{{ event {{ __typename {' '.join(parts)} }} }} }}"
    )


# What no bell told


async def test_a_lost_wake_up_is_made_up_for(
    open_socket: OpenSocket,
    staff: AbstractUser,
    make_group: MakeGroup,
    say: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = make_group(staff)
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await eventually(lambda: is_followed(room), "it follows")
    monkeypatch.setattr(subscribers.Notifier, "_wake", lambda *_: None)

    say(room, "unheard")

    assert contents(await socket.frame("1")) == "unheard"


async def test_nothing_is_followed_when_all_have_gone(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup, say: Any
) -> None:
    room = make_group(staff)
    say(room, "one")
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await socket.frame("1")

    await socket.socket.close()

    notifiers = list(subscribers._notifiers.values())
    await eventually(
        lambda: not any(notifier._subscribers for notifier in notifiers), "nobody follows"
    )
    assert not any(notifier._checking for notifier in notifiers)
    assert not [heard for heard in streams.subscribers() if "Notifier" in repr(heard)]


async def test_what_a_tool_writes_over_http_is_heard(
    open_socket: OpenSocket, staff: AbstractUser, tool: Tool, make_group: MakeGroup, orm: Orm
) -> None:
    room = make_group(staff)
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)

    sent = await asyncio.to_thread(
        tool.ask, SEND, {"input": {"room_id": str(room.pk), "content": "over HTTP"}}
    )

    assert (await socket.frame("1"))["seq"] == sent["send_message"]["seq"]
    assert orm(Message.objects.filter(room=room).count) == 1


async def test_a_database_that_is_away_for_a_moment_ends_no_subscription(
    open_socket: OpenSocket,
    staff: AbstractUser,
    make_group: MakeGroup,
    say: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscribers, "CATCH_UP_SECONDS", 0.05)
    room = make_group(staff)
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await eventually(lambda: is_followed(room), "it follows")
    read_log = streams.read_log
    failures = iter([True, True])

    def fail_at_first(*args: Any) -> Any:
        if next(failures, False):
            raise OperationalError("the server went away")
        return read_log(*args)

    monkeypatch.setattr(streams, "read_log", fail_at_first)
    say(room, "late, but there")

    assert contents(await socket.frame("1")) == "late, but there"


async def test_a_field_that_was_not_stored_is_an_error_of_that_event_alone(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup, say: Any, orm: Orm
) -> None:
    room = make_group(staff)
    say(room, "old", "new")
    log = StreamEvent.objects.filter(stream=streams.room_stream(room.pk), seq=1)
    orm(log.update, payload='{"message": {"content": "old"}}')
    socket = await (await open_socket(staff)).init()

    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)

    assert code_of((await socket.next())["payload"]) == 4004
    assert contents(await socket.frame("1")) == "new"


FOLLOW_POLLS = """subscription ($room: UUID!) {
  room_events(room_id: $room, after: 0) {
    event { ... on PollOpened { question opened_by { username } } }
  }
}"""


async def test_an_event_of_the_projects_own_is_followed_like_any(
    open_socket: OpenSocket, staff: AbstractUser, users: Users, make_group: MakeGroup, orm: Orm
) -> None:
    alice = users("alice")
    room = make_group(alice)
    chat = {"EVENT_HANDLER_CLASS": "shop.polls.EventHandler"}
    with override_settings(REALTIME_CHAT_MESSAGING=chat):
        poll = PollOpened(room_id=room.pk, question="Lunch?", options=[], opened_by=alice)
        orm(send_to_room, room, poll)
        socket = await (await open_socket(staff)).init()

        await socket.start("1", FOLLOW_POLLS, room=str(room.pk))

        assert await socket.frame("1") == {
            "event": {"question": "Lunch?", "opened_by": {"username": alice.get_username()}}
        }

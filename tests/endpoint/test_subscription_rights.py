"""Who may follow what, and what ends with the right."""

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection

from gql_chat import streams
from gql_chat.endpoint.access import Caller
from gql_chat.models import Membership
from gql_chat.operations import EventHandler
from tests.conftest import Orm, Users
from tests.endpoint.conftest import MakeGroup, OpenSocket
from tests.endpoint.test_http import allow_everybody
from tests.endpoint.tools import (
    FOLLOW_ROOM,
    FOLLOW_USER,
    SEND,
    contents,
    is_followed,
    subscribers_of,
    wake,
)
from tests.servers import ChatThread
from tests.timing import eventually
from tests.wire.rooms import NOBODY, NOWHERE

DELIVERED = (
    "__typename ... on MessagesDelivered { messages { content parent_message { content } } }"
)


@pytest.fixture
def everybody(settings: Any) -> None:
    """The endpoint is open for everybody."""
    settings.REALTIME_CHAT_MESSAGING = {"GRAPHQL_ACCESS": allow_everybody}


async def test_who_is_no_staff_follows_own_rooms_from_the_join_on_alone(
    open_socket: OpenSocket,
    everybody: None,
    users: Users,
    make_group: MakeGroup,
    say: Any,
    orm: Orm,
) -> None:
    alice, bob = users.make("alice", "bob")
    room = make_group(alice)
    say(room, "before")
    socket = await (await open_socket(bob)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    assert await socket.error("1") == 4002
    await socket.start("2", FOLLOW_USER, user=alice.pk)
    assert await socket.error("2") == 4002

    orm(EventHandler(alice.pk).add_members, room.pk, [bob.pk])
    say(room, "for bob")
    await socket.start("3", FOLLOW_ROOM, room=str(room.pk), after=0)

    assert (await socket.frame("3"))["seq"] == 2  # that bob was added
    assert contents(await socket.frame("3")) == "for bob"


async def test_where_what_is_forbidden_is_hidden_nobody_learns_what_is_there(
    open_socket: OpenSocket, settings: Any, users: Users, make_group: MakeGroup
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"GRAPHQL_ACCESS": allow_everybody, "HIDE_FORBIDDEN": True}
    alice, bob = users.make("alice", "bob")
    gone = users("gone", is_active=False)
    room = make_group(alice)
    socket = await (await open_socket(bob)).init()
    sent = {"content": "x"}

    for number, (query, variables) in enumerate(
        [
            *((FOLLOW_ROOM, {"room": id}) for id in (str(room.pk), NOWHERE)),
            *((FOLLOW_USER, {"user": id}) for id in (alice.pk, gone.pk, NOBODY)),
            *((SEND, {"input": {**sent, "room_id": id}}) for id in (str(room.pk), NOWHERE)),
        ]
    ):
        await socket.start(f"{number}", query, **variables)
        assert await socket.error(f"{number}") == 4004


async def test_a_member_who_is_removed_hears_what_came_before_and_nothing_after(
    open_socket: OpenSocket,
    everybody: None,
    users: Users,
    make_group: MakeGroup,
    say: Any,
    orm: Orm,
) -> None:
    alice, bob = users.make("alice", "bob")
    room = make_group(alice, bob)
    say(room, "one")
    socket = await (await open_socket(bob)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    assert contents(await socket.frame("1")) == "one"

    def remove() -> None:
        handler = EventHandler(alice.pk)
        # In one go, so that the follower reads it at once.
        with streams.transaction():
            handler.send_message(room.pk, "last")
            handler.remove_members(room.pk, [bob.pk])
            handler.send_message(room.pk, "secret")

    orm(remove)

    assert contents(await socket.frame("1")) == "last"
    await socket.completed("1")
    await socket.nothing()


async def test_whoever_is_out_of_a_room_is_replayed_no_quote_of_it(
    open_socket: OpenSocket,
    everybody: None,
    staff: AbstractUser,
    users: Users,
    make_group: MakeGroup,
    orm: Orm,
) -> None:
    alice, bob = users.make("alice", "bob")
    room = make_group(alice, bob)

    def talk() -> None:
        asker, answerer = EventHandler(alice.pk), EventHandler(bob.pk)
        question = asker.send_message(room.pk, "a secret").message_id
        answer = answerer.send_message(room.pk, "his", parent_message_id=question).message_id
        asker.acknowledge_messages([answer])

    orm(talk)
    follow = FOLLOW_USER.replace("__typename", DELIVERED)
    shown = []
    for user in (bob, staff, bob):
        socket = await (await open_socket(user)).init()
        await socket.start("1", follow, user=bob.pk, after=0)
        frame = (await socket.data("1"))["user_events"]
        shown.append(frame["event"]["messages"][0])
        if len(shown) == 2:
            orm(EventHandler(alice.pk).remove_members, room.pk, [bob.pk])

    quote = {"content": "a secret"}
    assert shown == [
        {"content": "his", "parent_message": quote},
        {"content": "his", "parent_message": quote},  # who may read everything
        {"content": "his", "parent_message": None},
    ]


async def test_a_member_whom_the_orm_removes_hears_nothing_more(
    open_socket: OpenSocket,
    everybody: None,
    users: Users,
    make_group: MakeGroup,
    say: Any,
    orm: Orm,
) -> None:
    alice, bob = users.make("alice", "bob")
    room = make_group(alice, bob)
    say(room, "one")
    socket = await (await open_socket(bob)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await socket.frame("1")

    orm(room.participants.remove, bob)
    say(room, "secret")

    # The removal is a frame of the stream, for those who remain.
    await socket.completed("1")
    await socket.nothing()


async def test_a_member_whom_a_statement_removes_hears_nothing_more(
    open_socket: OpenSocket,
    everybody: None,
    users: Users,
    make_group: MakeGroup,
    say: Any,
    orm: Orm,
) -> None:
    alice, bob = users.make("alice", "bob")
    room = make_group(alice, bob)
    say(room, "one")
    socket = await (await open_socket(bob)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await socket.frame("1")

    orm(Membership.objects.filter(room=room, user=bob)._raw_delete, connection.alias)
    say(room, "secret")

    assert await socket.error("1") == 4002
    await socket.nothing()


@pytest.mark.parametrize(
    ("change", "code"), [({"is_staff": False}, 4002), ({"is_active": False}, 4001)]
)
@pytest.mark.parametrize("bell", [True, False], ids=["bell", "no bell"])
async def test_staff_who_lose_their_right_hear_nothing_more(
    bell: bool,
    change: dict[str, bool],
    code: int,
    open_socket: OpenSocket,
    staff: AbstractUser,
    users: Users,
    make_group: MakeGroup,
    say: Any,
    orm: Orm,
) -> None:
    room = make_group(users("alice"))
    say(room, "one")
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await socket.frame("1")

    orm(type(staff)._default_manager.filter(pk=staff.pk).update, **change)
    if bell:
        say(room, "secret")

    assert await socket.error("1") == code
    if code == 4001:
        assert (await socket.closed())[0] == 4401
        return
    await socket.start("2", "{ rooms { id } }")
    assert await socket.error("2") == code


async def test_signing_out_ends_what_was_begun_with_it(
    open_socket: OpenSocket, chat: ChatThread, staff: AbstractUser, make_group: MakeGroup, orm: Orm
) -> None:
    from django.contrib.sessions.models import Session as Login

    room = make_group(staff)
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)

    orm(Login.objects.all().delete)

    assert await socket.error("1") == 4001
    assert (await socket.closed())[0] == 4401


async def test_who_acts_as_another_follows_what_that_one_may_and_it_is_written_down(
    open_socket: OpenSocket,
    users: Users,
    make_group: MakeGroup,
    say: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "gql_chat.audit")
    root, alice, bob = users("root", is_staff=True, is_superuser=True), *users.make("alice", "bob")
    hers, his = make_group(alice), make_group(bob)
    say(hers, "for alice")
    socket = await (await open_socket(root, payload={"act_as": alice.pk})).init()

    await socket.start("1", FOLLOW_ROOM, room=str(hers.pk), after=0)
    assert contents(await socket.frame("1")) == "for alice"
    await socket.start("2", FOLLOW_ROOM, room=str(his.pk), after=0)
    assert await socket.error("2") == 4002
    said = [record.getMessage() for record in caplog.records if record.name == "gql_chat.audit"]
    assert len(said) == 2
    assert all(f"User {root.pk} acts as user {alice.pk}: subscription" in line for line in said)


@pytest.mark.parametrize("other", [True, [], {"id": 1}, "x", 0])
async def test_a_socket_for_a_user_there_is_not_is_refused(
    other: Any, open_socket: OpenSocket, users: Users
) -> None:
    root = users("root", is_staff=True, is_superuser=True)
    socket = await open_socket(root)

    await socket.send({"type": "connection_init", "payload": {"act_as": other}})

    assert (await socket.closed())[0] == 4403


@pytest.mark.parametrize("right", ["staff", "access"])
async def test_what_is_read_while_the_right_is_lost_is_not_told(
    right: str,
    open_socket: OpenSocket,
    staff: AbstractUser,
    users: Users,
    make_group: MakeGroup,
    say: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admitted = [True]
    settings.REALTIME_CHAT_MESSAGING = {"GRAPHQL_ACCESS": lambda user: admitted[0]}
    room = make_group(users("alice"))
    read_log = streams.read_log

    def revoke_after_reading(*args: Any) -> Any:
        frames = read_log(*args)
        if frames and right == "staff":
            type(staff)._default_manager.filter(pk=staff.pk).update(is_staff=False)
        elif frames:
            admitted[0] = False
        return frames

    # Before it follows: a reading that has begun would go on with the function as it was.
    monkeypatch.setattr(streams, "read_log", revoke_after_reading)
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await eventually(lambda: is_followed(room), "it follows")
    say(room, "secret")

    assert await socket.error("1") == 4002
    await socket.nothing()


@pytest.mark.parametrize("moment", ["before", "entered", "found"])
async def test_a_room_that_is_deleted_tells_nothing_to_who_has_lost_the_right(
    moment: str,
    open_socket: OpenSocket,
    staff: AbstractUser,
    users: Users,
    make_group: MakeGroup,
    orm: Orm,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both at once: before the right is looked at, or in the midst of that."""
    alice = users("alice")
    room = make_group(alice)
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await eventually(lambda: is_followed(room), "it follows")
    due = [moment]

    def revoke_and_delete() -> None:
        with streams.transaction():
            type(staff)._default_manager.filter(pk=staff.pk).update(is_staff=False)
            EventHandler(alice.pk).send_message(room.pk, "secret")
            EventHandler(alice.pk).delete_room(room.pk)

    stay = Caller.stay

    def stay_a_while(caller: Caller) -> Any:
        context = stay(caller)
        if due and due[0] == "found":
            assert context.handler.user.pk == staff.pk  # read before, and kept
        if due:
            due.clear()
            revoke_and_delete()
        return context

    if moment == "before":
        orm(revoke_and_delete)
    else:
        monkeypatch.setattr(Caller, "stay", stay_a_while)
        (subscriber,) = subscribers_of(room)
        wake(subscriber)

    assert await socket.error("1") == 4002
    await socket.nothing()


async def test_a_member_hears_that_the_room_was_deleted(
    open_socket: OpenSocket, everybody: None, users: Users, make_group: MakeGroup, orm: Orm
) -> None:
    alice, bob = users.make("alice", "bob")
    room = make_group(alice, bob)
    socket = await (await open_socket(bob)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await eventually(lambda: is_followed(room), "it follows")

    orm(EventHandler(alice.pk).delete_room, room.pk)

    assert (await socket.frame("1"))["event"] == {"__typename": "RoomDeleted"}
    await socket.completed("1")


async def test_a_room_that_the_orm_deletes_ends_what_follows_it(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup, say: Any, orm: Orm
) -> None:
    room = make_group(staff)
    say(room, "one")
    socket = await (await open_socket(staff)).init()
    await socket.start("1", FOLLOW_ROOM, room=str(room.pk), after=0)
    await socket.frame("1")

    orm(room.delete)

    assert (await socket.frame("1"))["event"]["__typename"] == "RoomDeleted"
    await socket.completed("1")

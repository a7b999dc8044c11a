"""A message is deleted while others read, react, answer, edit and resume: nothing of it is left."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from event_bridge.resume import Resumption
from gql_chat.errors import Conflict, Invalid, NotFound, PermissionDenied
from gql_chat.models import StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream, user_stream
from tests.conftest import Users
from tests.unit.committed import World, logged
from tests.unit.making import race

ROUNDS = 8

REFUSED = (NotFound, Invalid, PermissionDenied, Conflict)


@pytest.fixture
def world(users: Users, committed_database: None) -> World:
    return World(users, members=5)


def together(*works: Callable[[], Any]) -> None:
    """Do all at once; what is deleted meanwhile may be refused, and nothing else may fail."""

    def act(number: int) -> None:
        with suppress(*REFUSED):
            works[number]()

    failures = [each for each in race(len(works), act) if isinstance(each, Exception)]
    if failures:
        raise failures[0]


def left(text: str) -> list[str]:
    """Where the log still shows a text."""
    found = StreamEvent.objects.filter(payload__contains=text).order_by("pk")
    return [f"{frame} {frame.payload[:200]}" for frame in found]


def much_happens(world: World, other: Any) -> None:
    bob, carol, dave, erin, frank = (EventHandler(member.pk) for member in world.members)
    secret = f"secret-{uuid4().hex}"
    key = world.say(secret)
    # A reply in another room shows it there, and only that room is locked there.
    quote = bob.send_message(other.pk, "see", parent_message_id=key).message_id

    together(
        lambda: world.act.delete_messages([key]),
        lambda: bob.add_reaction(quote, "!"),
        lambda: (carol.acknowledge_messages([quote, key]), carol.read_messages([quote])),
        lambda: dave.send_message(world.group.pk, "I see", parent_message_id=key),
        lambda: (erin.read_messages([key]), erin.add_reaction(key, "?")),
        lambda: frank.send_message(other.pk, "I see", parent_message_id=key),
        lambda: EventHandler(world.alice.pk).edit_message(key, f"{secret} again"),
    )

    assert left(secret) == []


def test_a_message_is_deleted_while_much_happens_to_it(world: World) -> None:
    other = world.make()
    for _ in range(ROUNDS):
        much_happens(world, other)
    for room in (world.group, other):
        seqs = logged(room_stream(room.pk))
        assert seqs == list(range(1, len(seqs) + 1))


def test_messages_of_two_rooms_in_one_frame_are_deleted_at_once(world: World) -> None:
    """Each deletion writes the frame anew, and neither undoes what the other did."""
    other = world.make()
    bob = EventHandler(world.bob.pk)
    for _ in range(ROUNDS):
        secrets = [f"secret-{uuid4().hex}" for _ in range(2)]
        rooms = (world.group, other)
        keys = [world.say(secret, room) for secret, room in zip(secrets, rooms, strict=True)]
        bob.acknowledge_messages(keys)
        assert len(left(secrets[0])) == len(left(secrets[1])) == 2

        together(
            *(lambda key=key: EventHandler(world.alice.pk).delete_messages([key]) for key in keys)
        )

        assert [left(secret) for secret in secrets] == [[], []]


def a_room_goes(world: World) -> None:
    bob, carol, dave, *_ = (EventHandler(member.pk) for member in world.members)
    room = world.make()
    secret = f"secret-{uuid4().hex}"
    keys = [world.say(secret, room) for _ in range(3)]
    quote = bob.send_message(world.group.pk, "see", parent_message_id=keys[0]).message_id

    together(
        lambda: world.act.delete_room(room.pk),
        lambda: EventHandler(world.alice.pk).delete_messages(keys[:2]),
        lambda: (bob.acknowledge_messages(keys), bob.add_reaction(quote, "!")),
        lambda: carol.send_message(world.group.pk, "see", parent_message_id=keys[1]),
        lambda: (dave.read_messages([quote]), dave.leave_room(room.pk)),
    )

    assert left(secret) == []


def test_a_room_goes_while_messages_of_it_are_deleted_and_quoted(world: World) -> None:
    for _ in range(ROUNDS):
        a_room_goes(world)


def test_whoever_resumes_meanwhile_is_shown_all_frames(world: World) -> None:
    stream, own = room_stream(world.group.pk), user_stream(world.bob.pk)
    for _ in range(ROUNDS):
        secret = f"secret-{uuid4().hex}"
        keys = [world.say(secret) for _ in range(5)]
        shown: list[Any] = []

        def resume(shown: list[Any] = shown) -> None:
            for _ in range(5):
                resumption = Resumption.parse({"streams": {stream: 0, own: 0}}, {})
                shown.append(resumption.read(world.bob.pk))

        together(
            lambda keys=keys: world.act.delete_messages(keys),
            resume,
            resume,
        )

        for replay in shown:
            seqs = [f.envelope.seq for f in replay.frames if f.envelope.stream == stream]
            assert seqs == list(range(1, replay.answer[stream]["seq"] + 1))
            told = [f.envelope.kind == "MessagesDeleted" for f in replay.frames]
            if told[-1]:
                assert secret not in "".join(frame.numbered for frame in replay.frames)

"""Whatever people do, in whatever order: nothing shows what was deleted."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from event_bridge.resume import Resumption
from gql_chat.errors import ChatError
from gql_chat.models import GroupChat, Message, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream, user_stream
from tests.conftest import Users
from tests.unit.test_settings import chat

pytestmark = pytest.mark.django_db

_texts = count(1)


@dataclass
class Said:
    """A message, as the test knows it.

    Attributes:
        key: its id.
        room: the room.
        texts: all that it has ever said, the newest last.
        copied: what it passes on, if it is a forward.
    """

    key: Any
    room: Any
    texts: list[str]
    copied: set[str] = field(default_factory=set)


class World:
    """Three people in two groups; the first leads both.

    Attributes:
        said: the messages that are there.
        gone: texts of messages that are deleted, and of forwards that are.
        replaced: texts that messages said before they were edited.
    """

    def __init__(self, users: Users) -> None:
        self.people = users.make("alice", "bob", "carol")
        self.act = [EventHandler(user.pk) for user in self.people]
        self.rooms = [self._open() for _ in range(2)]
        self.said: list[Said] = []
        self.gone: set[str] = set()
        self.replaced: set[str] = set()

    def _open(self) -> Any:
        room = GroupChat.objects.create(name="group", creator=self.people[0])
        room.participants.add(*self.people[1:])
        return room

    def pick(self, number: int) -> Said | None:
        return self.said[number % len(self.said)] if self.said else None

    def step(self, name: str, who: int, which: int, where: int) -> None:
        """Let somebody do something; what they may not do is refused, and changes nothing."""
        message = self.pick(which)
        with suppress(ChatError):
            if name == "send":
                self._send(who, self.rooms[where])
            elif message is not None:
                getattr(self, f"_{name}")(self.act[who], message, self.rooms[where])

    def _send(self, who: int, room: Any, **quoting: Any) -> Said:
        text = f"text-{next(_texts)}-end"
        media = {"media_url": "https://example.com/", "media_type": "file", "caption": text}
        media |= {"mime_type": "text/plain", "metadata": {"of": text}}
        sent = self.act[who].send_message(room.pk, text, media=[media], **quoting)
        self.said.append(Said(sent.message_id, room, [text]))
        return self.said[-1]

    def _reply(self, actor: EventHandler, message: Said, room: Any) -> None:
        self._send(self.act.index(actor), room, parent_message_id=message.key)

    def _forward(self, actor: EventHandler, message: Said, room: Any) -> None:
        forward = self._send(self.act.index(actor), room, forwarded_from_id=message.key)
        # The attachments still say what the message said first.
        forward.copied = {message.texts[0], message.texts[-1]}

    def _edit(self, actor: EventHandler, message: Said, room: Any) -> None:
        text = f"text-{next(_texts)}-end"
        actor.edit_message(message.key, text)
        self.replaced.update(message.texts[1:])
        message.texts.append(text)

    def _react(self, actor: EventHandler, message: Said, room: Any) -> None:
        actor.add_reaction(message.key, "!")

    def _take_back(self, actor: EventHandler, message: Said, room: Any) -> None:
        actor.remove_reaction(message.key, None)

    def _acknowledge(self, actor: EventHandler, message: Said, room: Any) -> None:
        actor.acknowledge_messages([each.key for each in self.said[:5]])

    def _read(self, actor: EventHandler, message: Said, room: Any) -> None:
        actor.read_messages([each.key for each in self.said[-5:]])

    def _delete(self, actor: EventHandler, message: Said, room: Any) -> None:
        actor.delete_messages([message.key])
        self._forget(message)

    def _purge(self, actor: EventHandler, message: Said, room: Any) -> None:
        Message.objects.filter(pk=message.key).delete()
        self._forget(message)

    def _remove(self, actor: EventHandler, message: Said, room: Any) -> None:
        self.act[0].remove_members(room.pk, [self.people[2].pk])

    def _bring_back(self, actor: EventHandler, message: Said, room: Any) -> None:
        self.act[0].add_members(room.pk, [self.people[2].pk])

    def _close(self, actor: EventHandler, message: Said, room: Any) -> None:
        self.act[0].delete_room(room.pk)
        for each in [each for each in self.said if each.room is room]:
            self._forget(each)
        self.rooms = [self._open() if each is room else each for each in self.rooms]

    def _forget(self, message: Said) -> None:
        self.said.remove(message)
        self.gone |= {*message.texts, *message.copied}

    def forbidden(self, *, edited: bool) -> set[str]:
        """The texts that nothing may show any more: a forward that is there is a copy."""
        kept = {text for message in self.said for text in message.copied}
        kept |= {text for message in self.said for text in message.texts}
        now = {text for each in self.said for text in (each.texts[0], each.texts[-1])}
        copied = {text for message in self.said for text in message.copied}
        if edited:
            return (self.gone | self.replaced) - now - copied
        return self.gone - kept


def everything(besides: set[str]) -> str:
    """All that is in the database, but for some tables."""
    models = [model for model in apps.get_models() if model.__name__ not in besides]
    rows = (row for model in models for row in model._base_manager.values_list())
    return "\n".join(str(row) for row in rows)


def replay(user: Any) -> list[Any]:
    """What a client is replayed that has seen nothing yet."""
    resumption = Resumption.parse({"streams": {user_stream(user.pk): 0}}, {})
    return resumption.read(user.pk).frames


STEPS = ("send", "reply", "forward", "edit", "react", "take_back", "acknowledge", "read", "delete")
RARE = ("purge", "remove", "bring_back", "close")

step = st.tuples(
    st.sampled_from(["send", *STEPS, *STEPS, *RARE]),
    st.integers(0, 2),
    st.integers(0, 50),
    st.integers(0, 1),
)


@pytest.mark.parametrize(
    ("soft", "erases"), [(False, "deleted"), (True, "deleted"), (False, "edited")]
)
@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(step, min_size=10, max_size=40))
def test_nothing_shows_what_is_deleted(soft: bool, erases: str, users: Users, steps: Any) -> None:
    with chat(MESSAGE_SOFT_DELETE=soft, ERASE_LOG=erases), transaction.atomic():
        world = World(users)
        for number, (name, *how) in enumerate(steps):
            world.step("send" if number < 3 else name, *how)
        check(world, soft=soft, edited=erases == "edited")
        transaction.set_rollback(True)


def check(world: World, *, soft: bool, edited: bool) -> None:
    forbidden = world.forbidden(edited=edited)
    stored = everything({"Message", "MessageMediaAsset", "MessageCopy"} if soft else set())
    assert [text for text in forbidden if text in stored] == []

    seqs = defaultdict(list)
    for stream, seq in StreamEvent.objects.order_by("seq").values_list("stream", "seq"):
        seqs[stream].append(seq)
    mine = {room_stream(room.pk) for room in world.rooms}
    assert all(seqs[name] == list(range(1, len(seqs[name]) + 1)) for name in mine & seqs.keys())
    for person in world.people:
        shown = "\n".join(frame.numbered for frame in replay(person))
        assert [text for text in forbidden if text in shown] == []


def test_a_former_member_is_replayed_no_quote(users: Users) -> None:
    world = World(users)
    room = world.rooms[0]
    question = world._send(0, room)
    answer = world._send(2, room, parent_message_id=question.key)
    world.act[0].acknowledge_messages([answer.key])
    assert question.texts[0] in "\n".join(frame.numbered for frame in replay(world.people[2]))

    world.act[0].remove_members(room.pk, [world.people[2].pk])

    shown = "\n".join(frame.numbered for frame in replay(world.people[2]))
    assert answer.texts[0] in shown
    assert question.texts[0] not in shown

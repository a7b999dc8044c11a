"""Whatever people do, in whatever order: nobody is shown, or counted, what is hidden from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from event_bridge.operations import events
from event_bridge.resume import Resumption
from gql_chat.errors import ChatError
from gql_chat.models import GroupChat, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.schema import Context
from gql_chat.streams import Envelope, room_stream, user_stream, veil_for
from tests.conftest import Users

pytestmark = pytest.mark.django_db

_texts = count(1)


@dataclass
class Said:
    """A message, as the test knows it.

    Attributes:
        key: its id.
        texts: what it says and has said, what is attached to it, and the reactions to it.
        readers: the people who may see it: those who were in when it was written, without a break
            since, and those whom somebody has given it.
    """

    key: Any
    texts: set[str]
    readers: set[int] = field(default_factory=set)


class World:
    """Four people, of whom the first leads a group in which everybody may bring others in.

    Attributes:
        said: the messages.
        inside: who is in the group.
        wrong: what somebody was shown that is hidden from them.
    """

    def __init__(self, users: Users) -> None:
        self.people = users.make("alice", "bob", "carol", "dora")
        self.act = [EventHandler(user.pk) for user in self.people]
        self.room = GroupChat.objects.create(name="group", creator=self.people[0], history="joined")
        self.said: list[Said] = []
        self.inside = {0}
        self.wrong: list[str] = []

    def step(self, name: str, who: int, which: int, whom: int) -> None:
        """Let somebody do something; what they may not do is refused, and changes nothing."""
        before = self._heads()
        with suppress(ChatError), transaction.atomic():
            getattr(self, f"_{name}")(who, which, whom)
        self._look_at_frames(before)

    # What is done

    def _text(self) -> str:
        return f"text-{next(_texts)}-end"

    def _named(self, who: int, which: int) -> Said | None:
        """A message that is named: whoever may not see it has to be refused."""
        return self.said[which % len(self.said)] if self.said else None

    def _done(self, who: int, message: Said, what: str) -> None:
        if who not in message.readers:
            self.wrong.append(f"{who} may {what} {message.texts}")

    def _send(self, who: int, which: int, whom: int, **quoting: Any) -> Said:
        text = self._text()
        media = {"media_url": "https://example.com/", "media_type": "file", "caption": text}
        media |= {"mime_type": "text/plain"}
        named = [self.people[whom].pk] if whom in self.inside else []
        sent = self.act[who].send_message(
            self.room.pk, text, media=[media], mentions={"users": named}, **quoting
        )
        self.said.append(Said(sent.message_id, {text}, set(self.inside)))
        return self.said[-1]

    def _reply(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self._send(who, which, whom, parent_message_id=message.key)
            self._done(who, message, "answer")

    def _forward(self, who: int, which: int, whom: int) -> None:
        """Pass a message on: the copy is a new message, of whoever passes it on."""
        message = self._named(who, which)
        if message is not None:
            forwarded = self._send(who, which, whom, forwarded_from_id=message.key)
            self._done(who, message, "forward")
            for text in list(message.texts):
                self._publish(text, forwarded.readers)

    def _publish(self, text: str, readers: set[int]) -> None:
        """Whoever sees a forward reads what it passes on: that text is the forward's now."""
        for each in self.said:
            if text in each.texts:
                each.texts.discard(text)
        self.said[-1].texts.add(text)

    def _edit(self, who: int, which: int, whom: int) -> None:
        message, text = self._named(who, which), self._text()
        if message is not None:
            named = [self.people[each].pk for each in self.inside]
            self.act[who].edit_message(message.key, text, mentions={"users": named, "room": True})
            self._done(who, message, "edit")
            message.texts.add(text)

    def _react(self, who: int, which: int, whom: int) -> None:
        message, text = self._named(who, which), self._text()
        if message is not None:
            self.act[who].add_reaction(message.key, text)
            self._done(who, message, "react to")
            message.texts.add(text)

    def _take_back(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self.act[who].remove_reaction(message.key, None)
            self._done(who, message, "take a reaction back from")

    def _acknowledge(self, who: int, which: int, whom: int) -> None:
        if self.said:
            some = self.said[which % len(self.said) :][:3]
            self.act[who].acknowledge_messages([each.key for each in some])
            for each in some:
                self._done(who, each, "acknowledge")

    def _read(self, who: int, which: int, whom: int) -> None:
        if self.said:
            some = self.said[which % len(self.said) :][:3]
            self.act[who].read_messages([each.key for each in some])
            for each in some:
                self._done(who, each, "read")

    def _read_room(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self.act[who].read_room(self.room.pk, up_to=message.key)
            self._done(who, message, "read up to")

    def _read_all(self, who: int, which: int, whom: int) -> None:
        if who in self.inside:
            try:
                self.act[who].read_room(self.room.pk)
            except ChatError as error:
                self.wrong.append(f"{who} may not read the room: {error}")

    def _mark(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self.act[who].mark_unread(self.room.pk, message.key)
            self._done(who, message, "mark as unread")

    def _delete(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self.act[who].delete_messages([message.key])
            self._done(who, message, "delete")
            self.said.remove(message)

    def _pin(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self.act[who].pin_message(message.key)
            self._done(who, message, "pin")

    def _unpin(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self.act[who].unpin_message(message.key)
            self._done(who, message, "unpin")

    def _save(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self.act[who].save_message(message.key)
            self._done(who, message, "save")

    def _unsave(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self.act[who].unsave_message(message.key)
            self._done(who, message, "unsave")

    def _page(self, who: int, which: int, whom: int) -> None:
        message = self._named(who, which)
        if message is not None:
            self.act[who].room_messages(self.room.pk, before=message.key, size=2)
            self._done(who, message, "page from")

    def _add(self, who: int, which: int, whom: int, history: str | None = None) -> None:
        if whom not in self.inside:
            sees_all = who not in self.inside  # the system itself brings them in then
            self.act[who].as_system = True  # as one who may: by whom it is does not matter here
            try:
                self.act[who].add_members(self.room.pk, [self.people[whom].pk], history=history)
            finally:
                self.act[who].as_system = False
            self.inside.add(whom)
            if history == "all":
                for message in self.said:
                    if sees_all or who in message.readers:
                        message.readers.add(whom)

    def _give(self, who: int, which: int, whom: int) -> None:
        self._add(who, which, whom, history="all")

    def _leave(self, who: int, which: int, whom: int) -> None:
        if who:  # one stays
            self.act[who].leave_room(self.room.pk)
            self.inside.discard(who)
            for message in self.said:
                message.readers.discard(who)

    # What is shown

    def hidden_from(self, who: int) -> set[str]:
        return {text for each in self.said if who not in each.readers for text in each.texts}

    def _heads(self) -> dict[str, int]:
        streams = [room_stream(self.room.pk), *(user_stream(user.pk) for user in self.people)]
        rows = StreamEvent.objects.filter(stream__in=streams).values_list("stream", "seq")
        return dict(rows.order_by("seq"))

    def _look_at_frames(self, before: dict[str, int]) -> None:
        """Look at what each socket has just been sent."""
        rows = StreamEvent.objects.order_by("pk")
        ours = {*self._heads()}
        frames = [
            Envelope(row.stream, row.seq, row.kind, row.payload, row.change)
            for row in rows.filter(stream__in=ours)
            if row.seq > before.get(row.stream, 0)
        ]
        for who, user in enumerate(self.people):
            mine = [
                frame
                for frame in veil_for(user.pk, frames)
                if frame.stream == user_stream(user.pk)
                or (who in self.inside and frame.stream == room_stream(self.room.pk))
            ]
            self._look(who, "frames", "".join(frame.payload for frame in mine))

    def look(self) -> None:
        """Look at all that each may ask for, and at what a device gets that was away."""
        for who in range(len(self.people)):
            for name, shown in self._answers(who):
                self._look(who, name, shown)
            self._count(who)

    def _look(self, who: int, name: str, shown: str) -> None:
        found = [text for text in self.hidden_from(who) if text in shown]
        if found:
            self.wrong.append(f"{who} is shown {found} in {name}")

    def _answers(self, who: int) -> Iterator[tuple[str, str]]:
        user = self.people[who]
        room = str(self.room.pk)
        asked: list[tuple[str, dict[str, Any]]] = [
            ("room.list", {}),
            ("notification.list", {}),
            ("notification.list", {"paginate": {"size": 2}}),
            ("room.messages", {"room_id": room}),
            ("room.messages", {"room_id": room, "paginate": {"page": 2, "size": 2}}),
            ("room.info", {"room_id": room}),
            ("room.pins", {"room_id": room}),
            ("saved.list", {}),
            ("mention.list", {}),
            ("mention.list", {"paginate": {"size": 1}}),
            ("unread.list", {}),
        ]
        for name, data in asked:
            with suppress(ChatError):
                operation = events().find(name, data)
                yield name, str(operation.run(data, Context(user.pk))[0])
        wanted = {room_stream(room): 0, user_stream(user.pk): 0}
        replay = Resumption(wanted, {}).read(user.pk)
        replayed = [frame.numbered for frame in replay.frames]
        while replay.left:
            replay.read_on()
            replayed += [frame.numbered for frame in replay.frames]
        yield "a replay", "".join(replayed)

    def _count(self, who: int) -> None:
        for room in self.act[who].list_rooms():
            visible = [each for each in self.said if who in each.readers]
            if room.unread_count > len(visible):
                self.wrong.append(f"{who} has {room.unread_count} unread of {len(visible)}")
            (counted,) = self.act[who].list_unread(room.pk).rooms
            keys = {None, *(each.key for each in visible)}
            if counted.unread_count != room.unread_count or counted.first_unread not in keys:
                self.wrong.append(f"{who} is counted {counted} of {len(visible)}")
            if counted.mention_count > counted.unread_count:
                self.wrong.append(f"{who} is mentioned in more than is unread: {counted}")


ACTS = (
    *("send", "send", "reply", "forward", "edit", "react", "take_back", "acknowledge", "read"),
    *("delete", "page", "add", "add", "give", "leave", "pin", "unpin", "save", "unsave"),
    *("read_room", "read_all", "mark"),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTS), st.integers(0, 3), st.integers(0, 20), st.integers(1, 3)),
    min_size=8,
    max_size=30,
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_nothing_hidden_is_shown(steps: list[tuple[str, int, int, int]], users: Users) -> None:
    with transaction.atomic():
        world = World(users)
        for step in steps:
            world.step(*step)
        world.look()
        transaction.set_rollback(True)

    assert world.wrong == []

"""The client's count equals the server's, whatever happens: random stories, told by frames alone.

Devices follow the log as sockets do, with breaks in between, and count by the reference client
(`docs/clients/unread_counts.py`). A model in plain Python says how many messages are unread.
"""

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from event_bridge.events import find_dispatch
from gql_chat.models import GroupChat, Membership, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream, user_stream
from tests.conftest import Users
from tests.servers import ROOT
from tests.unit.making import perform
from tests.unit.test_settings import chat

FILE = ROOT / "docs" / "clients" / "unread_counts.py"


def load(file: Path) -> Any:
    """Import the reference client, which is in no package."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for it
    spec.loader.exec_module(module)
    return module


UnreadCounts = load(FILE).UnreadCounts


@dataclass
class Said:
    """A message of the model."""

    id: Any
    sender: int
    gone: bool = False


@dataclass
class Reading:
    """What the model knows of a member: from where on, and by receipts."""

    position: int
    marked: bool = False
    muted: bool = False
    receipts: set[Any] = field(default_factory=set)


class Device:
    """A client of a user that follows the log of the room's stream and of the user's own."""

    def __init__(self, user: Any, room: Any) -> None:
        self.user, self.room = user, room
        self.counts = UnreadCounts(user.pk, user.username)
        self.places = dict.fromkeys((room_stream(room.pk), user_stream(user.pk)), 0)
        for stream in self.places:
            newest = StreamEvent.objects.filter(stream=stream).order_by("-seq").first()
            self.places[stream] = newest.seq if newest is not None else 0
        self.counts.ask_all()
        self.counts.answer(self._ask({}))

    def _ask(self, data: dict[str, Any]) -> Any:
        return perform(self.user, "unread.list", data)[0]

    def follow(self, order: bool) -> None:
        """Take what was missed, in either order of the two streams; ask where need be."""
        is_in = Membership.objects.filter(user=self.user, room=self.room).exists()
        for stream in sorted(self.places, reverse=order):
            for row in StreamEvent.objects.filter(stream=stream, seq__gt=self.places[stream]):
                self.places[stream] = row.seq
                dispatch = find_dispatch(row.kind)
                self.counts.take(
                    {
                        "eventType": dispatch.name,
                        "data": dispatch.data(orjson.loads(row.payload)),
                        "stream": row.stream,
                        "seq": row.seq,
                    }
                )
        for room_id in self.counts.ask():
            if is_in:
                self.counts.answer(self._ask({"room_id": room_id}), room_id)


class Story:
    """A group of three, of whom one is its creator, with two devices each."""

    def __init__(self, users: Users) -> None:
        self.users = users.make("alice", "bob", "carol")
        self.room = GroupChat.objects.create(name="group", creator=self.users[0])
        self.room.participants.add(*self.users[1:])
        self.said: list[Said] = []
        self.reading: dict[int, Reading | None] = {each: Reading(0) for each in range(3)}
        self.kept: dict[int, set[Any]] = {each: set() for each in range(3)}
        self.devices = [Device(user, self.room) for user in self.users for _ in range(2)]

    def unread(self, who: int) -> int:
        """How many messages the model says that a member has not read."""
        reading = self.reading[who]
        assert reading is not None
        return sum(
            not each.gone
            and each.sender != who
            and place >= reading.position
            and (reading.marked or each.id not in reading.receipts)
            for place, each in enumerate(self.said)
        )

    def pick(self, number: int) -> int | None:
        """A message that is there; None if there is none."""
        there = [place for place, each in enumerate(self.said) if not each.gone]
        return there[number % len(there)] if there else None

    def act(self, what: str, who: int, number: int, flag: bool) -> None:
        """Let somebody do something, if they can."""
        act, room, reading = EventHandler(self.users[who].pk), self.room.pk, self.reading[who]
        place = self.pick(number)
        if what == "join":
            if reading is None:
                EventHandler(self.users[0].pk).add_members(room, [self.users[who].pk])
                self.reading[who] = Reading(len(self.said), receipts=self.kept[who])
            return
        if reading is None:
            return
        if what == "send":
            for _ in range(number % 3 + 1):
                self.said.append(Said(act.send_message(room, "hello").message_id, who))
        elif what == "mute":
            act.set_room_preferences(room, {"muted_until": "forever" if flag else None})
            reading.muted = flag
        elif what == "leave":
            if who:
                act.leave_room(room)
                self.reading[who] = None
        elif what == "read" and flag:
            act.read_room(room, private=number % 2 == 0)
            reading.position = max(reading.position, 0 if place is None else self.newest() + 1)
            reading.marked = False
        elif place is None:
            return
        elif what == "read":
            act.read_room(room, up_to=self.said[place].id, private=number % 2 == 0)
            if place + 1 > reading.position:
                reading.position, reading.marked = place + 1, False
        elif what == "mark":
            act.mark_unread(room, self.said[place].id)
            reading.position, reading.marked = place, True
        elif what == "receipt":
            places = [place] if flag else range(max(0, place - 2), place + 1)
            some = [self.said[each] for each in places if not self.said[each].gone]
            act.read_messages([each.id for each in some])
            new = {each.id for each in some if each.sender != who}
            reading.receipts |= new
            self.kept[who] = reading.receipts
            self.settle(reading, who)
        elif what == "edit":
            said = self.said[place]
            if said.sender == who:
                act.edit_message(said.id, "changed")
        elif what == "delete":
            said = self.said[place]
            if said.sender == who:
                act.delete_messages([said.id])
                said.gone = True

    def newest(self) -> int:
        """The place of the newest message that is there."""
        return max(place for place, each in enumerate(self.said) if not each.gone)

    def settle(self, reading: Reading, who: int) -> None:
        """A marker is moved by receipts that cover what is before: it comes to where one has read.

        Reading up to a message before that is nothing new, then.
        """
        if reading.marked:
            return
        for place in range(reading.position, len(self.said)):
            each = self.said[place]
            if not each.gone and each.sender != who and each.id not in reading.receipts:
                break
            reading.position = place

    def check(self, followed: list[bool], order: bool) -> None:
        """Let some devices follow; they and the server count what the model does."""
        for device, follows in zip(self.devices, followed, strict=True):
            who = self.users.index(device.user)
            if self.reading[who] is None:
                if follows:
                    device.follow(order)
                continue
            expected = self.unread(who)
            answer = device._ask({"room_id": str(self.room.pk)})
            assert [each["unread_count"] for each in answer["rooms"]] == [expected]
            reading = self.reading[who]
            assert reading is not None
            totals, aside = answer["totals"], expected if reading.muted else 0
            assert (totals["messages"], totals["muted"]) == (expected - aside, aside)
            listed = perform(device.user, "room.list", {})[0]["data"]["rooms"]
            assert [each["unread_count"] for each in listed] == [expected]
            if follows:
                device.follow(order)
                assert device.counts[str(self.room.pk)].count == expected
                assert device.counts.total == expected


WHAT = ("mute", "send", "send", "read", "read", "mark", "receipt", "receipt", "edit", "delete")
steps = st.lists(
    st.tuples(
        st.sampled_from([*WHAT, "leave", "join"]),
        st.integers(0, 2),
        st.integers(0, 8),
        st.booleans(),
        st.lists(st.booleans(), min_size=6, max_size=6),
        st.booleans(),
    ),
    min_size=6,
    max_size=12,
)


@pytest.mark.django_db
def test_the_client_counts_what_the_server_does(users: Users) -> None:
    @settings(max_examples=12, suppress_health_check=list(HealthCheck), print_blob=True)
    @given(steps, st.booleans())
    def tell(story_steps: Any, soft: bool) -> None:
        with chat(MESSAGE_SOFT_DELETE=soft), transaction.atomic():
            story = Story(users)
            for what, who, number, flag, followed, order in story_steps:
                story.act(what, who, number, flag)
                story.check(followed, order)
            story.check([True] * 6, order=False)
            transaction.set_rollback(True)

    tell()

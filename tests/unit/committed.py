"""A committed group, whose events run outside any transaction of the test."""

from typing import Any

from gql_chat.models import (
    GroupChat,
    StreamEvent,
)
from gql_chat.operations import EventHandler
from gql_chat.streams import Envelope, room_stream
from tests.conftest import Users


class Failure(Exception):
    """What goes wrong in a test."""


class World:
    """A committed group of alice's with members; the test works outside any transaction."""

    def __init__(self, users: Users, members: int) -> None:
        self.alice, *self.members = users.make("alice", *["member"] * members)
        self.bob = self.members[0]
        self.group = self.make()
        self.stream = room_stream(self.group.pk)
        self.act = EventHandler(self.alice.pk)

    def make(self) -> GroupChat:
        """Make another such group."""
        group = GroupChat.objects.create(name="group", creator=self.alice)
        group.participants.add(*self.members)
        return group

    def say(self, content: str = "hello", room: Any = None) -> Any:
        """Let alice send a message; returns its id."""
        return self.act.send_message((room or self.group).pk, content).message_id


def logged(stream: str) -> list[int]:
    """The sequence numbers in the log of a stream, as they were written."""
    rows = StreamEvent.objects.filter(stream=stream).order_by("pk")
    return list(rows.values_list("seq", flat=True))


def of(stream: str, envelopes: list[Envelope]) -> list[tuple[int, str]]:
    """What was published of a stream: the sequence number and kind of each."""
    return [(found.seq, found.kind) for found in envelopes if found.stream == stream]

"""Delivery: the frames that the hub hands to local sockets, and the sockets that take them."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

from gql_chat import streams
from gql_chat.streams import Envelope

from . import protocol
from .events import find_dispatch
from .outbox import Outbox


class Delivered:
    """An envelope on its way to local sockets, encoded at most once for all of them."""

    def __init__(self, envelope: Envelope) -> None:
        dispatch = find_dispatch(envelope.kind)
        self.envelope = envelope
        self.name = dispatch.name
        self._data = dispatch.data(streams.parse_payload(envelope.payload))

    @cached_property
    def plain(self) -> str:
        """The frame as documented."""
        return protocol.encode({"eventType": self.name, "data": self._data})

    @cached_property
    def numbered(self) -> str:
        """The frame with its stream and sequence number, for sockets that resumed."""
        if self.envelope.seq == 0:
            return self.plain
        return protocol.encode(
            {
                "eventType": self.name,
                "data": self._data,
                "stream": self.envelope.stream,
                "seq": self.envelope.seq,
            }
        )


class Held(list[Delivered]):
    """Frames that are held back from a socket.

    Attributes:
        size: how many characters their payloads have together.
    """

    __slots__ = ("size",)

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def append(self, frame: Delivered) -> None:
        """Hold one more frame back."""
        super().append(frame)
        self.size += len(frame.envelope.payload)


class Subscriber(Protocol):
    """A local socket, as the hub sees it."""

    user_key: str
    channel_name: str
    outbox: Outbox

    def deliver(self, frame: Delivered) -> None:
        """Take a frame that the socket's user is entitled to."""

    def dismiss(self, login: str | None = None) -> None:
        """Close, as not authenticated any more; with `login`, if opened with that login session."""

    def interrupt(self) -> None:
        """Close, so that the client reconnects and resumes."""

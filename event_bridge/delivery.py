"""What the hub hands to a local socket, and what it asks of one."""

from __future__ import annotations

from typing import Protocol

from gql_chat import streams
from gql_chat.streams import Envelope

from . import protocol


class Delivered:
    """An envelope on its way to local sockets, encoded at most once for all of them."""

    __slots__ = ("_data", "_placed", "_plain", "envelope", "name")

    def __init__(self, envelope: Envelope) -> None:
        dispatch = protocol.find_dispatch(envelope.kind)
        self.envelope = envelope
        self.name = dispatch.name
        self._data = dispatch.data(streams.parse_payload(envelope.payload))
        self._plain: str | None = None
        self._placed: str | None = None

    def plain(self) -> str:
        """Return the frame as documented."""
        if self._plain is None:
            self._plain = protocol.encode({"eventType": self.name, "data": self._data})
        return self._plain

    def placed(self) -> str:
        """Return the frame with its place in its stream, for sockets that resumed."""
        if self.envelope.seq == 0:
            return self.plain()
        if self._placed is None:
            self._placed = protocol.encode(
                {
                    "eventType": self.name,
                    "data": self._data,
                    "stream": self.envelope.stream,
                    "seq": self.envelope.seq,
                }
            )
        return self._placed


class Listener(Protocol):
    """A local socket, as the hub sees it."""

    user_key: str
    channel_name: str

    def deliver(self, frame: Delivered) -> None:
        """Take a frame that the socket's user is entitled to."""

    def dismiss(self, login: str | None = None) -> None:
        """Close, as not authenticated any more; with `login`, if opened with that login session."""

    def interrupt(self) -> None:
        """Close, so that the client reconnects and resumes."""

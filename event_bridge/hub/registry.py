"""The registry: the subscribers of this process, and the streams that their users hear."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from gql_chat.streams import user_stream

from ..delivery import Subscriber
from .stream import Stream


class Registry:
    """Knows the subscribers of each local user and the streams of each.

    Args:
        on_open: called with the name of a stream when the first local user hears it.
        on_close: called with the name when nobody here hears it any more.

    Attributes:
        subscribers: the subscribers of each user, by the user's id.
        streams: the streams that somebody here hears, by name.
        streams_of: the names of the streams of each user. They are lists: sets are nine times as
            large.
    """

    def __init__(self, on_open: Callable[[str], None], on_close: Callable[[str], None]) -> None:
        self.subscribers: dict[str, set[Subscriber]] = defaultdict(set)
        self.streams: dict[str, Stream] = {}
        self.streams_of: dict[str, list[str]] = defaultdict(list)
        self._on_open = on_open
        self._on_close = on_close

    def add(self, subscriber: Subscriber) -> None:
        """Take in a subscriber."""
        self.subscribers[subscriber.user_key].add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber, and with a user's last one what the user hears."""
        user = subscriber.user_key
        subscribers = self.subscribers.get(user)
        if subscribers is None:
            return
        subscribers.discard(subscriber)
        if subscribers:
            return
        del self.subscribers[user]
        for name in self.streams_of.pop(user, ()):
            stream = self.streams.get(name)
            if stream is not None:
                stream.drop(user)
                self.close_if_empty(stream)

    def mute(self, subscriber: Subscriber) -> None:
        """Deliver nothing more to a subscriber. It is here until it is removed."""
        self.subscribers.get(subscriber.user_key, set()).discard(subscriber)

    def open(self, name: str, position: int) -> Stream:
        """Return a new stream at a position."""
        stream = self.streams[name] = Stream(name, position)
        self._on_open(name)
        return stream

    def close(self, name: str) -> None:
        """Forget a stream."""
        if self.streams.pop(name, None) is not None:
            self._on_close(name)

    def close_if_empty(self, stream: Stream) -> None:
        """Forget a stream that nobody hears."""
        if stream.is_empty() and self.streams.get(stream.name) is stream:
            self.close(stream.name)

    def is_here(self, user: str) -> bool:
        """Tell whether a subscriber of the user has entered. The user's own stream shows it."""
        return user_stream(user) in self.streams

    def hears(self, user: str, name: str) -> bool:
        """Tell whether a user hears a stream, now or soon."""
        stream = self.streams.get(name)
        return stream is not None and stream.includes(user)

    def note_user(self, stream: Stream, user: str) -> None:
        """Note that a stream is about to be one of the user's."""
        if not stream.includes(user):
            self.streams_of[user].append(stream.name)

    def end(self, stream: Stream, user: str) -> None:
        """End what a user is entitled to of a stream."""
        if stream.includes(user):
            stream.drop(user)
            self.streams_of[user].remove(stream.name)

    def positions(self, user: str) -> dict[str, int]:
        """Return the sequence number up to which a user has been given each stream."""
        heard = [(name, self.streams.get(name)) for name in self.streams_of.get(user, ())]
        return {
            name: stream.seq_of(user)
            for name, stream in heard
            if stream is not None and stream.includes(user)
        }

    def close_all(self) -> None:
        """Forget all streams."""
        for name in list(self.streams):
            self.close(name)

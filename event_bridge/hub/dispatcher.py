"""The dispatcher: hands frames to subscribers, and closes those that cannot go on."""

from __future__ import annotations

import logging

from gql_chat import streams
from gql_chat.failures import bare
from gql_chat.streams import Envelope

from ..delivery import Delivered, Subscriber
from ..metrics import Recorder
from .registry import Registry
from .stream import Stream

logger = logging.getLogger("event_bridge")


class Dispatcher:
    """Hands frames to the subscribers of this process.

    Args:
        registry: the subscribers and streams.
        recorder: is told how many got a frame.
    """

    def __init__(self, registry: Registry, recorder: Recorder) -> None:
        self._registry = registry
        self._recorder = recorder
        self._subscribers = registry.subscribers

    def deliver(self, stream: Stream, envelope: Envelope) -> None:
        """Hand a frame to the subscribers of all who are entitled to a stream's next one."""
        if not stream.users:
            return
        # A list: a subscriber that fails is muted meanwhile.
        audience = [
            subscriber for user in stream.users for subscriber in self._subscribers.get(user, ())
        ]
        try:
            frame = Delivered(envelope)
        except Exception as error:
            facts = {"stream": envelope.stream, "seq": envelope.seq, "kind": envelope.kind}
            logger.error(
                "An event cannot be shown: %(kind)s, number %(seq)s of %(stream)s",
                facts,
                exc_info=bare(error),
                extra=facts,
            )
            return
        if self._recorder.active:
            self._recorder.delivered(frame.name, len(audience))
        veiled = {0: frame}
        for subscriber in audience:
            try:
                if envelope.change is None:
                    subscriber.deliver(frame)
                else:
                    subscriber.deliver(_choose(veiled, envelope, subscriber))
            except Exception as error:
                self._give_up(subscriber, frame, error)

    def deliver_to(self, user: str, envelope: Envelope) -> None:
        """Hand a frame to one user's subscribers."""
        frame = Delivered(streams.veil(envelope, streams.count_hidden(envelope, user)))
        subscribers = tuple(self._subscribers.get(user, ()))
        self._recorder.delivered(frame.name, len(subscribers))
        for subscriber in subscribers:
            self.offer(subscriber, frame)

    def offer(self, subscriber: Subscriber, frame: Delivered) -> bool:
        """Hand a frame to a subscriber; tell whether it took it. It is given up where it raises."""
        try:
            subscriber.deliver(frame)
        except Exception as error:
            self._give_up(subscriber, frame, error)
            return False
        return True

    def _give_up(self, subscriber: Subscriber, frame: Delivered, error: Exception) -> None:
        """Close a subscriber that raised at a frame; the others go on undisturbed.

        It is offered nothing more: its client resumes from before that frame.
        """
        logger.error(
            "A socket could not take a frame. It is closed, so that it resumes.",
            exc_info=bare(error),
            extra={
                "event_type": frame.name,
                "stream": frame.envelope.stream,
                "user_id": subscriber.user_key,
            },
        )
        self._registry.mute(subscriber)
        self._interrupt(subscriber)

    def interrupt(self, user: str) -> None:
        """Close a user's sockets, so that their clients resume."""
        for subscriber in tuple(self._subscribers.get(user, ())):
            self._interrupt(subscriber)

    def _interrupt(self, subscriber: Subscriber) -> None:
        try:
            subscriber.interrupt()
        except Exception as error:
            logger.error("A socket could not be closed.", exc_info=bare(error))

    def dismiss(self, user: str, login: str | None = None) -> None:
        """Close a user's sockets as not authenticated any more.

        Args:
            user: the user.
            login: if given, only the sockets that were opened with this login session.
        """
        for subscriber in tuple(self._subscribers.get(user, ())):
            subscriber.dismiss(login)


def _choose(frames: dict[int, Delivered], envelope: Envelope, subscriber: Subscriber) -> Delivered:
    """Return a frame as a subscriber gets it: one for all from whom as much of it is hidden.

    Args:
        frames: the frames that are made, by how much is hidden in them; another one is added.
        envelope: the envelope.
        subscriber: the subscriber.
    """
    count = streams.count_hidden(envelope, subscriber.user_key)
    if count not in frames:
        frames[count] = Delivered(streams.veil(envelope, count))
    return frames[count]

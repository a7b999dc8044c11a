"""A consumer with little patience."""

from event_bridge.consumers import ChatConsumer


class Impatient(ChatConsumer):
    """Few frames may wait for a client that does not read."""

    outbox_limit = 5

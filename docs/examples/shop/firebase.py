# shop/firebase.py
from dataclasses import dataclass
from queue import SimpleQueue


@dataclass
class Push:
    """A push message to all devices of one user."""

    topic: str
    title: str
    body: str


class FakeFirebase:
    """What a client of Firebase would be: it takes messages and returns at once."""

    def __init__(self):
        self.queued = SimpleQueue()

    def queue(self, push):
        self.queued.put(push)


firebase = FakeFirebase()

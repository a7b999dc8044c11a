# shop/consumers.py
from django.core.cache import cache
from django.utils import timezone

from event_bridge import consumers, limits, protocol
from event_bridge.protocol import Frame


class ChatConsumer(consumers.ChatConsumer):
    """Says hello, notes who has left, tells the time, and lets nobody flood a room."""

    def __init__(self, *connection):
        super().__init__(*connection)
        self.messages = limits.Rate(limit={"events": 5, "seconds": 10})

    async def connected(self):
        hello = {"username": self.user.get_username()}
        self.outbox.write(protocol.event("shop.hello", hello))

    async def disconnected(self):
        # Database work, and other work that takes its time, goes to a thread.
        await self.hub.threads.run(note_departure, self.user_id)

    def check_rate(self, frame):
        super().check_rate(frame)
        if isinstance(frame, Frame) and frame.event_type == "message.send":
            self.messages.check()

    async def handle(self, frame):
        if frame.event_type == "shop.time":
            answer = {"now": timezone.now().isoformat()}
            self.outbox.write(protocol.event("shop.time", answer, frame.request_id))
        else:
            await super().handle(frame)


def note_departure(user_id):
    """Remember when somebody was here last."""
    cache.set(f"shop.left.{user_id}", timezone.now())

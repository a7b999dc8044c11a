"""The Channels tutorial's way: a consumer per socket, `group_send` to a group per room.

It stores nothing. Rooms are made over the socket as the protocol has it, so that the same
load runs on it.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)
django.setup()

# What follows needs the settings.
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from benchmarks.sites.frames import message_frame  # noqa: E402

Event = dict[str, Any]


class ChatConsumer(AsyncWebsocketConsumer):
    """One socket."""

    async def connect(self) -> None:
        """Join the group of the user."""
        self.user_id = int(parse_qs(self.scope["query_string"].decode())["user"][0])
        await self.channel_layer.group_add(f"user-{self.user_id}", self.channel_name)
        await self.accept()
        await self.send(json.dumps({"eventType": "chat.notifications", "data": {}}))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Pass an event on to the members of its room."""
        event = json.loads(text_data or "")
        data = event["data"]
        if event["event_type"] == "room.create":
            await self._create(data)
            return
        now = datetime.now(UTC).isoformat()
        message = message_frame(self.user_id, data["room_id"], data["content"], now)
        await self.channel_layer.group_send(
            f"room-{data['room_id']}",
            {"type": "dispatch.event", "frame": {"eventType": "message.dispatch", "data": message}},
        )

    async def _create(self, data: Event) -> None:
        room_id = str(uuid.uuid4())
        others = data.get("participants") or data.get("subscribers") or []
        for member in (*others, self.user_id):
            join = {"type": "join.room", "room_id": room_id}
            await self.channel_layer.group_send(f"user-{member}", join)

    async def join_room(self, event: Event) -> None:
        """Join the group of a room that the user is put into."""
        await self.channel_layer.group_add(f"room-{event['room_id']}", self.channel_name)
        created = {"eventType": "roomcreate.dispatch", "data": {"id": event["room_id"]}}
        await self.send(json.dumps(created))

    async def dispatch_event(self, event: Event) -> None:
        """Send the client what was said."""
        await self.send(json.dumps(event["frame"]))


application = AllowedHostsOriginValidator(ChatConsumer.as_asgi())

"""Channel layers that treat messages as badly as a layer may."""

import asyncio
import os
import random
from typing import Any

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

#: Seconds within which a message may be late: more than lies between two events of a test.
LATEST = 0.3
#: How many messages in a hundred are lost.
LOST = 20


class _Disorder:
    """Sends every message to a group late, so that they pass each other, and some not at all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._chance = random.Random(os.getpid())
        self._late: set[asyncio.Task[None]] = set()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Take a message; deliver it some time, or never."""
        if self._chance.randrange(100) >= LOST:
            task = asyncio.create_task(self._send_late(group, message))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _send_late(self, group: str, message: dict[str, Any]) -> None:
        await asyncio.sleep(self._chance.uniform(0, LATEST))
        await self.send_at_last(group, message)

    async def send_at_last(self, group: str, message: dict[str, Any]) -> None:
        """Send it, as the layer does."""
        raise NotImplementedError


class DisorderlyRedisLayer(_Disorder, RedisChannelLayer):
    """`RedisChannelLayer`, badly behaved."""

    async def send_at_last(self, group: str, message: dict[str, Any]) -> None:
        """Send it, as the layer does."""
        await RedisChannelLayer.group_send(self, group, message)


class DisorderlyPubSubLayer(_Disorder, RedisPubSubChannelLayer):
    """`RedisPubSubChannelLayer`, badly behaved."""

    async def send_at_last(self, group: str, message: dict[str, Any]) -> None:
        """Send it, as the layer's part for this event loop does."""
        await self._get_layer().group_send(group, message)

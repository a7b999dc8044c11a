"""ASGI middleware as projects have it, around the test project's application."""

import asyncio
from typing import Any

from tests.site.asgi import application as chat

SECONDS = 0.5
#: What a message has to contain for its frame to get stuck on sockets that ask for that.
STUCK = "stuck"


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Give each frame so many seconds to leave. On a socket with ``?sticky`` some never do."""
    if scope["type"] != "websocket":
        await chat(scope, receive, send)
        return
    sticky = b"sticky" in scope["query_string"]

    async def send_in_time(message: dict[str, Any]) -> None:
        async with asyncio.timeout(SECONDS):
            if sticky and STUCK in message.get("text", ""):
                await asyncio.Event().wait()
            await send(message)

    await chat(scope, receive, send_in_time)

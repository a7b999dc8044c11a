"""The application of the measured project; its only page tells what the process holds."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from benchmarks.sites.ours.asgi import application as chat


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve chat, and that page under every path."""
    if scope["type"] != "http":
        await chat(scope, receive, send)
        return
    found = {"tasks": len(asyncio.all_tasks()), "threads": threading.active_count()}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(found).encode()})

"""A socket that sends back what it gets, for tests of the harness that need no chat."""

import json
import os
from typing import Any


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Send back every line of a text frame.

    ``close <code>`` closes with that code, ``environment <name>`` asks for a variable.
    """
    if scope["type"] != "websocket":
        raise RuntimeError(f"not for {scope['type']}")
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text") or ""
        if text.startswith("close "):
            await send({"type": "websocket.close", "code": int(text.removeprefix("close "))})
            return
        if text.startswith("environment "):
            text = json.dumps({"value": os.environ.get(text.removeprefix("environment "))})
        for line in text.splitlines():
            await send({"type": "websocket.send", "text": line})

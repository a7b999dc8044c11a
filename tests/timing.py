"""How long anything may take in a test, in one place, and how to wait for a condition.

The limits are bounds on failure, not pauses: whatever happens earlier is seen earlier.
"""

import asyncio
import time
from collections.abc import Callable

#: For a frame on a socket, a close, a query.
PATIENCE = 30.0
#: For a server to come up or go down.
STARTUP = 60.0
#: Between two looks at a condition that nothing announces.
LOOK = 0.02


def wait_until(condition: Callable[[], bool], what: str, timeout: float = STARTUP) -> None:
    """Look until the condition holds; fail saying what did not come true in time."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        time.sleep(LOOK)


async def eventually(condition: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
    """Like `wait_until`, for a test that is a coroutine: its sockets are read meanwhile."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        await asyncio.sleep(LOOK)

"""A `send` for daphne that waits for a client that does not read, as those of other servers do.

daphne hands each frame to Twisted, which keeps what the client does not take, without a bound.
Twisted tells a producer when to pause and when to go on; nothing in between passes that on.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any

from channels.sessions import InstanceSessionWrapper


class Brake:
    """A push producer, as Twisted knows them: it knows whether the transport takes more.

    Attributes:
        free: set while it does.
    """

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """Take note that the transport keeps as much as it wants to."""
        self.free.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        """Take note that the transport takes more."""
        self.free.set()

    def stopProducing(self) -> None:  # noqa: N802
        """Take note that the connection is lost: nothing is worth waiting for."""
        self.free.set()


def with_brake(send: Any) -> Any:
    """Return a `send` that waits while the client does not read, if this is daphne's.

    Call it when the socket is accepted. Any other `send` is returned as it is. So is one of
    daphne's that a middleware wraps: then only daphne's pings bound what waits for the client.
    """
    protocol = _find_protocol(send)
    if protocol is None:
        return send
    brake = Brake()
    try:
        # The producer of the handshake is still registered, and has nothing to do any more.
        protocol.unregisterProducer()
        protocol.registerProducer(brake, True)
    except Exception:
        return send

    async def send_in_turn(message: dict[str, Any]) -> None:
        await brake.free.wait()
        await send(message)

    return send_in_turn


def says_gone(error: BaseException) -> bool:
    """Tell whether daphne's `send` raised this error since the client is gone, or is going.

    Other servers raise an `OSError`. Where nothing of daphne is loaded, nothing can have raised it.
    """
    library = sys.modules.get("autobahn.exception")
    return library is not None and isinstance(error, library.Disconnected)


def _find_protocol(send: Any) -> Any:
    """Return the protocol of the connection to which daphne's `send` belongs; None elsewhere.

    Two things are private: daphne's `send` is a `partial` with the protocol as its first argument,
    and Channels keeps it in `real_send`. `tests/wire/test_servers.py`, run on daphne, notices when
    either changes.
    """
    owner = getattr(send, "__self__", None)
    while isinstance(owner, InstanceSessionWrapper):
        send = owner.real_send
        owner = getattr(send, "__self__", None)
    if not isinstance(send, partial) or len(send.args) != 1:
        return None
    server = type(getattr(send.func, "__self__", None))
    return send.args[0] if server.__module__ == "daphne.server" else None

"""Leases: the sessions of the endpoint's sockets, so that they count among those of a user.

A process that dies renews its leases no more. When they have ended, its sockets no longer count.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Any
from weakref import WeakKeyDictionary

from .. import sessions
from ..conf import chat_settings
from ..operations import Operations
from .schema import get_threads

logger = logging.getLogger("gql_chat")


class Leases:
    """Makes, renews and deletes the sessions of one event loop's sockets."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: dict[str, Any] = {}
        self._renewing: asyncio.Task[None] | None = None

    async def open(self, user_id: Any) -> str:
        """Make the session of a socket.

        Returns:
            Its channel name, for `close`.

        Raises:
            RateLimited: the user has `MAX_SESSIONS_PER_USER` sockets already, of whatever kind.
            NotAuthenticated: the account is gone or was deactivated.
        """
        name = f"{sessions.TOOL_PREFIX}{uuid.uuid4().hex}"
        self._held[name] = user_id
        if self._renewing is None:
            self._renewing = self._loop.create_task(self._renew_regularly())
        try:
            await get_threads().run(_open, user_id, name)
        except BaseException:
            self.close(name)
            raise
        return name

    def close(self, name: str) -> None:
        """Delete the session of a socket, in the background."""
        user_id = self._held.pop(name)
        closing = get_threads().run(_close, user_id, name)
        # asyncio would log an error that nobody has asked for. The row then stays until its lease
        # ends.
        closing.add_done_callback(lambda job: job.cancelled() or job.exception())
        if not self._held and self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    async def _renew_regularly(self) -> None:
        while True:
            await asyncio.sleep(chat_settings.INACTIVITY_THRESHOLD / 3)
            try:
                await get_threads().run(sessions.keep_alive, list(self._held))
            except Exception as error:
                logger.warning("The leases of sockets could not be renewed: %r", error)


def _handler(user_id: Any) -> Any:
    handler: type[Operations] = chat_settings.load("EVENT_HANDLER_CLASS")
    return handler(user_id)


def _open(user_id: Any, name: str) -> None:
    _handler(user_id).open_session(name)


def _close(user_id: Any, name: str) -> None:
    _handler(user_id).close_session(name)


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, Leases] = WeakKeyDictionary()


def get_leases() -> Leases:
    """Return the leases of the running event loop."""
    loop = asyncio.get_running_loop()
    leases = _leases.get(loop)
    if leases is None:
        leases = _leases[loop] = Leases(loop)
    return leases

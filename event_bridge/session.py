"""The session of a socket: the row that says that it is open."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from gql_chat import streams
from gql_chat.failures import outline
from gql_chat.schema import Context
from gql_chat.sql.threads import DatabaseThreads
from gql_chat.streams import Envelope
from gql_chat.tables import report_missing

from .operations import lifecycle

logger = logging.getLogger("event_bridge")


class Session:
    """Makes, touches and deletes the row, by the operations of the schema.

    Args:
        threads: the database threads.
        user_id: the user's key.
        channel_name: the socket's name.
    """

    # A process has many idle sockets.
    __slots__ = ("_active", "_channel_name", "_may_exist", "_opening", "_threads", "_user_id")

    def __init__(self, threads: DatabaseThreads, user_id: Any, channel_name: str) -> None:
        self._threads = threads
        self._user_id = user_id
        self._channel_name = channel_name
        self._opening: asyncio.Future[tuple[Any, Any]] | None = None
        self._may_exist = False
        self._active: bool | None = True

    async def open(self) -> tuple[Any, Any]:
        """Make the session.

        Returns:
            Where the user's streams stand, and the notifications that wait.
        """
        self._opening = self._threads.commit(self._open, locks=False)
        self._may_exist = True
        # If this is cancelled, the session is made all the same.
        opened = await asyncio.shield(self._opening)
        self._opening = None  # its result is not kept for as long as the socket lasts
        return opened

    def _open(self) -> tuple[Any, Any]:
        # In this order: an event committed in between is dispatched, or waits, or both.
        positions = streams.positions(self._user_id)
        return positions, self._perform("open")["notifications"]

    async def touch(self, active: bool | None = None) -> list[Envelope]:
        """Note that the client sent a heartbeat.

        Args:
            active: whether somebody sits there; None if the client does not say. Only a change
                is written.

        Returns:
            What is to be published.
        """
        changed = active is not None and active is not self._active
        await self._threads.commit(self._perform, "heartbeat", locks=False)
        if not changed:
            return []
        _, envelopes = await self._threads.commit(self._set_activity, active, locks=False)
        self._active = active
        return envelopes

    def _set_activity(self, active: bool) -> tuple[Any, list[Envelope]]:
        variables = {"channel_name": self._channel_name, "active": active}
        prepared = lifecycle().find("activity", variables)
        return prepared.run(variables, Context(self._user_id))

    async def forget(self) -> None:
        """Delete the session, if there may be one."""
        if not self._may_exist:
            return
        if self._opening is not None and not self._opening.done():
            # The session is being made. It goes after that, whether or not somebody waits for it.
            self._opening.add_done_callback(self._close_unseen)
            return
        try:
            await self._close()
        except Exception as error:
            # The row stays until its lease has expired.
            if not report_missing(error):
                logger.warning("A session could not be closed: %s", outline(error))

    def _close_unseen(self, _: Any) -> None:
        # asyncio would log an error that nobody has asked for.
        self._close().add_done_callback(lambda job: job.cancelled() or job.exception())

    def _close(self) -> asyncio.Future[Any]:
        return self._threads.commit(self._perform, "close", locks=False)

    def _perform(self, name: str) -> Any:
        prepared = lifecycle().find(name, {})
        result, _ = prepared.run({"channel_name": self._channel_name}, Context(self._user_id))
        return result

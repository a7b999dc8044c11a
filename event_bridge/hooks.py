"""Hooks: what a project's consumer may decide by itself, and when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardian.conf import settings as guardian_settings

from . import limits
from .protocol import Frame, Malformed


class Hooks:
    """The base of `ChatConsumer`, with what a project overrides.

    Args:
        scope: the connection, as ASGI tells it.

    Attributes:
        scope: the same.
        user: who has opened it; None if nothing says.
        rate: judges frames by `RATE_LIMIT`.
    """

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.user = scope.get("user")
        self.rate = limits.Rate()

    def is_authenticated(self) -> bool:
        """Tell whether the scope carries a real user: neither anonymous nor guardian's stand-in."""
        user = self.user
        return (
            user is not None
            and bool(user.is_authenticated)
            and user.get_username() != guardian_settings.ANONYMOUS_USER_NAME
        )

    def choose_subprotocol(self, offered: Sequence[str]) -> str | None:
        """Return the subprotocol to speak. Projects override it where they have another.

        A browser fails if it offers some and the server chooses none. It cannot send headers, so
        many projects let it offer `["bearer", token]`. The answer to that is `bearer`.

        Args:
            offered: what the client offers. A token among them must not be sent back.
        """
        return "bearer" if "bearer" in offered else None

    async def connected(self) -> None:
        """Do a project's work when a socket is open. Nothing by default.

        Raises:
            Exception: the client is told, and the socket is closed: with 4001 or 4029 where the
                error has that code, else with 1011.
        """

    async def disconnected(self) -> None:
        """Do a project's work when a socket has closed. Nothing by default.

        It is cut off after `closing.CLOSE_SECONDS`. The session is deleted after it.
        """

    def check_rate(self, frame: Frame | Malformed) -> None:
        """Judge whether the client may send this frame now. Projects override it for their rule.

        Raises:
            RateLimited: not now; `detail` says when.
            Ignored: the client goes on whatever it is told, so the socket is closed.
        """
        self.rate.check()

"""Sessions: the sockets of a user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from .. import streams
from ..conf import chat_settings
from ..errors import RETRY_AFTER, RateLimited
from ..models import get_model
from ..sql.statements import One, Statement
from .base import Operations, operation, primary

_alive_sessions: Statement[Any] = Statement(
    lambda user_id, since: get_model("Session").objects.filter(
        user_id=user_id, alive_at__gte=since
    ),
    lambda: [One(get_user_model()._meta.pk), One(get_model("Session")._meta.get_field("alive_at"))],
)


@dataclass(slots=True)
class StreamPosition:
    """Where a stream stands for a user.

    Attributes:
        stream: its name.
        seq: the place of its newest frame.
        joined_seq: the first place that the user is entitled to.
    """

    stream: str
    seq: int
    joined_seq: int


class SessionOperations(Operations):
    """The sockets of a user."""

    @operation
    def open_session(self, channel_name: str) -> Any:
        """Register a socket; return its session.

        Raises:
            NotAuthenticated: the account is gone or was deactivated.
            RateLimited: the user has `MAX_SESSIONS_PER_USER` open sockets already.
        """
        with streams.transaction():
            self._check_count()
            return get_model("Session").objects.create(user=self.user, channel_name=channel_name)

    def _check_count(self) -> None:
        limit = chat_settings.MAX_SESSIONS_PER_USER
        if limit is None:
            return
        since = timezone.now() - timedelta(seconds=chat_settings.INACTIVITY_THRESHOLD)
        if len(_alive_sessions.all(self.user_id, since)) >= limit:
            raise RateLimited(
                {"message": f"At most {limit} sockets are allowed.", "retry_after": RETRY_AFTER}
            )

    @operation
    def heartbeat(self, channel_name: str) -> None:
        """Note that the socket's client is there; a session that was cleaned up comes back.

        Raises:
            NotAuthenticated: the account is gone or was deactivated.
        """
        now = timezone.now()
        with streams.transaction():
            get_model("Session").objects.update_or_create(
                channel_name=channel_name,
                defaults={"user": self.user, "last_seen": now, "alive_at": now},
            )

    def close_session(self, channel_name: str) -> None:
        """Forget a socket."""
        sessions = primary(get_model("Session").objects)
        sessions.filter(user_id=self.user_id, channel_name=channel_name).delete()

    def positions(self) -> list[StreamPosition]:
        """Return where all streams of the user stand: their own, and those of their rooms."""
        return [StreamPosition(*position) for position in streams.positions(self.user_id)]

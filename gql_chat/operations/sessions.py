"""Sessions: the sockets of a user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from .. import rates, streams
from ..conf import chat_settings
from ..models import get_model
from ..models.accounts import active
from ..sessions import check_count
from ..sql.statements import Many, One, Statement, Update
from .base import Operations, locks_rows, operation, primary

_alive_sessions: Statement[Any] = Statement(
    lambda user_id, since: get_model("Session").objects.filter(
        user_id=user_id, alive_at__gte=since
    ),
    lambda: [One(get_user_model()._meta.pk), One(get_model("Session")._meta.get_field("alive_at"))],
)


def _select_own(channel_name: Any, user_id: Any, now: Any) -> Any:
    """Find the session of a socket, while its user's account is active."""
    accounts = get_user_model()._base_manager.filter(pk=user_id, **active())
    sessions = get_model("Session").objects.filter(
        channel_name=channel_name, user__in=accounts.values("pk")
    )
    return sessions, {"last_seen": now, "alive_at": now}


def _own_values() -> list[One | Many]:
    column = get_model("Session")._meta.get_field
    return [One(column("channel_name")), One(get_user_model()._meta.pk), One(column("last_seen"))]


_last_seen = Update(_select_own, _own_values)


def _threshold() -> timedelta:
    return timedelta(seconds=chat_settings.INACTIVITY_THRESHOLD)


@dataclass(slots=True)
class StreamPosition:
    """Where a stream stands for a user.

    Attributes:
        stream: its name.
        seq: the sequence number of its newest frame.
        joined_seq: the first sequence number that the user is entitled to.
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
        with streams.transaction() as outbox:
            user = self.user
            self._check_count(outbox)
            return get_model("Session").objects.create(user=user, channel_name=channel_name)

    def _check_count(self, outbox: streams.Outbox) -> None:
        if chat_settings.MAX_SESSIONS_PER_USER is None:
            return
        if locks_rows():
            # Another socket of this user that opens waits until this one counts.
            outbox.carrier.ahead(*rates.lock(self.user_id, rates.SOCKETS))
        since = timezone.now() - _threshold()
        check_count(len(_alive_sessions.all(self.user_id, since)))

    def heartbeat(self, channel_name: str) -> None:
        """Note that the socket's client is there; a session that was cleaned up comes back.

        Raises:
            NotAuthenticated: the account is gone or was deactivated.
        """
        if not _last_seen.run(channel_name, self.user_id, timezone.now()):
            self._write_session(channel_name)

    @operation
    def _write_session(self, channel_name: str) -> None:
        now = timezone.now()
        with streams.transaction():
            sessions = primary(get_model("Session").objects)
            changes = {"user": self.user, "last_seen": now, "alive_at": now}
            if not sessions.filter(channel_name=channel_name).update(**changes):
                sessions.create(channel_name=channel_name, **changes)

    def close_session(self, channel_name: str) -> None:
        """Forget a socket."""
        sessions = primary(get_model("Session").objects)
        sessions.filter(user_id=self.user_id, channel_name=channel_name).delete()

    def positions(self) -> list[StreamPosition]:
        """Return where all streams of the user stand: their own, and those of their rooms."""
        return [StreamPosition(*position) for position in streams.positions(self.user_id)]

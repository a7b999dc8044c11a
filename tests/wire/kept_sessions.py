"""A session engine of a project's own: it keeps sessions in the process, and may be away."""

from typing import Any, ClassVar

from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError


class AwayError(Exception):
    """The error of this store's client, which no library knows."""


class SessionStore(SessionBase):
    """Keeps sessions in a dictionary."""

    kept: ClassVar[dict[str, dict[str, Any]]] = {}
    away: ClassVar[bool] = False

    def _all(self) -> dict[str, dict[str, Any]]:
        if self.away:
            raise AwayError("nobody answers")
        return self.kept

    def load(self) -> dict[str, Any]:
        """Return what the session holds; it begins another one where it is gone."""
        found = self._all().get(self.session_key or "")
        if found is None:
            self.create()
        return dict(found or {})

    def exists(self, session_key: str) -> bool:
        """Tell whether there is such a session."""
        return session_key in self._all()

    def create(self) -> None:
        """Begin a session."""
        self._session_key = self._get_new_session_key()
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        """Keep the session."""
        if self.session_key is None:
            self.create()
            return
        if must_create and self.exists(self.session_key):
            raise CreateError
        if not must_create and not self.exists(self.session_key):
            raise UpdateError
        self._all()[self.session_key] = dict(self._get_session(no_load=must_create))

    def delete(self, session_key: str | None = None) -> None:
        """Forget the session."""
        self._all().pop(session_key or self.session_key or "", None)

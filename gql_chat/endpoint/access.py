"""Access: which users may use the endpoint, and on whose behalf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guardian.conf import settings as guardian_settings

from ..conf import chat_settings
from ..errors import (
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from ..logins import Login
from ..models import Membership
from ..operations import Operations
from ..permissions import may_view as may_view
from ..schema import Context
from ..sizes import SharedBudget

ACT_AS = f"{Membership._meta.app_label}.act_as"
"""The permission to act as another user."""


def is_staff(user: Any) -> bool:
    """Return whether a user is staff: a rule that `GRAPHQL_ACCESS` may name.

    It lets staff use the endpoint as themselves. They read what others write only if they may
    inspect (`PermissionHandler.can_inspect`).
    """
    return bool(getattr(user, "is_staff", False))


@dataclass(frozen=True, slots=True)
class Caller:
    """The user who makes a request or has opened a socket.

    Attributes:
        user_id: the primary key of the user; None if nobody has signed in.
        login: the login of a socket; None for a request, whose login Django has just checked.
        act_as: the user on whose behalf the caller wants to act, as the caller wrote it.
    """

    user_id: Any
    login: Login | None = None
    act_as: int | str | None = None

    @classmethod
    def of(cls, user: Any, login: Login | None = None, act_as: Any = None) -> Caller:
        """Return the caller for the user that Django's or Channels' middleware found."""
        known = (
            user is not None
            and user.is_authenticated
            and user.get_username() != guardian_settings.ANONYMOUS_USER_NAME
        )
        return cls(user.pk if known else None, login, act_as)

    def stay(self) -> Context:
        """Return the context for an operation that has begun already.

        It does what `enter` does, but a login that cannot be judged now is taken to hold.
        """
        return self._enter(began=True)

    def enter(self) -> Context:
        """Return the context for a new operation, by the rights of now. Runs on a database thread.

        Raises:
            NotAuthenticated: nobody has signed in, or the account or login session has ended.
            PermissionDenied: the user may not use the endpoint, or may not act as the other.
            Invalid, NotFound: there is no such other user.
            Unavailable: the store of the login's session does not answer.
        """
        return self._enter(began=False)

    def _enter(self, *, began: bool) -> Context:
        if self.user_id is None:
            raise NotAuthenticated("Sign in first.")
        if self.login is not None:
            try:
                self.login.check()
            except Unavailable:
                if not began:
                    raise
        caller = Operations(self.user_id)
        if not chat_settings.load("GRAPHQL_ACCESS")(caller.user):
            raise PermissionDenied("You may not use this endpoint.")
        if self.act_as is None:
            return Context(self.user_id, budget=SharedBudget())
        return Context(self._find_other(caller), actor_id=self.user_id, budget=SharedBudget())

    def _find_other(self, caller: Operations) -> Any:
        if not caller.user.has_perm(ACT_AS):
            raise PermissionDenied("You may not act as another user.")
        ((key, other),) = caller.find_users("act_as", [self.act_as]).items()
        if not other.is_active:
            raise NotFound("There is no such user.")
        if other.is_superuser and not caller.user.is_superuser:
            raise PermissionDenied("Only a superuser may act as a superuser.")
        return key

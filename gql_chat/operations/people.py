"""People: whom a user may find by name, to start a chat with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q

from .. import rates
from ..conf import chat_settings
from ..errors import NotFound
from ..models.accounts import as_shown
from ..models.people import check_query, named_like
from .base import Operations, check_active
from .contacts import Contacts
from .cursors import PERSON, find_size, part, read_user

LEAST_CHARACTERS = 2
"""A query of fewer characters would list everybody, a letter at a time."""

_NO_USER = "There is no such user."


@dataclass(slots=True)
class PeoplePage:
    """A page of the users whom a query finds, by username.

    Attributes:
        users: the users.
        has_next: whether there are more.
        has_previous: whether it is not the first page.
        size: how many a page holds at most.
    """

    users: list[Any]
    has_next: bool
    has_previous: bool
    size: int


class PeopleOperations(Operations):
    """What a user does to find others."""

    def search_users(self, query: str, *, after: Any = None, size: int | None = None) -> PeoplePage:
        """Return the users of whose names each word of a query begins one, by username.

        They are those whom the user may find (`PermissionHandler.may_find`) and contact, but for
        the user.

        Args:
            query: what is looked for: at least two characters.
            after: the id of a user who was found: those who come after them follow.
            size: how many at most; capped at `MAX_PAGE_SIZE`.

        Raises:
            NotFound: the user `after` is none who may be found.
            RateLimited: the user searched too often lately; `detail` says when the next may be.
            Invalid: the query or the size is none.
            NotAuthenticated: the account is gone or was deactivated.
        """
        limit = self.budget.find_limit()
        size = find_size(size, limit, PERSON)
        wanted = named_like(check_query("query", query, LEAST_CHARACTERS))
        key = None if after is None else read_user(after, _NO_USER)
        user = check_active(self.user)
        self._count_search()
        findable = self.permissions.may_find(user).exclude(pk=user.pk)
        if key is not None:
            wanted &= _follow(findable, key)
        users = Contacts(self).narrow(findable.filter(wanted))
        ordered = as_shown(users).order_by(get_user_model().USERNAME_FIELD, "pk")
        shown, more = part(list(ordered[: size + 1]), size)
        self.budget.spend(PERSON * len(shown))
        return PeoplePage(shown, more, after is not None, size)

    def _count_search(self) -> None:
        rate = chat_settings.FIND_RATE_LIMIT
        if rate is None or self.as_system or not self.has_quotas:
            return
        grant = rates.take(self.user_id, rates.FINDS, rate)
        if not grant.count:
            raise rates.too_many(grant.wait, what="searches")


def _follow(findable: Any, user_id: Any) -> Q:
    """Return the condition on users that they come after one, in the order of a page."""
    column = get_user_model().USERNAME_FIELD
    name = findable.filter(pk=user_id).values_list(column, flat=True).first()
    if name is None:
        # Where somebody stands who may not be found would tell of their name.
        raise NotFound(_NO_USER)
    return Q(**{f"{column}__gt": name}) | Q(**{column: name}, pk__gt=user_id)

"""People: users who are found by the beginnings of their names."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Q, QuerySet
from guardian.conf import settings as guardian_settings

from ..errors import Invalid
from .accounts import active, shows

QUERY_LENGTH = 100
"""How many characters a query has at most."""

_MOST_WORDS = 8


def check_query(field: str, query: str, least: int = 1) -> str:
    """Return a query without spaces around it.

    Args:
        field: the input's field that has it, for errors.
        query: what a client looks for.
        least: how many characters are needed.

    Raises:
        Invalid: it is too short or too long, or no text that a database takes.
    """
    is_too_long = len(query) > QUERY_LENGTH
    query = query.strip()
    if is_too_long or len(query) < least or "\0" in query:
        raise Invalid({field: f"{least} to {QUERY_LENGTH} characters are needed."})
    if len(query.split()) > _MOST_WORDS:
        raise Invalid({field: f"At most {_MOST_WORDS} words are allowed."})
    return query


def searched_columns() -> tuple[str, ...]:
    """Return the columns of the user model that a query looks at: names that frames show.

    A field that frames do not show could be read by searching for its beginnings. So it is not
    looked at, and neither is the email address, unless it is what users log in with.
    """
    model: Any = get_user_model()
    there = {field.name for field in model._meta.concrete_fields}
    names = [name for name in ("first_name", "last_name") if name in there and shows(name)]
    return (model.USERNAME_FIELD, *names)


def named_like(query: str, prefix: str = "") -> Q:
    """Return the condition on users that each word of a query is the beginning of a name.

    Upper and lower case are the same; on SQLite, of ASCII letters alone.

    Args:
        query: the query, checked.
        prefix: the lookup that leads to the user, as `"user__"`.
    """
    wanted = Q()
    for word in query.split():
        begins = Q()
        for column in searched_columns():
            begins |= Q(**{f"{prefix}{column}__istartswith": word})
        wanted &= begins
    return wanted


def active_users() -> QuerySet[Any]:
    """Return all active accounts, in the primary database, but for guardian's anonymous one."""
    model: Any = get_user_model()
    users: QuerySet[Any] = model._default_manager.using(router.db_for_write(model))
    nobody = {model.USERNAME_FIELD: guardian_settings.ANONYMOUS_USER_NAME}
    return users.filter(**active()).exclude(**nobody)

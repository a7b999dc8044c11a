"""Cursors: how large a page by cursor is, and where it begins."""

from __future__ import annotations

from typing import Any, TypeVar

from ..conf import chat_settings
from ..errors import Invalid, NotFound
from .contacts import read_keys

ItemT = TypeVar("ItemT")

PERSON = 320
"""How many bytes a person has in a list, about: a project says what frames show of users."""

_LARGEST = 2**31 - 2


def find_size(size: int | None, limit: int | None, weight: int) -> int:
    """Return how many items a page has at most.

    Args:
        size: how many are wanted; None for as many as there may be.
        limit: how many bytes the page may have; None for any number.
        weight: how many bytes an item has at least, about.

    Raises:
        Invalid: the size is not from 1 up.
    """
    if size is not None and size < 1:
        raise Invalid({"paginate": {"size": "A whole number from 1 up is needed."}})
    fitting = None if limit is None else max(limit // weight, 1)
    limits = (size, chat_settings.MAX_PAGE_SIZE, fitting)
    return min((each for each in limits if each is not None), default=_LARGEST)


def part(found: list[ItemT], size: int) -> tuple[list[ItemT], bool]:
    """Return the items of a page, and whether there are more.

    Args:
        found: the items, and one more if there are more.
        size: how many the page has at most.
    """
    return found[:size], len(found) > size


def read_user(user_id: Any, problem: str) -> Any:
    """Return the key of the user whom a cursor names, as the database has it.

    Args:
        user_id: what a client sent.
        problem: what is said if nobody can have that key.

    Raises:
        Invalid: it cannot be the primary key of a user.
        NotFound: it is beyond what the database can hold.
    """
    try:
        (key,) = read_keys("after", [user_id])
    except Invalid as error:
        raise Invalid({"paginate": error.detail}) from None
    except NotFound:
        raise NotFound(problem) from None
    return key

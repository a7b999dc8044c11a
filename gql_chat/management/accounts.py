"""Naming an account on the command line."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from gql_chat.models.accounts import accounts

WAYS = ("username", "id")


def add_account(parser: CommandParser) -> None:
    """Add the arguments that name an account."""
    parser.add_argument("user", help="the user's name, or primary key")
    parser.add_argument(
        "--by", choices=WAYS, help="what `user` is; only needed where it could be both"
    )


def find_account(options: dict[str, Any]) -> Any:
    """Return the account that the arguments name.

    Raises:
        CommandError: there is none, or there are two.
    """
    given, by = str(options["user"]), options["by"]
    found = {
        account.pk: account for way in WAYS if by in (None, way) for account in _by(way, given)
    }
    if not found:
        raise CommandError(f"There is no user {given!r}.")
    if len(found) > 1:
        raise CommandError(f"{given!r} is the name of one user and the key of another: add --by.")
    (account,) = found.values()
    return account


def _by(way: str, given: str) -> list[Any]:
    model = get_user_model()
    if way == "username":
        return list(accounts().filter(**{model.USERNAME_FIELD: given}))
    field: Any = model._meta.pk
    try:
        field.run_validators(key := field.to_python(given))
    except ValidationError:
        return []
    return list(accounts().filter(pk=key))

"""Errors: what cannot be prepared, and answers that the schema does not allow."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError


class Unplannable(GraphQLError):
    """A document that fits its schema asks for what a plan cannot do."""


def null(where: str) -> TypeError:
    """Return the error for a required field that is null."""
    return TypeError(f"Cannot return null for non-nullable field {where}.")


def no_value(value: Any, where: str, kind: Any) -> TypeError:
    """Return the error for a required leaf with something that its type cannot write."""
    return TypeError(f"Cannot return {value!r} for {where}, a required {kind.name}.")


def no_type(value: Any, kind: Any, name: Any = None) -> TypeError:
    """Return the error for a value of no type that it may have.

    Args:
        value: the value.
        kind: the type that it should be of.
        name: what a resolver gave as its type, if one did.
    """
    told = "" if name is None else f", but {name!r}"
    return TypeError(f"{value!r} is none of the types of {kind.name}{told}.")

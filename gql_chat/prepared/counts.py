"""Counts: how many items a list of an input may have, checked before any of them is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
)

from ..errors import Invalid

_COUNTED = "gql_chat.counted"

Limit = Callable[[], int | None]
"""Returns how many items a list may have now; None for any number."""


def counted(limit: Limit) -> dict[str, Any]:
    """Say in the `metadata` of a list of an input how many items it may have."""
    return {_COUNTED: limit}


class Counts:
    """The counted lists of an input, those of inputs inside it among them.

    Args:
        kind: the input, or any other type, in which nothing is counted.
    """

    def __init__(self, kind: GraphQLInputType) -> None:
        named = get_named_type(kind)
        inputs = isinstance(named, GraphQLInputObjectType) and not _is_list(kind)
        self._lists = list(_find(named, ())) if inputs else []

    @property
    def has_lists(self) -> bool:
        """Whether there are any."""
        return bool(self._lists)

    def check(self, value: Any) -> None:
        """Refuse a value that holds a list which is too long; what else is wrong is not judged.

        Raises:
            Invalid: naming the list.
        """
        for path, get_limit in self._lists:
            found = value
            for step in path:
                found = found.get(step) if isinstance(found, dict) else None
            if isinstance(found, list):
                limit = get_limit()
                if limit is not None and len(found) > limit:
                    raise Invalid({".".join(path): f"At most {limit} items are allowed."})


def count_arguments(schema: GraphQLSchema) -> None:
    """Let the queries and mutations of a schema refuse arguments with lists that are too long.

    A prepared document counts its variables itself. This is for documents that come from outside.
    """
    for root in (schema.query_type, schema.mutation_type):
        for field in root.fields.values() if root is not None else ():
            counts = {name: Counts(argument.type) for name, argument in field.args.items()}
            found = {name: each for name, each in counts.items() if each.has_lists}
            if found and field.resolve is not None:
                field.resolve = _counting(field.resolve, found)


def _counting(resolve: Callable[..., Any], counts: dict[str, Counts]) -> Callable[..., Any]:
    @wraps(resolve)
    def count_and_resolve(root: Any, info: Any, **arguments: Any) -> Any:
        for name, each in counts.items():
            each.check(arguments.get(name))
        return resolve(root, info, **arguments)

    return count_and_resolve


def _find(
    kind: Any, above: tuple[str, ...], inside: frozenset[str] = frozenset()
) -> Iterator[tuple[tuple[str, ...], Limit]]:
    """Yield the paths of the counted lists of an input with their limits.

    An input inside itself is left out.
    """
    for name, field in kind.fields.items():
        path, named = (*above, name), get_named_type(field.type)
        if _is_list(field.type):
            definition = field.extensions.get("strawberry-definition")
            limit = getattr(definition, "metadata", {}).get(_COUNTED)
            if limit is not None:
                yield path, limit
        elif isinstance(named, GraphQLInputObjectType) and named.name not in inside:
            yield from _find(named, path, inside | {named.name})


def _is_list(kind: GraphQLInputType) -> bool:
    return isinstance(get_nullable_type(kind), GraphQLList)

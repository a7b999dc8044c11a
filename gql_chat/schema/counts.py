"""Counts: how many items a list of an input may have, looked at before any of them is.

A field says it in its keywords (`maxItems`), so the JSON Schema has it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    get_named_type,
    get_nullable_type,
)

from ..errors import Invalid
from .json_schema import keywords_of

_COUNTED = "maxItems"


class Counts:
    """The counted lists of an input, those of inputs inside it among them.

    Args:
        kind: the input, or any other type, in which nothing is counted.
    """

    def __init__(self, kind: GraphQLInputType) -> None:
        named = get_named_type(kind)
        inputs = isinstance(named, GraphQLInputObjectType) and not _is_list(kind)
        self._lists = list(_find(named, ())) if inputs else []

    def check(self, value: Any) -> None:
        """Refuse a value that holds a list which is too long; what else is wrong is not judged.

        Raises:
            Invalid: naming the list.
        """
        for path, field in self._lists:
            found = value
            for step in path:
                found = found.get(step) if isinstance(found, dict) else None
            if isinstance(found, list):
                limit = keywords_of(field).get(_COUNTED)
                if limit is not None and len(found) > limit:
                    raise Invalid({".".join(path): f"At most {limit} items are allowed."})


def _find(
    kind: Any, above: tuple[str, ...], inside: frozenset[str] = frozenset()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the counted lists of an input, each with its path; an input in itself is left."""
    for name, field in kind.fields.items():
        path, named = (*above, name), get_named_type(field.type)
        if _is_list(field.type):
            if keywords_of(field, called=False).get(_COUNTED):
                yield path, field
        elif isinstance(named, GraphQLInputObjectType) and named.name not in inside:
            yield from _find(named, path, inside | {named.name})


def _is_list(kind: GraphQLInputType) -> bool:
    return isinstance(get_nullable_type(kind), GraphQLList)

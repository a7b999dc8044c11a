"""Stored events: rendered payloads, of which a client may select some later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import (
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLResolveInfo,
    is_leaf_type,
)
from strawberry.extensions import SchemaExtension

from ..errors import NotFound


class Stored:
    """An object of the schema as it was rendered.

    Its fields need no resolver: they hold what the resolvers gave when it happened.

    Attributes:
        kind: for an event the name of its type; for what stands inside one, None.
    """

    __slots__ = ("_fields", "kind")

    def __init__(self, fields: dict[str, Any], kind: str | None = None) -> None:
        self._fields = fields
        self.kind = kind

    def __getattr__(self, name: str) -> Any:
        """Return a field as it was rendered; types tell by fields whether an object is theirs."""
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(name) from None

    def resolve(self, info: GraphQLResolveInfo[Any]) -> Any:
        """Return the value of a field, for GraphQL to complete.

        Raises:
            NotFound: the event was stored before the schema had the field.
        """
        if info.field_name not in self._fields:
            raise NotFound(f"{info.field_name!r} was not stored with this event.")
        return _revive(info.return_type, self._fields[info.field_name])


def _revive(expected: Any, value: Any) -> Any:
    if isinstance(expected, GraphQLNonNull):
        return _revive(expected.of_type, value)
    if value is None:
        return None
    if isinstance(expected, GraphQLList):
        return [_revive(expected.of_type, item) for item in value]
    if is_leaf_type(expected):
        leaf: GraphQLLeafType = expected
        return leaf.coerce_input_value(value)
    return Stored(value)


class StoredFields(SchemaExtension):
    """Lets a schema select from stored events as from those that happen."""

    def resolve(
        self,
        _next: Callable[..., Any],
        root: Any,
        info: GraphQLResolveInfo[Any],
        *args: Any,
        **kw: Any,
    ) -> Any:
        """Resolve a field: of a stored object without its resolver."""
        if isinstance(root, Stored) and not info.field_name.startswith("__"):
            return root.resolve(info)
        return _next(root, info, *args, **kw)

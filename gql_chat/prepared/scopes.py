"""Scopes: what one execution of a plan has of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLResolveInfo

Info = GraphQLResolveInfo[Any]

Complete = Callable[[Any, "Scope"], Any]
"""Takes what a resolver returned and the scope; returns plain objects."""

Resolve = Callable[[Any, "Scope"], Any]
"""Takes an object and the scope; returns the value of one of its fields."""


@dataclass(slots=True, frozen=True)
class Scope:
    """What one execution has of its own.

    Attributes:
        root: the value that the operation starts from.
        context: what resolvers find in `info.context`.
        variables: the coerced variables, as graphql-core returns them.
    """

    root: Any
    context: Any
    variables: Any
    _infos: dict[int, Info] = field(default_factory=dict)

    def complete(self, info: Info) -> Info:
        """Return what resolvers learn of a field, with what this execution knows of it.

        Args:
            info: what the plan knows.
        """
        known = self._infos.get(id(info))
        if known is None:
            known = self._infos[id(info)] = info._replace(
                root_value=self.root, context=self.context, variable_values=self.variables
            )
        return known


def name_of(info: Info) -> str:
    """Return a field as errors name it: `Message.content`."""
    return f"{info.parent_type.name}.{info.field_name}"

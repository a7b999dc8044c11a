"""Types: of which type a value is, where the schema leaves that open."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Model
from graphql import GraphQLInterfaceType, GraphQLObjectType
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE

from .errors import no_type
from .results import settle
from .scopes import Complete, Info, Scope


def check_type(
    kind: GraphQLObjectType, is_type_of: Callable[..., Any], complete: Complete, info: Info
) -> Complete:
    """Return what completes an object if its type takes it for its own."""
    where = f"{kind.name}.is_type_of"

    def complete_checked(value: Any, scope: Scope) -> Any:
        is_one = is_type_of(value, scope.complete(info))
        if is_one is not True and not settle(is_one, where):
            raise no_type(value, kind)
        return complete(value, scope)

    return complete_checked


def asks_types(kind: GraphQLInterfaceType, types: Iterable[GraphQLObjectType]) -> bool:
    """Tell whether the types of an interface decide by themselves which values are theirs."""
    definition = kind.extensions.get("strawberry-definition")
    if definition is None:
        return False
    # Not by what Strawberry gives them, which takes any object of the interface.
    said = (each.extensions.get("strawberry-definition") for each in types)
    return definition.resolve_type is None and all(
        each is not None and each.is_type_of is not None for each in said
    )


def ask_types(
    types: dict[Any, Complete], kind: GraphQLInterfaceType, info: Info, resolve: Complete
) -> Complete:
    """Return what completes a row by the first type that takes it for its own.

    So would Strawberry, after a search for what rows do not have: the class of a type, a cast. It
    takes ten times as long, so it is asked only for values that are no rows.

    Args:
        types: what completes a value, by what tells that it is of a type.
        kind: the interface.
        info: what resolvers learn of the field.
        resolve: what completes any value as Strawberry does.
    """
    origin = kind.extensions["strawberry-definition"].origin
    where = f"{kind.name}.is_type_of"

    def complete(value: Any, scope: Scope) -> Any:
        if (
            not isinstance(value, Model)
            or isinstance(value, origin)
            or TYPE_CAST_ATTRIBUTE in vars(value)
        ):
            return resolve(value, scope)
        known = scope.complete(info)
        for is_type_of, complete_as in types.items():
            is_one = is_type_of(value, known)
            if is_one is True or settle(is_one, where):
                return complete_as(value, scope)
        raise no_type(value, kind)

    return complete

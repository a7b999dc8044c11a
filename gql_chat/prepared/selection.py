"""Selects all that a type of the schema has, so that a project's own fields need no document."""

from __future__ import annotations

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)
from graphql.type import is_required_argument


def select_all(schema: GraphQLSchema, name: str) -> str:
    """Return the selection of every field of a type, down to the leaves: `{ id room { id } }`.

    Of a type within itself only the `id` is selected. An abstract type is selected as each of
    its concrete types; a leaf needs no selection, so gives an empty string.
    """
    return _select(schema, schema.type_map[name], ())


def _select(schema: GraphQLSchema, named: GraphQLNamedType, above: tuple[str, ...]) -> str:
    if isinstance(named, GraphQLUnionType | GraphQLInterfaceType):
        parts = [
            f"... on {concrete.name} {_select(schema, concrete, above)}"
            for concrete in schema.get_possible_types(named)
        ]
        return "{ " + " ".join(parts) + " }"
    if not isinstance(named, GraphQLObjectType):
        return ""
    if named.name in above:
        return "{ id }"
    fields = [
        f"{name} {_select(schema, get_named_type(field.type), (*above, named.name))}".strip()
        for name, field in named.fields.items()
        if not any(is_required_argument(argument) for argument in field.args.values())
    ]
    return "{ " + " ".join(fields) + " }"
